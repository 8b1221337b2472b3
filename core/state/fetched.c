/* fetched.c - which files a fetch wrote, so that the next one knows its own again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define FETCHED_COLUMNS "path, dest, hash, size, far_mtime_ns, far_ctime_ns, run_id, run_name"

void gn_fetched_clear(struct gn_fetched_file *f)
{
    if (!f)
        return;
    free(f->path);
    free(f->dest);
    memset(f, 0, sizeof *f);
}

/* REPLACE makes a new row: the highest id is the last fetch. */
int gn_store_put_fetched(struct gn_store *s, const struct gn_fetched_file *f, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_store_durable(s, false, err);
    if (!rc)
        rc = gn_db_query(s->db,
                         "INSERT OR REPLACE INTO fetched_files(" FETCHED_COLUMNS
                         ") VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                         &st, err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, f->path);
    gn_stmt_str(st, 2, f->dest);
    gn_stmt_str(st, 3, f->hash);
    gn_stmt_int(st, 4, (int64_t)f->size);
    gn_stmt_int(st, 5, f->far_mtime_ns);
    gn_stmt_int(st, 6, f->far_ctime_ns);
    gn_stmt_int(st, 7, f->run_id);
    gn_stmt_str(st, 8, f->run_name);
    return gn_stmt_done(st, err);
}

static int read_fetched(struct gn_stmt *st, const char *path, struct gn_fetched_file *out,
                        struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(1024);
    bool row = false;
    int rc = gn_stmt_step(st, &row, err);

    if (rc)
        return rc;
    if (!row) {
        gn_buf_addsafe(&safe, path, strlen(path), 400);
        gn_err_set(err, GN_E_NOTFOUND, "no fetch has written '%s'", safe.ptr);
        gn_buf_clear(&safe);
        return err->code;
    }
    memset(out, 0, sizeof *out);
    out->path = gn_strdup(gn_stmt_get_str(st, 0));
    out->dest = gn_strdup(gn_stmt_get_str(st, 1));
    snprintf(out->hash, sizeof out->hash, "%s", gn_stmt_get_str(st, 2));
    out->size = (uint64_t)gn_stmt_get_int(st, 3);
    out->far_mtime_ns = gn_stmt_get_int(st, 4);
    out->far_ctime_ns = gn_stmt_get_int(st, 5);
    out->run_id = gn_stmt_get_int(st, 6);
    snprintf(out->run_name, sizeof out->run_name, "%s", gn_stmt_get_str(st, 7));
    gn_stmt_reset(st);
    return GN_OK;
}

int gn_store_get_fetched(struct gn_store *s, const char *dest, const char *path,
                         struct gn_fetched_file *out, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_db_query(s->db,
                     "SELECT " FETCHED_COLUMNS
                     " FROM fetched_files WHERE dest = ? AND path = ? ORDER BY id DESC LIMIT 1",
                     &st, err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, dest);
    gn_stmt_str(st, 2, path);
    return read_fetched(st, path, out, err);
}

int gn_store_get_fetched_by(struct gn_store *s, int64_t run_id, const char *dest, const char *path,
                            struct gn_fetched_file *out, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_db_query(s->db,
                     "SELECT " FETCHED_COLUMNS
                     " FROM fetched_files WHERE dest = ? AND path = ? AND run_id = ?",
                     &st, err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, dest);
    gn_stmt_str(st, 2, path);
    gn_stmt_int(st, 3, run_id);
    return read_fetched(st, path, out, err);
}

int gn_store_has_fetched(struct gn_store *s, int64_t run_id, const char *dest, bool *any,
                         struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_db_query(s->db, "SELECT 1 FROM fetched_files WHERE dest = ? AND run_id = ? LIMIT 1",
                     &st, err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, dest);
    gn_stmt_int(st, 2, run_id);
    rc = gn_stmt_step(st, any, err);
    if (!rc && *any)
        gn_stmt_reset(st);
    return rc;
}
