/* test_listing.c - the far side's list is read whole, in any pieces, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../core/remote/fetch/listing.h"
#include "gnrrun/mem.h"

#define N "0123456789abcdef"

static int collect(const struct gn_listed *e, void *arg, struct gn_err *err)
{
    struct gn_buf *out = arg;

    (void)err;
    gn_buf_addf(out, "%c %o %llu %lld %lld [", e->type, (unsigned)e->mode,
                (unsigned long long)e->size, (long long)e->mtime_ns, (long long)e->ctime_ns);
    gn_buf_add(out, e->path, e->len);
    gn_buf_adds(out, e->cut ? "] CUT\n" : "]\n");
    return GN_OK;
}

/* Fed in pieces of step bytes; *out what was read. */
static int run(const char *text, size_t len, size_t step, struct gn_buf *out)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_listing *l = gn_listing_new(collect, out);
    int rc = GN_OK;

    for (size_t i = 0; !rc && i < len; i += step)
        rc = gn_listing_feed(l, text + i, len - i < step ? len - i : step, &err);
    if (!rc)
        rc = gn_listing_end(l, &err);
    gn_listing_free(l);
    return rc;
}

static void expect(const char *text, int code)
{
    for (size_t step = 1; step < 100; step += 33) {
        struct gn_buf out = GN_BUF_INIT(1 << 20);
        int rc = run(text, strlen(text), step, &out);

        if (rc != code)
            fail_msg("%d instead of %d for: %s", rc, code, text);
        gn_buf_clear(&out);
    }
}

static const char good[] = N " d 755 4096 10.5 11.25 .\n" N " f 644 5 1700000000.1234567890 "
                             "1700000000.5 ./a b\n" N " k\n" N " f 4755 0 1 2 ./new\nline\n\n" N
                             "x f 1 1 1 1 ./no\n" N " l 777 3 -1.5 3 ./l\n" N " end\n";

static void records_come_in_any_pieces(void **state)
{
    static const char want[] =
        "f 644 5 1700000000123456789 1700000000500000000 [a b]\n"
        "f 4755 0 1000000000 2000000000 [new\nline\n\n" N "x f 1 1 1 1 ./no]\n"
        "l 777 3 -1500000000 3000000000 [l]\n";

    (void)state;
    for (size_t step = 1; step <= sizeof good; step++) {
        struct gn_buf out = GN_BUF_INIT(1 << 20);

        assert_int_equal(run(good, sizeof good - 1, step, &out), 0);
        assert_string_equal(out.ptr, want);
        gn_buf_clear(&out);
    }
}

static void a_list_cut_anywhere_is_noticed(void **state)
{
    (void)state;
    for (size_t len = 0; len + 1 < sizeof good; len++) {
        struct gn_buf out = GN_BUF_INIT(1 << 20);

        assert_int_equal(run(good, len, 7, &out), GN_E_NET);
        gn_buf_clear(&out);
    }
}

static void an_empty_list_is_one(void **state)
{
    (void)state;
    expect(N " end\n", GN_OK);
}

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    expect("short f 644 1 1 1 ./a\n", GN_E_PROTO);
    expect("../../../../etc f 644 1 1 1 ./a\nx end\n", GN_E_PROTO);
    expect(N " x 644 1 1 1 ./a\n" N " end\n", GN_E_PROTO);
    expect(N " f 849 1 1 1 ./a\n" N " end\n", GN_E_PROTO);
    expect(N " f 644 -1 1 1 ./a\n" N " end\n", GN_E_PROTO);
    expect(N " f 644 99999999999999999999 1 1 ./a\n" N " end\n", GN_E_PROTO);
    expect(N " f 644 9223372036854775808 1 1 ./a\n" N " end\n", GN_E_PROTO);
    expect(N " f 644 1 1e3 1 ./a\n" N " end\n", GN_E_PROTO);
    expect(N " f 644 1 1 1 /etc/passwd\n" N " end\n", GN_E_PROTO);
    expect(N " f 644 1 1 1 a\n" N " end\n", GN_E_PROTO);
    expect(N " f 644 1 1 1\n" N " end\n", GN_E_PROTO);
    expect(N " f\n" N " end\n", GN_E_PROTO);
    expect(N " end\nmore", GN_E_PROTO);
    expect(N " f 644 1 1 1 ./a\n" N " end\n" N " f 644 1 1 1 ./b\n", GN_E_PROTO);
}

