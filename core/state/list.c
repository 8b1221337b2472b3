/* list.c - many runs at once, of each what a list shows: rows are neither copied nor read in full. */
#include <string.h>

#include "state.h"

#define COLUMNS                                                                                    \
    "id, name, target, command, sig, reason, state, fetched, code, created_s, started_s, "         \
    "ended_s, "                                                                                    \
    "removed_there, members, members_over, members_ok"
#define TEXT_MAX ((size_t)64 << 20)

/* The words of a row in `text`, one after the other; r borrows them. */
static void borrow(struct gn_stmt *st, struct gn_buf *text, struct gn_run *r)
{
    char **const to[] = {&r->name, &r->target, &r->command, &r->sig, &r->reason};
    size_t at[sizeof to / sizeof *to];

    gn_buf_reset(text);
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        const char *s = gn_stmt_get_str(st, 1 + (int)i);

        at[i] = text->len;
        gn_buf_add(text, s, strlen(s) + 1);
    }
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        *to[i] = text->ptr + at[i];
}

static int read_row(struct gn_stmt *st, struct gn_buf *text, struct gn_run *r, struct gn_err *err)
{
    *r = (struct gn_run){.id = gn_stmt_get_int(st, 0)};
    borrow(st, text, r);
    if (gn_buf_over(text))
        return gn_err_set(err, GN_E_LIMIT, "the record of run %lld is too long", (long long)r->id);
    if (!gn_run_read_states(gn_stmt_get_str(st, 6), gn_stmt_get_str(st, 7), r))
        return gn_err_set(err, GN_E_FAIL, "the record of run %lld has a strange state",
                          (long long)r->id);
    r->code = (int)gn_stmt_get_int(st, 8);
    r->created_s = gn_stmt_get_int(st, 9);
    r->started_s = gn_stmt_get_int(st, 10);
    r->ended_s = gn_stmt_get_int(st, 11);
    r->removed_there = gn_stmt_get_int(st, 12) != 0;
    r->members = gn_stmt_get_int(st, 13);
    r->members_over = gn_stmt_get_int(st, 14);
    r->members_ok = gn_stmt_get_int(st, 15);
    return GN_OK;
}

int gn_store_list(struct gn_store *s, int64_t ended, gn_run_fn fn, void *arg, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(TEXT_MAX);
    struct gn_stmt *st;
    struct gn_run r;
    bool row = false;
    int rc = gn_db_query(s->db,
                         ended < 0 ? "SELECT " COLUMNS " FROM runs WHERE sweep = 0 ORDER BY id DESC"
                                   : "SELECT " COLUMNS
                                     " FROM runs WHERE (sweep = 0 AND state NOT IN (" GN_STATES_OVER
                                     ")) OR id IN (SELECT id FROM runs WHERE sweep = 0 AND state "
                                     "IN (" GN_STATES_OVER
                                     ") ORDER BY id DESC LIMIT ?1) ORDER BY id DESC",
                         &st, err);

    if (rc)
        return rc;
    if (ended >= 0)
        gn_stmt_int(st, 1, ended);
    while ((rc = gn_stmt_step(st, &row, err)) == GN_OK && row) {
        rc = read_row(st, &text, &r, err);
        if (!rc)
            rc = fn(&r, arg, err);
        if (rc)
            break;
    }
    gn_stmt_reset(st);
    gn_buf_clear(&text);
    return rc;
}

int gn_store_count(struct gn_store *s, int64_t *n, struct gn_err *err)
{
    struct gn_stmt *st;
    bool row = false;
    int rc = gn_db_query(s->db, "SELECT count(*) FROM runs WHERE sweep = 0", &st, err);

    if (rc)
        return rc;
    rc = gn_stmt_step(st, &row, err);
    if (!rc)
        *n = row ? gn_stmt_get_int(st, 0) : 0;
    gn_stmt_reset(st);
    return rc;
}
