#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gnrrun/engine.h"

static void what_was_asked_for_comes_back_as_it_was(void **state)
{
    struct gn_spec s = {.cwd = gn_strdup("/home/me/p"), .nice = -1, .time_s = 7200, .grace_s = 10};
    struct gn_buf text = GN_BUF_INIT(100000);
    struct gn_err err = GN_ERR_INIT;
    struct gn_spec back;

    (void)state;
    gn_strs_add(&s.words, "train.py");
    gn_strs_add(&s.words, "a b\n'\"");
    gn_strs_add(&s.ignore, "/out.log");
    s.env = gn_calloc(2, sizeof *s.env);
    s.n_env = 2;
    s.env[0] = (struct gn_env_var){gn_strdup("K"), gn_strdup("v")};
    s.env[1] = (struct gn_env_var){gn_strdup("SECRET"), NULL};
    s.max_bytes = 1000000000;
    s.pool = gn_strdup("lab");
    gn_spec_format(&s, &text);
    assert_int_equal(gn_spec_parse(text.ptr, &back, &err), GN_OK);
    assert_int_equal(back.words.n, 2);
    assert_string_equal(back.words.v[1], "a b\n'\"");
    assert_string_equal(back.ignore.v[0], "/out.log");
    assert_string_equal(back.cwd, "/home/me/p");
    assert_int_equal(back.n_env, 2);
    assert_string_equal(back.env[0].value, "v");
    assert_null(back.env[1].value);
    assert_int_equal(back.nice, -1);
    assert_int_equal(back.time_s, 7200);
    assert_int_equal(back.max_bytes, 1000000000);
    assert_null(back.dest);
    assert_null(back.setup);
    assert_string_equal(back.pool, "lab");
    gn_spec_clear(&back);
    gn_spec_clear(&s);
    gn_buf_clear(&text);
}

static void a_damaged_record_is_an_error(void **state)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_spec s;

    (void)state;
    assert_int_equal(gn_spec_parse("{\"words\":[", &s, &err), GN_E_PROTO);
    assert_int_equal(gn_spec_parse("[]", &s, &err), GN_E_PROTO);
}

static void exit_status_is_the_programs_or_of_its_class(void **state)
{
    char reason[16] = "exit", sig[1] = "";
    struct gn_run r = {.state = GN_RUNNING, .reason = reason, .sig = sig, .code = 7};

    (void)state;
    assert_int_equal(gn_run_exit_status(&r), -1);
    r.state = GN_FAILED;
    assert_int_equal(gn_run_exit_status(&r), 7);
    memcpy(reason, "setup", 6);
    assert_int_equal(gn_run_exit_status(&r), 100);
    r.state = GN_TIMEDOUT;
    assert_int_equal(gn_run_exit_status(&r), 107);
    r.state = GN_STOPPED;
    memcpy(reason, "stop", 5);
    r.code = 143;
    assert_int_equal(gn_run_exit_status(&r), 143);
    r.state = GN_LOST;
    assert_int_equal(gn_run_exit_status(&r), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_for_comes_back_as_it_was),
        cmocka_unit_test(a_damaged_record_is_an_error),
        cmocka_unit_test(exit_status_is_the_programs_or_of_its_class),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
