/*
 * provider.h - where a machine that does not exist yet comes from, and how it ends.
 *
 * A provider makes a machine, says how to reach it, and ends it.  It knows nothing of runs,
 * of shipping or of the store: what is written down before and after each call here is the
 * business of lease.h, written once for all of them.  Adding a cloud is a file in providers/
 * and a line in gnrrun/providers.def.  Machines that exist (this one, hosts) need none.
 *
 * Calls are synchronous and may take as long as their timeouts; they end early with
 * GN_E_CANCEL when ctx is interrupted.  Whatever a provider answers is foreign: bounded,
 * checked, made safe to print here.  No credential is put into an error, an event or a lease.
 *
 * What a failed call means is in its code:
 *   GN_E_CAPACITY  no such machine to be had now, or the account's quota; the message says which,
 *                  and for a quota where to ask.  Another offer may do.
 *   GN_E_AUTH      credentials are missing, wrong, expired, or may not do this.
 *   GN_E_CONFIG    a key of the target is wrong.
 *   GN_E_NOTFOUND  the provider has no such machine (any more, or yet).
 *   GN_E_NET, GN_E_TIMEOUT, GN_E_PROTO, GN_E_CANCEL   no answer that could be read: what was asked may
 *                  have been done.  The same call again is safe.
 *   others         certainly nothing was done.
 */
#ifndef GNRRUN_PROVIDER_H
#define GNRRUN_PROVIDER_H

#include "gnrrun/config.h"
#include "gnrrun/ctx.h"

#define GN_LEASE_NAME    64 /* with the final NUL */
#define GN_PRICE_UNKNOWN ((int64_t)-1)

enum gn_lease_state {
    GN_LEASE_INTENT,  /* written down; the provider may or may not have been asked */
    GN_LEASE_PENDING, /* it is being made */
    GN_LEASE_UP,      /* it runs; address is set */
    GN_LEASE_HALTED,  /* stopped, its disk is kept (and may bill) */
    GN_LEASE_ENDING,  /* asked to end; not confirmed */
    GN_LEASE_GONE,    /* the provider says so: nothing of it is left */
};
const char *gn_lease_state_name(enum gn_lease_state s); /* "intent", ... */

/* One machine, made or to be made.  A plain value. */
struct gn_lease {
    char name[GN_LEASE_NAME]; /* ours, unique for ever: a-z, 0-9 and -, a letter first (lease.h) */
    char id[192]; /* the provider's; "" while unknown, then poll and destroy go by name */
    char region[64], zone[64];
    char machine[64]; /* its type, as the provider calls it */
    bool spot;        /* may be taken away at any time */
    enum gn_lease_state state;
    char why[200];      /* of the state, in the provider's words; or "" */
    char address[256];  /* of GN_LEASE_UP */
    int port;           /* 0: 22 */
    char user[64];      /* to log in as */
    char owner[24];     /* who had it made: a user's name, a-z, 0-9 and - */
    char run[64];       /* name of the run there was on that laptop ("mnist-7"); "" unknown */
    int64_t made_s;     /* when the provider says it was made, seconds since 1970; 0 unknown */
    int64_t deadline_s; /* when it ends by itself; 0 unknown */
    int64_t price_microusd_h; /* as of the offer; GN_PRICE_UNKNOWN */
};

/* One machine type in one place, that would do. */
struct gn_offer {
    char machine[64], region[64], zone[64]; /* zone "": the provider's choice */
    char gpu[64];                           /* "T4", "" none */
    int gpus, cpus;
    uint64_t memory_bytes, gpu_mem_bytes; /* gpu_mem: of one GPU; 0 unknown */
    bool spot;
    int64_t price_microusd_h; /* US dollars * 1,000,000 an hour; GN_PRICE_UNKNOWN */
    char price_date[32];      /* "2026-11-20", "2025-06-01 recalled", "now"; "" unknown */
};
struct gn_offers {
    struct gn_offer *v;
    size_t n, cap;
};

struct gn_leases {
    struct gn_lease *v;
    size_t n, cap;
};

