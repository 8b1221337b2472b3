/* leases.c - machines that were asked for: what must not be forgotten. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/lease.h"
#include "state.h"

static const char *const names[] = {
    [GN_LEASE_INTENT] = "intent", [GN_LEASE_PENDING] = "pending", [GN_LEASE_UP] = "up",
    [GN_LEASE_HALTED] = "halted", [GN_LEASE_ENDING] = "ending",   [GN_LEASE_GONE] = "gone",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* In the order of bind() and read_row(). */
#define COLUMNS                                                                                    \
    "run_id, target, type, settings, token, name, far_id, region, zone, machine, spot, state, "    \
    "why, address, port, user, owner, run, asked_s, made_s, deadline_s, ended_s, price, worst"
#define N_COLUMNS 24

const char *gn_lease_state_name(enum gn_lease_state s)
{
    return (size_t)s < COUNT(names) ? names[s] : "unknown";
}

void gn_rent_clear(struct gn_rent *r)
{
    free(r->target);
    free(r->type);
    free(r->settings);
    memset(r, 0, sizeof *r);
}

int64_t gn_rent_cost(const struct gn_rent *r, int64_t now_s)
{
    const struct gn_lease *l = &r->lease;
    int64_t from = l->made_s ? l->made_s : r->asked_s, to = r->ended_s ? r->ended_s : now_s;

    if (l->state == GN_LEASE_GONE && !*l->id) /* it was never made */
        return 0;
    if (l->price_microusd_h < 0)
        return GN_PRICE_UNKNOWN;
    return to <= from ? 0 : ((to - from) * l->price_microusd_h + 3599) / 3600;
}

static void bind(struct gn_stmt *st, const struct gn_rent *r)
{
    const struct gn_lease *l = &r->lease;
    const char *const text[] = {r->target, r->type,   r->settings, r->token,  l->name,
                                l->id,     l->region, l->zone,     l->machine};

    gn_stmt_int(st, 1, r->run_id);
    for (size_t i = 0; i < COUNT(text); i++)
        gn_stmt_str(st, 2 + (int)i, text[i]);
    gn_stmt_int(st, 11, l->spot);
    gn_stmt_str(st, 12, gn_lease_state_name(l->state));
    gn_stmt_str(st, 13, l->why);
    gn_stmt_str(st, 14, l->address);
    gn_stmt_int(st, 15, l->port);
    gn_stmt_str(st, 16, l->user);
    gn_stmt_str(st, 17, l->owner);
    gn_stmt_str(st, 18, l->run);
    gn_stmt_int(st, 19, r->asked_s);
    gn_stmt_int(st, 20, l->made_s);
    gn_stmt_int(st, 21, l->deadline_s);
    gn_stmt_int(st, 22, r->ended_s);
    gn_stmt_int(st, 23, l->price_microusd_h);
    gn_stmt_int(st, 24, r->worst_microusd);
}

static void get(struct gn_stmt *st, int col, char *to, size_t size)
{
    const char *s = gn_stmt_get_str(st, col);

    to[0] = '\0';
    strncat(to, s, size - 1);
}

