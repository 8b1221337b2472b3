/* fetched.c - which files a fetch wrote, so that the next one knows its own again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

void gn_fetched_clear(struct gn_fetched_file *f)
{
    if (!f)
        return;
    free(f->path);
    free(f->dest);
    memset(f, 0, sizeof *f);
}

void gn_fetch_forget(struct gn_store *s)
{
    free(s->fetch.dest);
    memset(&s->fetch, 0, sizeof s->fetch);
}

/*
 * The row of f's run and folder, which gets the next number: files that are written down now are
 * newer than all before.
 */
static int note_fetch(struct gn_store *s, const struct gn_fetched_file *f, struct gn_err *err)
{
    struct gn_stmt *st;
    bool row = false;
    int rc = gn_db_query(s->db,
                         "INSERT INTO fetches(dest, run_id, run_name, last)"
                         " VALUES(?, ?, ?, 1 + (SELECT coalesce(max(last), 0) FROM fetches))"
                         " ON CONFLICT(dest, run_id) DO UPDATE SET last = excluded.last",
                         &st, err);

    gn_fetch_forget(s);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, f->dest);
    gn_stmt_int(st, 2, f->run_id);
    gn_stmt_str(st, 3, f->run_name);
    rc = gn_stmt_done(st, err);
    if (!rc)
        rc = gn_db_query(s->db, "SELECT id, last FROM fetches WHERE dest = ? AND run_id = ?", &st,
                         err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, f->dest);
    gn_stmt_int(st, 2, f->run_id);
    rc = gn_stmt_step(st, &row, err);
    if (rc || !row)
        return rc ? rc : gn_err_set(err, GN_E_BUG, "a fetch that was noted is not there");
    s->fetch.dest = gn_strdup(f->dest);
    s->fetch.run_id = f->run_id;
    s->fetch.id = gn_stmt_get_int(st, 0);
    s->fetch.seq = gn_stmt_get_int(st, 1);
    gn_stmt_reset(st);
    return GN_OK;
}

int gn_store_put_fetched(struct gn_store *s, const struct gn_fetched_file *f, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_store_durable(s, false, err);
    if (!rc && !(s->batch && s->fetch.dest && s->fetch.run_id == f->run_id &&
                 strcmp(s->fetch.dest, f->dest) == 0))
        rc = note_fetch(s, f, err);
    if (!rc)
        rc = gn_db_query(s->db, "INSERT OR REPLACE INTO fetched VALUES(?, ?, ?, ?, ?, ?, ?)", &st,
                         err);
    if (rc)
        return rc;
    gn_stmt_int(st, 1, s->fetch.id);
    gn_stmt_str(st, 2, f->path);
    gn_stmt_int(st, 3, s->fetch.seq);
    gn_stmt_str(st, 4, f->hash);
    gn_stmt_int(st, 5, (int64_t)f->size);
    gn_stmt_int(st, 6, f->far_mtime_ns);
    gn_stmt_int(st, 7, f->far_ctime_ns);
    return gn_stmt_done(st, err);
}

/* The record of path in the fetch `id`, if there is one. */
static int read_fetched(struct gn_store *s, int64_t id, const char *path, bool *found,
                        struct gn_fetched_file *out, int64_t *seq, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc = gn_db_query(s->db,
                         "SELECT hash, size, far_mtime_ns, far_ctime_ns, seq"
                         " FROM fetched WHERE fetch = ? AND path = ?",
                         &st, err);

    *found = false;
    if (rc)
        return rc;
    gn_stmt_int(st, 1, id);
    gn_stmt_str(st, 2, path);
    rc = gn_stmt_step(st, found, err);
    if (rc || !*found)
        return rc;
    memset(out, 0, sizeof *out);
    out->path = gn_strdup(path);
    snprintf(out->hash, sizeof out->hash, "%s", gn_stmt_get_str(st, 0));
    out->size = (uint64_t)gn_stmt_get_int(st, 1);
    out->far_mtime_ns = gn_stmt_get_int(st, 2);
    out->far_ctime_ns = gn_stmt_get_int(st, 3);
    *seq = gn_stmt_get_int(st, 4);
    gn_stmt_reset(st);
    return GN_OK;
}

static int not_written(const char *path, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(1024);

    gn_buf_addsafe(&safe, path, strlen(path), 400);
    gn_err_set(err, GN_E_NOTFOUND, "no fetch has written '%s'", safe.ptr);
    gn_buf_clear(&safe);
    return err->code;
}

/* Of the fetches that st goes through the record of path that was written last. */
static int newest(struct gn_store *s, struct gn_stmt *st, const char *dest, const char *path,
                  struct gn_fetched_file *out, struct gn_err *err)
{
    int64_t best = -1;
    int rc;

    for (;;) {
        struct gn_fetched_file f;
        bool row = false, found = false;
        int64_t seq = 0;

        rc = gn_stmt_step(st, &row, err);
        if (rc || !row)
            break;
        /* none of the fetches from here on wrote anything later */
        if (gn_stmt_get_int(st, 3) <= best) {
            gn_stmt_reset(st);
            break;
        }
        rc = read_fetched(s, gn_stmt_get_int(st, 0), path, &found, &f, &seq, err);
        if (rc) {
            gn_stmt_reset(st);
            break;
        }
        if (found && seq > best) {
            if (best >= 0)
                gn_fetched_clear(out);
            *out = f;
            out->dest = gn_strdup(dest);
            out->run_id = gn_stmt_get_int(st, 1);
            snprintf(out->run_name, sizeof out->run_name, "%s", gn_stmt_get_str(st, 2));
            best = seq;
        } else if (found) {
            gn_fetched_clear(&f);
        }
    }
    if (rc && best >= 0)
        gn_fetched_clear(out);
    return rc ? rc : best >= 0 ? GN_OK : not_written(path, err);
}

int gn_store_get_fetched(struct gn_store *s, const char *dest, const char *path,
                         struct gn_fetched_file *out, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc = gn_db_query(s->db,
                         "SELECT id, run_id, run_name, last FROM fetches WHERE dest = ?"
                         " ORDER BY last DESC",
                         &st, err);

    if (rc)
        return rc;
    gn_stmt_str(st, 1, dest);
    return newest(s, st, dest, path, out, err);
}

int gn_store_get_fetched_by(struct gn_store *s, int64_t run_id, const char *dest, const char *path,
                            struct gn_fetched_file *out, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc = gn_db_query(s->db,
                         "SELECT id, run_id, run_name, last FROM fetches WHERE dest = ?"
                         " AND run_id = ?",
                         &st, err);

    if (rc)
        return rc;
    gn_stmt_str(st, 1, dest);
    gn_stmt_int(st, 2, run_id);
    return newest(s, st, dest, path, out, err);
}

int gn_store_has_fetched(struct gn_store *s, int64_t run_id, const char *dest, bool *any,
                         struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_db_query(s->db, "SELECT 1 FROM fetches WHERE dest = ? AND run_id = ?", &st, err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, dest);
    gn_stmt_int(st, 2, run_id);
    rc = gn_stmt_step(st, any, err);
    if (!rc && *any)
        gn_stmt_reset(st);
    return rc;
}
