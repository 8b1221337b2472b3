/*
 * state.h - what the files of this folder share: the open store, and a run as a row.
 */
#ifndef GN_STATE_STATE_H
#define GN_STATE_STATE_H

#include "db.h"
#include "gnrrun/store.h"

struct gn_store {
    const struct gn_ctx *ctx;
    struct gn_db *db;
    char *path;
    char *insert_sql, *update_sql, *advance_sql; /* made from the table in run.c */
    bool wal;
    bool durable; /* synchronous is FULL now */
    bool batch;   /* between gn_store_begin and gn_store_end; within one: */
    struct {
        char *dest; /* NULL: none yet */
        int64_t run_id, id, seq;
    } fetch; /* whose files are being written down (fetched.c) */
};

void gn_fetch_forget(struct gn_store *s);

/*
 * WAL keeps its index in memory that processes share: on a file system of several machines
 * that loses data.  There the old journal is used, which needs no more than file locks.
 */
GN_MUST int gn_store_open_as(const struct gn_ctx *ctx, bool wal, struct gn_store **out,
                             struct gn_err *err);

/* The folder and the file exist, 0700 and 0600, whatever the umask. */
GN_MUST int gn_place_make_private(const char *dir, const char *path, struct gn_err *err);
bool gn_place_is_network(const char *dir);
bool gn_place_is_network_type(unsigned long type); /* f_type of statfs(2) */

/* Before a write: fsync at its commit or not.  Within a batch: is the batch still whole? */
GN_MUST int gn_store_durable(struct gn_store *s, bool durable, struct gn_err *err);

/* Columns of a run in the order that gn_run_from_row() reads: for SELECT. */
#define GN_RUN_COLUMNS                                                                             \
    "id, name, token, created_s, project, root, target, workdir, command, spec, snapshot, note, "  \
    "state, code, sig, reason, host, started_s, ended_s, log_bytes, shown_bytes, fetched, "        \
    "fetched_files, fetched_bytes, ship_files, ship_bytes, sent_bytes, detached, removed_there, "  \
    "sweep, member, params, members, members_over, members_ok"

/* gn_state_over(), in SQL. */
#define GN_STATES_OVER "'succeeded', 'failed', 'stopped', 'timeout', 'lost'"

/* The row that st stands on, as a copy; an unknown state is an error. */
GN_MUST int gn_run_from_row(struct gn_stmt *st, struct gn_run *out, struct gn_err *err);

/* Two words of a row; false when one is unknown. */
bool gn_run_read_states(const char *state, const char *fetched, struct gn_run *r);

/* Values of all that an update may change, from parameter 1 on; the number of the next one. */
int gn_run_bind(struct gn_stmt *st, const struct gn_run *r);

/* INSERT and UPDATE for these values; the caller's. */
char *gn_run_insert_sql(void);
char *gn_run_update_sql(const char *where);

#endif
