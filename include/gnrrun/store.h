/*
 * store.h - what happened: every run, written down before each step and after it.
 *
 * One SQLite file, state_dir/state.db (0600; WAL, but not on a network file system).  Each call is one transaction;
 * several gnrrun at once are safe.  A run's row is there before anything of it is
 * sent anywhere; so a crash at any instant leaves a row that says where to look.
 */
#ifndef GNRRUN_STORE_H
#define GNRRUN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/ctx.h"
#include "gnrrun/mem.h"

enum gn_state {
    GN_CREATED,  /* the row is there; nothing sent */
    GN_SHIPPING, /* being sent; may or may not have arrived */
    GN_STARTING, /* asked to start; may or may not have */
    GN_QUEUED,   /* a batch queue has it; reason: what it waits for */
    GN_RUNNING,
    GN_STOPPING,
    GN_SUCCEEDED, /* from here on: over */
    GN_FAILED,
    GN_STOPPED,
    GN_TIMEDOUT,
    GN_LOST,
};
const char *gn_state_name(enum gn_state s); /* "created", ... */
bool gn_state_over(enum gn_state s);

enum gn_fetched { GN_FETCH_NOTHING, GN_FETCH_SOME, GN_FETCH_ALL, GN_FETCH_OFF };

struct gn_run {
    int64_t id;
    char *name;    /* "mnist-7" */
    char *project; /* "mnist" */
    char *root;    /* project folder here */
    char *target;
    char *token;    /* name of its folder over there: unique for ever, letters and digits and - */
    char *workdir;  /* root of ours over there as it was resolved ("" until known) */
    char *command;  /* program and arguments, quoted, for people */
    char *spec;     /* JSON: all that is needed to launch it (again) */
    char *snapshot; /* id of what was shipped, "" until known */
    char *note;     /* user's --name, or "" */
    enum gn_state state;
    int code;                              /* when over: exit status, else 0 */
    char *sig;                             /* "TERM" or "" */
    char *reason;                          /* "exit", "signal", "timeout", "reboot", ... or "" */
    char *host;                            /* where it really runs, "" until known */
    int64_t created_s, started_s, ended_s; /* wall clock here; 0: unknown */
    int64_t log_bytes;   /* once over and all of the log is here: its size; before that 0 */
    int64_t shown_bytes; /* of them that somebody has seen */
    enum gn_fetched fetched;
    int64_t fetched_files, fetched_bytes;
    int64_t ship_files, ship_bytes, sent_bytes; /* size of the snapshot; what travelled */
    bool detached;
    bool removed_there; /* the far folder is gone */
    /* A sweep is a run whose members are runs: "mnist-7" of "mnist-7.1", "mnist-7.2", ... */
    int64_t sweep;                             /* of a member: id of its sweep; else 0 */
    int64_t member;                            /* of a member: its number, from 1 on; else 0 */
    char *params;                              /* of a member: "lr=0.1 depth=2"; else "" */
    int64_t members, members_over, members_ok; /* of a sweep; else 0 */
};

void gn_run_clear(struct gn_run *r);
void gn_run_copy(struct gn_run *to, const struct gn_run *from); /* to need not be cleared first */

struct gn_store;

/* Make or open it; a file of a newer version is refused, an older one is upgraded. */
GN_MUST int gn_store_open(const struct gn_ctx *ctx, struct gn_store **out, struct gn_err *err);
void gn_store_close(struct gn_store *s);

/*
 * Write a new run down and give it its id and name (project-N, N counts up per project name and
 * is never used again).  Durable when it returns (synchronous=FULL).  r->name and r->id are set;
 * token and created_s too when they were not given.
 */
GN_MUST int gn_store_create(struct gn_store *s, struct gn_run *r, struct gn_err *err);

/*
 * A sweep and its n members, all or none.  Of the members name, sweep and member are made here, and
 * token: the sweep's, a dot, the number.
 */
GN_MUST int gn_store_create_sweep(struct gn_store *s, struct gn_run *r, struct gn_run *members,
                                  size_t n, struct gn_err *err);

/*
 * Write all fields but id, name, token, created_s; shown_bytes only when it is more than what is
 * there.  durable: fsync before return.  GN_E_NOTFOUND when the run was forgotten meanwhile.
 */
