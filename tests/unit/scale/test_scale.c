#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "gnrrun/scale.h"

static struct gn_figure exactly(double value)
{
    return (struct gn_figure){.known = GN_FIG_EXACT, .value = value};
}

static struct gn_workload resnet50(void)
{
    return (struct gn_workload){.evidence = GN_EVIDENCE_READ,
                                .family = GN_FAMILY_CNN,
                                .precision = GN_PRECISION_FP32,
                                .optimizer = GN_OPTIMIZER_MOMENTUM,
                                .model_named = true,
                                .params = exactly(25.56e6),
                                .macs = exactly(4.089e9),
                                .out_elements = exactly(32e6),
                                .calls = exactly(158),
                                .saved_bytes = exactly(86.1e6),
                                .batch = exactly(64),
                                .samples = exactly(50000),
                                .epochs = exactly(10)};
}

static const char *const gpus[] = {"Tesla K40m", "NVIDIA GeForce RTX 3090", "Tesla T4",
                                   "NVIDIA A100-SXM4-40GB"};
#define N_GPUS (sizeof gpus / sizeof *gpus)

static void a_gpu_is_known_by_its_names_and_no_others(void **state)
{
    static const struct {
        const char *name;
        double gib; /* 0: no row */
    } names[] = {{"NVIDIA GeForce RTX 3090", 24},
                 {"GeForce RTX 3090", 24},
                 {"rtx 3090", 24},
                 {"Tesla V100 16GB", 16},
                 {"Tesla V100-SXM2-32GB", 32},
                 {"Tesla V100-SXM2-16GB (p3)", 16},
                 {"Tesla T4", 16},
                 {"NVIDIA A100 80GB PCIe", 80},
                 {"NVIDIA A100-SXM4-40GB MIG 1g.5gb", 40.0 / 7},
                 {"NVIDIA A100-SXM4-40GB MIG 9g.5gb", 0},
                 {"NVIDIA GeForce RTX 3090 Ti", 0},
                 {"NVIDIA GeForce RTX 3080 Laptop GPU", 0},
                 {"NVIDIA GeForce RTX 30", 0},
                 {"Apple M1", 0},
                 {"", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct gn_device d = {0};
        bool known = gn_device_gpu(names[i].name, &d);

        if (known != (names[i].gib > 0))
            fail_msg("'%s' is %s", names[i].name, known ? "known" : "unknown");
        if (known)
            assert_true(fabs(d.mem_bytes / 1073741824 - names[i].gib) < 0.01);
    }
}

static void more_epochs_never_shorten(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GPUS; i++) {
        struct gn_device d;
        double before = 0;

        assert_true(gn_device_gpu(gpus[i], &d));
        for (double epochs = 1; epochs < 1e6; epochs *= 1.7) {
            struct gn_workload w = resnet50();
            struct gn_duration t;

            w.epochs.value = epochs;
            gn_scale_time(&w, &d, &t);
            assert_true(t.known && t.total_s.p50 > before);
            before = t.total_s.p50;
        }
    }
}

static void a_range_holds_its_middle_and_80_is_below_90(void **state)
{
    (void)state;
    for (double sigma = 0; sigma < 3; sigma += 0.1) {
        struct gn_range r = gn_range_of(100, sigma);

        assert_true(r.p10 <= r.p50 && r.p50 <= r.p90);
        assert_true(gn_range_p80(&r) >= r.p50 && gn_range_p80(&r) <= r.p90);
    }
}

