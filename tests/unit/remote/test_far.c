#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gnrrun/far.h"
#include "gnrrun/hash.h"

/* A far side that says what the test wants, in pieces of any size. */
struct script {
    struct gn_transport transport;
    struct gn_stream stream;
    struct gn_buf says; /* GREET stands for the greeting with the right nonce */
    size_t at, piece;
    char nonce[64];
    int closed;
};

static struct script *script_of(struct gn_stream *s)
{
    return (struct script *)(void *)((char *)s - offsetof(struct script, stream));
}

static int fake_write(struct gn_stream *s, const void *data, size_t len, const struct gn_ctx *ctx,
                      struct gn_err *err)
{
    struct script *f = script_of(s);

    (void)ctx;
    (void)err;
    if (!*f->nonce && len > 40 && memcmp(data, "a_nonce=", 8) == 0) {
        struct gn_buf all = GN_BUF_INIT(f->says.len + 100);
        const char *mark = strstr(f->says.ptr, "GREET");

        memcpy(f->nonce, (const char *)data + 8, 32);
        f->nonce[32] = '\0';
        if (mark) {
            gn_buf_add(&all, f->says.ptr, (size_t)(mark - f->says.ptr));
            gn_buf_addf(&all, "gn1 %s\n", f->nonce);
            gn_buf_add(&all, mark + 5, f->says.len - (size_t)(mark - f->says.ptr) - 5);
            gn_buf_clear(&f->says);
            f->says = all;
        }
    }
    return GN_OK;
}

static int fake_eof(struct gn_stream *s, const struct gn_ctx *ctx, struct gn_err *err)
{
    (void)s;
    (void)ctx;
    (void)err;
    return GN_OK;
}

static int fake_read(struct gn_stream *s, void *buf, size_t cap, int64_t ms, size_t *n,
                     const struct gn_ctx *ctx, struct gn_err *err)
{
    struct script *f = script_of(s);
    size_t left = f->says.len - f->at;

    (void)ms;
    (void)ctx;
    (void)err;
    *n = left < f->piece ? left : f->piece;
    if (*n > cap)
        *n = cap;
    memcpy(buf, f->says.ptr + f->at, *n);
    f->at += *n;
    return GN_OK;
}

static const char *fake_err(struct gn_stream *s)
{
    (void)s;
    return "Welcome\nquota exceeded\x1b[1m\n";
}

static int fake_status(struct gn_stream *s, int64_t ms, int *status, const struct gn_ctx *ctx,
                       struct gn_err *err)
{
    (void)s;
    (void)ms;
    (void)ctx;
    (void)err;
    *status = 0;
    return GN_OK;
}

static void fake_close(struct gn_stream *s)
{
    script_of(s)->closed++;
}

static const struct gn_stream_ops fake_stream = {.write = fake_write,
                                                 .eof = fake_eof,
                                                 .read = fake_read,
                                                 .err_text = fake_err,
                                                 .status = fake_status,
                                                 .close = fake_close};

static int fake_exec(struct gn_transport *t, const char *command, const struct gn_pty *pty,
                     struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct script *f = (struct script *)(void *)t;

    (void)ctx;
    assert_null(pty);
    /* a server that takes no long commands: the program must come on stdin then */
    if (strcmp(command, "exec /bin/sh") != 0) {
        assert_int_equal(strncmp(command, "exec /bin/sh -c '", 17), 0);
        assert_null(strpbrk(command + 17, "\n!"));
        return gn_err_set(err, GN_E_PROTO, "refused");
    }
    assert_int_equal(t->takes_inline, GN_NO);
    *out = &f->stream;
    return GN_OK;
}

static const struct gn_transport_ops fake_transport = {.name = "fake", .exec = fake_exec};
static const struct gn_far_arg no_args[] = {{NULL, NULL}};

static struct script script(const char *says, size_t len, size_t piece)
{
    struct script f = {.transport = {.ops = &fake_transport},
                       .stream = {&fake_stream},
                       .says = GN_BUF_INIT((size_t)8 << 20),
                       .piece = piece};

    gn_buf_add(&f.says, says, len);
    return f;
}

static void login_noise_is_skipped_whatever_the_pieces(void **state)
{
    const char says[] =
        "*** Welcome ***\n\x1b]0;x\agn1 0000\nno newline GREETk\nok n=3 name=x\nk\n";

    (void)state;
    for (size_t piece = 1; piece < 90; piece++) {
        struct script f = script(says, sizeof says - 1, piece);
        struct gn_err err = GN_ERR_INIT;
        struct gn_far *far = NULL;
        const char *line = NULL;
        char text[8];

        assert_int_equal(gn_far_open(&f.transport, "status", no_args, &far, &gn_ctx_none, &err), 0);
        assert_int_equal(gn_far_expect(far, "ok", &line, &gn_ctx_none, &err), 0);
        assert_int_equal(gn_far_number(line, "n", -1), 3);
        assert_true(gn_far_field(line, "name", text, sizeof text));
        assert_string_equal(text, "x");
        assert_false(gn_far_field(line, "ame", text, sizeof text));
        assert_int_equal(gn_far_line(far, 1000, &line, &gn_ctx_none, &err), 0);
        assert_null(line);
        gn_far_close(far);
        assert_int_equal(f.closed, 1);
        gn_buf_clear(&f.says);
    }
}

