#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gnrrun/buf.h"
#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "gnrrun/json.h"
#include "gnrrun/pipe.h"

static void a_buffer_never_passes_its_ceiling(void **state)
{
    struct gn_buf b = GN_BUF_INIT(4);

    (void)state;
    gn_buf_adds(&b, "abcd");
    assert_false(gn_buf_over(&b));
    gn_buf_addc(&b, 'e');
    assert_true(gn_buf_over(&b));
    assert_string_equal(b.ptr, "abcd");
    gn_buf_clear(&b);
    assert_string_equal(b.ptr, "");
}

static void a_quoted_word_is_one_word_of_sh(void **state)
{
    struct gn_buf b = GN_BUF_INIT(1000);

    (void)state;
    gn_buf_addsh(&b, "a'b $(x)\n");
    assert_string_equal(b.ptr, "'a'\\''b $(x)\n'");
    gn_buf_reset(&b);
    gn_buf_addshline(&b, "a\nb");
    assert_string_equal(b.ptr, "'a'\"$nl\"'b'");
    gn_buf_clear(&b);
}

static void foreign_text_cannot_drive_a_terminal(void **state)
{
    struct gn_buf b = GN_BUF_INIT(1000);
    const char evil[] = "ok\x1b[2J\xc3\xa9\xff\xe2\x80\xae";

    (void)state;
    gn_buf_addsafe(&b, evil, sizeof evil - 1, 500);
    assert_string_equal(b.ptr, "ok\\x1b[2J\xc3\xa9\\xff\\xe2\\x80\\xae");
    gn_buf_clear(&b);
}

static void sizes_and_times_are_read_and_said_as_people_write_them(void **state)
{
    uint64_t n = 0;
    int64_t s = 0;
    char said[64];

    (void)state;
    assert_string_equal(gn_fmt_files(1, 257, said), "1 file, 257 B");
    assert_string_equal(gn_fmt_files(0, 0, said), "0 files, 0 B");
    assert_string_equal(gn_fmt_files(UINT64_MAX, UINT64_MAX, said),
                        "18446744073709551615 files, 18 EB");
    assert_true(gn_parse_bytes("8GB", &n));
    assert_int_equal(n, 8000000000);
    assert_true(gn_parse_bytes("1.5k", &n));
    assert_int_equal(n, 1500);
    assert_true(gn_parse_bytes("2 MiB", &n));
    assert_int_equal(n, 2 << 20);
    assert_false(gn_parse_bytes("8X", &n));
    assert_false(gn_parse_bytes("-1", &n));
    assert_false(gn_parse_bytes("", &n));
    assert_false(gn_parse_bytes("0x10", &n));
    assert_true(gn_parse_seconds("1h30m", &s));
    assert_int_equal(s, 5400);
    assert_true(gn_parse_seconds("90", &s));
    assert_int_equal(s, 90);
    assert_true(gn_parse_seconds("1-12:00:00", &s));
    assert_int_equal(s, 129600);
    assert_true(gn_parse_seconds("01:30:00", &s));
    assert_int_equal(s, 5400);
    assert_false(gn_parse_seconds("soon", &s));
    assert_false(gn_parse_seconds("-5", &s));
    assert_false(gn_parse_seconds("5y", &s));
}

static void cksum_is_that_of_posix(void **state)
{
    struct gn_cksum c = {0, 0};

    (void)state;
    gn_cksum_add(&c, "hello\n", 6);
    assert_int_equal(gn_cksum_end(&c), 3015617425U); /* printf 'hello\n' | cksum */
}

