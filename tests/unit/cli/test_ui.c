#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/bar.h"
#include "cli/exit.h"
#include "cli/ui.h"

static void width_counts_columns_and_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(gn_width("abc"), 3);
    assert_int_equal(gn_width("\xc3\xa4"), 1);                 /* a umlaut */
    assert_int_equal(gn_width("a\xcc\x88"), 1);                /* a and a combining diaeresis */
    assert_int_equal(gn_width("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* two wide ones */
    assert_int_equal(gn_width("\xff\xe6"), 2);                 /* broken */
    assert_int_equal(gn_width_cut("\xe6\x97\xa5\xe6\x9c\xac", 3), 3);
    assert_int_equal(gn_width_cut("abc", 9), 3);
}

static void short_work_draws_no_bar(void **state)
{
    struct gn_bar b = {.what = ""};
    (void)state;

    assert_false(gn_bar_update(&b, "x", 0, 100, 1000));
    assert_false(gn_bar_update(&b, "x", 50, 100, 1000 + GN_BAR_AFTER_MS - 1));
    assert_true(gn_bar_update(&b, "x", 51, 100, 1000 + GN_BAR_AFTER_MS));
}

static void a_bar_is_drawn_at_most_ten_times_a_second(void **state)
{
    struct gn_bar b = {.what = ""};
    int drawn = 0;
    (void)state;

    for (int64_t ms = 0; ms <= 10000; ms++)
        drawn += gn_bar_update(&b, "x", (uint64_t)ms, 20000, ms);
    assert_in_range(drawn, 90, 100);
}

static void a_bar_shows_rate_and_remaining_time(void **state)
{
    struct gn_bar b = {.what = ""};
    struct gn_buf line = GN_BUF_INIT(4096);
    (void)state;

    for (int64_t ms = 0; ms <= 5000; ms += 50)
        gn_bar_update(&b, "shipping", 1000000 * (uint64_t)ms / 1000, 10000000, ms);
    gn_bar_line(&b, 100, &line);
    assert_non_null(strstr(line.ptr, "50%"));
    assert_non_null(strstr(line.ptr, "5.0 MB of 10 MB"));
    assert_non_null(strstr(line.ptr, "MB/s"));
    assert_non_null(strstr(line.ptr, "left"));
    for (int columns = 2; columns < 120; columns++) {
        gn_buf_reset(&line);
        gn_buf_addc(&line, '\r');
        gn_bar_line(&b, columns, &line);
        assert_true(gn_width(line.ptr + 1) < (size_t)columns);
        /* it gives way to what is said, which is whole where it fits */
        assert_true(columns < 60 || strcmp(line.ptr + line.len - 5, " left") == 0);
    }
    gn_buf_clear(&line);
}

static void what_was_there_before_is_not_our_speed(void **state)
{
    struct gn_bar b = {.what = ""};
    (void)state;

    gn_bar_update(&b, "resumed", 1000000000, 2000000000, 0);
    gn_bar_update(&b, "resumed", 1000000000, 2000000000, 1500);
    assert_true(b.rate < 1);
}

static void a_log_is_exact_in_json_too(void **state)
{
    const char bytes[] = "a\0\xff";
    struct gn_event text = {.kind = GN_EV_LOG, .data = "h\xc3\xa4\n", .len = 4, .offset = 7};
    struct gn_event raw = {.kind = GN_EV_LOG, .data = bytes, .len = 3};
    struct gn_buf out = GN_BUF_INIT(4096);
    struct gn_json *j = gn_json_event(&text, 1);
    (void)state;

    assert_string_equal(gn_json_get_str(j, "data"), "h\xc3\xa4\n");
    assert_int_equal(gn_json_get_int(j, "offset"), 7);
    gn_json_free(j);
    j = gn_json_event(&raw, 1);
    assert_null(gn_json_get_str(j, "data"));
    assert_string_equal(gn_json_get_str(j, "base64"), "YQD/");
    gn_json_free(j);
    gn_buf_clear(&out);
}

static int64_t no_time(const struct gn_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static void a_closed_stdout_counts_as_an_interruption(void **state)
{
    volatile sig_atomic_t interrupts = 0;
    struct gn_ui_opts o = {.mono_ms = no_time, .interrupts = &interrupts};
    struct gn_err err = GN_ERR_INIT;
    struct gn_event ev = {.kind = GN_EV_LOG, .data = "x", .len = 1};
    struct gn_ui *ui;
    int p[2];
    (void)state;

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(p), 0);
    close(p[0]);
    ui = gn_ui_new(p[1], STDERR_FILENO, &o);
    gn_ui_event(ui, &ev);
    assert_true(gn_ui_gone(ui));
    assert_int_equal(interrupts, 1);
    assert_int_equal(gn_ui_finish(ui, &err), GN_OK);
    gn_ui_free(ui);
    close(p[1]);
}

static void every_code_has_its_exit_status(void **state)
{
    (void)state;
    for (int rc = GN_E_EXISTS; rc < 0; rc++)
        assert_in_range(gn_exit_of(rc), 100, 130);
    assert_int_equal(gn_exit_of(GN_E_USAGE), 101);
    assert_int_equal(gn_exit_of(GN_E_CONFIG), 102);
    assert_int_equal(gn_exit_of(GN_E_NET), 103);
    assert_int_equal(gn_exit_of(GN_E_AUTH), 104);
    assert_int_equal(gn_exit_of(GN_E_HOSTKEY), 105);
    assert_int_equal(gn_exit_of(GN_E_CAPACITY), 106);
    assert_int_equal(gn_exit_of(GN_E_BUG), 108);
    assert_int_equal(gn_exit_of(GN_E_CANCEL), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(width_counts_columns_and_not_bytes),
        cmocka_unit_test(short_work_draws_no_bar),
        cmocka_unit_test(a_bar_is_drawn_at_most_ten_times_a_second),
        cmocka_unit_test(a_bar_shows_rate_and_remaining_time),
        cmocka_unit_test(what_was_there_before_is_not_our_speed),
        cmocka_unit_test(a_log_is_exact_in_json_too),
        cmocka_unit_test(a_closed_stdout_counts_as_an_interruption),
        cmocka_unit_test(every_code_has_its_exit_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
