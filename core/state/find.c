/* find.c - reading back: runs by any of their names, and the files that were fetched. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define PAGE        64   /* rows that are read before anybody hears of them */
#define NAMES_LOOK  1000 /* newest names that are compared for "did you mean" */
#define NEAR_ENOUGH 3

/* The first row, if any. */
static int first_run(struct gn_stmt *st, struct gn_run *out, bool *found, struct gn_err *err)
{
    int rc = gn_stmt_step(st, found, err);

    if (!rc && *found) {
        rc = gn_run_from_row(st, out, err);
        gn_stmt_reset(st);
    }
    return rc;
}

static int by_text(struct gn_store *s, const char *sql, const char *a, const char *b,
                   struct gn_run *out, bool *found, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc = gn_db_query(s->db, sql, &st, err);

    if (rc)
        return rc;
    gn_stmt_str(st, 1, a);
    if (b)
        gn_stmt_str(st, 2, b);
    return first_run(st, out, found, err);
}

static int by_number(struct gn_store *s, const char *root, int64_t number, struct gn_run *out,
                     bool *found, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc;

    rc = gn_db_query(s->db,
                     "SELECT " GN_RUN_COLUMNS
                     " FROM runs WHERE root = ? AND number = ? AND sweep = 0"
                     " ORDER BY id DESC LIMIT 1",
                     &st, err);
    if (rc)
        return rc;
    gn_stmt_str(st, 1, root);
    gn_stmt_int(st, 2, number);
    return first_run(st, out, found, err);
}

static bool is_number(const char *s, int64_t *out)
{
    int64_t v = 0;
    size_t n = strlen(s);

    if (n == 0 || n > 18 || strspn(s, "0123456789") != n)
        return false;
    for (; *s; s++)
        v = v * 10 + (*s - '0');
    *out = v;
    return true;
}

/* "7.3": the third member of number 7. */
static int by_member(struct gn_store *s, const char *root, const char *name, struct gn_run *out,
                     bool *found, struct gn_err *err)
{
    const char *dot = strchr(name, '.');
    char *head = dot ? gn_strndup(name, (size_t)(dot - name)) : gn_strdup("");
    struct gn_run sweep;
    int64_t number;
    int rc = GN_OK;

    if (is_number(head, &number))
        rc = by_number(s, root, number, &sweep, found, err);
    free(head);
    if (rc || !*found)
        return rc;
    head = gn_printf("%s%s", sweep.name, dot);
    gn_run_clear(&sweep);
    rc = by_text(s, "SELECT " GN_RUN_COLUMNS " FROM runs WHERE name = ?", head, NULL, out, found,
                 err);
    free(head);
    return rc;
}

/* The newest of all, or of one project. */
static int newest(struct gn_store *s, const char *root, struct gn_run *out, bool *found,
                  struct gn_err *err)
{
    if (root)
        return by_text(s,
                       "SELECT " GN_RUN_COLUMNS
                       " FROM runs WHERE root = ? AND sweep = 0 ORDER BY id DESC LIMIT 1",
                       root, NULL, out, found, err);
    return by_text(s,
                   "SELECT " GN_RUN_COLUMNS
                   " FROM runs WHERE ?1 = '' AND sweep = 0 ORDER BY id DESC LIMIT 1",
                   "", NULL, out, found, err);
}

/* Names worth a "did you mean"; the newest ones when none is near. */
static int hint_names(struct gn_store *s, const char *name, struct gn_err *err)
{
    struct gn_buf near = GN_BUF_INIT(256), latest = GN_BUF_INIT(256);
    unsigned best = NEAR_ENOUGH, n_latest = 0;
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_stmt *st;
    bool row = false;

    if (gn_db_query(s->db, "SELECT name, note FROM runs WHERE sweep = 0 ORDER BY id DESC LIMIT ?",
                    &st, &ignored))
        return err->code;
    gn_stmt_int(st, 1, NAMES_LOOK);
    while (gn_stmt_step(st, &row, &ignored) == GN_OK && row) {
        for (int col = 0; col < 2; col++) {
            const char *cand = gn_stmt_get_str(st, col);
            unsigned d = *cand && strlen(cand) < 96 ? gn_edit_distance(name, cand) : NEAR_ENOUGH;

            if (d < best) {
                best = d;
                gn_buf_reset(&near);
                gn_buf_addsafe(&near, cand, strlen(cand), 96);
            }
        }
        if (n_latest++ < 3)
            gn_buf_addf(&latest, "%s'%s'", n_latest > 1 ? ", " : "", gn_stmt_get_str(st, 0));
    }
    if (near.len)
        gn_err_hint(err, "did you mean '%s'?", near.ptr);
    else if (latest.len)
        gn_err_hint(err, "the newest runs are %s; 'gnrrun ps --all' lists all", latest.ptr);
    else
        gn_err_hint(err, "no run is on record yet");
    gn_buf_clear(&near);
    gn_buf_clear(&latest);
    return err->code;
}

