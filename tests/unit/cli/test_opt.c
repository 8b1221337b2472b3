#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/opt.h"
#include "cli/options.h"
#include "gnrrun/buf.h"

#define ARGC(a) ((int)(sizeof(a) / sizeof *(a)))

static char *word(const char *s)
{
    return gn_strdup(s);
}

/* Parse a line whose words are split at blanks. */
static int parse(const struct gn_opt *const *tables, enum gn_opt_mode mode, const char *line,
                 struct gn_args *a, struct gn_err *err, struct gn_strs *keep)
{
    char *copy = word(line), *save = NULL;

    gn_strs_clear(keep);
    for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
        gn_strs_add(keep, p);
    free(copy);
    gn_err_clear(err);
    return gn_args_parse(tables, mode, (int)keep->n, keep->v, a, err);
}

#define SETUP                                                                                      \
    struct gn_args a;                                                                              \
    struct gn_err err = GN_ERR_INIT;                                                               \
    struct gn_strs keep = GN_STRS_INIT
#define RUN(line)  parse(gn_options_start, GN_WORDS_PROGRAM, (line), &a, &err, &keep)
#define TEARDOWN() gn_strs_clear(&keep)

static void words_are(const struct gn_args *a, const char *expect)
{
    struct gn_buf b = GN_BUF_INIT(4096);

    for (size_t i = 0; i < a->words.n; i++)
        gn_buf_addf(&b, "%s%s", i ? " " : "", a->words.v[i]);
    assert_string_equal(b.ptr, expect);
    gn_buf_clear(&b);
}

static void options_may_stand_after_the_program(void **state)
{
    SETUP;
    (void)state;

    assert_int_equal(RUN("train.py --lr 0.1 --target ravan -x --epochs 10 --detach"), GN_OK);
    words_are(&a, "train.py --lr 0.1 -x --epochs 10");
    assert_string_equal(gn_args_text(&a, "target"), "ravan");
    assert_true(gn_args_has(&a, "detach"));
    gn_args_clear(&a);
    TEARDOWN();
}

static void three_ways_to_say_target(void **state)
{
    static const char *const ways[] = {"-t ravan p", "-travan p", "--target=ravan p",
                                       "p --target ravan", "-t=ravan p"};
    SETUP;
    (void)state;

    for (int i = 0; i < ARGC(ways); i++) {
        assert_int_equal(RUN(ways[i]), GN_OK);
        assert_string_equal(gn_args_text(&a, "target"), "ravan");
        words_are(&a, "p");
        gn_args_clear(&a);
    }
    TEARDOWN();
}

static void two_dashes_end_our_options(void **state)
{
    SETUP;
    (void)state;

    assert_int_equal(RUN("p -t a -- --target b --taget -- c"), GN_OK);
    words_are(&a, "p --target b --taget -- c");
    assert_string_equal(gn_args_text(&a, "target"), "a");
    gn_args_clear(&a);
    TEARDOWN();
}

static void a_typo_is_never_passed_on(void **state)
{
    static const char *const typos[] = {"p --taget x",
                                        "p --taget=x",
                                        "p --targets x",
                                        "p --traget x",
                                        "p -target x",
                                        "p ---target x",
                                        "p --no-fetcj",
                                        "\xe2\x80\x94target x",
                                        "p \xe2\x80\x93target=x",
                                        "--taget x p",
                                        "p --gpu 1",
                                        "p -detach"};
    SETUP;
    (void)state;

    for (int i = 0; i < ARGC(typos); i++) {
        assert_int_equal(RUN(typos[i]), GN_E_USAGE);
        assert_non_null(strstr(err.hint, "did you mean '--"));
        gn_args_clear(&a);
    }
    TEARDOWN();
}

static void what_is_far_from_ours_is_the_programs(void **state)
{
    SETUP;
    (void)state;

    assert_int_equal(RUN("p --learning-rate 1 -x -1 --lr=2 - --batch_size 3 -vx --no-cuda"), GN_OK);
    words_are(&a, "p --learning-rate 1 -x -1 --lr=2 - --batch_size 3 -vx --no-cuda");
    gn_args_clear(&a);
    assert_int_equal(RUN("--learning-rate 1 p"), GN_E_USAGE);
    gn_args_clear(&a);
    TEARDOWN();
}

static void a_module_is_a_program(void **state)
{
    SETUP;
    (void)state;

    assert_int_equal(RUN("-t x -m pkg.train --epochs 3"), GN_OK);
    words_are(&a, "-m pkg.train --epochs 3");
    gn_args_clear(&a);
    TEARDOWN();
}

