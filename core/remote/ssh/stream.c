/*
 * stream.c - one command over there and its streams: an SSH channel.
 */
#include "ssh_private.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PIECE     ((size_t)4 * (32768 - 10)) /* four packets: libssh keeps 10 bytes of each */
#define IN_HAND   ((uint64_t)256 << 10)
#define LINE_RATE 400 /* bytes a microsecond: no line that we know is faster */
#define LOOK_MAX  ((uint64_t)1 << 20)
#define KEEP_MAX  ((size_t)256 << 20) /* what a far side may say while we write */

/* What may be on its way to us: see widen(). */
#define WINDOW_MIN   ((uint64_t)2 << 20)
#define WINDOW_MAX   ((uint64_t)32 << 20)
#define WINDOW_AFTER ((uint64_t)256 << 10) /* short answers need none of it */

static struct gn_channel *of(struct gn_stream *s)
{
    return (struct gn_channel *)s;
}

static void on_status(ssh_session session, ssh_channel ch, int status, void *arg)
{
    struct gn_channel *s = arg;

    (void)session;
    (void)ch;
    if (!s->told)
        s->status = status & 0xff;
    s->told = true;
}

static void on_signal(ssh_session session, ssh_channel ch, const char *name, int core,
                      const char *text, const char *lang, void *arg)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"ABRT", 6},  {"ALRM", 14}, {"FPE", 8},   {"HUP", 1},    {"ILL", 4},
                   {"INT", 2},   {"KILL", 9},  {"PIPE", 13}, {"QUIT", 3},   {"SEGV", 11},
                   {"TERM", 15}, {"USR1", 10}, {"USR2", 12}, {"BUS", 7},    {"XCPU", 24},
                   {"XFSZ", 25}, {"TRAP", 5},  {"SYS", 31},  {"VTALRM", 26}};
    struct gn_channel *s = arg;

    (void)session;
    (void)ch;
    (void)core;
    (void)text;
    (void)lang;
    s->status = -1; /* ended by something without a number here */
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strncmp(name, signals[i].name, strlen(signals[i].name)) == 0 &&
            strcspn(name, "@") == strlen(signals[i].name))
            s->status = 128 + signals[i].number;
    s->told = true;
}

static int lost(struct gn_channel *s, struct gn_err *err)
{
    return gn_hop_lost(s->hop, err);
}

bool gn_channel_is_up(struct gn_channel *s)
{
    return ssh_is_connected(s->hop->session) && ssh_get_fd(s->hop->session) >= 0;
}

/* The answer to our request, once it is here: a refusal may leave the channel open for ever. */
static int look_answer(struct gn_channel *s, struct gn_err *err)
{
    int said = s->asking ? ssh_channel_request_exec(s->ch, "") : SSH_OK;

    if (said == SSH_AGAIN)
        return GN_OK;
    s->asking = false;
    if (said == SSH_OK)
        return GN_OK;
    return !gn_channel_is_up(s)
               ? lost(s, err)
               : gn_err_set(err, GN_E_PROTO, "'%s' refuses to run a command", s->hop->who);
}

static void drain_err(struct gn_channel *s)
{
    char piece[1024];
    int n;

    while ((n = ssh_channel_read_nonblocking(s->ch, piece, sizeof piece, 1)) > 0) {
        size_t len = (size_t)n;

        if (s->tail_len + len > GN_ERR_TAIL) {
            size_t drop = s->tail_len + len - GN_ERR_TAIL;

            memmove(s->tail, s->tail + drop, s->tail_len - drop);
            s->tail_len -= drop;
        }
        s->err_came += len;
        memcpy(s->tail + s->tail_len, piece, len);
        s->tail_len += len;
        s->tail[s->tail_len] = 0;
    }
}

