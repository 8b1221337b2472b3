/* Whatever dies, however the cloud answers: nothing bills that the record does not know. */
#define _XOPEN_SOURCE 700 /* nftw, setitimer */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "cloud.h"

#define HISTORIES 1000
#define LOOK_MS   700     /* that pass on the fake clock at each look at it */
#define BUDGET    2500000 /* $2.50 */

static struct gn_ctx ctx;
static char state[64];

static int64_t mono(const struct gn_ctx *c)
{
    (void)c;
    fake_maybe_die();
    fake_pass(LOOK_MS);
    return fake_now_ms();
}

static int64_t wall(const struct gn_ctx *c)
{
    (void)c;
    fake_maybe_die();
    return fake_now_ms() / 1000;
}

static void on_event(const struct gn_ctx *c, const struct gn_event *ev)
{
    (void)c;
    if (getenv("GN_TEST_LOUD"))
        fprintf(stderr, "%6lld %s\n", (long long)(fake_now_ms() / 1000), ev->text);
    fake_maybe_die();
}

static void on_alarm(int sig)
{
    (void)sig;
}

/* Each wait looks at the clock again soon. */
static void hurry(void)
{
    struct sigaction sa = {.sa_handler = on_alarm};
    struct itimerval every = {{0, 200}, {0, 200}};

    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

enum what { GET, END, LOOK };

static struct gn_target a_target(void)
{
    struct gn_target t = {.nice = -1, .type = GN_TARGET_CLOUD};

    t.name = (char *)(uintptr_t) "cloud";
    t.type_name = (char *)(uintptr_t) "fake";
    return t;
}

static int act(enum what what, struct gn_store *s, struct gn_err *err)
{
    const struct gn_leasing l = {.ctx = &ctx, .store = s, .provider = fake_open};
    const struct gn_budget budget = {.max_microusd = BUDGET, .time_s = 3600};
    const struct gn_needs needs = {0};
    struct gn_target t = a_target(), host = {0};
    struct gn_run run = {.id = 1, .name = (char *)(uintptr_t) "p-1"};
    int rc;

    switch (what) {
    case GET:
        rc = gn_lease_get(&l, &run, &t, &needs, &budget, &host, err);
        gn_target_clear(&host);
        return rc;
    case END:
        return gn_lease_end(&l, 1, err);
    case LOOK:
        break;
    }
    return gn_lease_refresh(&l, err);
}

/* One gnrrun, which may be killed; its code, or 1 when it was. */
static int invoke(enum what what)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct gn_store *s = NULL;
        struct gn_err err = GN_ERR_INIT;
        int rc;

        hurry();
        rc = gn_store_open(&ctx, &s, &err);
        if (!rc)
            rc = act(what, s, &err);
        gn_store_close(s);
        if (rc && getenv("GN_TEST_LOUD"))
            fprintf(stderr, "       %d %s\n", rc, err.msg);
        _exit(-rc);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(path);
}

/* The run that it is all about, not over. */
static void write_run(void)
{
    struct gn_run run = {0};
    struct gn_store *s = NULL;
    struct gn_err err = GN_ERR_INIT;

    run.project = gn_strdup("p");
    run.root = gn_strdup("/p");
    run.target = gn_strdup("cloud");
    assert_int_equal(gn_store_open(&ctx, &s, &err), GN_OK);
    assert_int_equal(gn_store_create(s, &run, &err), GN_OK);
    assert_string_equal(run.name, "p-1");
    gn_run_clear(&run);
    gn_store_close(s);
}

static void begin(uint64_t seed)
{
    memset(fake, 0, sizeof *fake);
    fake->now_ms = (int64_t)1700000000 * 1000;
    fake->seed = seed * 2654435761u + 12345;
    fake_rand(2);
    snprintf(state, sizeof state, "/tmp/gn-lease-XXXXXX");
    assert_non_null(mkdtemp(state));
    ctx = gn_ctx_none;
    ctx.state_dir = state;
    ctx.mono_ms = mono;
    ctx.wall_s = wall;
    ctx.event = on_event;
    write_run();
}