static int read_row(struct gn_stmt *st, struct gn_rent *r, struct gn_err *err)
{
    struct gn_lease *l = &r->lease;
    char state[16];
    size_t i = 0;

    *r = (struct gn_rent){.id = gn_stmt_get_int(st, N_COLUMNS)};
    get(st, 11, state, sizeof state);
    while (i < COUNT(names) && strcmp(names[i], state))
        i++;
    if (i == COUNT(names))
        return gn_err_set(err, GN_E_FAIL, "the record of lease %lld has a strange state",
                          (long long)r->id);
    l->state = (enum gn_lease_state)i;
    r->run_id = gn_stmt_get_int(st, 0);
    r->target = gn_strdup(gn_stmt_get_str(st, 1));
    r->type = gn_strdup(gn_stmt_get_str(st, 2));
    r->settings = gn_strdup(gn_stmt_get_str(st, 3));
    get(st, 4, r->token, sizeof r->token);
    get(st, 5, l->name, sizeof l->name);
    get(st, 6, l->id, sizeof l->id);
    get(st, 7, l->region, sizeof l->region);
    get(st, 8, l->zone, sizeof l->zone);
    get(st, 9, l->machine, sizeof l->machine);
    l->spot = gn_stmt_get_int(st, 10) != 0;
    get(st, 12, l->why, sizeof l->why);
    get(st, 13, l->address, sizeof l->address);
    l->port = (int)gn_stmt_get_int(st, 14);
    get(st, 15, l->user, sizeof l->user);
    get(st, 16, l->owner, sizeof l->owner);
    get(st, 17, l->run, sizeof l->run);
    r->asked_s = gn_stmt_get_int(st, 18);
    l->made_s = gn_stmt_get_int(st, 19);
    l->deadline_s = gn_stmt_get_int(st, 20);
    r->ended_s = gn_stmt_get_int(st, 21);
    l->price_microusd_h = gn_stmt_get_int(st, 22);
    r->worst_microusd = gn_stmt_get_int(st, 23);
    return GN_OK;
}

int gn_store_add_lease(struct gn_store *s, struct gn_rent *r, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc = gn_store_durable(s, true, err);

    if (!rc)
        rc =
            gn_db_query(s->db,
                        "INSERT INTO leases(" COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        &st, err);
    if (rc)
        return rc;
    bind(st, r);
    rc = gn_stmt_done(st, err);
    if (!rc)
        r->id = gn_db_last_id(s->db);
    return rc;
}

int gn_store_set_lease(struct gn_store *s, const struct gn_rent *r, struct gn_err *err)
{
    struct gn_stmt *st;
    int rc = gn_store_durable(s, true, err);

    if (!rc)
        rc = gn_db_query(s->db,
                         "UPDATE leases SET (" COLUMNS ") = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                         " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                         /* what is gone stays so, whoever looked at it before */
                         " WHERE id = ? AND state != 'gone'",
                         &st, err);
    if (rc)
        return rc;
    bind(st, r);
    gn_stmt_int(st, N_COLUMNS + 1, r->id);
    rc = gn_stmt_done(st, err);
    if (!rc && !gn_db_changes(s->db) && r->lease.state != GN_LEASE_GONE)
        rc = gn_err_set(err, GN_E_EXISTS, "the record of machine '%s' was closed meanwhile",
                        r->lease.name);
    return rc;
}

struct rents {
    struct gn_rent *v;
    size_t n, cap;
};

static int collect(struct gn_stmt *st, struct rents *all, struct gn_err *err)
{
    bool row = false;
    int rc = gn_stmt_step(st, &row, err);

    while (!rc && row) {
        GN_GROW(all->v, all->n, all->cap);
        rc = read_row(st, &all->v[all->n], err);
        if (rc) {
            gn_stmt_reset(st);
            return rc;
        }
        all->n++;
        rc = gn_stmt_step(st, &row, err);
    }
    return rc;
}

int gn_store_leases(struct gn_store *s, int64_t run_id, bool all, gn_rent_fn fn, void *arg,
                    struct gn_err *err)
{
    struct rents rents = {0};
    struct gn_stmt *st;
    int rc = gn_db_query(s->db,
                         "SELECT " COLUMNS ", id FROM leases WHERE (?1 = 0 OR run_id = ?1)"
                         " AND (?2 OR state != 'gone') ORDER BY id",
                         &st, err);

    if (rc)
        return rc;
    gn_stmt_int(st, 1, run_id);
    gn_stmt_int(st, 2, all);
    rc = collect(st, &rents, err);
    for (size_t i = 0; i < rents.n && !rc; i++) /* fn may write */
        rc = fn(&rents.v[i], arg, err);
    for (size_t i = 0; i < rents.n; i++)
        gn_rent_clear(&rents.v[i]);
    free(rents.v);
    return rc;
}