static void sha256_is_that_of_the_standard(void **state)
{
    uint8_t h[GN_HASH_LEN];
    char hex[GN_HASH_HEX];

    (void)state;
    gn_hash_data("abc", 3, h);
    gn_hex(h, sizeof h, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(gn_unhex(hex, h, sizeof h));
    assert_false(gn_unhex("zz", h, 1));
}

static void near_misses_are_near(void **state)
{
    (void)state;
    assert_int_equal(gn_edit_distance("target", "taget"), 1);
    assert_int_equal(gn_edit_distance("ravan", "raavn"), 1);
    assert_int_equal(gn_edit_distance("", "abc"), 3);
    assert_int_equal(gn_edit_distance("same", "same"), 0);
}

static void a_file_is_replaced_whole_and_read_back(void **state)
{
    char dir[] = "/tmp/gnrrun-test-XXXXXX";
    struct gn_err err = GN_ERR_INIT;
    struct gn_buf b = GN_BUF_INIT(10);
    char *deep, *file;

    (void)state;
    assert_non_null(mkdtemp(dir));
    deep = gn_path_join(dir, "a/b");
    file = gn_path_join(deep, "f");
    assert_int_equal(gn_fs_read(file, &b, &err), GN_E_NOTFOUND);
    assert_int_equal(gn_fs_mkdirs(deep, 0700, &err), GN_OK);
    assert_int_equal(gn_fs_mkdirs(deep, 0700, &err), GN_OK);
    assert_int_equal(gn_fs_replace(file, "0123456789", 10, 0600, &err), GN_OK);
    assert_int_equal(gn_fs_read(file, &b, &err), GN_OK);
    assert_int_equal(b.len, 10);
    gn_buf_reset(&b);
    assert_int_equal(gn_fs_replace(file, "0123456789x", 11, 0600, &err), GN_OK);
    assert_int_equal(gn_fs_read(file, &b, &err), GN_E_LIMIT);
    gn_buf_clear(&b);
    free(file);
    free(deep);
}

static void json_takes_any_bytes_and_gives_them_back(void **state)
{
    struct gn_json *o = gn_json_object(), *back = NULL;
    struct gn_buf b = GN_BUF_INIT(1000);
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    gn_json_set_str(o, "bad", "a\xff");
    gn_json_set_str(o, "none", NULL);
    gn_json_set_int(o, "n", 1LL << 60);
    gn_json_dump(o, &b);
    assert_string_equal(b.ptr,
                        "{\"bad\":\"a\xef\xbf\xbd\",\"none\":null,\"n\":1152921504606846976}");
    assert_int_equal(gn_json_parse(b.ptr, b.len, &back, &err), GN_OK);
    assert_int_equal(gn_json_get_int(back, "n"), 1LL << 60);
    assert_null(gn_json_get_str(back, "none"));
    gn_json_free(back);
    assert_int_equal(gn_json_parse("{", 1, &back, &err), GN_E_PROTO);
    gn_json_free(o);
    gn_buf_clear(&b);
}

struct talk {
    size_t total, piece; /* what is made, so much at a time */
    int rc;              /* and how it ends */
};

static int make(void *arg, struct gn_pipe *p, struct gn_err *err)
{
    const struct talk *t = arg;
    uint8_t buf[70000];
    size_t done = 0;

    while (done < t->total) {
        size_t n = t->piece < t->total - done ? t->piece : t->total - done;
        int rc;

        for (size_t i = 0; i < n; i++)
            buf[i] = (uint8_t)((done + i) * 7 / 5);
        rc = gn_pipe_put(p, buf, n, err);
        if (rc)
            return rc;
        done += n;
    }
    return t->rc ? gn_err_set(err, t->rc, "made badly") : GN_OK;
}

static void what_goes_into_a_pipe_comes_out(void **state)
{
    struct talk t = {.total = 5000001, .piece = 70000};
    struct gn_err err = GN_ERR_INIT;
    struct gn_pipe *p;
    uint8_t buf[33333];
    size_t n, done = 0;

    (void)state;
    assert_int_equal(gn_pipe_open(make, &t, &p, &err), GN_OK);
    while ((n = gn_pipe_get(p, buf, sizeof buf)) > 0)
        for (size_t i = 0; i < n; i++, done++)
            assert_int_equal(buf[i], (uint8_t)(done * 7 / 5));
    assert_int_equal(done, t.total);
    assert_int_equal(gn_pipe_get(p, buf, sizeof buf), 0);
    assert_int_equal(gn_pipe_close(p, GN_OK, &err), GN_OK);
}

static void a_pipe_ends_with_whoever_errs_first(void **state)
{
    struct talk endless = {.total = SIZE_MAX, .piece = 1000}, bad = {.total = 10, .piece = 3};
    struct gn_err err = GN_ERR_INIT;
    struct gn_pipe *p;
    uint8_t buf[100];

    (void)state;
    /* nobody takes any more: the maker is told */
    assert_int_equal(gn_pipe_open(make, &endless, &p, &err), GN_OK);
    assert_true(gn_pipe_get(p, buf, sizeof buf) > 0);
    assert_int_equal(gn_pipe_close(p, GN_E_PROTO, &err), GN_E_PROTO);
    /* the maker's error comes behind all that he made */
    bad.rc = GN_E_NET;
    assert_int_equal(gn_pipe_open(make, &bad, &p, &err), GN_OK);
    for (size_t done = 0; done < 10;)
        done += gn_pipe_get(p, buf, sizeof buf);
    assert_int_equal(gn_pipe_get(p, buf, sizeof buf), 0);
    assert_int_equal(gn_pipe_close(p, GN_OK, &err), GN_E_NET);
    assert_string_equal(err.msg, "made badly");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_never_passes_its_ceiling),
        cmocka_unit_test(a_quoted_word_is_one_word_of_sh),
        cmocka_unit_test(foreign_text_cannot_drive_a_terminal),
        cmocka_unit_test(sizes_and_times_are_read_and_said_as_people_write_them),
        cmocka_unit_test(cksum_is_that_of_posix),
        cmocka_unit_test(sha256_is_that_of_the_standard),
        cmocka_unit_test(near_misses_are_near),
        cmocka_unit_test(a_file_is_replaced_whole_and_read_back),
        cmocka_unit_test(json_takes_any_bytes_and_gives_them_back),
        cmocka_unit_test(what_goes_into_a_pipe_comes_out),
        cmocka_unit_test(a_pipe_ends_with_whoever_errs_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
