/* Fake places, real stories: where a student's programs should run, and why not elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gnrrun/choose.h"

#define MAX 8

static struct gn_figure exactly(double value)
{
    return (struct gn_figure){.known = GN_FIG_EXACT, .value = value};
}

static struct gn_workload work(enum gn_family family, double params, double macs, double samples,
                               double batch, double epochs)
{
    return (struct gn_workload){.framework = GN_FRAMEWORK_TORCH,
                                .family = family,
                                .evidence = GN_EVIDENCE_READ,
                                .precision = GN_PRECISION_FP32,
                                .optimizer = GN_OPTIMIZER_ADAM,
                                .model_named = true,
                                .params = exactly(params),
                                .macs = exactly(macs),
                                .out_elements = exactly(macs / 150),
                                .batch = exactly(batch),
                                .samples = exactly(samples),
                                .epochs = exactly(epochs)};
}

static struct gn_workload mnist(void)
{
    return work(GN_FAMILY_MLP, 0.67e6, 0.67e6, 60000, 128, 20);
}

static struct gn_workload cifar(double epochs)
{
    return work(GN_FAMILY_CNN, 11.2e6, 0.56e9, 50000, 128, epochs);
}

static struct gn_workload bert(void)
{
    return work(GN_FAMILY_TRANSFORMER, 110e6, 11.17e9, 392702, 32, 3);
}

static struct gn_workload imagenet(void)
{
    return work(GN_FAMILY_CNN, 25.6e6, 4.09e9, 1281167, 128, 90);
}

static struct gn_place place(const char *name, enum gn_rung rung, const char *gpu)
{
    struct gn_place p = {.name = name,
                         .rung = rung,
                         .gpus = gpu ? 1 : 0,
                         .load = 0,
                         .cores = 8,
                         .disk_free_bytes = 500e9,
                         .price_microusd_h = -1};

    if (gpu)
        assert_true(gn_device_gpu(gpu, &p.device));
    else
        gn_device_cores(8, &p.device);
    p.free_mem_bytes = gpu ? p.device.mem_bytes : 16e9;
    return p;
}

static struct gn_place laptop(void)
{
    return place("local", GN_RUNG_LOCAL_CPU, NULL);
}

static struct gn_place lab(void)
{
    struct gn_place p = place("lab", GN_RUNG_SHARED_GPU, "NVIDIA GeForce RTX 3090");

    p.shared = true;
    p.ready_s = 120;
    return p;
}

static struct gn_place slurm(void)
{
    struct gn_place p = place("cluster", GN_RUNG_QUEUE, "NVIDIA A100-SXM4-40GB");

    p.wait_s = -1;
    p.walltime_s = 7 * 86400;
    return p;
}

static struct gn_place colab(void)
{
    struct gn_place p = place("colab", GN_RUNG_COLAB, "Tesla T4");

    p.ready_s = 120;
    p.opted_in = true;
    return p;
}

static struct gn_place cloud(void)
{
    struct gn_place p = place("cloud", GN_RUNG_PAID, "NVIDIA A100-SXM4-40GB");

    p.price_microusd_h = 1500000;
    p.ready_s = 300;
    return p;
}

static struct gn_choose_policy free_only(void)
{
    return (struct gn_choose_policy){.max_cost_microusd = -1};
}

static const char *chosen(const struct gn_workload *w, const struct gn_choose_policy *policy,
                          const struct gn_place *p, size_t n, struct gn_judgement *v)
{
    struct gn_choice c;

    gn_choose(w, policy, p, n, v, &c);
    assert_true(*c.reason);
    if (c.place == SIZE_MAX)
        return "";
    assert_true(v[c.place].feasible);
    return p[c.place].name;
}

static void stories(void **state)
{
    struct gn_choose_policy policy = free_only(), rich = {.max_cost_microusd = 500000000};
    struct gn_place campus[] = {laptop(), lab(), slurm(), colab(), cloud()};
    struct gn_place no_lab[] = {laptop(), slurm()};
    struct gn_place rented[] = {laptop(), lab(), cloud()};
    struct gn_place alone[] = {laptop(), colab()};
    struct gn_workload small = mnist(), cnn = cifar(200), tune = bert(), large = imagenet(),
                       quick = cifar(5);
    struct gn_judgement v[MAX];

    (void)state;
    assert_string_equal(chosen(&small, &policy, campus, 5, v), "local");
    assert_string_equal(chosen(&cnn, &policy, campus, 5, v), "lab");
    assert_string_equal(chosen(&tune, &policy, campus, 5, v), "lab");
    assert_string_equal(chosen(&tune, &policy, no_lab, 2, v), "cluster");
    assert_string_equal(chosen(&large, &policy, campus, 5, v), "cluster");
    assert_false(v[1].feasible);
    assert_string_equal(chosen(&large, &rich, rented, 3, v), "cloud");
    assert_string_equal(chosen(&large, &policy, rented, 3, v), "local");
    assert_string_equal(chosen(&quick, &policy, alone, 2, v), "colab");
}

static void what_is_unknown_goes_to_the_least_intrusive_place(void **state)
{
    struct gn_place p[] = {cloud(), colab(), slurm(), lab(), laptop()};
    struct gn_choose_policy rich = {.max_cost_microusd = 1000000000};
    struct gn_workload nothing = {0}, no_epochs = cifar(1);
    struct gn_judgement v[MAX];

    (void)state;
    assert_string_equal(chosen(&nothing, &rich, p, 5, v), "local");
    no_epochs.epochs = (struct gn_figure){0};
    assert_string_equal(chosen(&no_epochs, &rich, p, 5, v), "local");
    assert_false(v[0].feasible);
}

/* One thing wrong with a place that would have been taken: its words. */
static void refused(const struct gn_workload *w, const struct gn_choose_policy *policy,
                    const struct gn_place *p, const char *words)
{
    struct gn_place two[] = {laptop(), *p};
    struct gn_judgement v[2];

    chosen(w, policy, two, 2, v);
    if (v[1].feasible || !strstr(v[1].cause, words))
        fail_msg("'%s' is not in '%s'", words, v[1].cause);
}

