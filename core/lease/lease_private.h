/*
 * lease_private.h - what the files of core/lease/ share: one machine on its way.
 */
#ifndef GNRRUN_LEASE_PRIVATE_H
#define GNRRUN_LEASE_PRIVATE_H

#include "gnrrun/lease.h"

struct gn_hire {
    const struct gn_leasing *l;
    const struct gn_run *run;
    const struct gn_target *target;
    const struct gn_needs *needs;
    const struct gn_budget *budget; /* NULL: none is made that is not on record */
    struct gn_target old;           /* of a record: the target as it was */
    struct gn_provider *provider;
    struct gn_rent rent; /* id 0: none */
};

/* No answer that says whether it was done: the same call again is safe, and needed. */
bool gn_is_unsure(int rc);

/* Does it stop billing when nobody of ours is there any more? */
bool gn_ends_itself(const struct gn_provider *p);

/* Wait before look number n (from 0): 0.5 s, 1 s, ... 5 s, with jitter. */
GN_MUST int gn_lease_wait(const struct gn_ctx *ctx, unsigned n, struct gn_err *err);

/* --- budget.c --- */

/*
 * Until when the offer may live, and what it costs then; price of the target's own `price:` where the
 * provider tells none.  GN_E_CAPACITY: not for that money.
 */
GN_MUST int gn_budget_fit(const struct gn_hire *h, struct gn_offer *offer, int64_t *deadline_s,
                          int64_t *worst_microusd, struct gn_err *err);

/* --- keys.c: state_dir/leases/NAME/{id,known_hosts,user-data} --- */

/* A name that may stand in a user-data text. */
bool gn_is_login(const char *s);

/* New keys, and the text for the machine, on disk before it is asked for. */
GN_MUST int gn_lease_keys_make(const struct gn_hire *h, struct gn_err *err);
/* That text again, and the public half of the login: for one that is asked for again. */
GN_MUST int gn_lease_keys_read(const struct gn_hire *h, struct gn_buf *user_data,
                               struct gn_buf *login, struct gn_err *err);
/* The machine is there: its private key need not be here any more. */
void gn_lease_keys_used(const struct gn_hire *h);
/* It is gone, and with it what its keys are good for. */
void gn_lease_keys_drop(const struct gn_ctx *ctx, const struct gn_rent *r);
/* How to log in there. */
void gn_lease_host(const struct gn_ctx *ctx, const struct gn_rent *r,
                   const struct gn_target *target, struct gn_target *host);

/* --- record.c --- */

/* The newest open lease of the run into h->rent, and its provider as it was then. */
GN_MUST int gn_hire_find(struct gn_hire *h, struct gn_err *err);
/* The target as it was when it was rented; the caller's. */
GN_MUST int gn_rent_target(const struct gn_rent *r, struct gn_target *out, struct gn_err *err);
char *gn_settings_text(const struct gn_target *t); /* JSON; the caller's */
GN_MUST int gn_rent_put(const struct gn_leasing *l, struct gn_rent *r, enum gn_lease_state state,
                        struct gn_err *err);

/* --- end.c --- */

/* Ask for its end until the provider says that it is gone. */
GN_MUST int gn_rent_end(const struct gn_leasing *l, struct gn_provider *p, struct gn_rent *r,
                        struct gn_err *err);

#endif
