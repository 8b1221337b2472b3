/*
 * lease.h - a rented machine, from the intent to the proof that it is gone.
 *
 * The invariant: no provider is ever asked for a machine that the store does not know, and
 * no record is closed before the provider has said that nothing of it is left.  So whatever dies
 * at whatever point, the next gnrrun finds the record, looks at the provider, and goes on; and
 * where the record itself is lost, the machine's own mark and deadline are not: it ends by
 * itself, and `gnrrun sweep` finds it from any laptop.
 *
 * Money is integer micro-dollars.
 */
#ifndef GNRRUN_LEASE_H
#define GNRRUN_LEASE_H

#include "gnrrun/provider.h"
#include "gnrrun/store.h"

/* Opens a target's provider: gn_provider_open(), or a test's own. */
typedef int (*gn_provider_fn)(const struct gn_ctx *ctx, const struct gn_target *t,
                              struct gn_provider **out, struct gn_err *err);

/* --- the record (core/state/leases.c) --------------------------------------------------------- */

struct gn_rent {
    int64_t id, run_id;
    char *target, *type; /* of the target, as they were when it was made */
    char *settings; /* likewise, as JSON: it can be ended when config.yaml says something else */
    char token[40];
    struct gn_lease lease;
    int64_t asked_s;        /* when the provider was about to be asked for it, the last time */
    int64_t ended_s;        /* of GN_LEASE_GONE */
    int64_t worst_microusd; /* what it costs if it lives to its deadline; GN_PRICE_UNKNOWN */
};
void gn_rent_clear(struct gn_rent *r);

/*
 * Durable when they return.  add sets r->id; the token must be new.  set: what is gone stays so;
 * GN_E_EXISTS then, when r says something else.
 */
GN_MUST int gn_store_add_lease(struct gn_store *s, struct gn_rent *r, struct gn_err *err);
GN_MUST int gn_store_set_lease(struct gn_store *s, const struct gn_rent *r, struct gn_err *err);

/* Oldest first.  run_id 0: of all runs; all: those that are gone, too. */
typedef int (*gn_rent_fn)(const struct gn_rent *r, void *arg, struct gn_err *err);
GN_MUST int gn_store_leases(struct gn_store *s, int64_t run_id, bool all, gn_rent_fn fn, void *arg,
                            struct gn_err *err);

/* What it has cost by now_s, or in all; GN_PRICE_UNKNOWN.  Begun seconds count. */
int64_t gn_rent_cost(const struct gn_rent *r, int64_t now_s);

/* --- its life (core/lease/) ------------------------------------------------------------------- */

/* What one invocation needs for it. */
struct gn_leasing {
    const struct gn_ctx *ctx;
    struct gn_store *store;
    gn_provider_fn provider;
};

/* What a run may cost and how long it may take. */
struct gn_budget {
    int64_t max_microusd; /* 0: nothing was allowed, so nothing is rented */
    int64_t time_s;       /* limit of the program; 0: none */
};

/*
 * The machine of the run: made if there is none, awaited, woken when it halted.  *host is then a target
 * of type ssh with the machine's address, login and host key, the caller's; its name is the run's
 * target's.  Once an intent is on record, an error leaves it there: the next call goes on from it.
 * GN_E_CAPACITY: nothing fits, nothing bills.
 */
GN_MUST int gn_lease_get(const struct gn_leasing *l, const struct gn_run *run,
                         const struct gn_target *target, const struct gn_needs *needs,
                         const struct gn_budget *budget, struct gn_target *host,
                         struct gn_err *err);

/* The same from the record alone, without a word to anybody; *known: it has an address there. */
GN_MUST int gn_lease_known(const struct gn_leasing *l, const struct gn_run *run,
                           const struct gn_target *target, struct gn_target *host, bool *known,
                           struct gn_err *err);

/* What gn_lease_get() would try first for a new run.  Asks the provider; makes nothing. */
GN_MUST int gn_lease_offer(const struct gn_leasing *l, const struct gn_target *target,
                           const struct gn_needs *needs, const struct gn_budget *budget,
                           struct gn_offer *offer, int64_t *deadline_s, int64_t *worst_microusd,
                           struct gn_err *err);

/* One machine that may cost money, as the record or a provider has it. */
struct gn_found {
    struct gn_lease lease;
    int64_t run_id;  /* 0: the record here does not know it */
    char target[64]; /* through which it was found */
    int64_t cost_microusd, worst_microusd;
};
struct gn_founds {
    struct gn_found *v;
    size_t n, cap;
};
/*
 * What the provider of target has, and what the record says of it; appended.  Those of the record that
 * it does not have stay for gn_lease_refresh() to close.
 */
GN_MUST int gn_lease_list(const struct gn_leasing *l, const struct gn_target *target,
                          struct gn_founds *out, bool *complete, struct gn_err *err);
/* End one of them, on record or not, and see it gone. */
GN_MUST int gn_lease_end_found(const struct gn_leasing *l, const struct gn_target *target,
                               const struct gn_found *f, struct gn_err *err);

/* End all machines of the run and see them gone.  None is GN_OK. */
GN_MUST int gn_lease_end(const struct gn_leasing *l, int64_t run_id, struct gn_err *err);

/* Look at every open lease of the record: its state is written down.  One that cannot be asked stays as it is. */
GN_MUST int gn_lease_refresh(const struct gn_leasing *l, struct gn_err *err);

/* Does anything of the run (0: of any) still bill, as far as is known?  Never fails: when in doubt, yes. */
bool gn_lease_bills(const struct gn_leasing *l, int64_t run_id);

/*
 * A name that tells by itself whose machine it is and until when:
 * gnr-OWNER-DEADLINE-CHANCE-CHECK; false when name is not one of ours.
 */
void gn_lease_name(const char *owner, int64_t deadline_s, char out[GN_LEASE_NAME]);
bool gn_lease_name_read(const char *name, char owner[24], int64_t *deadline_s);

/* Who has machines made, as it stands in names and tags: a-z, 0-9, at most 12. */
void gn_lease_owner(const struct gn_ctx *ctx, char out[24]);

/*
 * What the machine is told at its first start (cloud-config): its host key, who may log in, when
 * to end.  It halts at deadline_s, and when no run of ours has been on it for some minutes.
 */
struct gn_guest {
    const char *user;
    const char *host_key, *host_key_pub; /* PEM text and its public line */
    const char *login_key;               /* public line of the key that may log in */
    int64_t deadline_s;
    bool halts; /* halting helps: where it ends no bill, the results would only be out of reach */
};
void gn_lease_user_data(const struct gn_guest *g, struct gn_buf *out);

#endif