static void every_refusal_says_why(void **state)
{
    struct gn_choose_policy policy = free_only(), rich = {.max_cost_microusd = 500000000};
    struct gn_choose_policy two_gpus = {.gpus = 2}, one_gpu = {.gpus = 1};
    struct gn_choose_policy little = {.max_cost_microusd = 1000};
    struct gn_workload cnn = cifar(200), large = imagenet(), small = mnist(), quick = cifar(10);
    struct gn_place p;

    (void)state;
    p = lab();
    p.unusable = "does not answer";
    refused(&cnn, &policy, &p, "does not answer");
    p = lab();
    p.busy = true;
    refused(&cnn, &policy, &p, "somebody's process");
    p = lab();
    p.load = 20;
    refused(&cnn, &policy, &p, "others use all of it");
    p = lab();
    refused(&large, &policy, &p, "without a queue");
    refused(&small, &policy, &p, "no GPU is needed");
    refused(&cnn, &two_gpus, &p, "has 1 GPU for one run, 2 wanted");
    p.free_mem_bytes = 1e8;
    refused(&cnn, &policy, &p, "of memory");
    p = lab();
    p.disk_free_bytes = 1e6;
    p.ship_bytes = 2e6;
    refused(&cnn, &policy, &p, "of disk");
    p = slurm();
    p.walltime_s = 60;
    refused(&cnn, &policy, &p, "is its limit");
    p = place("cpus", GN_RUNG_SHARED_CPU, NULL);
    p.gpus = 1;
    refused(&cnn, &one_gpu, &p, "processors only");
    policy.rank[GN_RUNG_QUEUE] = -1;
    p = slurm();
    refused(&cnn, &policy, &p, "'prefer'");
    policy = free_only();
    p = cloud();
    refused(&cnn, &policy, &p, "none is allowed");
    refused(&cnn, &little, &p, "more than the");
    p.price_microusd_h = -1;
    refused(&cnn, &rich, &p, "price is not known");
    p = colab();
    refused(&large, &policy, &p, "may end before");
    quick.saves = false;
    quick.epochs.value = 40;
    refused(&quick, &policy, &p, "without a checkpoint");
    quick.epochs.value = 5;
    p.ship_bytes = 2e9;
    refused(&quick, &policy, &p, "upload");
    p = colab();
    p.opted_in = false;
    refused(&quick, &policy, &p, "forbids remote control");
}