static void less_memory_never_turns_no_into_fits(void **state)
{
    (void)state;
    for (int rough = 0; rough < 2; rough++) {
        struct gn_workload w = resnet50();
        struct gn_footprint m;
        bool was_no = false, was_less = false;

        if (rough)
            w.saved_bytes.known = GN_FIG_UNKNOWN;
        gn_scale_memory(&w, &m);
        assert_true(m.known && m.rough == (rough != 0));
        for (double room = 80e9; room > 1e8; room *= 0.97) {
            enum gn_fit fit = gn_scale_fit(&m, room);

            if (was_less)
                assert_int_not_equal(fit, GN_FIT_YES);
            if (was_no)
                assert_int_equal(fit, GN_FIT_NO);
            was_less |= fit != GN_FIT_YES;
            was_no |= fit == GN_FIT_NO;
        }
        assert_true(was_no);
    }
}

static void what_is_missing_is_named_and_nothing_is_said(void **state)
{
    struct gn_device d, none = {0};
    struct gn_workload w = resnet50();
    struct gn_duration t;

    (void)state;
    assert_true(gn_device_gpu(gpus[0], &d));
    gn_scale_time(&w, &none, &t);
    assert_false(t.known);
    assert_string_equal(t.why, "how fast this device is is not known");
    w.epochs = (struct gn_figure){0};
    gn_scale_time(&w, &d, &t);
    assert_false(t.known);
    assert_true(t.step_known);
    assert_string_equal(t.why, "how many epochs it runs is not known");
    w = resnet50();
    w.macs = (struct gn_figure){0};
    gn_scale_time(&w, &d, &t);
    assert_false(t.known || t.step_known);
    w = resnet50();
    w.family = GN_FAMILY_RNN;
    w.calls = (struct gn_figure){0};
    gn_scale_time(&w, &d, &t);
    assert_false(t.known);
}

static void bounds_stay_bounds(void **state)
{
    struct gn_device d;
    struct gn_workload w = resnet50();
    struct gn_duration t;

    (void)state;
    assert_true(gn_device_gpu(gpus[1], &d));
    w.epochs.known = GN_FIG_AT_MOST;
    gn_scale_time(&w, &d, &t);
    assert_true(t.known);
    assert_int_equal(t.bound, GN_FIG_AT_MOST);
    w.samples.known = GN_FIG_AT_LEAST;
    gn_scale_time(&w, &d, &t);
    assert_false(t.known);
}

static void a_small_network_gains_nothing_from_a_larger_gpu(void **state)
{
    struct gn_workload w = {.family = GN_FAMILY_MLP,
                            .params = exactly(0.67e6),
                            .macs = exactly(0.67e6),
                            .batch = exactly(128),
                            .steps = exactly(1000)};
    struct gn_device small, large;
    struct gn_duration a, b;

    (void)state;
    assert_true(gn_device_gpu(gpus[2], &small) && gn_device_gpu(gpus[3], &large));
    gn_scale_time(&w, &small, &a);
    gn_scale_time(&w, &large, &b);
    assert_true(a.launch_bound && b.launch_bound);
    assert_true(fabs(a.total_s.p50 - b.total_s.p50) < 1e-9);
}

static void begun_hours_are_paid(void **state)
{
    (void)state;
    assert_int_equal(gn_scale_cost(2000000, 3600, 0), 2000000);
    assert_int_equal(gn_scale_cost(2000000, 1, 3600), 2000000);
    assert_int_equal(gn_scale_cost(3600, 1.2, 1), 2);
    assert_int_equal(gn_scale_cost(-1, 10, 1), -1);
    assert_int_equal(gn_scale_cost(1, (double)NAN, 1), -1);
    assert_int_equal(gn_scale_cost(INT64_MAX, 1e15, 1), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpu_is_known_by_its_names_and_no_others),
        cmocka_unit_test(more_epochs_never_shorten),
        cmocka_unit_test(a_range_holds_its_middle_and_80_is_below_90),
        cmocka_unit_test(less_memory_never_turns_no_into_fits),
        cmocka_unit_test(what_is_missing_is_named_and_nothing_is_said),
        cmocka_unit_test(bounds_stay_bounds),
        cmocka_unit_test(a_small_network_gains_nothing_from_a_larger_gpu),
        cmocka_unit_test(begun_hours_are_paid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
