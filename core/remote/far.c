#include "gnrrun/far.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farprog.h"
#include "gnrrun/hash.h"
#include "gnrrun/mem.h"

#define NOISE_MAX ((size_t)1 << 20)

/* Words of "err CODE", and what they are here. */
static const struct {
    const char *word;
    int code;
    const char *hint;
} far_codes[] = {
    {"proto", GN_E_PROTO, NULL},
    {"notfound", GN_E_NOTFOUND, NULL},
    {"nospace", GN_E_CAPACITY, "make room over there, or give the target another workdir:"},
    {"toofew", GN_E_CAPACITY, "which machine has which GPUs: gnrrun targets --check"},
    {"readonly", GN_E_FAIL, "give the target a workdir: that you may write to"},
    {"missing", GN_E_FAIL, NULL},
    {"busy", GN_E_EXISTS, NULL},
    {"moved", GN_E_CHANGED, NULL},
    {"tar", GN_E_FAIL, NULL},
    {"sys", GN_E_FAIL, NULL},
};

struct gn_far {
    struct gn_stream *stream;
    struct gn_transport *line;
    const char *op; /* what it runs; static */
    char nonce[33];
    bool is_inline; /* the program went as the command, */
    bool is_plain;  /* in plain quotes */
    bool greeted;
    struct gn_buf in; /* read and not yet taken */
    size_t taken;     /* of in: the line that was handed out last */
    bool ended;
};

/* More bytes into f->in; f->ended at the end of the stream. */
static int fill(struct gn_far *f, int64_t timeout_ms, const struct gn_ctx *ctx, struct gn_err *err)
{
    char *room = gn_buf_room(&f->in, 16384);
    size_t n = 0;
    int rc;

    if (!room)
        return gn_err_set(err, GN_E_PROTO, "the far side sent a line that is too long");
    rc = f->stream->ops->read(f->stream, room, 16384, timeout_ms, &n, ctx, err);
    if (rc)
        return rc;
    gn_buf_commit(&f->in, n);
    f->ended = n == 0;
    return GN_OK;
}

/* What it said on stderr, as the end of a message: ": ..." or "". */
static void add_stderr(struct gn_far *f, struct gn_buf *to)
{
    const char *text = f->stream->ops->err_text(f->stream);
    size_t len = strlen(text);

    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    for (size_t i = len; i > 0; i--) { /* the last line tells most */
        if (text[i - 1] == '\n') {
            text += i;
            len -= i;
            break;
        }
    }
    if (!len)
        return;
    gn_buf_adds(to, ": ");
    gn_buf_addsafe(to, text, len, 300);
}

static int no_greeting(struct gn_far *f, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_buf why = GN_BUF_INIT(1000);
    int status = -1, rc;
    struct gn_err ignored = GN_ERR_INIT;

    rc = f->stream->ops->status(f->stream, 2000, &status, ctx, &ignored);
    add_stderr(f, &why);
    if (!why.len && f->in.len) {
        gn_buf_adds(&why, ": ");
        gn_buf_addsafe(&why, f->in.ptr, f->in.len, 200);
    }
    if (rc || status < 0)
        gn_err_set(err, GN_E_NET, "the connection ended before the far side spoke%s", why.ptr);
    else
        gn_err_set(err, GN_E_FAIL, "the far side runs no command of ours (status %d)%s", status,
                   why.ptr);
    gn_buf_clear(&why);
    return err->code;
}

/* Its first line among what has come; the noise before it goes. */
static bool find_greeting(struct gn_far *f)
{
    char word[64];
    size_t n = strlen(f->nonce) + 5;

    snprintf(word, sizeof word, "gn1 %s\n", f->nonce);
    for (size_t i = 0; i + n <= f->in.len; i++) {
        if (memcmp(f->in.ptr + i, word, n) != 0)
            continue;
        gn_buf_drop(&f->in, i + n);
        f->in.max = GN_MAX_LINE + 32768;
        f->greeted = true;
        if (f->is_inline)
            f->line->takes_inline = GN_YES;
        return true;
    }
    return false;
}