static size_t places_of(enum gn_target_type type, const char *const *said, struct gn_place *out)
{
    char name[] = "box";
    struct gn_target t = {.name = name, .type = type};
    struct gn_strs lines = GN_STRS_INIT;
    size_t n;

    for (size_t i = 0; said[i]; i++)
        gn_strs_add(&lines, said[i]);
    n = gn_places_of(&t, &lines, 1e6, out);
    gn_strs_clear(&lines);
    return n;
}

static void a_target_is_its_processors_and_its_freest_gpu(void **state)
{
    static const char *const said[] = {
        "probe cores=16 load=3.5 mem_free_kb=1000 free_kb=2000 users=3 scheduler=-",
        "gpu index=0 name=Tesla_T4 mem_mb=15360 used_mb=9000 util=90 procs=1 free=0",
        "gpu index=1 name=NVIDIA_GeForce_RTX_3090 mem_mb=24576 used_mb=100 util=0 procs=0 free=1",
        NULL};
    static const char *const taken[] = {
        "probe cores=x load=nan users=1",
        "gpu index=0 name=Some_GPU mem_mb=1 used_mb=2 util=90 procs=1 free=0", NULL};
    static const char *const queue[] = {"probe cores=16 load=1 scheduler=slurm",
                                        "gpu index=0 name=Tesla_T4 mem_mb=15360 free=1", NULL};
    static const char *const nothing[] = {NULL};
    struct gn_place p[GN_PLACES_MAX];

    (void)state;
    assert_int_equal(places_of(GN_TARGET_SSH, said, p), 2);
    assert_int_equal(p[0].rung, GN_RUNG_SHARED_CPU);
    assert_true(p[0].shared && p[0].cores > 15.9 && p[0].load > 3.4);
    assert_int_equal(p[1].rung, GN_RUNG_SHARED_GPU);
    assert_string_equal(p[1].device.name, "NVIDIA GeForce RTX 3090");
    assert_true(p[1].gpus == 1 && !p[1].busy && p[1].free_mem_bytes > 25e9);
    assert_int_equal(places_of(GN_TARGET_LOCAL, said, p), 2);
    assert_true(p[0].rung == GN_RUNG_LOCAL_CPU && p[1].rung == GN_RUNG_LOCAL_GPU && !p[0].shared);
    assert_int_equal(places_of(GN_TARGET_SSH, taken, p), 2);
    assert_true(p[0].device.cls == GN_DEVICE_UNKNOWN && p[0].load < 0 && !p[0].shared);
    assert_true(p[1].busy && p[1].device.cls == GN_DEVICE_UNKNOWN);
    assert_string_equal(p[1].device.name, "Some GPU");
    assert_int_equal(places_of(GN_TARGET_SSH, queue, p), 1);
    assert_true(p[0].rung == GN_RUNG_QUEUE && p[0].device.cls == GN_DEVICE_UNKNOWN);
    assert_int_equal(places_of(GN_TARGET_SSH, nothing, p), 1);
    assert_int_equal(p[0].device.cls, GN_DEVICE_UNKNOWN);
}