/* What create is asked for; the caller keeps it. */
struct gn_lease_spec {
    struct gn_offer offer;
    char name[GN_LEASE_NAME];
    const char *token; /* idempotency token, 36 characters of a UUID; another for another offer */
    bool again;        /* an earlier create with this token may have been carried out: look first */
    const char *owner, *run;
    int64_t deadline_s;
    const char *user_data; /* cloud-config text: host key, login, deadline timer (lease.h) */
    const char *user;      /* name of the login that user_data makes */
    const char *login_key; /* public half of the key that may log in, "ssh-ed25519 AAAA..." */
    int disk_gb;           /* 0: the provider's default */
};

enum gn_provider_cap {
    GN_CAP_DEADLINE = 1 << 0,   /* the provider itself ends a machine at its deadline */
    GN_CAP_HALT = 1 << 1,       /* a machine that powers off stops billing (but for its disk) */
    GN_CAP_IDEMPOTENT = 1 << 4, /* create knows its own token or name again, at once */
    GN_CAP_SPOT = 1 << 2,
    GN_CAP_USER_DATA =
        1 << 3, /* the host key can be given; without: trust on first use, said aloud */
};

/* First member of every provider's own struct. */
struct gn_provider {
    const struct gn_provider_ops *ops;
    const struct gn_target *target; /* lives longer */
};

struct gn_account {
    char who[200];   /* "arn:aws:iam::1234:user/x", "project p as x@y" */
    char where[128]; /* "ap-south-1" */
    char note[256];  /* "GPU quota 0 in ap-south-1: ask at ..."; or "" */
};

/* Every slot is mandatory. */
struct gn_provider_ops {
    const char *name;        /* the target's type: "ec2" */
    const char *summary;     /* one line for `gnrrun targets` */
    const char *proven;      /* what it was run against: "moto"; "" nothing but our own fake */
    unsigned caps;           /* enum gn_provider_cap */
    const char *const *keys; /* of the target's map, beside the common ones; ends with NULL */

    /* Check the keys, find the credentials.  No network.  *out goes to close. */
    int (*open)(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
                struct gn_err *err);
    void (*close)(struct gn_provider *p); /* NULL is allowed */

    /* Prove that credentials and network work.  Changes nothing. */
    int (*check)(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err);

    /* Append what could run needs, cheapest first.  Nothing suitable is GN_OK. */
    int (*offers)(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err);

    /*
     * Ask for one machine.  The token was written down already: a second call with it finds the
     * first machine where GN_CAP_IDEMPOTENT; elsewhere the caller looks for the name first.  *out is
     * set when it is being made: id, state, region, zone.
     */
    int (*create)(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                  struct gn_lease *out, struct gn_err *err);

    /*
     * Refresh state, why, and at GN_LEASE_UP the address.  By id, or by name when that is "".
     * GN_E_CAPACITY: it was accepted and came to nothing, and what is left of it must be ended.
     */
    int (*poll)(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_lease *lease,
                struct gn_err *err);

    /* Start a GN_LEASE_HALTED one again. */
    int (*wake)(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *lease,
                struct gn_err *err);

    /* Ask for its end, and of all that it brought (disk, address).  Already gone: GN_OK. */
    int (*destroy)(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *lease,
                   struct gn_err *err);

    /*
     * Append every machine that carries our mark, whoever had it made and in every region that can be
     * asked; not those that are gone.  What `gnrrun sweep` trusts.  *complete: all could be asked.
     */
    int (*list)(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err);
};

/* The provider of that type; NULL when there is none. */
const struct gn_provider_ops *gn_provider_find(const char *type);
/* Number i, from 0; NULL after the last. */
const struct gn_provider_ops *gn_provider_at(size_t i);

/*
 * Open the target's provider: its keys are checked first, so that an unknown one is
 * "config.yaml:3:5: ..." with the nearest as the hint.
 */
GN_MUST int gn_provider_open(const struct gn_ctx *ctx, const struct gn_target *t,
                             struct gn_provider **out, struct gn_err *err);

/* NULL is allowed. */
static inline void gn_provider_close(struct gn_provider *p)
{
    if (p)
        p->ops->close(p);
}

#endif