static int not_found(struct gn_store *s, const char *name, const char *root, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(1024);

    if (!name) {
        if (root)
            gn_buf_addsafe(&safe, root, strlen(root), 400);
        if (root)
            gn_err_set(err, GN_E_NOTFOUND, "no run of the project in '%s' is on record", safe.ptr);
        else
            gn_err_set(err, GN_E_NOTFOUND, "no run is on record");
        gn_err_hint(err, "'gnrrun ps --all' lists the runs of all projects");
        gn_buf_clear(&safe);
        return err->code;
    }
    gn_buf_addsafe(&safe, name, strlen(name), 200);
    gn_err_set(err, GN_E_NOTFOUND, "no run is called '%s'", safe.ptr);
    gn_buf_clear(&safe);
    return strlen(name) < 96 ? hint_names(s, name, err) : err->code;
}

int gn_store_find(struct gn_store *s, const char *name, const char *root, struct gn_run *out,
                  struct gn_err *err)
{
    bool found = false;
    int64_t number;
    int rc;

    if (!name) {
        rc = newest(s, root, out, &found, err);
        return rc ? rc : found ? GN_OK : not_found(s, name, root, err);
    }
    rc = by_text(s, "SELECT " GN_RUN_COLUMNS " FROM runs WHERE name = ?", name, NULL, out, &found,
                 err);
    if (!rc && !found && root && is_number(name, &number))
        rc = by_number(s, root, number, out, &found, err);
    if (!rc && !found && root)
        rc = by_member(s, root, name, out, &found, err);
    if (!rc && !found && *name) /* a --name: this project's first, then the newest */
        rc = by_text(s,
                     "SELECT " GN_RUN_COLUMNS " FROM runs WHERE note = ?1 AND sweep = 0"
                     " ORDER BY root = ?2 DESC, id DESC LIMIT 1",
                     name, root ? root : "", out, &found, err);
    return rc ? rc : found ? GN_OK : not_found(s, name, root, err);
}

/* At most max runs older than *before into page; the last one's id becomes *before. */
static int read_page(struct gn_store *s, const char *root, int64_t *before, struct gn_run *page,
                     size_t max, size_t *n, struct gn_err *err)
{
    struct gn_stmt *st;
    bool row = false;
    int rc;

    rc = gn_db_query(s->db,
                     root ? "SELECT " GN_RUN_COLUMNS
                            " FROM runs WHERE root = ?3 AND id < ?1 AND sweep = 0"
                            " ORDER BY id DESC LIMIT ?2"
                          : "SELECT " GN_RUN_COLUMNS
                            " FROM runs WHERE id < ?1 AND sweep = 0 ORDER BY id DESC LIMIT ?2",
                     &st, err);
    if (rc)
        return rc;
    gn_stmt_int(st, 1, *before);
    gn_stmt_int(st, 2, (int64_t)max);
    if (root)
        gn_stmt_str(st, 3, root);
    *n = 0;
    while ((rc = gn_stmt_step(st, &row, err)) == GN_OK && row) {
        rc = gn_run_from_row(st, &page[*n], err);
        if (rc)
            break;
        *before = page[(*n)++].id;
    }
    gn_stmt_reset(st);
    return rc;
}

/* In pages, so that no read transaction is open while fn works, and fn may write. */
int gn_store_each(struct gn_store *s, const char *root, size_t limit, gn_run_fn fn, void *arg,
                  struct gn_err *err)
{
    struct gn_run page[PAGE];
    int64_t before = INT64_MAX;
    size_t left = limit ? limit : SIZE_MAX, n = 0;
    int rc = GN_OK;

    while (!rc && left > 0) {
        size_t max = left < PAGE ? left : PAGE;

        n = 0;
        rc = read_page(s, root, &before, page, max, &n, err);
        for (size_t i = 0; i < n; i++) {
            if (!rc)
                rc = fn(&page[i], arg, err);
            gn_run_clear(&page[i]);
        }
        if (n < max)
            break;
        left -= n;
    }
    return rc;
}

/* At most max members after number *after into page. */
static int read_members(struct gn_store *s, int64_t sweep, int64_t *after, struct gn_run *page,
                        size_t max, size_t *n, struct gn_err *err)
{
    struct gn_stmt *st;
    bool row = false;
    int rc;

    rc = gn_db_query(s->db,
                     "SELECT " GN_RUN_COLUMNS
                     " FROM runs WHERE sweep = ?1 AND sweep != 0 AND member > ?2"
                     " ORDER BY member LIMIT ?3",
                     &st, err);
    if (rc)
        return rc;
    gn_stmt_int(st, 1, sweep);
    gn_stmt_int(st, 2, *after);
    gn_stmt_int(st, 3, (int64_t)max);
    while ((rc = gn_stmt_step(st, &row, err)) == GN_OK && row) {
        rc = gn_run_from_row(st, &page[*n], err);
        if (rc)
            break;
        *after = page[(*n)++].member;
    }
    gn_stmt_reset(st);
    return rc;
}

int gn_store_members(struct gn_store *s, int64_t sweep, gn_run_fn fn, void *arg, struct gn_err *err)
{
    struct gn_run page[PAGE];
    int64_t after = 0;
    size_t n = PAGE;
    int rc = GN_OK;

    while (!rc && n == PAGE) {
        n = 0;
        rc = read_members(s, sweep, &after, page, PAGE, &n, err);
        for (size_t i = 0; i < n; i++) {
            if (!rc)
                rc = fn(&page[i], arg, err);
            gn_run_clear(&page[i]);
        }
    }
    return rc;
}
