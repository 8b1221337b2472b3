/* test_vary.c - what the members of a sweep are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gnrrun/vary.h"

static int parse(struct gn_vary *v, const char *a, const char *b, struct gn_err *err)
{
    struct gn_strs texts = GN_STRS_INIT;
    int rc;

    gn_strs_add(&texts, a);
    if (b)
        gn_strs_add(&texts, b);
    rc = gn_vary_parse(&texts, v, err);
    gn_strs_clear(&texts);
    return rc;
}

static void check_params(const struct gn_vary *v, size_t k, const char *want)
{
    struct gn_buf b = GN_BUF_INIT(1000);

    gn_vary_params(v, k, &b);
    assert_string_equal(b.ptr, want);
    gn_buf_clear(&b);
}

static void every_combination_once(void **state)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_vary v;

    (void)state;
    assert_int_equal(parse(&v, "lr=0.1,0.01", "depth=2..5", &err), GN_OK);
    assert_int_equal(v.members, 8);
    check_params(&v, 1, "lr=0.1 depth=2");
    check_params(&v, 4, "lr=0.1 depth=5");
    check_params(&v, 5, "lr=0.01 depth=2");
    check_params(&v, 8, "lr=0.01 depth=5");
    gn_vary_clear(&v);
}

static void ranges_of_whole_numbers(void **state)
{
    static const struct {
        const char *text, *last;
        size_t n;
    } good[] = {{"a=1..3", "a=3", 3},      {"a=3..1", "a=1", 3},        {"a=-1..1", "a=1", 3},
                {"a=0..10..5", "a=10", 3}, {"a=7..7", "a=7", 1},        {"a=x..y", "a=x..y", 1},
                {"a=../b", "a=../b", 1},   {"a=1..3,9,a..", "a=a..", 5}};
    struct gn_err err = GN_ERR_INIT;
    struct gn_vary v;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(parse(&v, good[i].text, NULL, &err), GN_OK);
        assert_int_equal(v.members, good[i].n);
        check_params(&v, v.members, good[i].last);
        gn_vary_clear(&v);
    }
}

static void what_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "lr",
                                      "=1",
                                      "1a=2",
                                      "a-b=1",
                                      "a=",
                                      "a=1,,2",
                                      "a=1,",
                                      "a=1..5..0",
                                      "a=1..5..-1",
                                      "a=0..1000",
                                      "a=0..999999999999",
                                      "a=1..99999999999999999999..x"};
    struct gn_err err = GN_ERR_INIT;
    struct gn_vary v;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = parse(&v, bad[i], NULL, &err);

        /* numbers too long for us are words */
        if (strstr(bad[i], "..x")) {
            assert_int_equal(rc, GN_OK);
            gn_vary_clear(&v);
            continue;
        }
        assert_int_equal(rc, GN_E_USAGE);
    }
    assert_int_equal(parse(&v, "a=1..40", "b=1..40", &err), GN_E_USAGE);
    assert_non_null(strstr(err.msg, "at most 1000"));
    assert_int_equal(parse(&v, "a=1", "a=2", &err), GN_E_USAGE);
    assert_int_equal(parse(&v, "a=1..1000", NULL, &err), GN_OK);
    gn_vary_clear(&v);
}

static void words_get_their_values(void **state)
{
    static const char *const typed[] = {"{lr}.py", "--lr={lr}", "{lr}{depth}", "{other}",
                                        "{",       "{lr",       "}{}"};
    static const char *const want[] = {"{lr}.py", "--lr=a b", "a b2", "{other}", "{", "{lr", "}{}"};
    struct gn_strs words = GN_STRS_INIT, out = GN_STRS_INIT;
    const char *env[] = {NULL, "x"};
    struct gn_err err = GN_ERR_INIT;
    struct gn_vary v;

    (void)state;
    assert_int_equal(parse(&v, "lr=a b,{lr}", "depth=2", &err), GN_OK);
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
        gn_strs_add(&words, typed[i]);
    gn_vary_look(&v, &words, 1, env, 2);
    assert_false(v.v[0].added || v.v[1].added);
    gn_vary_words(&v, 1, &words, 1, &out);
    assert_int_equal(out.n, words.n);
    for (size_t i = 0; i < out.n; i++)
        assert_string_equal(out.v[i], want[i]);
    gn_strs_clear(&out);
    /* a value is not looked at again */
    gn_vary_words(&v, 2, &words, 1, &out);
    assert_string_equal(out.v[1], "--lr={lr}");
    gn_strs_clear(&out);
    gn_strs_clear(&words);

    gn_strs_add(&words, "train.py");
    gn_vary_look(&v, &words, 1, env, 2);
    gn_vary_words(&v, 1, &words, 1, &out);
    assert_int_equal(out.n, 5);
    assert_string_equal(out.v[1], "--lr");
    assert_string_equal(out.v[2], "a b");
    assert_string_equal(out.v[4], "2");
    gn_strs_clear(&out);
    env[1] = "{lr}";
    gn_vary_look(&v, &words, 1, env, 2);
    assert_false(v.v[0].added);
    assert_true(v.v[1].added);
    assert_true(gn_vary_in(&v, "a{depth}"));
    assert_false(gn_vary_in(&v, "a{dept}"));
    gn_strs_clear(&words);
    gn_vary_clear(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_once),
        cmocka_unit_test(ranges_of_whole_numbers),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(words_get_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
