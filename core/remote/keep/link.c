#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "talk.h"

#define OPEN_MS  40000 /* for a channel: the keeper itself gives up before */
#define RATE_MS  10000
#define ERR_KEEP ((size_t)4096)
#define KEEP_MAX ((size_t)256 << 20) /* what a far side may say while we write */
#define TIDY_AT  ((size_t)256 << 10)
#define IN_HAND  ((size_t)192 << 10) /* of what is written, on its way to the keeper */

struct link {
    struct gn_transport base;
    char *target;
    struct gn_door door;
    int fd; /* while it is open the keeper stays */
    int rtt_ms;
    struct link_stream *first;
};

struct link_stream {
    struct gn_stream base;
    struct link *link;
    struct link_stream *next;
    int fd;
    struct gn_buf in; /* frames that came */
    size_t at;        /* up to here they are used */
    size_t left;      /* bytes of stdout from there on, of the frame in hand */
    char tail[ERR_KEEP + 1];
    size_t tail_len;
    bool ended; /* no more stdout */
    bool told;
    int status;
    bool pty;
};

static int lost(const char *target, struct gn_err *err)
{
    return gn_err_set(err, GN_E_NET, "lost the connection that was kept to '%s'", target);
}

static struct link_stream *of(struct gn_stream *s)
{
    return (struct link_stream *)(void *)s;
}

static void keep_err(struct link_stream *s, const char *data, size_t len)
{
    size_t drop;

    if (len > ERR_KEEP) {
        data += len - ERR_KEEP;
        len = ERR_KEEP;
    }
    drop = s->tail_len + len > ERR_KEEP ? s->tail_len + len - ERR_KEEP : 0;
    memmove(s->tail, s->tail + drop, s->tail_len - drop);
    s->tail_len -= drop;
    memcpy(s->tail + s->tail_len, data, len);
    s->tail_len += len;
    s->tail[s->tail_len] = '\0';
}

/* What was used is in the way of more. */
static void tidy(struct link_stream *s)
{
    if (s->at == s->in.len) {
        gn_buf_reset(&s->in);
        s->at = 0;
    } else if (s->at > TIDY_AT) {
        gn_buf_drop(&s->in, s->at);
        s->at = 0;
    }
}

/* Frames up to the next bytes of stdout; whether there are any, s->left tells. */
static int go_on(struct link_stream *s, struct gn_err *err)
{
    while (!s->left && s->in.len - s->at >= GN_WIRE_HEAD) {
        const char *frame = s->in.ptr + s->at;
        struct gn_wire w;
        size_t used;
        int rc;

        if (*frame == GN_SAY_DATA) { /* as much of it as is there */
            rc = gn_wire_body(frame, &s->left, err);
            if (rc)
                return rc;
            s->at += GN_WIRE_HEAD;
            continue;
        }
        rc = gn_wire_read(frame, s->in.len - s->at, &w, &used, err);
        if (rc || !used)
            return rc;
        s->at += used;
        if (w.kind == GN_SAY_STDERR)
            keep_err(s, w.data, w.len);
        else if (w.kind == GN_SAY_ENDED)
            s->ended = true;
        else if (w.kind == GN_SAY_STATUS) {
            s->ended = s->told = true;
            s->status = (int)w.num[0];
        } else if (w.kind == GN_SAY_REFUSED) {
            return gn_talk_refused(&w, err);
        } else if (w.kind != GN_SAY_OPENED && w.kind != GN_SAY_WELCOME) {
            return gn_err_set(err, GN_E_PROTO, "who keeps '%s' says what it should not",
                              s->link->target);
        }
    }
    return GN_OK;
}

/* Wait for more of it, and take it. */
static int more(struct link_stream *s, int64_t timeout_ms, const struct gn_ctx *ctx,
                struct gn_err *err)
{
    int rc;

    tidy(s);
    rc = gn_wait_fd(ctx, s->fd, POLLIN, timeout_ms, err);
    if (!rc)
        rc = gn_talk_take(s->fd, &s->in, err);
    return rc == GN_E_NET ? lost(s->link->target, err) : rc;
}

