/* The table is whole, and what is chosen from it fits. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "providers/prices.h"

static const char *const all[] = {"ec2", "gce", "azure", "digitalocean", "lambda"};

static void test_every_row_is_plausible(void **unused)
{
    size_t rows = 0;

    (void)unused;
    for (size_t p = 0; p < sizeof all / sizeof *all; p++) {
        struct gn_offers o = {0};

        gn_prices_offer(all[p], NULL, "us-east-1", NULL, &o);
        assert_true(o.n >= 5);
        for (size_t i = 0; i < o.n; i++) {
            assert_true(o.v[i].price_microusd_h > 10000 && o.v[i].price_microusd_h < 130000000);
            assert_true(o.v[i].cpus >= 2 && o.v[i].memory_bytes >= (uint64_t)4 << 30);
            assert_int_equal(o.v[i].gpus > 0, *o.v[i].gpu != 0);
            assert_int_equal(o.v[i].gpus > 0, o.v[i].gpu_mem_bytes > 0);
            assert_true(i == 0 || o.v[i].price_microusd_h >= o.v[i - 1].price_microusd_h);
            assert_true(strncmp(o.v[i].price_date, "202", 3) == 0);
        }
        rows += o.n;
        free(o.v);
    }
    assert_in_range(rows, 60, 90);
}

static void test_what_fits_is_offered_cheapest_first(void **unused)
{
    struct gn_needs needs = {.gpus = 1, .gpu_mem_bytes = (uint64_t)20 << 30};
    struct gn_offers o = {0};

    (void)unused;
    gn_prices_offer("ec2", NULL, "us-east-1", &needs, &o);
    assert_string_equal(o.v[0].machine, "g6.xlarge");
    assert_int_equal(o.v[0].price_microusd_h, 804800);
    assert_string_equal(o.v[0].price_date, "2025-06-01 recalled");
    free(o.v);
    o = (struct gn_offers){0};
    needs = (struct gn_needs){.cpus = 8};
    gn_prices_offer("ec2", NULL, "ap-south-1", &needs, &o);
    assert_int_equal(o.v[0].gpus, 0);
    assert_string_equal(o.v[0].machine, "c7i.2xlarge");
    assert_int_equal(o.v[0].price_microusd_h, 446250);
    assert_string_equal(o.v[0].price_date, "2025-06-01 recalled, +25 %");
    free(o.v);
    o = (struct gn_offers){0};
    needs = (struct gn_needs){.gpus = 4, .gpu_type = (char *)(uintptr_t) "v100"};
    gn_prices_offer("ec2", NULL, "us-east-1", &needs, &o);
    assert_int_equal(o.n, 1);
    assert_string_equal(o.v[0].machine, "p3.8xlarge");
    free(o.v);
}

static void test_a_machine_that_nobody_knows_has_no_price(void **unused)
{
    struct gn_offers o = {0};

    (void)unused;
    gn_prices_offer("ec2", "x99.mega", "us-east-1", NULL, &o);
    assert_int_equal(o.n, 1);
    assert_int_equal(o.v[0].price_microusd_h, GN_PRICE_UNKNOWN);
    free(o.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_plausible),
        cmocka_unit_test(test_what_fits_is_offered_cheapest_first),
        cmocka_unit_test(test_a_machine_that_nobody_knows_has_no_price),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