static void finish(void)
{
    nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void set_odds(int die, int lose, int refuse, int full, int vanish)
{
    fake->die = die;
    fake->lose = lose;
    fake->refuse = refuse;
    fake->full = full;
    fake->vanish = vanish;
}

struct known {
    bool open[MACHINES];
    int rows;
};

static int note(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    struct known *k = arg;

    (void)err;
    k->rows++;
    for (int i = 0; i < fake->n; i++)
        if (strcmp(fake->m[i].name, r->lease.name) == 0)
            k->open[i] = true;
    return GN_OK;
}

static struct known look_into_store(void)
{
    struct known k = {.rows = 0};
    struct gn_store *s = NULL;
    struct gn_err err = GN_ERR_INIT;

    assert_int_equal(gn_store_open(&ctx, &s, &err), GN_OK);
    assert_int_equal(gn_store_leases(s, 0, false, note, &k, &err), GN_OK);
    gn_store_close(s);
    return k;
}

/* What must hold at any instant. */
static void check_promise(uint64_t seed)
{
    struct known k = look_into_store();
    int64_t now = fake_now_ms() / 1000;

    fake_tick();
    for (int i = 0; i < fake->n; i++) {
        const struct fake_machine *m = &fake->m[i];
        int64_t worst = (m->deadline_s - m->made_ms / 1000) * m->price_microusd_h / 3600;

        if (m->alive && !k.open[i])
            fail_msg("history %llu: machine %d runs and nobody knows", (unsigned long long)seed, i);
        if (m->alive && now > m->deadline_s)
            fail_msg("history %llu: machine %d outlives its deadline", (unsigned long long)seed, i);
        if (worst > BUDGET + 1)
            fail_msg("history %llu: machine %d may cost %lld", (unsigned long long)seed, i,
                     (long long)worst);
    }
    if (fake->twice)
        fail_msg("history %llu: asked twice without saying so", (unsigned long long)seed);
}

static void one_history(uint64_t seed)
{
    int steps;

    begin(seed);
    set_odds(10 + (int)fake_rand(60), 3 + (int)fake_rand(10), 3 + (int)fake_rand(10),
             2 + (int)fake_rand(4), 3 + (int)fake_rand(10));
    fake->forgetful = seed % 2 == 0;
    fake->deny = seed % 3 ? 10 + (int)fake_rand(30) : 0;
    steps = 1 + (int)fake_rand(5);
    for (int i = 0; i < steps; i++) {
        invoke(fake_rand(4) == 0 ? END : fake_rand(4) == 0 ? LOOK : GET);
        check_promise(seed);
        if (fake_alive() > 1)
            fail_msg("history %llu: two machines for one run", (unsigned long long)seed);
    }
    set_odds(0, 0, 0, 0, 0);
    fake->deny = 0;
    if (invoke(END) != GN_OK)
        fail_msg("history %llu: the end fails", (unsigned long long)seed);
    check_promise(seed);
    if (fake_alive() || look_into_store().rows)
        fail_msg("history %llu: something is left", (unsigned long long)seed);
    finish();
}

static void test_histories(void **unused)
{
    const char *one = getenv("GN_TEST_SEED");
    long calls = 0, machines = 0;

    (void)unused;
    for (uint64_t seed = one ? strtoull(one, NULL, 10) : 1; seed <= HISTORIES; seed++) {
        one_history(seed);
        calls += fake->calls;
        machines += fake->n;
        if (one)
            break;
    }
    printf("%d histories, %ld calls, %ld machines\n", HISTORIES, calls, machines);
    assert_true(one || machines > HISTORIES / 2);
}

static void test_calm(void **unused)
{
    (void)unused;
    begin(1);
    assert_int_equal(invoke(GET), GN_OK);
    assert_int_equal(invoke(GET), GN_OK); /* the same again */
    assert_int_equal(fake->n, 1);
    assert_int_equal(fake_alive(), 1);
    check_promise(0);
    assert_int_equal(invoke(END), GN_OK);
    assert_int_equal(fake_alive(), 0);
    finish();
}

/* Two zones are full, the third has one: and never is one asked while another may have been made. */
static void test_next_offer(void **unused)
{
    (void)unused;
    begin(3);
    fake->full = 1;
    assert_int_equal(invoke(GET), GN_E_CAPACITY);
    assert_int_equal(fake->n, 0);
    assert_int_equal(look_into_store().rows, 0);
    finish();
}

static void test_names(void **unused)
{
    char name[GN_LEASE_NAME], owner[24];
    int64_t until = 0;

    (void)unused;
    for (int i = 0; i < 1000; i++) {
        int64_t deadline = 1700000000 + (int64_t)i * 86400 * 37;

        gn_lease_name("asha", deadline, name);
        assert_true(gn_lease_name_read(name, owner, &until));
        assert_string_equal(owner, "asha");
        assert_int_equal(until, deadline);
        name[4 + i % (int)(strlen(name) - 4)] ^= 1;
        assert_false(gn_lease_name_read(name, owner, &until));
    }
    assert_false(gn_lease_name_read("", owner, &until));
    assert_false(gn_lease_name_read("gnr-", owner, &until));
    assert_false(gn_lease_name_read("web-server-1", owner, &until));
}

static void test_money(void **unused)
{
    struct gn_rent r = {.asked_s = 100, .lease = {.price_microusd_h = 3600000, .made_s = 200}};
    char text[32];

    (void)unused;
    snprintf(r.lease.id, sizeof r.lease.id, "i-1");
    assert_int_equal(gn_rent_cost(&r, 210), 10000);
    r.ended_s = 260;
    assert_int_equal(gn_rent_cost(&r, 99999), 60000);
    r.lease.price_microusd_h = GN_PRICE_UNKNOWN;
    assert_int_equal(gn_rent_cost(&r, 99999), GN_PRICE_UNKNOWN);
    assert_string_equal(gn_fmt_money(1900000, text), "$1.90");
    assert_string_equal(gn_fmt_money(1900001, text), "$1.91");
    assert_string_equal(gn_fmt_money(17000, text), "$0.017");
    assert_string_equal(gn_fmt_money(0, text), "$0.000");
    assert_string_equal(gn_fmt_money(-1, text), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_money),
        cmocka_unit_test(test_calm),      cmocka_unit_test(test_next_offer),
        cmocka_unit_test(test_histories),
    };

    return fake_map() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