/* Keep what has arrived, so that the far side is never the one that waits. */
static int keep(struct gn_channel *s, bool *any, struct gn_err *err)
{
    drain_err(s);
    *any = false;
    for (;;) {
        char *room = gn_buf_room(&s->kept, PIECE);
        int n = room ? ssh_channel_read_nonblocking(s->ch, room, PIECE, 0) : 0;

        if (!room)
            return gn_err_set(err, GN_E_LIMIT, "'%s' sent too much while it was written to",
                              s->hop->who);
        if (n <= 0)
            return GN_OK;
        gn_buf_commit(&s->kept, (size_t)n);
        *any = true;
    }
}

/*
 * Wait for room to write.  A line on which nothing at all has moved for half a minute
 * is dead; one that answers signs of life belongs to a program that is only slow.
 */
static int wait_room(struct gn_channel *s, int64_t *quiet_ms, const struct gn_ctx *ctx,
                     struct gn_err *err)
{
    uint64_t before = s->hop->traffic.in_bytes + s->hop->traffic.out_bytes;
    int64_t start = ctx->mono_ms(ctx);
    int rc = gn_hop_wait(s->hop, 1000, ctx, err);

    if (rc != GN_OK && rc != GN_E_TIMEOUT)
        return rc;
    if (!gn_hop_work(s->hop))
        return lost(s, err);
    if (s->hop->traffic.in_bytes + s->hop->traffic.out_bytes != before)
        *quiet_ms = 0;
    else
        *quiet_ms += ctx->mono_ms(ctx) - start;
    if (*quiet_ms > GN_STALL_MS)
        return gn_err_set(err, GN_E_NET, "nothing has moved on the line to '%s' for %d s",
                          s->hop->who, GN_STALL_MS / 1000);
    return GN_OK;
}

static bool is_flushed(struct gn_channel *s)
{
    return !(ssh_get_poll_flags(s->hop->session) & SSH_WRITE_PENDING);
}

/* Until libssh has nothing left to send: nobody else may come by for a while. */
static int flush(struct gn_channel *s, const struct gn_ctx *ctx, struct gn_err *err)
{
    int64_t quiet_ms = 0;

    while (!is_flushed(s)) {
        bool any;
        int rc = keep(s, &any, err);

        if (rc == GN_OK && !is_flushed(s))
            rc = wait_room(s, &quiet_ms, ctx, err);
        if (rc != GN_OK)
            return rc;
    }
    return gn_channel_is_up(s) ? GN_OK : lost(s, err);
}

/* What of the server's window is used, of what is known of it. */
static uint64_t on_its_way(struct gn_channel *s)
{
    uint32_t left = ssh_channel_window_size(s->ch);

    if (left > s->window)
        s->window = left;
    return s->window - left;
}

/*
 * How much may be on its way: what the line holds, and a little in hand.  More would only lie in the
 * server's memory, which sshd moves up and down for each piece that its command takes: 24 MB cost
 * it a second where a quarter of a MB costs nothing.
 */
static uint64_t most_on_its_way(const struct gn_channel *s)
{
    return IN_HAND + (uint64_t)s->hop->rtt_us * LINE_RATE;
}

static size_t stream_room(struct gn_stream *base)
{
    struct gn_channel *s = of(base);
    uint64_t used = on_its_way(s), most = most_on_its_way(s);
    uint32_t left = ssh_channel_window_size(s->ch);

    if (used >= most || ssh_channel_is_closed(s->ch) || ssh_channel_is_eof(s->ch))
        return 0;
    return most - used < left ? (size_t)(most - used) : left;
}

int gn_channel_put(struct gn_channel *s, const void *data, size_t len, size_t *taken,
                   struct gn_err *err)
{
    int n = 0;

    *taken = 0;
    if (!gn_channel_is_up(s))
        return lost(s, err);
    if (is_flushed(s) && on_its_way(s) < most_on_its_way(s))
        n = ssh_channel_write(s->ch, data, (uint32_t)(len > PIECE ? PIECE : len));
    if (n < 0 && gn_channel_is_up(s))
        return gn_err_set(err, GN_E_PROTO, "the command on '%s' ended while it was written to",
                          s->hop->who);
    if (n < 0)
        return lost(s, err);
    *taken = (size_t)n;
    return GN_OK;
}