bool gn_far_has_greeted(struct gn_far *f, const struct gn_ctx *ctx)
{
    struct gn_err ignored = GN_ERR_INIT;
    int rc = GN_OK;

    while (!f->greeted && !rc && !find_greeting(f) && !f->ended)
        rc = fill(f, 0, ctx, &ignored);
    return f->greeted;
}

/* Start it; nothing is waited for but the channel, where it goes inline. */
static int start(struct gn_far *f, struct gn_transport *t, const struct gn_buf *program, bool in,
                 const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_buf command = GN_BUF_INIT(2 * GN_INLINE_MAX);
    int rc;

    f->is_plain = in && t->takes_plain == GN_YES && gn_program_quote(program, &command);
    f->is_inline = f->is_plain || (in && gn_program_wrap(program, &command));
    if (f->is_inline) {
        rc = t->ops->exec(t, command.ptr, NULL, &f->stream, ctx, err);
    } else {
        rc = t->ops->exec(t, "exec /bin/sh", NULL, &f->stream, ctx, err);
        if (!rc)
            rc = f->stream->ops->write(f->stream, program->ptr, program->len, ctx, err);
        /* a login shell that ends at once takes no input; why is told by its words */
        if (rc == GN_E_NET && f->stream)
            rc = GN_OK;
    }
    gn_buf_clear(&command);
    return rc;
}

static int begin(struct gn_transport *t, const char *op, const struct gn_far_arg *args, bool wait,
                 struct gn_far **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_buf program = GN_BUF_INIT(GN_MAX_PROGRAM);
    bool in = t->takes_inline != GN_NO && strcmp(op, "follow") != 0;
    struct gn_far *f = gn_new(struct gn_far);
    int rc = GN_OK;

    f->line = t;
    f->op = op;
    gn_random_hex(f->nonce, 16);
    f->in = (struct gn_buf)GN_BUF_INIT(NOISE_MAX);
    if (!gn_program_write(&program, op, f->nonce, args))
        rc = gn_err_set(err, GN_E_BUG, "no far-side program '%s'", op);
    else if (gn_buf_over(&program))
        rc = gn_err_set(err, GN_E_LIMIT, "program for the far side over %zu bytes", GN_MAX_PROGRAM);
    if (!rc)
        rc = start(f, t, &program, in, ctx, err);
    if (rc == GN_E_LIMIT && t->waiting) { /* it has the place that is needed now */
        gn_far_close(t->waiting);
        t->waiting = NULL;
        gn_err_clear(err);
        rc = start(f, t, &program, in, ctx, err);
    }
    if (!rc && (wait || !f->is_inline))
        rc = gn_far_greet(f, ctx, err);
    if ((rc == GN_E_FAIL || rc == GN_E_PROTO) && f->is_inline &&
        (f->is_plain || t->takes_inline != GN_YES)) {
        gn_event_text(ctx, GN_EV_DEBUG,
                      "a program is not taken as a command (%s): sending it on stdin", err->msg);
        gn_err_clear(err);
        if (f->is_plain)
            t->takes_plain = GN_NO;
        else
            t->takes_inline = GN_NO;
        gn_far_close(f);
        gn_buf_clear(&program);
        return begin(t, op, args, wait, out, ctx, err);
    }
    gn_buf_clear(&program);
    if (rc) {
        gn_far_close(f);
        return rc;
    }
    *out = f;
    return GN_OK;
}

int gn_far_greet(struct gn_far *f, const struct gn_ctx *ctx, struct gn_err *err)
{
    while (!f->greeted && !find_greeting(f)) {
        int rc;

        if (f->ended)
            return no_greeting(f, ctx, err);
        rc = fill(f, GN_FAR_SILENCE_MS + 10000, ctx, err);
        if (rc == GN_E_TIMEOUT)
            return gn_err_set(err, GN_E_NET, "the far side does not answer");
        if (rc)
            return rc;
    }
    return GN_OK;
}

/* --- one that waits ------------------------------------------------------------------------ */

void gn_far_prepare(struct gn_transport *t, const char *op, const struct gn_ctx *ctx)
{
    const struct gn_far_arg args[] = {{"wait", "1"}, {NULL, NULL}};
    struct gn_err ignored = GN_ERR_INIT;

    if (t->waiting || t->takes_inline != GN_YES)
        return;
    if (begin(t, op, args, false, &t->waiting, ctx, &ignored))
        t->waiting = NULL;
}

