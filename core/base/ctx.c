#include "gnrrun/ctx.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

void gn_event_text(const struct gn_ctx *ctx, enum gn_event_kind kind, const char *fmt, ...)
{
    struct gn_buf text = GN_BUF_INIT((size_t)16 << 10);
    struct gn_event ev = {.kind = kind};
    va_list ap;

    if (!ctx->event)
        return;
    va_start(ap, fmt);
    gn_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    ev.text = text.ptr;
    ctx->event(ctx, &ev);
    gn_buf_clear(&text);
}

void gn_event_progress(const struct gn_ctx *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct gn_event ev = {.kind = GN_EV_PROGRESS, .text = what, .done = done, .total = total};

    if (ctx->event)
        ctx->event(ctx, &ev);
}

bool gn_interrupted(const struct gn_ctx *ctx)
{
    return (ctx->interrupts && *ctx->interrupts > 0) || (ctx->stop && *ctx->stop);
}

int64_t gn_stopwatch_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int gn_wait_fd(const struct gn_ctx *ctx, int fd, short events, int64_t timeout_ms,
               struct gn_err *err)
{
    int64_t end = timeout_ms < 0 ? -1 : ctx->mono_ms(ctx) + timeout_ms;

    for (;;) {
        struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = ctx->wake_fd, .events = POLLIN}};
        int64_t left = end < 0 ? -1 : end - ctx->mono_ms(ctx);
        int n;

        if (gn_interrupted(ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        if (end >= 0 && left < 0)
            left = 0;
        n = poll(p, 2, left > 1000000 ? 1000000 : (int)left);
        if (n < 0 && errno != EINTR)
            return gn_err_sys(err, errno, "cannot wait");
        if (n > 0 && p[0].revents)
            return GN_OK;
        if (n > 0 && p[1].revents && !gn_interrupted(ctx))
            continue;
        if (n == 0 && end >= 0 && ctx->mono_ms(ctx) >= end)
            return gn_err_set(err, GN_E_TIMEOUT, "no answer within %d ms", (int)timeout_ms);
    }
}

int gn_wait_ms(const struct gn_ctx *ctx, int64_t ms, struct gn_err *err)
{
    int rc = gn_wait_fd(ctx, -1, 0, ms, err);

    if (rc == GN_E_TIMEOUT) {
        gn_err_clear(err);
        return GN_OK;
    }
    return rc;
}

static int64_t clock_ms(const struct gn_ctx *ctx)
{
    struct timespec t;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t clock_wall(const struct gn_ctx *ctx)
{
    struct timespec t;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec;
}

static const char *no_env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static int ask_nobody(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
                      struct gn_err *err)
{
    (void)ctx;
    (void)out;
    gn_err_set(err, GN_E_AUTH, "nobody to ask: %s", q->prompt);
    if (q->without)
        gn_err_hint(err, "%s", q->without);
    return err->code;
}

const struct gn_ctx gn_ctx_none = {
    .home = "/nonexistent",
    .user = "nobody",
    .config_dir = "/nonexistent",
    .state_dir = "/nonexistent",
    .cache_dir = "/nonexistent",
    .cwd = "/",
    .env = no_env,
    .mono_ms = clock_ms,
    .wall_s = clock_wall,
    .ask = ask_nobody,
    .wake_fd = -1,
};