static void values_are_checked(void **state)
{
    static const char *const bad[] = {"--gpus x p",
                                      "--gpus -1 p",
                                      "--gpus 1x p",
                                      "--gpus 99999 p",
                                      "--cpus 0 p",
                                      "--memory x p",
                                      "--memory 8QB p",
                                      "--time soon p",
                                      "--time -3 p",
                                      "--max-cost x p",
                                      "--max-cost 1.2.3 p",
                                      "--max-cost 1. p",
                                      "--env =x p",
                                      "--env 1A=x p",
                                      "--env A-B=x p",
                                      "--detach=yes p",
                                      "p --target",
                                      "p --target -- x",
                                      "p --target --detach",
                                      "--target= p",
                                      "--nice 20 p",
                                      "--gpus 99999999999999999999 p",
                                      "--max-cost 9999999999999999 p"};
    SETUP;
    (void)state;

    for (int i = 0; i < ARGC(bad); i++) {
        if (RUN(bad[i]) != GN_E_USAGE)
            fail_msg("accepted: %s", bad[i]);
        assert_true(err.msg[0] != '\0');
        gn_args_clear(&a);
    }
    assert_int_equal(
        RUN("--gpus 2 --memory 8GB --time 1h30m --max-cost $2.50 --env A --env B=c=d p"), GN_OK);
    assert_int_equal(gn_args_num(&a, "gpus", 0), 2);
    assert_int_equal(gn_args_num(&a, "memory", 0), 8000000000);
    assert_int_equal(gn_args_num(&a, "time", 0), 5400);
    assert_int_equal(gn_args_num(&a, "max-cost", 0), 2500000);
    assert_int_equal(gn_args_num(&a, "nodes", 7), 7);
    gn_args_clear(&a);
    TEARDOWN();
}

static void each_counts_only_where_it_may_be_repeated(void **state)
{
    struct gn_strs env = GN_STRS_INIT;
    SETUP;
    (void)state;

    assert_int_equal(RUN("--env A=1 -t x p --env B -t y --env A=2"), GN_OK);
    gn_args_each(&a, "env", &env);
    assert_int_equal(env.n, 3);
    assert_string_equal(env.v[2], "A=2");
    assert_string_equal(gn_args_text(&a, "target"), "y");
    gn_strs_clear(&env);
    gn_args_clear(&a);
    TEARDOWN();
}

static void unknown_options_stop_the_other_commands(void **state)
{
    SETUP;
    (void)state;

    assert_int_equal(parse(gn_options_ps, GN_WORDS_MIXED, "--al", &a, &err, &keep), GN_E_USAGE);
    assert_string_equal(err.hint, "did you mean '--all'?");
    gn_args_clear(&a);
    assert_int_equal(parse(gn_options_logs, GN_WORDS_MIXED, "r -x", &a, &err, &keep), GN_E_USAGE);
    gn_args_clear(&a);
    assert_int_equal(parse(gn_options_logs, GN_WORDS_MIXED, "r -fqv --tail 3", &a, &err, &keep),
                     GN_OK);
    assert_true(gn_args_has(&a, "follow") && gn_args_has(&a, "quiet"));
    gn_args_clear(&a);
    TEARDOWN();
}

static void a_command_for_ssh_is_left_alone(void **state)
{
    SETUP;
    (void)state;

    assert_int_equal(
        parse(gn_options_ssh, GN_WORDS_COMMAND, "-v r ls -la --json -- x", &a, &err, &keep), GN_OK);
    words_are(&a, "r ls -la --json -- x");
    assert_true(gn_args_has(&a, "verbose"));
    assert_false(gn_args_has(&a, "json"));
    gn_args_clear(&a);
    TEARDOWN();
}

static void foreign_bytes_are_safe_in_messages(void **state)
{
    SETUP;
    (void)state;

    assert_int_equal(RUN("--\033[31mx"), GN_E_USAGE);
    assert_null(strchr(err.msg, '\033'));
    gn_args_clear(&a);
    TEARDOWN();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_after_the_program),
        cmocka_unit_test(three_ways_to_say_target),
        cmocka_unit_test(two_dashes_end_our_options),
        cmocka_unit_test(a_typo_is_never_passed_on),
        cmocka_unit_test(what_is_far_from_ours_is_the_programs),
        cmocka_unit_test(a_module_is_a_program),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(each_counts_only_where_it_may_be_repeated),
        cmocka_unit_test(unknown_options_stop_the_other_commands),
        cmocka_unit_test(a_command_for_ssh_is_left_alone),
        cmocka_unit_test(foreign_bytes_are_safe_in_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