static int stream_write(struct gn_stream *base, const void *data, size_t len,
                        const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_channel *s = of(base);
    const char *p = data;
    int64_t quiet_ms = 0;

    while (len > 0) {
        bool any;
        size_t n;
        int rc = keep(s, &any, err);

        if (rc != GN_OK)
            return rc;
        if (gn_interrupted(ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        rc = gn_channel_put(s, p, len, &n, err);
        if (rc != GN_OK)
            return rc;
        p += n;
        len -= n;
        if (n > 0)
            quiet_ms = 0;
        /* A full queue in libssh is a full line: let it run off first. */
        if ((n == 0 && !any) || !is_flushed(s))
            rc = wait_room(s, &quiet_ms, ctx, err);
        if (rc != GN_OK)
            return rc;
    }
    return flush(s, ctx, err);
}

static int stream_eof(struct gn_stream *base, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_channel *s = of(base);

    if (!gn_channel_is_up(s))
        return lost(s, err);
    if (ssh_channel_send_eof(s->ch) == SSH_ERROR && !gn_channel_is_up(s))
        return lost(s, err);
    return flush(s, ctx, err);
}

static size_t take_kept(struct gn_channel *s, void *buf, size_t cap)
{
    size_t n = s->kept.len - s->kept_at;

    if (n > cap)
        n = cap;
    memcpy(buf, s->kept.ptr + s->kept_at, n);
    s->kept_at += n;
    if (s->kept_at == s->kept.len) {
        gn_buf_clear(&s->kept);
        s->kept_at = 0;
    }
    return n;
}

/*
 * libssh lets 1.28 MB be on their way to us, which a line of 40 ms makes 32 MB/s of.  It grants
 * more to a read that asks for more, at once and once for each time: so whenever a quarter of what
 * the line can hold has come, and none of it waits here, one read asks for all of that.  Its buffer
 * has to be as long as it says; of pages that nothing is written to only the addresses are used.
 */
static int widen(struct gn_channel *s, void *buf, size_t cap)
{
    uint64_t want = (uint64_t)s->hop->rtt_us * LINE_RATE;
    char *room;
    int got;

    want = want < WINDOW_MIN ? WINDOW_MIN : want > WINDOW_MAX ? WINDOW_MAX : want;
    if (s->came < WINDOW_AFTER || s->came < s->widen_at)
        return 0;
    s->widen_at = s->came + want / 4;
    room = gn_buf_room(&s->kept, want);
    got = room ? ssh_channel_read_timeout(s->ch, room, (uint32_t)want, 0, 0) : 0;
    if (got > 0) {
        gn_buf_commit(&s->kept, (size_t)got);
        return (int)take_kept(s, buf, cap);
    }
    gn_buf_clear(&s->kept);
    return got;
}

/* What is there, or comes in while we look: libssh takes 4 KB at a time from the socket, and a
 * packet counts when all of it is here. */
static int look(struct gn_channel *s, void *buf, size_t cap)
{
    uint32_t want = (uint32_t)(cap > ((size_t)1 << 20) ? (size_t)1 << 20 : cap);
    uint64_t begun = s->hop->traffic.in_bytes, before;
    int got;

    drain_err(s);
    do {
        before = s->hop->traffic.in_bytes;
        got = ssh_channel_read_nonblocking(s->ch, buf, want, 0);
        if (got == 0)
            got = widen(s, buf, cap);
        /* a server may go on for ever with what is for nobody */
    } while (got == 0 && s->hop->traffic.in_bytes != before && before - begun < LOOK_MAX);
    if (got > 0)
        s->came += (uint64_t)got;
    return got;
}

static int stream_read(struct gn_stream *base, void *buf, size_t cap, int64_t timeout_ms, size_t *n,
                       const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_channel *s = of(base);
    int64_t end = timeout_ms < 0 ? -1 : ctx->mono_ms(ctx) + timeout_ms;

    if (s->kept.len > s->kept_at) {
        *n = take_kept(s, buf, cap);
        return GN_OK;
    }
    for (;;) {
        int got, rc;
        int64_t left;

        if (gn_interrupted(ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        got = look(s, buf, cap);
        if (got > 0) {
            *n = (size_t)got;
            return GN_OK;
        }
        if (!gn_channel_is_up(s))
            return lost(s, err);
        rc = look_answer(s, err);
        if (rc != GN_OK)
            return rc;
        if (ssh_channel_is_eof(s->ch) || ssh_channel_is_closed(s->ch)) {
            *n = 0;
            return GN_OK;
        }
        left = end < 0 ? -1 : end - ctx->mono_ms(ctx);
        if (end >= 0 && left < 0)
            left = 0;
        rc = gn_hop_wait(s->hop, left, ctx, err);
        if (rc != GN_OK)
            return rc;
    }
}

static const char *stream_err_text(struct gn_stream *base)
{
    struct gn_channel *s = of(base);

    drain_err(s);
    return s->tail;
}

static int stream_status(struct gn_stream *base, int64_t timeout_ms, int *status,
                         const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_channel *s = of(base);
    int64_t end = timeout_ms < 0 ? -1 : ctx->mono_ms(ctx) + timeout_ms;

    for (;;) {
        int64_t left;
        int rc;
        bool up = gn_hop_work(s->hop), any;

        if (s->told || (up && ssh_channel_is_closed(s->ch))) {
            *status = s->told ? s->status : -1;
            return GN_OK;
        }
        if (!up)
            return lost(s, err);
        rc = keep(s, &any, err); /* a close waits behind data nobody has taken */
        if (rc != GN_OK)
            return rc;
        if (any)
            continue;
        left = end < 0 ? -1 : end - ctx->mono_ms(ctx);
        if (end >= 0 && left < 0)
            left = 0;
        rc = gn_hop_wait(s->hop, left, ctx, err);
        if (rc != GN_OK)
            return rc;
    }
}

static void stream_resize(struct gn_stream *base, int cols, int rows)
{
    struct gn_channel *s = of(base);

    if (s->pty && gn_channel_is_up(s))
        (void)ssh_channel_change_pty_size(s->ch, cols, rows);
}

static void stream_close(struct gn_stream *base)
{
    const struct gn_ctx *none = &gn_ctx_none;
    struct gn_channel *s = of(base);

    if (ssh_channel_is_open(s->ch) && gn_channel_is_up(s)) {
        /* Twice: the first may stop at the eof when the queue is full. */
        if (ssh_channel_close(s->ch) != SSH_OK)
            (void)ssh_channel_close(s->ch);
    }
    if (s->counted)
        s->ssh->closed_ms = none->mono_ms(none);
    ssh_remove_channel_callbacks(s->ch, &s->cb);
    ssh_channel_free(s->ch);
    gn_buf_clear(&s->kept);
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

struct gn_channel *gn_channel_new(struct gn_ssh *ssh, struct gn_err *err)
{
    struct gn_channel *s = gn_new(struct gn_channel);

    s->base.ops = &stream_ops;
    s->ssh = ssh;
    s->hop = ssh->hops[ssh->n - 1];
    s->kept = (struct gn_buf)GN_BUF_INIT(KEEP_MAX);
    s->status = -1;
    s->ch = ssh_channel_new(s->hop->session);
    if (!s->ch) {
        lost(s, err);
        free(s);
        return NULL;
    }
    s->cb.userdata = s;
    s->cb.channel_exit_status_function = on_status;
    s->cb.channel_exit_signal_function = on_signal;
    ssh_callbacks_init(&s->cb);
    ssh_set_channel_callbacks(s->ch, &s->cb);
    return s;
}
