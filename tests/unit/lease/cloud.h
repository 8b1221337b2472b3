/*
 * cloud.h - a cloud in shared memory that fails, lies late and outlives whoever asks it.
 *
 * It is a fake, made from the reading that made lease.h: what it proves is that whatever dies at whatever
 * point, the record and the cloud agree in the end.  That providers behave so is for tests/cloud to show.
 */
#ifndef TESTS_LEASE_CLOUD_H
#define TESTS_LEASE_CLOUD_H

#include <stdatomic.h>

#include "gnrrun/lease.h"

#define MACHINES 64

struct fake_machine {
    char name[GN_LEASE_NAME], token[40];
    int64_t made_ms, deadline_s, seen_ms; /* seen: shows up from then on */
    int64_t up_ms, gone_ms;               /* gone: asked to end, and then it takes a while */
    int64_t price_microusd_h;
    bool alive, stubborn; /* stubborn: ends at the third asking only */
    int asked;
};

/* What may go wrong, each with one in `odds` calls; 0: never. */
struct fake_cloud {
    struct fake_machine m[MACHINES];
    int n;
    int64_t now_ms; /* of the fake clock, which only goes on when somebody looks at it */
    uint64_t seed;
    int die, lose, refuse, full, vanish; /* odds */
    int deny;                            /* likewise: who asks may not, for once */
    int calls;
    bool forgetful; /* no tokens: who asks twice has two */
    int twice; /* creates of a token that was known, without saying so, or that made a second machine: must stay 0 */
};

extern struct fake_cloud *fake;

struct fake_cloud *fake_map(void);
unsigned fake_rand(unsigned n); /* 0..n-1 */
bool fake_odds(int one_in);     /* false when one_in is 0 */
void fake_maybe_die(void);      /* kill -9 of whoever is running */
int64_t fake_now_ms(void);
void fake_pass(int64_t ms);
void fake_tick(void); /* machines end at their deadlines */
int fake_alive(void);
int fake_open(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
              struct gn_err *err);

#endif