/* It has greeted, and neither ended nor said anything else. */
static bool is_waiting(struct gn_far *f, const struct gn_ctx *ctx)
{
    struct gn_err ignored = GN_ERR_INIT;

    return gn_far_has_greeted(f, ctx) && !f->in.len && fill(f, 0, ctx, &ignored) == GN_E_TIMEOUT;
}

/* Give the one that waits for op its arguments; false: there is none, or it is none any more. */
static bool wake(struct gn_transport *t, const char *op, const struct gn_far_arg *args,
                 struct gn_far **out, const struct gn_ctx *ctx)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_PROGRAM);
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_far *f = t->waiting;
    bool good;

    if (!f || strcmp(f->op, op) != 0)
        return false;
    t->waiting = NULL;
    gn_program_args(&text, args, true);
    gn_buf_adds(&text, "go\n");
    good = !gn_buf_over(&text) && is_waiting(f, ctx) &&
           gn_far_write(f, text.ptr, text.len, ctx, &ignored) == GN_OK;
    gn_buf_clear(&text);
    if (good)
        *out = f;
    else
        gn_far_close(f);
    return good;
}

int gn_far_open(struct gn_transport *t, const char *op, const struct gn_far_arg *args,
                struct gn_far **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    return wake(t, op, args, out, ctx) ? GN_OK : begin(t, op, args, true, out, ctx, err);
}

int gn_far_start(struct gn_transport *t, const char *op, const struct gn_far_arg *args,
                 struct gn_far **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    if (wake(t, op, args, out, ctx))
        return GN_OK;
    return begin(t, op, args, t->takes_inline != GN_YES, out, ctx, err);
}

static int far_error(const char *line, struct gn_err *err)
{
    struct gn_buf msg = GN_BUF_INIT(1000);
    const char *text = strstr(line, " msg=");
    size_t n = strcspn(line + 4, " ");
    int code = GN_E_FAIL;
    const char *hint = NULL;

    for (size_t i = 0; i < sizeof far_codes / sizeof *far_codes; i++) {
        if (strlen(far_codes[i].word) == n && strncmp(line + 4, far_codes[i].word, n) == 0) {
            code = far_codes[i].code;
            hint = far_codes[i].hint;
        }
    }
    text = text ? text + 5 : line + 4;
    gn_buf_addsafe(&msg, text, strlen(text), 600);
    gn_err_set(err, code, "%s", msg.ptr);
    if (hint)
        gn_err_hint(err, "%s", hint);
    gn_buf_clear(&msg);
    return code;
}

int gn_far_event(struct gn_far *f, int64_t timeout_ms, const char **line, const struct gn_ctx *ctx,
                 struct gn_err *err)
{
    gn_buf_drop(&f->in, f->taken);
    f->taken = 0;
    for (;;) {
        char *nl = memchr(f->in.ptr, '\n', f->in.len);
        int rc;

        if (nl) {
            *nl = '\0';
            f->taken = (size_t)(nl - f->in.ptr) + 1;
            if (strlen(f->in.ptr) != f->taken - 1)
                return gn_err_set(err, GN_E_PROTO, "the far side sent a NUL in a line");
            if (strncmp(f->in.ptr, "err ", 4) == 0)
                return far_error(f->in.ptr, err);
            *line = f->in.ptr;
            return GN_OK;
        }
        if (f->in.len > GN_MAX_LINE)
            return gn_err_set(err, GN_E_PROTO, "the far side sent a line that is too long");
        if (f->ended) {
            *line = NULL;
            return GN_OK;
        }
        rc = fill(f, timeout_ms, ctx, err);
        if (rc)
            return rc;
    }
}

int gn_far_line(struct gn_far *f, int64_t timeout_ms, const char **line, const struct gn_ctx *ctx,
                struct gn_err *err)
{
    for (;;) {
        int rc = gn_far_event(f, timeout_ms, line, ctx, err);

        if (rc == GN_E_TIMEOUT)
            return gn_err_set(err, GN_E_NET, "the far side has been silent for %d s",
                              (int)(timeout_ms / 1000));
        if (rc || !*line || strcmp(*line, "k") != 0)
            return rc;
    }
}

