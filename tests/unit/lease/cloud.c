#include "cloud.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fake_cloud *fake;

struct fake_cloud *fake_map(void)
{
    char path[] = "/tmp/gn-cloud-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || unlink(path) < 0 || ftruncate(fd, sizeof *fake) < 0)
        return NULL;
    fake = mmap(NULL, sizeof *fake, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return fake == MAP_FAILED ? NULL : fake;
}

unsigned fake_rand(unsigned n)
{
    fake->seed = fake->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(fake->seed >> 33) % n;
}

bool fake_odds(int one_in)
{
    return one_in > 0 && fake_rand((unsigned)one_in) == 0;
}

void fake_maybe_die(void)
{
    if (fake_odds(fake->die))
        kill(getpid(), SIGKILL);
}

int64_t fake_now_ms(void)
{
    return fake->now_ms;
}

void fake_pass(int64_t ms)
{
    fake->now_ms += ms;
}

void fake_tick(void)
{
    int64_t now = fake_now_ms();

    for (int i = 0; i < fake->n; i++) {
        struct fake_machine *m = &fake->m[i];

        if (m->alive && ((m->gone_ms && now >= m->gone_ms) || now / 1000 >= m->deadline_s))
            m->alive = false;
    }
}

int fake_alive(void)
{
    int n = 0;

    fake_tick();
    for (int i = 0; i < fake->n; i++)
        n += fake->m[i].alive;
    return n;
}

/* What every call goes through: death, lost requests; *lost: it is done, but nobody hears of it. */
static int enter(bool *lost, struct gn_err *err)
{
    fake->calls++;
    fake_pass(200);
    fake_tick();
    fake_maybe_die();
    *lost = fake_odds(fake->lose);
    if (fake_odds(fake->refuse)) {
        *lost = false;
        return gn_err_set(err, GN_E_NET, "connection reset");
    }
    if (fake_odds(fake->deny)) {
        *lost = false;
        return gn_err_set(err, GN_E_AUTH, "not allowed");
    }
    return GN_OK;
}

static int leave(bool lost, struct gn_err *err)
{
    fake_maybe_die();
    return lost ? gn_err_set(err, GN_E_TIMEOUT, "no answer") : GN_OK;
}

static void close_fake(struct gn_provider *p)
{
    free(p);
}

static int check(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err)
{
    (void)p;
    (void)ctx;
    (void)err;
    memset(out, 0, sizeof *out);
    return GN_OK;
}

static int offers(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err)
{
    bool lost;
    int rc = enter(&lost, err);

    (void)p;
    (void)ctx;
    (void)needs;
    for (int i = 0; !rc && i < 3; i++) {
        struct gn_offer o = {.gpus = 1, .price_microusd_h = 500000 + i * 100000};

        snprintf(o.machine, sizeof o.machine, "m%d", i);
        snprintf(o.region, sizeof o.region, "r");
        snprintf(o.zone, sizeof o.zone, "r%d", i);
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = o;
    }
    return rc ? rc : leave(lost, err);
}

static struct fake_machine *find(const char *id, const char *name)
{
    for (int i = 0; i < fake->n; i++)
        if ((*id && atoi(id + 2) == i) || (!*id && strcmp(fake->m[i].name, name) == 0))
            return &fake->m[i];
    return NULL;
}

static int create(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                  struct gn_lease *out, struct gn_err *err)
{
    struct fake_machine *m = NULL;
    bool lost;
    int rc = enter(&lost, err);

    (void)p;
    (void)ctx;
    if (rc)
        return rc;
    for (int i = 0; i < fake->n && !m; i++)
        if (strcmp(fake->m[i].token, spec->token) == 0)
            m = &fake->m[i];
    if (m && (!spec->again || fake->forgetful))
        fake->twice++;
    if (fake->forgetful)
        m = NULL;
    if (!m && fake_odds(fake->full))
        return gn_err_set(err, GN_E_CAPACITY, "no capacity in '%s'", spec->offer.zone);
    if (!m && fake->n == MACHINES)
        return gn_err_set(err, GN_E_CAPACITY, "the test's cloud is full");
    if (!m) {
        m = &fake->m[fake->n];
        *m = (struct fake_machine){.made_ms = fake_now_ms(), .deadline_s = spec->deadline_s};
        snprintf(m->name, sizeof m->name, "%s", spec->name);
        snprintf(m->token, sizeof m->token, "%s", spec->token);
        m->seen_ms = m->made_ms + fake_rand(60000);
        m->up_ms = m->made_ms + fake_rand(90000);
        m->price_microusd_h = spec->offer.price_microusd_h;
        m->alive = true;
        m->stubborn = fake_odds(4);
        if (fake_odds(fake->vanish))
            m->gone_ms = m->made_ms + 1 + fake_rand(120000);
        fake->n++;
    }
    snprintf(out->id, sizeof out->id, "i-%d", (int)(m - fake->m));
    out->state = GN_LEASE_PENDING;
    return leave(lost, err);
}

static int poll_fake(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_lease *lease,
                     struct gn_err *err)
{
    struct fake_machine *m = find(lease->id, lease->name);
    int64_t now = fake_now_ms();
    bool lost;
    int rc = enter(&lost, err);