static void an_error_line_becomes_that_error(void **state)
{
    const char says[] = "GREETerr nospace msg=disk \x1b[31mfull\n";
    struct script f = script(says, sizeof says - 1, 7);
    struct gn_err err = GN_ERR_INIT;
    struct gn_far *far = NULL;
    const char *line = NULL;

    (void)state;
    assert_int_equal(gn_far_open(&f.transport, "status", no_args, &far, &gn_ctx_none, &err), 0);
    assert_int_equal(gn_far_expect(far, "ok", &line, &gn_ctx_none, &err), GN_E_CAPACITY);
    assert_string_equal(err.msg, "disk \\x1b[31mfull");
    gn_far_close(far);
    gn_buf_clear(&f.says);
}

static void a_far_side_that_never_greets_is_told_by_its_words(void **state)
{
    struct script f = script("nologin", 7, 3);
    struct gn_err err = GN_ERR_INIT;
    struct gn_far *far = NULL;

    (void)state;
    assert_int_equal(gn_far_open(&f.transport, "status", no_args, &far, &gn_ctx_none, &err),
                     GN_E_FAIL);
    assert_non_null(strstr(err.msg, "quota exceeded\\x1b[1m"));
    assert_int_equal(f.closed, 1);
    gn_buf_clear(&f.says);
}

static void endless_noise_and_endless_lines_are_refused(void **state)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_far *far = NULL;
    const char *line = NULL;
    size_t n = (size_t)4 << 20;
    char *big = malloc(n);

    (void)state;
    memset(big, 'x', n);
    struct script noise = script(big, n, 65536);
    assert_int_equal(gn_far_open(&noise.transport, "status", no_args, &far, &gn_ctx_none, &err),
                     GN_E_PROTO);
    gn_buf_clear(&noise.says);
    memcpy(big, "GREET", 5);
    struct script lines = script(big, n, 65536);
    assert_int_equal(gn_far_open(&lines.transport, "status", no_args, &far, &gn_ctx_none, &err), 0);
    assert_int_equal(gn_far_line(far, 1000, &line, &gn_ctx_none, &err), GN_E_PROTO);
    gn_far_close(far);
    gn_buf_clear(&lines.says);
    free(big);
}

static void raw_bytes_follow_a_line_exactly(void **state)
{
    char says[] = "GREETd 6\nab\0\n\0cok\n";
    struct gn_err err = GN_ERR_INIT;
    struct gn_far *far = NULL;
    const char *line = NULL;
    char got[6];

    (void)state;
    for (size_t piece = 1; piece < 60; piece++) {
        struct script f = script(says, sizeof says - 1, piece);
        size_t have = 0;

        assert_int_equal(gn_far_open(&f.transport, "status", no_args, &far, &gn_ctx_none, &err), 0);
        assert_int_equal(gn_far_line(far, 1000, &line, &gn_ctx_none, &err), 0);
        assert_string_equal(line, "d 6");
        while (have < 6) {
            size_t n = 0;

            assert_int_equal(gn_far_read(far, got + have, 6 - have, &n, &gn_ctx_none, &err), 0);
            assert_true(n > 0);
            have += n;
        }
        assert_memory_equal(got, "ab\0\n\0c", 6);
        assert_int_equal(gn_far_line(far, 1000, &line, &gn_ctx_none, &err), 0);
        assert_string_equal(line, "ok");
        gn_far_close(far);
        gn_buf_clear(&f.says);
    }
}

static void a_status_line_is_read_strictly(void **state)
{
    struct gn_far_status st;
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    assert_int_equal(
        gn_far_parse_status("st t-1 state=ended code=143 sig=TERM reason=signal start=5 "
                            "end=9 now=10 log=77 setup=0 host=a;b cpus=2 idle=1300 quiet=1",
                            &st, &err),
        0);
    assert_int_equal(st.state, GN_FAR_ENDED);
    assert_int_equal(st.code, 143);
    assert_string_equal(st.sig, "TERM");
    assert_string_equal(st.host, "a?b");
    assert_int_equal(st.log_bytes, 77);
    assert_int_equal(st.cpus, 2);
    assert_int_equal(st.idle_s, 1300);
    assert_true(st.quiet);
    assert_string_equal(st.words, "");
    assert_int_equal(gn_far_parse_status("st t-1 state=queued code=0 sig=- reason=error host=- "
                                         "msg=no such\033 file, code=3",
                                         &st, &err),
                     0);
    assert_int_equal(st.state, GN_FAR_QUEUED);
    assert_string_equal(st.reason, "error");
    assert_int_equal(st.code, 0);
    assert_null(strchr(st.words, '\033'));
    assert_memory_equal(st.words, "no such", 7);
    assert_int_equal(gn_far_parse_status("st t-1 state=weird", &st, &err), GN_E_PROTO);
    assert_int_equal(gn_far_parse_status("hello", &st, &err), GN_E_PROTO);
}