int gn_far_expect(struct gn_far *f, const char *word, const char **line, const struct gn_ctx *ctx,
                  struct gn_err *err)
{
    size_t n = strlen(word);
    struct gn_buf said = GN_BUF_INIT(300);
    int rc = gn_far_line(f, GN_FAR_SILENCE_MS, line, ctx, err);

    if (rc)
        return rc;
    if (*line && strncmp(*line, word, n) == 0 && (!(*line)[n] || (*line)[n] == ' '))
        return GN_OK;
    if (*line) {
        gn_buf_addsafe(&said, *line, strlen(*line), 100);
        gn_err_set(err, GN_E_PROTO, "the far side said '%s' instead of '%s'", said.ptr, word);
    } else {
        add_stderr(f, &said);
        gn_err_set(err, GN_E_NET, "the far side ended before it said '%s'%s", word, said.ptr);
    }
    gn_buf_clear(&said);
    return err->code;
}

int gn_far_read(struct gn_far *f, void *buf, size_t cap, size_t *n, const struct gn_ctx *ctx,
                struct gn_err *err)
{
    int rc;

    gn_buf_drop(&f->in, f->taken);
    f->taken = 0;
    if (f->in.len) {
        *n = f->in.len < cap ? f->in.len : cap;
        memcpy(buf, f->in.ptr, *n);
        gn_buf_drop(&f->in, *n);
        return GN_OK;
    }
    *n = 0;
    if (f->ended)
        return GN_OK;
    rc = f->stream->ops->read(f->stream, buf, cap, GN_FAR_SILENCE_MS, n, ctx, err);
    if (rc == GN_E_TIMEOUT)
        return gn_err_set(err, GN_E_NET, "the far side has been silent for %d s",
                          GN_FAR_SILENCE_MS / 1000);
    f->ended = !rc && *n == 0;
    return rc;
}

int gn_far_write(struct gn_far *f, const void *data, size_t len, const struct gn_ctx *ctx,
                 struct gn_err *err)
{
    int rc = f->stream->ops->write(f->stream, data, len, ctx, err);

    return rc == GN_E_NET || rc == GN_E_PROTO ? gn_far_explain(f, ctx, err) : rc;
}

int gn_far_explain(struct gn_far *f, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_err said = GN_ERR_INIT;
    const char *line;

    for (int i = 0; i < 100; i++) {
        int r = gn_far_event(f, 2000, &line, ctx, &said);

        if (r == GN_OK && line)
            continue;
        if (r && r != GN_E_TIMEOUT && r != GN_E_NET)
            *err = said;
        break;
    }
    return err->code;
}

size_t gn_far_room(const struct gn_far *f)
{
    return f->stream->ops->room ? f->stream->ops->room(f->stream) : SIZE_MAX;
}

int gn_far_eof(struct gn_far *f, const struct gn_ctx *ctx, struct gn_err *err)
{
    return f->stream->ops->eof(f->stream, ctx, err);
}

int gn_far_finish(struct gn_far *f, int *status, const struct gn_ctx *ctx, struct gn_err *err)
{
    const char *line = "";
    int rc = GN_OK;

    *status = -1;
    while (!rc && line)
        rc = gn_far_line(f, GN_FAR_SILENCE_MS, &line, ctx, err);
    if (!rc)
        rc = f->stream->ops->status(f->stream, GN_FAR_SILENCE_MS, status, ctx, err);
    if (!rc && *status != 0) {
        struct gn_buf why = GN_BUF_INIT(1000);

        add_stderr(f, &why);
        rc = *status < 0 ? gn_err_set(err, GN_E_NET, "the connection was lost%s", why.ptr)
                         : gn_err_set(err, GN_E_FAIL, "the far side failed with status %d%s",
                                      *status, why.ptr);
        gn_buf_clear(&why);
    }
    gn_far_close(f);
    return rc;
}

void gn_far_close(struct gn_far *f)
{
    if (!f)
        return;
    gn_stream_close(f->stream);
    gn_buf_clear(&f->in);
    free(f);
}