GN_MUST int gn_store_update(struct gn_store *s, const struct gn_run *r, bool durable,
                            struct gn_err *err);

/*
 * Only if the run is not over: never brings an ended run back to life when two gnrrun look at it.
 * Fields as in update.  Durable.  *changed says whether it was done.
 */
GN_MUST int gn_store_advance(struct gn_store *s, const struct gn_run *r, bool *changed,
                             struct gn_err *err);

GN_MUST int gn_store_set_shown(struct gn_store *s, int64_t id, int64_t shown, struct gn_err *err);

/*
 * name: "mnist-7", "mnist-7.3" (a member), "7" or "7.3" (of the project that holds cwd), a --name;
 * NULL: the newest run of the project at root.  GN_E_NOTFOUND with the nearest names.  *out is the
 * caller's.
 */
GN_MUST int gn_store_find(struct gn_store *s, const char *name, const char *root,
                          struct gn_run *out, struct gn_err *err);

/* Newest first, no members.  root NULL: of all projects; limit 0: all. */
typedef int (*gn_run_fn)(const struct gn_run *r, void *arg, struct gn_err *err);
GN_MUST int gn_store_each(struct gn_store *s, const char *root, size_t limit, gn_run_fn fn,
                          void *arg, struct gn_err *err);

/* The members of the sweep of that id, in their order. */
GN_MUST int gn_store_members(struct gn_store *s, int64_t sweep, gn_run_fn fn, void *arg,
                             struct gn_err *err);

/*
 * Newest first, no members, all that are not over and the newest `ended` that are (-1: all): many of them, soon.
 * Of r only id, name, target, command, state, code, sig, reason, the times, fetched, removed_there
 * and the numbers of a sweep are there, until fn returns; fn must not write to the store.
 */
GN_MUST int gn_store_list(struct gn_store *s, int64_t ended, gn_run_fn fn, void *arg,
                          struct gn_err *err);
GN_MUST int gn_store_count(struct gn_store *s, int64_t *n, struct gn_err *err);

/* With its members, if it is a sweep. */
GN_MUST int gn_store_forget(struct gn_store *s, int64_t id, struct gn_err *err);

/* --- results that were brought here ---------------------------------------------------------- */

/* What a fetch wrote, so that the next one knows its own files again. */
struct gn_fetched_file {
    char *path;    /* relative to the project (or to dest) */
    char *dest;    /* folder it was put under, absolute */
    char hash[65]; /* of what was written */
    uint64_t size;
    int64_t far_mtime_ns, far_ctime_ns;
    int64_t run_id;
    char run_name[96];
};
void gn_fetched_clear(struct gn_fetched_file *f);
GN_MUST int gn_store_put_fetched(struct gn_store *s, const struct gn_fetched_file *f,
                                 struct gn_err *err);
/* The last fetch by any run that wrote dest/path; GN_E_NOTFOUND when none. */
GN_MUST int gn_store_get_fetched(struct gn_store *s, const char *dest, const char *path,
                                 struct gn_fetched_file *out, struct gn_err *err);
/* By this run. */
GN_MUST int gn_store_get_fetched_by(struct gn_store *s, int64_t run_id, const char *dest,
                                    const char *path, struct gn_fetched_file *out,
                                    struct gn_err *err);
/* Has a fetch of this run written anything below dest? */
GN_MUST int gn_store_has_fetched(struct gn_store *s, int64_t run_id, const char *dest, bool *any,
                                 struct gn_err *err);

/*
 * Many small writes as one durable transaction; begin and end nest not.  When a write of it fails
 * the others may be gone too: gn_store_end() then fails.
 */
GN_MUST int gn_store_begin(struct gn_store *s, struct gn_err *err);
GN_MUST int gn_store_end(struct gn_store *s, struct gn_err *err);

/* Read the whole file and say whether it is sound. */
GN_MUST int gn_store_check(struct gn_store *s, struct gn_err *err);

/* Paths beside the database: state_dir/runs/NAME/{log,manifest}.  The caller's. */
char *gn_store_path(const struct gn_ctx *ctx, const struct gn_run *r, const char *leaf);

#endif