static int stream_read(struct gn_stream *base, void *buf, size_t cap, int64_t timeout_ms, size_t *n,
                       const struct gn_ctx *ctx, struct gn_err *err)
{
    struct link_stream *s = of(base);
    int64_t end = timeout_ms < 0 ? -1 : ctx->mono_ms(ctx) + timeout_ms;

    for (;;) {
        size_t there;
        int64_t left;
        int rc = go_on(s, err);

        if (rc)
            return rc;
        there = s->in.len - s->at;
        *n = s->left < there ? s->left : there;
        if (*n > cap)
            *n = cap;
        if (*n) {
            memcpy(buf, s->in.ptr + s->at, *n);
            s->at += *n;
            s->left -= *n;
            tidy(s);
        }
        if (*n || (s->ended && !s->left))
            return GN_OK;
        left = end < 0 ? -1 : end - ctx->mono_ms(ctx);
        rc = more(s, end >= 0 && left < 0 ? 0 : left, ctx, err);
        if (rc)
            return rc;
    }
}

/* All of it, while what comes is kept. */
static int push(struct link_stream *s, const char *data, size_t len, const struct gn_ctx *ctx,
                struct gn_err *err)
{
    while (len) {
        struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN | POLLOUT},
                              {.fd = ctx->wake_fd, .events = POLLIN}};
        ssize_t n;

        if (gn_interrupted(ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        n = send(s->fd, data, len, MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return lost(s->link->target, err);
        if (poll(p, 2, 1000) < 0 && errno != EINTR)
            return gn_err_sys(err, errno, "cannot wait");
        if (p[0].revents & (POLLIN | POLLHUP)) {
            int rc = gn_talk_take(s->fd, &s->in, err);

            if (rc)
                return rc == GN_E_NET ? lost(s->link->target, err) : rc;
        }
    }
    return GN_OK;
}

static int stream_write(struct gn_stream *base, const void *data, size_t len,
                        const struct gn_ctx *ctx, struct gn_err *err)
{
    const char *p = data;
    int rc = GN_OK;

    while (!rc && len) {
        size_t n = len < GN_WIRE_DATA ? len : GN_WIRE_DATA;
        char head[GN_WIRE_HEAD];

        gn_wire_head(head, GN_ASK_DATA, n);
        rc = push(of(base), head, sizeof head, ctx, err);
        if (!rc)
            rc = push(of(base), p, n, ctx, err);
        p += n;
        len -= n;
    }
    return rc;
}

/* What the keeper has not taken yet does not count as gone. */
static size_t stream_room(struct gn_stream *base)
{
    int queued = 0;

#ifdef TIOCOUTQ
    if (ioctl(of(base)->fd, TIOCOUTQ, &queued) < 0)
        queued = 0;
#endif
    return (size_t)queued < IN_HAND ? IN_HAND - (size_t)queued : 0;
}

static int stream_eof(struct gn_stream *base, const struct gn_ctx *ctx, struct gn_err *err)
{
    char head[GN_WIRE_HEAD];

    gn_wire_head(head, GN_ASK_EOF, 0);
    return push(of(base), head, sizeof head, ctx, err);
}

/* What it said may lie behind bytes of stdout that nobody read yet. */
static const char *stream_err_text(struct gn_stream *base)
{
    struct link_stream *s = of(base);
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    struct gn_err ignored = GN_ERR_INIT;
    size_t at, used;

    while (s->in.len < KEEP_MAX / 2 && poll(&p, 1, 0) > 0 && !gn_talk_take(s->fd, &s->in, &ignored))
        ;
    for (at = s->at + s->left; at < s->in.len; at += used) {
        struct gn_wire w;

        if (gn_wire_read(s->in.ptr + at, s->in.len - at, &w, &used, &ignored) || !used)
            break;
        if (w.kind != GN_SAY_STDERR)
            continue;
        keep_err(s, w.data, w.len);
        /* read: a frame of no bytes is left of it */
        memmove(s->in.ptr + at + GN_WIRE_HEAD, w.data + w.len,
                (size_t)(s->in.ptr + s->in.len - (w.data + w.len)));
        s->in.len -= w.len;
        gn_wire_head(s->in.ptr + at, GN_SAY_DATA, 0);
        used = GN_WIRE_HEAD;
    }
    return s->tail;
}

static int stream_status(struct gn_stream *base, int64_t timeout_ms, int *status,
                         const struct gn_ctx *ctx, struct gn_err *err)
{
    struct link_stream *s = of(base);
    int64_t end = timeout_ms < 0 ? -1 : ctx->mono_ms(ctx) + timeout_ms;

    for (;;) {
        int64_t left;
        int rc = go_on(s, err);

        if (rc)
            return rc;
        if (s->told) {
            *status = s->status;
            return GN_OK;
        }
        if (s->left) { /* nobody wants it any more */
            size_t there = s->in.len - s->at, n = s->left < there ? s->left : there;

            s->at += n;
            s->left -= n;
            if (n)
                continue;
        }
        left = end < 0 ? -1 : end - ctx->mono_ms(ctx);
        rc = more(s, end >= 0 && left < 0 ? 0 : left, ctx, err);
        if (rc)
            return rc;
    }
}

static void stream_resize(struct gn_stream *base, int cols, int rows)
{
    struct link_stream *s = of(base);
    struct gn_wire w = {.kind = GN_ASK_WINDOW, .num = {cols, rows}};
    struct gn_err ignored = GN_ERR_INIT;

    if (s->pty)
        (void)!gn_talk_send(s->fd, &w, &gn_ctx_none, &ignored);
}

static void stream_close(struct gn_stream *base)
{
    struct link_stream *s = of(base), **p = &s->link->first;

    while (*p && *p != s)
        p = &(*p)->next;
    if (*p)
        *p = s->next;
    gn_fs_close(s->fd);
    gn_buf_clear(&s->in);
    free(s);
}

static const struct gn_stream_ops stream_ops = {
    .write = stream_write,
    .room = stream_room,
    .eof = stream_eof,
    .read = stream_read,
    .err_text = stream_err_text,
    .status = stream_status,
    .resize = stream_resize,
    .close = stream_close,
};

/* --- the connection ----------------------------------------------------------------------- */

static int hello(int fd, const struct gn_door *d, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_wire w = {.kind = GN_ASK_HELLO, .num = {GN_WIRE_TALK}, .text = {d->program, d->way}};

    return gn_talk_send(fd, &w, ctx, err);
}

/* One more socket, for one stream: what is asked goes with the greeting. */
static int open_stream(struct link *l, const struct gn_wire *ask, bool pty, struct gn_stream **out,
                       const struct gn_ctx *ctx, struct gn_err *err)
{
    struct link_stream *s = gn_new(struct link_stream);
    struct gn_wire w = {.kind = '\0'};
    size_t used = 0;
    int rc;

    s->base.ops = &stream_ops;
    s->link = l;
    s->in = (struct gn_buf)GN_BUF_INIT(KEEP_MAX);
    s->pty = pty;
    rc = gn_door_knock(&l->door, &s->fd, err);
    if (rc) {
        s->fd = -1;
        rc = lost(l->target, err);
    }
    if (!rc)
        rc = hello(s->fd, &l->door, ctx, err);
    if (!rc)
        rc = gn_talk_send(s->fd, ask, ctx, err);
    while (!rc && w.kind != GN_SAY_OPENED) {
        rc = gn_talk_get(s->fd, &s->in, &used, &w, OPEN_MS, ctx, err);
        if (!rc && w.kind == GN_SAY_REFUSED)
            rc = gn_talk_refused(&w, err);
    }
    gn_buf_drop(&s->in, used);
    if (rc == GN_E_TIMEOUT || rc == GN_E_CHANGED)
        rc = lost(l->target, err);
    if (rc) {
        stream_close(&s->base);
        return rc;
    }
    s->next = l->first;
    l->first = s;
    *out = &s->base;
    return GN_OK;
}

static int link_exec(struct gn_transport *base, const char *command, const struct gn_pty *pty,
                     struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_wire w = {.kind = GN_ASK_EXEC,
                        .num = {pty ? pty->cols : 0, pty ? pty->rows : 0, base->only_now},
                        .text = {command, pty ? pty->term : NULL}};

    return open_stream((struct link *)(void *)base, &w, pty != NULL, out, ctx, err);
}

static int link_forward(struct gn_transport *base, const char *host, int port,
                        struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_wire w = {.kind = GN_ASK_FORWARD, .num = {port}, .text = {host}};

    return open_stream((struct link *)(void *)base, &w, false, out, ctx, err);
}

static void link_expect(struct gn_transport *base, unsigned n)
{
    struct gn_wire w = {.kind = GN_ASK_EXPECT, .num = {n}};
    struct gn_err ignored = GN_ERR_INIT;

    (void)!gn_talk_send(((struct link *)(void *)base)->fd, &w, &gn_ctx_none, &ignored);
}

/* Of one stream it is known; several are looked at in turn, as on this machine. */
static int link_fd(struct gn_transport *base)
{
    struct link *l = (struct link *)(void *)base;

    if (!l->first)
        return l->fd;
    return l->first->next ? -1 : l->first->fd;
}

static int link_rtt(struct gn_transport *base)
{
    return ((struct link *)(void *)base)->rtt_ms;
}

static uint64_t link_rate(struct gn_transport *base, const struct gn_ctx *ctx)
{
    struct link *l = (struct link *)(void *)base;
    struct gn_wire w = {.kind = GN_ASK_RATE};
    struct gn_buf in = GN_BUF_INIT(GN_WIRE_MAX * 4);
    struct gn_err ignored = GN_ERR_INIT;
    size_t used = 0;
    uint64_t rate = 0;

    if (!gn_talk_send(l->fd, &w, ctx, &ignored) &&
        !gn_talk_get(l->fd, &in, &used, &w, RATE_MS, ctx, &ignored) && w.kind == GN_SAY_RATE)
        rate = (uint64_t)w.num[0];
    gn_buf_clear(&in);
    return rate;
}

static void link_close(struct gn_transport *base)
{
    struct link *l = (struct link *)(void *)base;

    gn_fs_close(l->fd);
    gn_door_clear(&l->door);
    free(l->target);
    free(l);
}

static const struct gn_transport_ops link_ops = {
    .name = "keep",
    .exec = link_exec,
    .expect = link_expect,
    .forward = link_forward,
    .fd = link_fd,
    .rtt_ms = link_rtt,
    .rate = link_rate,
    .close = link_close,
};

struct gn_transport *gn_link_new(const char *target, const struct gn_door *door, int fd, int rtt_ms)
{
    struct link *l = gn_new(struct link);

    l->base.ops = &link_ops;
    l->target = gn_strdup(target);
    gn_door_copy(&l->door, door);
    l->fd = fd;
    l->rtt_ms = rtt_ms;
    return &l->base;
}

int gn_link_open(const struct gn_ctx *ctx, const char *target, const struct gn_door *door,
                 struct gn_transport **out, struct gn_err *err)
{
    struct gn_buf in = GN_BUF_INIT(GN_WIRE_MAX * 4);
    struct gn_wire w;
    size_t used = 0;
    int fd = -1, rc = gn_door_knock(door, &fd, err);

    if (!rc)
        rc = hello(fd, door, ctx, err);
    if (!rc)
        rc = gn_talk_get(fd, &in, &used, &w, GN_KEEP_HUNG_MS, ctx, err);
    if (!rc && w.kind == GN_SAY_REFUSED)
        rc = gn_talk_refused(&w, err);
    else if (!rc && w.kind != GN_SAY_WELCOME)
        rc = gn_err_set(err, GN_E_PROTO, "who keeps '%s' gives no welcome", target);
    if (rc == GN_E_NET) /* it has just ended */
        rc = gn_err_set(err, GN_E_NOTFOUND, "nobody keeps a connection there");
    if (!rc)
        *out = gn_link_new(target, door, fd, (int)w.num[0]);
    else
        gn_fs_close(fd);
    gn_buf_clear(&in);
    return rc;
}
