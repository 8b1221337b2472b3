/* run.c - a run as a row: one table says which field stands in which column. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/buf.h"
#include "state.h"

static const char *const state_names[] = {
    [GN_CREATED] = "created",     [GN_SHIPPING] = "shipping", [GN_STARTING] = "starting",
    [GN_QUEUED] = "queued",       [GN_RUNNING] = "running",   [GN_STOPPING] = "stopping",
    [GN_SUCCEEDED] = "succeeded", [GN_FAILED] = "failed",     [GN_STOPPED] = "stopped",
    [GN_TIMEDOUT] = "timeout",    [GN_LOST] = "lost",
};
static const char *const fetched_names[] = {
    [GN_FETCH_NOTHING] = "nothing",
    [GN_FETCH_SOME] = "some",
    [GN_FETCH_ALL] = "all",
    [GN_FETCH_OFF] = "off",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

enum kind { STR, I64, INT, BOOL, STATE, FETCHED };

struct field {
    const char *column;
    enum kind kind;
    size_t at;
};
#define F(kind, name)                                                                              \
    {                                                                                              \
#name, kind, offsetof(struct gn_run, name)                                                 \
    }

/* In the order of GN_RUN_COLUMNS; the first N_FIXED are written once. */
#define N_FIXED 4
static const struct field fields[] = {
    F(I64, id),           F(STR, name),           F(STR, token),
    F(I64, created_s),    F(STR, project),        F(STR, root),
    F(STR, target),       F(STR, workdir),        F(STR, command),
    F(STR, spec),         F(STR, snapshot),       F(STR, note),
    F(STATE, state),      F(INT, code),           F(STR, sig),
    F(STR, reason),       F(STR, host),           F(I64, started_s),
    F(I64, ended_s),      F(I64, log_bytes),      F(I64, shown_bytes),
    F(FETCHED, fetched),  F(I64, fetched_files),  F(I64, fetched_bytes),
    F(I64, ship_files),   F(I64, ship_bytes),     F(I64, sent_bytes),
    F(BOOL, detached),    F(BOOL, removed_there), F(I64, sweep),
    F(I64, member),       F(STR, params),         F(I64, members),
    F(I64, members_over), F(I64, members_ok),
};

const char *gn_state_name(enum gn_state s)
{
    return (size_t)s < COUNT(state_names) ? state_names[s] : "unknown";
}

bool gn_state_over(enum gn_state s)
{
    return s >= GN_SUCCEEDED;
}

static void *member(struct gn_run *r, const struct field *f)
{
    return (char *)r + f->at;
}

static const void *const_member(const struct gn_run *r, const struct field *f)
{
    return (const char *)r + f->at;
}

void gn_run_clear(struct gn_run *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (fields[i].kind == STR)
            free(*(char **)member(r, &fields[i]));
    }
    memset(r, 0, sizeof *r);
}

void gn_run_copy(struct gn_run *to, const struct gn_run *from)
{
    *to = *from;
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (fields[i].kind == STR) {
            const char *s = *(char *const *)const_member(from, &fields[i]);

            *(char **)member(to, &fields[i]) = gn_strdup(s ? s : "");
        }
    }
}

static bool find_name(const char *const *names, size_t n, const char *name, size_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i][0] == name[0] && strcmp(names[i], name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool gn_run_read_states(const char *state, const char *fetched, struct gn_run *r)
{
    size_t i, k;

    if (!find_name(state_names, COUNT(state_names), state, &i) ||
        !find_name(fetched_names, COUNT(fetched_names), fetched, &k))
        return false;
    r->state = (enum gn_state)i;
    r->fetched = (enum gn_fetched)k;
    return true;
}

static bool get_field(struct gn_stmt *st, int col, const struct field *f, struct gn_run *r)
{
    size_t i;

    switch (f->kind) {
    case STR:
        *(char **)member(r, f) = gn_strdup(gn_stmt_get_str(st, col));
        return true;
    case I64:
        *(int64_t *)member(r, f) = gn_stmt_get_int(st, col);
        return true;
    case INT:
        *(int *)member(r, f) = (int)gn_stmt_get_int(st, col);
        return true;
    case BOOL:
        *(bool *)member(r, f) = gn_stmt_get_int(st, col) != 0;
        return true;
    case STATE:
        if (!find_name(state_names, COUNT(state_names), gn_stmt_get_str(st, col), &i))
            return false;
        r->state = (enum gn_state)i;
        return true;
    case FETCHED:
        if (!find_name(fetched_names, COUNT(fetched_names), gn_stmt_get_str(st, col), &i))
            return false;
        r->fetched = (enum gn_fetched)i;
        return true;
    }
    return false;
}

int gn_run_from_row(struct gn_stmt *st, struct gn_run *out, struct gn_err *err)
{
    struct gn_run r = {0};

    for (size_t i = 0; i < COUNT(fields); i++) {
        if (!get_field(st, (int)i, &fields[i], &r)) {
            gn_run_clear(&r);
            return gn_err_set(err, GN_E_FAIL, "the record of run %lld has a strange '%s'",
                              (long long)gn_stmt_get_int(st, 0), fields[i].column);
        }
    }
    *out = r;
    return GN_OK;
}

static void bind_field(struct gn_stmt *st, int param, const struct field *f, const struct gn_run *r)
{
    const void *at = const_member(r, f);

    switch (f->kind) {
    case STR:
        gn_stmt_str(st, param, *(char *const *)at);
        break;
    case I64:
        gn_stmt_int(st, param, *(const int64_t *)at);
        break;
    case INT:
        gn_stmt_int(st, param, *(const int *)at);
        break;
    case BOOL:
        gn_stmt_int(st, param, *(const bool *)at);
        break;
    case STATE:
        gn_stmt_str(st, param, gn_state_name(r->state));
        break;
    case FETCHED:
        assert((size_t)r->fetched < COUNT(fetched_names));
        gn_stmt_str(st, param, fetched_names[r->fetched]);
        break;
    }
}

int gn_run_bind(struct gn_stmt *st, const struct gn_run *r)
{
    int param = 1;

    for (size_t i = N_FIXED; i < COUNT(fields); i++)
        bind_field(st, param++, &fields[i], r);
    return param;
}

char *gn_run_insert_sql(void)
{
    struct gn_buf b = GN_BUF_INIT(GN_MAX_LINE);

    gn_buf_adds(&b, "INSERT INTO runs(");
    for (size_t i = N_FIXED; i < COUNT(fields); i++)
        gn_buf_addf(&b, "%s, ", fields[i].column);
    gn_buf_adds(&b, "name, token, created_s, number) VALUES(");
    for (size_t i = N_FIXED; i < COUNT(fields); i++)
        gn_buf_adds(&b, "?, ");
    gn_buf_adds(&b, "?, ?, ?, ?)");
    return gn_buf_detach(&b);
}

char *gn_run_update_sql(const char *where)
{
    struct gn_buf b = GN_BUF_INIT(GN_MAX_LINE);

    gn_buf_adds(&b, "UPDATE runs SET ");
    for (size_t i = N_FIXED; i < COUNT(fields); i++) {
        const char *c = fields[i].column;

        /* A second gnrrun may have shown more since this one read the row. */
        if (strcmp(c, "shown_bytes") == 0)
            gn_buf_adds(&b, "shown_bytes = max(shown_bytes, ?)");
        else
            gn_buf_addf(&b, "%s = ?", c);
        gn_buf_adds(&b, i + 1 < COUNT(fields) ? ", " : " ");
    }
    gn_buf_addf(&b, "WHERE id = ?%s", where);
    return gn_buf_detach(&b);
}