static void a_project_can_lower_what_may_be_spent_and_not_allow_it(void **state)
{
    char campus[] = "campus", local[] = "local", *words[] = {campus, local};
    struct gn_config c = {.choose = {.has_max_cost = true, .max_cost_microusd = 5000000}};
    struct gn_choose_policy p;

    (void)state;
    gn_choose_policy_of(&c, -1, 0, &p);
    assert_int_equal(p.max_cost_microusd, -1);
    gn_choose_policy_of(&c, 7000000, 2, &p);
    assert_int_equal(p.max_cost_microusd, 7000000);
    assert_int_equal(p.gpus, 2);
    gn_choose_policy_of(&c, 0, 0, &p);
    assert_int_equal(p.max_cost_microusd, 0);
    c.users_choose = (struct gn_choose_keys){.has_max_cost = true, .max_cost_microusd = 9000000};
    gn_choose_policy_of(&c, -1, 0, &p);
    assert_int_equal(p.max_cost_microusd, 5000000);
    c.users_choose.prefer.v = words;
    c.users_choose.prefer.n = 2;
    c.users_choose.local_if_within_s = 60;
    gn_choose_policy_of(&c, -1, 0, &p);
    assert_true(p.local_if_within_s > 59 && p.local_if_within_s < 61);
    assert_true(p.rank[GN_RUNG_SHARED_GPU] == 0 && p.rank[GN_RUNG_QUEUE] == 0);
    assert_true(p.rank[GN_RUNG_LOCAL_CPU] == 1 && p.rank[GN_RUNG_LOCAL_GPU] == 1);
    assert_true(p.rank[GN_RUNG_COLAB] == -1 && p.rank[GN_RUNG_PAID] == -1);
}

/* A generator of its own: the same places in every run. */
static unsigned pick(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % n;
}

static struct gn_place any_place(unsigned *seed)
{
    struct gn_place (*const makers[])(void) = {laptop, lab, slurm, colab, cloud};
    struct gn_place p = makers[pick(seed, 5)]();

    p.ready_s += pick(seed, 4000);
    p.busy = pick(seed, 5) == 0;
    if (pick(seed, 2))
        p.wait_s = pick(seed, 100000);
    return p;
}

static struct gn_workload any_work(unsigned *seed)
{
    struct gn_workload some[] = {mnist(), cifar(1 + pick(seed, 300)), bert(), imagenet()};

    return some[pick(seed, 4)];
}

static void a_worse_place_never_changes_the_choice(void **state)
{
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct gn_workload w = any_work(&seed);
        struct gn_choose_policy policy = {.max_cost_microusd = 100000000};
        struct gn_place p[MAX];
        size_t n = 2 + pick(&seed, MAX - 3);
        struct gn_judgement v[MAX];
        struct gn_choice one, two;

        for (size_t i = 0; i < n; i++)
            p[i] = any_place(&seed);
        p[n] = p[pick(&seed, (unsigned)n)];
        p[n].ready_s += 1 + pick(&seed, 5000);
        gn_choose(&w, &policy, p, n, v, &one);
        gn_choose(&w, &policy, p, n + 1, v, &two);
        if (one.place != two.place)
            fail_msg("round %d: %zu became %zu of %zu", round, one.place, two.place, n + 1);
    }
}

static void nothing_paid_is_taken_unless_an_amount_was_allowed(void **state)
{
    unsigned seed = 11;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct gn_workload w = any_work(&seed);
        struct gn_choose_policy policy = {.max_cost_microusd = (int64_t)pick(&seed, 3) * 4000000};
        struct gn_place p[] = {any_place(&seed), any_place(&seed), cloud()};
        struct gn_judgement v[3];
        struct gn_choice c;

        gn_choose(&w, &policy, p, 3, v, &c);
        for (size_t i = 0; i < 3; i++)
            assert_true(v[i].feasible || *v[i].cause);
        if (c.place == SIZE_MAX)
            continue;
        assert_true(v[c.place].feasible);
        assert_true(v[c.place].cost_microusd <= policy.max_cost_microusd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories),
        cmocka_unit_test(what_is_unknown_goes_to_the_least_intrusive_place),
        cmocka_unit_test(every_refusal_says_why),
        cmocka_unit_test(a_target_is_its_processors_and_its_freest_gpu),
        cmocka_unit_test(a_project_can_lower_what_may_be_spent_and_not_allow_it),
        cmocka_unit_test(a_worse_place_never_changes_the_choice),
        cmocka_unit_test(nothing_paid_is_taken_unless_an_amount_was_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