/* --- this machine ------------------------------------------------------------------------- */

static void this_machine_carries_bytes_and_status(void **state)
{
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_transport *t = NULL;
    struct gn_stream *s = NULL;
    struct gn_err err = GN_ERR_INIT;
    size_t n, total = 0, len = (size_t)3 << 20;
    char *data = calloc(1, len), buf[4096];
    uint8_t want[GN_HASH_LEN], got[GN_HASH_LEN];
    struct gn_hash *h = gn_hash_new();
    int status = -1;

    (void)state;
    ctx.home = "/";
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 2654435761U >> 13);
    gn_hash_data(data, len, want);
    assert_int_equal(gn_transport_local(&ctx, &t, &err), 0);
    assert_int_equal(t->ops->exec(t, "cat; echo oops >&2; exit 7", NULL, &s, &ctx, &err), 0);
    assert_int_equal(s->ops->write(s, data, len, &ctx, &err), 0);
    assert_int_equal(s->ops->eof(s, &ctx, &err), 0);
    do {
        assert_int_equal(s->ops->read(s, buf, sizeof buf, 10000, &n, &ctx, &err), 0);
        gn_hash_add(h, buf, n);
        total += n;
    } while (n);
    gn_hash_end(h, got);
    assert_int_equal(total, len);
    assert_memory_equal(want, got, sizeof want);
    assert_string_equal(s->ops->err_text(s), "oops\n");
    assert_int_equal(s->ops->status(s, 10000, &status, &ctx, &err), 0);
    assert_int_equal(status, 7);
    gn_stream_close(s);
    assert_int_equal(t->ops->exec(t, "kill -KILL $$", NULL, &s, &ctx, &err), 0);
    assert_int_equal(s->ops->read(s, buf, sizeof buf, 10000, &n, &ctx, &err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(s->ops->status(s, 10000, &status, &ctx, &err), 0);
    assert_int_equal(status, 137);
    gn_stream_close(s);
    assert_int_equal(t->ops->exec(t, "exec sleep 100", NULL, &s, &ctx, &err), 0);
    assert_int_equal(s->ops->read(s, buf, sizeof buf, 20, &n, &ctx, &err), GN_E_TIMEOUT);
    gn_stream_close(s);
    gn_transport_close(t);
    gn_hash_free(h);
    free(data);
}

/* A program that was started before anybody knew what for, and is asked in the end. */
static void one_that_waits_is_found(void **state)
{
    const struct gn_far_arg args[] = {
        {"root", "/nowhere/it's\nodd"}, {"tokens", "one two"}, {NULL, NULL}};
    const struct gn_far_arg probe[] = {{"root", "/nowhere"}, {"ids", ""}, {NULL, NULL}};
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_err err = GN_ERR_INIT;
    struct gn_transport *t;
    struct gn_far *f;
    const char *line;
    int status;

    (void)state;
    ctx.home = "/";
    assert_int_equal(gn_transport_local(&ctx, &t, &err), 0);
    gn_far_prepare(t, "status",
                   &ctx); /* not before it is known that programs are taken as commands */
    assert_null(t->waiting);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gn_far_open(t, "status", args, &f, &ctx, &err), 0);
        assert_null(t->waiting);
        assert_int_equal(gn_far_expect(f, "st", &line, &ctx, &err), 0);
        assert_non_null(strstr(line, "one state=none"));
        assert_int_equal(gn_far_finish(f, &status, &ctx, &err), 0);
        assert_int_equal(status, 0);
        gn_far_prepare(t, "status", &ctx);
        assert_non_null(t->waiting);
        assert_int_equal(gn_far_greet(t->waiting, &ctx, &err), 0);
    }
    /* another one leaves it alone; one that has not greeted yet is not waited for */
    assert_int_equal(gn_far_open(t, "rm", probe, &f, &ctx, &err), 0);
    assert_non_null(t->waiting);
    gn_far_close(f);
    gn_transport_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_noise_is_skipped_whatever_the_pieces),
        cmocka_unit_test(an_error_line_becomes_that_error),
        cmocka_unit_test(a_far_side_that_never_greets_is_told_by_its_words),
        cmocka_unit_test(endless_noise_and_endless_lines_are_refused),
        cmocka_unit_test(raw_bytes_follow_a_line_exactly),
        cmocka_unit_test(a_status_line_is_read_strictly),
        cmocka_unit_test(this_machine_carries_bytes_and_status),
        cmocka_unit_test(one_that_waits_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