static void a_nul_in_a_name_is_refused(void **state)
{
    static const char text[] = N " f 644 1 1 1 ./a\0b\n" N " end\n";
    struct gn_buf out = GN_BUF_INIT(1 << 20);

    (void)state;
    assert_int_equal(run(text, sizeof text - 1, 9, &out), GN_E_PROTO);
    gn_buf_clear(&out);
}

/* Around the longest path and far beyond it: the same records however they come, and the next. */
static void an_endless_name_is_cut(void **state)
{
    size_t max = GN_LISTING_PATH;
    const size_t lens[] = {max - 1,   max + 200, max + 230, max + 240, max + 241,
                           max + 242, max + 243, max + 290, 100000};

    (void)state;
    for (size_t t = 0; t < sizeof lens / sizeof *lens; t++) {
        struct gn_buf text = GN_BUF_INIT(1 << 20), first = GN_BUF_INIT(1 << 20);

        gn_buf_adds(&text, N " f 644 1 1 1 ./");
        for (size_t i = 0; i < lens[t]; i++)
            gn_buf_addc(&text, i % 100 ? 'a' : '\n');
        gn_buf_adds(&text, "\n" N " f 644 2 2 2 ./b\n");
        assert_int_equal(run(text.ptr, text.len, 1000, &first), GN_E_NET);
        gn_buf_reset(&first);
        gn_buf_adds(&text, N " end\n");
        assert_int_equal(run(text.ptr, text.len, text.len, &first), GN_OK);
        assert_non_null(strstr(first.ptr, "f 644 2 2000000000 2000000000 [b]\n"));
        assert_int_equal(strstr(first.ptr, "CUT") != NULL,
                         lens[t] > max + 256 - strlen("f 644 1 1 1 ./"));
        for (size_t step = 1; step < 40000; step = step * 3 + 1) {
            struct gn_buf out = GN_BUF_INIT(1 << 20);

            assert_int_equal(run(text.ptr, text.len, step, &out), GN_OK);
            assert_string_equal(out.ptr, first.ptr);
            gn_buf_clear(&out);
        }
        gn_buf_clear(&text);
        gn_buf_clear(&first);
    }
}

static void times_are_read_to_the_nanosecond(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t ns;
    } t[] = {
        {"0", true, 0},
        {"1.5", true, 1500000000},
        {"1.0000000019", true, 1000000001},
        {"-0.5", true, -500000000},
        {"99999999999999999999", true, INT64_C(9223372035000000000)},
        {"", false, 0},
        {"-", false, 0},
        {".5", false, 0},
        {"1.5x", false, 0},
        {"1 ", false, 0},
    };
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        ns = 0;
        assert_int_equal(gn_listing_time(t[i].text, strlen(t[i].text), &ns), t[i].ok);
        if (ns != t[i].ns)
            fail_msg("'%s' is %lld", t[i].text, (long long)ns);
    }
}

static void the_first_line_is_read_strictly(void **state)
{
    struct gn_listing_head h;
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    assert_int_equal(gn_listing_head("list clock=17 fmt=ns hash=sha256sum marker=16.25", &h, &err),
                     0);
    assert_true(h.fine && h.clock_s == 17 && h.marker_ns == INT64_C(16250000000));
    assert_int_equal(h.setup_ns, 0);
    assert_int_equal(gn_listing_head("list fmt=s marker=1 setup=2.5", &h, &err), 0);
    assert_true(h.setup_ns == INT64_C(2500000000));
    assert_int_equal(gn_listing_head("list fmt=s marker=1 setup=-", &h, &err), 0);
    assert_true(h.setup_ns == INT64_MAX);
    assert_int_equal(gn_listing_head("list fmt=s marker=1 setup=x", &h, &err), GN_E_PROTO);
    assert_int_equal(gn_listing_head("list clock=17 fmt=us marker=16", &h, &err), GN_E_PROTO);
    assert_int_equal(gn_listing_head("list clock=17 fmt=s marker=", &h, &err), GN_E_PROTO);
    assert_int_equal(gn_listing_head("list clock=17 fmt=s", &h, &err), GN_E_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_in_any_pieces),
        cmocka_unit_test(a_list_cut_anywhere_is_noticed),
        cmocka_unit_test(an_empty_list_is_one),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(a_nul_in_a_name_is_refused),
        cmocka_unit_test(an_endless_name_is_cut),
        cmocka_unit_test(times_are_read_to_the_nanosecond),
        cmocka_unit_test(the_first_line_is_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
