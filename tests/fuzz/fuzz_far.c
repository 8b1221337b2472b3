/* fuzz_far.c - whatever a far side says, its lines and lengths end in words or in an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/far.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fake {
    struct gn_transport transport;
    struct gn_stream stream;
    const uint8_t *data;
    size_t left, greeted;
    char greeting[40];
};

static struct fake *fake_of(struct gn_stream *s)
{
    return (struct fake *)(void *)((char *)s - offsetof(struct fake, stream));
}

static int on_write(struct gn_stream *s, const void *p, size_t n, const struct gn_ctx *ctx,
                    struct gn_err *err)
{
    struct fake *f = fake_of(s);

    (void)ctx;
    (void)err;
    if (n > 40 && !*f->greeting) {
        memcpy(f->greeting, "gn1 ", 4);
        memcpy(f->greeting + 4, (const char *)p + 8, 32);
        f->greeting[36] = '\n';
    }
    return GN_OK;
}

static int on_read(struct gn_stream *s, void *buf, size_t cap, int64_t ms, size_t *n,
                   const struct gn_ctx *ctx, struct gn_err *err)
{
    struct fake *f = fake_of(s);

    (void)ms;
    (void)ctx;
    (void)err;
    if (!f->greeted) {
        memcpy(buf, f->greeting, 37);
        f->greeted = 1;
        *n = 37;
        return GN_OK;
    }
    *n = f->left < cap ? f->left : cap;
    memcpy(buf, f->data, *n);
    f->data += *n;
    f->left -= *n;
    return GN_OK;
}

static const char *on_err(struct gn_stream *s)
{
    (void)s;
    return "";
}

static int on_status(struct gn_stream *s, int64_t ms, int *status, const struct gn_ctx *ctx,
                     struct gn_err *err)
{
    (void)s;
    (void)ms;
    (void)ctx;
    (void)err;
    *status = 0;
    return GN_OK;
}

static void on_close(struct gn_stream *s)
{
    (void)s;
}

static const struct gn_stream_ops stream_ops = {
    .write = on_write, .read = on_read, .err_text = on_err, .status = on_status, .close = on_close};

static int on_exec(struct gn_transport *t, const char *command, const struct gn_pty *pty,
                   struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    (void)command;
    (void)pty;
    (void)ctx;
    (void)err;
    *out = &((struct fake *)(void *)t)->stream;
    return GN_OK;
}

static const struct gn_transport_ops transport_ops = {.name = "fuzz", .exec = on_exec};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fake f = {{.ops = &transport_ops}, {&stream_ops}, data, size, 0, ""};
    const struct gn_far_arg none[] = {{NULL, NULL}};
    struct gn_err err = GN_ERR_INIT;
    struct gn_far *far = NULL;

    if (gn_far_open(&f.transport, "status", none, &far, &gn_ctx_none, &err))
        return 0;
    for (int i = 0; i < 1000; i++) {
        const char *line = NULL;
        struct gn_far_status st;
        char buf[100], field[20];
        size_t n;

        if (gn_far_line(far, 1000, &line, &gn_ctx_none, &err) || !line)
            break;
        if (gn_far_parse_status(line, &st, &err) == GN_OK && strlen(st.host) >= sizeof st.host)
            abort();
        (void)gn_far_field(line, "name", field, sizeof field);
        if (gn_far_number(line, "n", -1) % 7 == 3 &&
            gn_far_read(far, buf, sizeof buf, &n, &gn_ctx_none, &err))
            break;
    }
    gn_far_close(far);
    return 0;
}