    (void)p;
    (void)ctx;
    if (!rc)
        rc = leave(lost, err);
    if (rc)
        return rc;
    if (!m || now < m->seen_ms)
        return gn_err_set(err, GN_E_NOTFOUND, "no such machine");
    snprintf(lease->id, sizeof lease->id, "i-%d", (int)(m - fake->m));
    lease->state = !m->alive                ? GN_LEASE_GONE
                   : m->gone_ms && m->asked ? GN_LEASE_ENDING
                   : now < m->up_ms         ? GN_LEASE_PENDING
                                            : GN_LEASE_UP;
    snprintf(lease->address, sizeof lease->address, "127.0.0.1");
    return GN_OK;
}

static int wake(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *lease,
                struct gn_err *err)
{
    (void)p;
    (void)ctx;
    (void)lease;
    (void)err;
    return GN_OK;
}

static int destroy(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *lease,
                   struct gn_err *err)
{
    struct fake_machine *m = find(lease->id, lease->name);
    bool lost;
    int rc = enter(&lost, err);

    (void)p;
    (void)ctx;
    if (rc)
        return rc;
    if (!m || fake_now_ms() < m->seen_ms)
        return *lease->id ? GN_OK : gn_err_set(err, GN_E_NOTFOUND, "no such machine");
    if (m->alive && ++m->asked >= (m->stubborn ? 3 : 1) && !m->gone_ms)
        m->gone_ms = fake_now_ms() + fake_rand(40000);
    return leave(lost, err);
}

static int list(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err)
{
    (void)p;
    (void)ctx;
    (void)err;
    fake_tick();
    for (int i = 0; i < fake->n; i++) {
        if (!fake->m[i].alive || fake_now_ms() < fake->m[i].seen_ms)
            continue;
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n] = (struct gn_lease){.state = GN_LEASE_UP};
        snprintf(out->v[out->n].name, GN_LEASE_NAME, "%s", fake->m[i].name);
        snprintf(out->v[out->n++].id, 192, "i-%d", i);
    }
    *complete = true;
    return GN_OK;
}

static const char *const keys[] = {NULL};
#define OPS(also)                                                                                  \
    {                                                                                              \
        .name = "fake", .summary = "a cloud that fails", .proven = "",                             \
        .caps = GN_CAP_USER_DATA | GN_CAP_HALT | (also), .keys = keys, .close = close_fake,        \
        .check = check, .offers = offers, .create = create, .poll = poll_fake, .wake = wake,       \
        .destroy = destroy, .list = list,                                                          \
    }

static const struct gn_provider_ops ops = OPS(GN_CAP_IDEMPOTENT), forgetful = OPS(0);

int fake_open(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
              struct gn_err *err)
{
    struct gn_provider *p = gn_new(struct gn_provider);

    (void)ctx;
    (void)err;
    p->ops = fake->forgetful ? &forgetful : &ops;
    p->target = t;
    *out = p;
    return GN_OK;
}
