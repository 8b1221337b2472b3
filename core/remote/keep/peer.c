/*
 * peer.c - one of those a keeper lends its connection to.
 *
 * Nothing waits for anybody: who does not read is not read for, so that what is on its way to him
 * fills two small buffers and then the channel's window, and no other one's.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "keeper.h"
#include "serve.h"
#include "wire.h"

#define IN_MAX   (GN_WIRE_MAX + ((size_t)64 << 10)) /* a whole frame, and the next */
#define OUT_MAX  ((size_t)256 << 10)
#define TURN_MAX ((size_t)1 << 20) /* for one before the others have theirs */
#define ERR_KEEP ((uint64_t)4096)
#define HELLO_MS 10000

struct gn_peer {
    int fd;
    int64_t since_ms;
    struct gn_buf in, out;
    size_t in_at, out_at; /* what is before them is used */
    size_t left;          /* bytes for stdin from in_at on, of the frame in hand */
    bool welcome;
    bool over;      /* when all of out is there */
    bool deaf;      /* what comes for stdin is for nobody */
    bool is_port;   /* no command */
    bool out_ended; /* of stdout */
    struct gn_opening *opening;
    struct gn_stream *stream;
    uint64_t err_sent;
};

struct gn_peer *gn_peer_new(const struct gn_keeper *k, int fd, bool welcome)
{
    struct gn_peer *p = gn_new(struct gn_peer);

    p->fd = fd;
    p->since_ms = k->ctx->mono_ms(k->ctx);
    p->welcome = welcome;
    p->in = (struct gn_buf)GN_BUF_INIT(IN_MAX);
    p->out = (struct gn_buf)GN_BUF_INIT(OUT_MAX + 2 * GN_WIRE_MAX);
    return p;
}

int gn_peer_fd(const struct gn_peer *p)
{
    return p->fd;
}

static bool has_room(const struct gn_peer *p)
{
    return !p->over && p->in.len - p->in_at < IN_MAX / 2;
}

short gn_peer_events(const struct gn_peer *p)
{
    return (short)((has_room(p) ? POLLIN : 0) | (p->out_at < p->out.len ? POLLOUT : 0));
}

bool gn_peer_is_opening(const struct gn_peer *p)
{
    return p->opening != NULL;
}

static void say(struct gn_peer *p, char kind, int64_t num)
{
    gn_wire_add(&p->out, &(struct gn_wire){.kind = kind, .num = {num}});
}

static void refuse(struct gn_peer *p, const struct gn_err *err)
{
    gn_wire_add(&p->out, &(struct gn_wire){.kind = GN_SAY_REFUSED,
                                           .num = {err->code},
                                           .text = {err->msg, *err->hint ? err->hint : NULL}});
    p->over = true;
}

static void end_stream(struct gn_keeper *k, struct gn_peer *p)
{
    if ((p->stream || p->opening) && !p->is_port)
        k->sessions--;
    gn_opening_free(p->opening);
    gn_stream_close(p->stream);
    p->opening = NULL;
    p->stream = NULL;
}

void gn_peer_free(struct gn_keeper *k, struct gn_peer *p, const struct gn_err *why)
{
    if (why && why->code && !p->over) {
        refuse(p, why);
        (void)!send(p->fd, p->out.ptr + p->out_at, p->out.len - p->out_at, MSG_NOSIGNAL);
    }
    end_stream(k, p);
    gn_fs_close(p->fd);
    gn_buf_wipe(&p->in);
    gn_buf_clear(&p->out);
    free(p);
}

/* --- what it asks for ---------------------------------------------------------------------- */

static int greet(struct gn_keeper *k, struct gn_peer *p, const struct gn_wire *w,
                 struct gn_err *err)
{
    if (w->kind != GN_ASK_HELLO)
        return gn_err_set(err, GN_E_PROTO, "no greeting");
    if (w->num[0] != GN_WIRE_TALK || !w->text[0] || strcmp(w->text[0], k->door.program) != 0) {
        k->retired = true;
        return gn_err_set(err, GN_E_CHANGED, "the connection is kept by another version");
    }
    if (!w->text[1] || strcmp(w->text[1], k->door.way) != 0)
        return gn_err_set(err, GN_E_CONFIG, "another connection is kept there");
    p->welcome = true;
    say(p, GN_SAY_WELCOME, k->line->ops->rtt_ms(k->line));
    return GN_OK;
}

static int bounded(int64_t n, int most)
{
    return n < 0 ? 0 : n > most ? most : (int)n;
}

static int begin(struct gn_keeper *k, struct gn_peer *p, const struct gn_wire *w,
                 struct gn_err *err)
{
    struct gn_pty pty = {w->text[1], bounded(w->num[0], 10000), bounded(w->num[1], 10000)};
    struct gn_ssh_wish wish = {.host = NULL};

    if (p->opening || p->stream || p->out_ended)
        return gn_err_set(err, GN_E_PROTO, "a second stream");
    p->is_port = w->kind == GN_ASK_FORWARD;
    if (p->is_port) {
        wish.host = w->text[0] ? w->text[0] : "";
        wish.port = bounded(w->num[0], 65535);
    } else {
        wish.command = w->text[0];
        wish.pty = pty.term ? &pty : NULL;
        wish.only_now = w->num[2] != 0;
        k->sessions++;
    }
    return gn_opening_new(k->line, &wish, &p->opening, k->ctx, err);
}

static void tell_rate(struct gn_keeper *k, struct gn_peer *p)
{
    if (!k->rated && k->line->ops->rate)
        k->rate = k->line->ops->rate(k->line, k->ctx);
    k->rated = true;
    say(p, GN_SAY_RATE, (int64_t)k->rate);
}

static int obey(struct gn_keeper *k, struct gn_peer *p, const struct gn_wire *w, struct gn_err *err)
{
    /* also of one who speaks otherwise: who is allowed to talk to us may end us */
    if (w->kind == GN_ASK_END) {
        say(p, GN_SAY_BYE, 0);
        k->over = true;
        return GN_OK;
    }
    if (!p->welcome)
        return greet(k, p, w, err);
    switch (w->kind) {
    case GN_ASK_EXEC:
    case GN_ASK_FORWARD:
        return begin(k, p, w, err);
    case GN_ASK_EOF:
        if (p->stream && !p->deaf)
            gn_ssh_end(p->stream);
        p->deaf = true;
        return GN_OK;
    case GN_ASK_WINDOW:
        if (p->stream)
            p->stream->ops->resize(p->stream, bounded(w->num[0], 10000), bounded(w->num[1], 10000));
        return GN_OK;
    case GN_ASK_EXPECT:
        k->line->ops->expect(k->line, (unsigned)bounded(w->num[0], 16));
        return GN_OK;
    case GN_ASK_RATE:
        tell_rate(k, p);
        return GN_OK;
    default:
        return gn_err_set(err, GN_E_PROTO, "a word that is not known here");
    }
}

/* Bytes for stdin, as far as they can go now; false: not all of what is here. */
static bool put(struct gn_peer *p, struct gn_err *err)
{
    while (p->left && p->in_at < p->in.len) {
        size_t n = p->in.len - p->in_at, taken = n < p->left ? n : p->left;

        if (p->opening)
            return false;
        if (p->stream && !p->deaf) {
            int rc = gn_ssh_put(p->stream, p->in.ptr + p->in_at, taken, &taken, err);

            if (rc == GN_E_PROTO) { /* it takes no more; what it said meanwhile counts */
                gn_err_clear(err);
                p->deaf = true;
                continue;
            }
            if (rc || !taken)
                return false;
        }
        p->in_at += taken;
        p->left -= taken;
    }
    return true;
}

/* Everything that is there and can be done now. */
static int listen_to(struct gn_keeper *k, struct gn_peer *p, struct gn_err *err)
{
    while (!p->over && put(p, err)) {
        const char *frame = p->in.ptr + p->in_at;
        size_t there = p->in.len - p->in_at, used;
        struct gn_wire w;
        int rc;

        if (there < GN_WIRE_HEAD)
            break;
        if (*frame == GN_ASK_DATA && p->welcome) {
            rc = gn_wire_body(frame, &p->left, err);
            if (rc)
                return rc;
            p->in_at += GN_WIRE_HEAD;
            continue;
        }
        if (p->opening) /* the end of stdin, or a window: of a stream that is not there yet */
            break;
        rc = gn_wire_read(frame, there, &w, &used, err);
        if (!rc && used)
            rc = obey(k, p, &w, err);
        if (rc || !used)
            return rc;
        p->in_at += used;
    }
    return err->code;
}

/* --- what it gets -------------------------------------------------------------------------- */

static void carry_err(struct gn_peer *p)
{
    uint64_t came = gn_ssh_err_came(p->stream), n = came - p->err_sent;
    uint64_t there = came < ERR_KEEP ? came : ERR_KEEP;
    const char *tail = p->stream->ops->err_text(p->stream);

    if (!n)
        return;
    n = n < there ? n : there; /* what is older nobody will ask for */
    gn_wire_add(&p->out, &(struct gn_wire){
                             .kind = GN_SAY_STDERR, .data = tail + (there - n), .len = (size_t)n});
    p->err_sent = came;
}

/* Of stdout what is here and has room, *any: there was some. */
static int carry_out(struct gn_keeper *k, struct gn_peer *p, size_t *carried, struct gn_err *err)
{
    while (!p->out_ended && p->out.len - p->out_at < OUT_MAX && *carried < TURN_MAX) {
        char *room = gn_buf_room(&p->out, GN_WIRE_HEAD + GN_WIRE_DATA);
        size_t n = 0;
        int rc;

        if (!room)
            return GN_OK;
        rc = p->stream->ops->read(p->stream, room + GN_WIRE_HEAD, GN_WIRE_DATA, 0, &n, k->ctx, err);
        if (rc == GN_E_TIMEOUT) {
            gn_err_clear(err);
            return GN_OK;
        }
        if (rc)
            return rc;
        if (n) {
            gn_wire_head(room, GN_SAY_DATA, n);
            gn_buf_commit(&p->out, GN_WIRE_HEAD + n);
            *carried += n;
        } else {
            p->out_ended = true;
            carry_err(p);
            say(p, GN_SAY_ENDED, 0);
        }
    }
    return GN_OK;
}

static int carry_status(struct gn_keeper *k, struct gn_peer *p, struct gn_err *err)
{
    int status = -1, rc;

    if (!p->out_ended)
        return GN_OK;
    rc = p->stream->ops->status(p->stream, 0, &status, k->ctx, err);
    if (rc == GN_E_TIMEOUT) {
        gn_err_clear(err);
        return GN_OK;
    }
    if (rc)
        return rc;
    carry_err(p);
    say(p, GN_SAY_STATUS, status);
    end_stream(k, p); /* its place is free at once; he himself goes when he has read this */
    p->deaf = true;
    return GN_OK;
}

static bool is_gone(int n)
{
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static bool flush(struct gn_peer *p)
{
    while (p->out_at < p->out.len) {
        ssize_t n = send(p->fd, p->out.ptr + p->out_at, p->out.len - p->out_at, MSG_NOSIGNAL);

        if (n < 0 && is_gone(-1))
            return false;
        if (n <= 0)
            break;
        p->out_at += (size_t)n;
    }
    if (p->out_at == p->out.len) {
        gn_buf_reset(&p->out);
        p->out_at = 0;
    } else if (p->out_at > OUT_MAX / 2) {
        gn_buf_drop(&p->out, p->out_at);
        p->out_at = 0;
    }
    return true;
}

static bool take(struct gn_peer *p)
{
    char *room;
    ssize_t n;

    gn_buf_drop(&p->in, p->in_at);
    p->in_at = 0;
    room = gn_buf_room(&p->in, IN_MAX / 2);
    if (!room)
        return true;
    n = recv(p->fd, room, IN_MAX / 2, 0);
    if (n > 0)
        gn_buf_commit(&p->in, (size_t)n);
    return n > 0 || !is_gone((int)n);
}

static int go_on(struct gn_keeper *k, struct gn_peer *p, size_t *carried, struct gn_err *err)
{
    int rc = GN_OK;

    if (p->opening) {
        rc = gn_opening_step(p->opening, &p->stream, k->ctx, err);
        if (rc == GN_E_TIMEOUT) {
            gn_err_clear(err);
            return GN_OK;
        }
        if (rc)
            return rc;
        gn_opening_free(p->opening);
        p->opening = NULL;
        say(p, GN_SAY_OPENED, 0);
    }
    rc = listen_to(k, p, err);
    if (!rc && p->opening) /* it has just begun, and may be done with that at once */
        return go_on(k, p, carried, err);
    if (!rc && p->stream) {
        rc = carry_out(k, p, carried, err);
        if (!rc && p->stream && !p->out_ended)
            carry_err(p);
    }
    if (!rc && p->stream)
        rc = carry_status(k, p, err);
    return rc;
}

bool gn_peer_serve(struct gn_keeper *k, struct gn_peer *p, short revents, struct gn_err *err)
{
    size_t carried = 0, before;

    /* who hangs up has read all that he wanted */
    if (revents & (POLLHUP | POLLERR | POLLNVAL))
        return false;
    if ((revents & POLLIN) && has_room(p) && !take(p))
        return false;
    if (!flush(p)) /* first: what there is room for decides what is read for him */
        return false;
    if (!p->welcome && k->ctx->mono_ms(k->ctx) - p->since_ms > HELLO_MS)
        return false;
    do {
        int rc;

        before = carried;
        rc = p->over ? GN_OK : go_on(k, p, &carried, err);

        if (rc == GN_E_NET || rc == GN_E_CANCEL)
            return true;
        if (rc) { /* this one's own mistake, or the server's answer to what he asked for */
            end_stream(k, p);
            refuse(p, err);
            gn_err_clear(err);
        }
        if (!flush(p))
            return false;
    } while (p->stream && carried < TURN_MAX && p->out_at == p->out.len && carried != before);
    k->again = k->again || (carried >= TURN_MAX && p->out_at == p->out.len);
    return !p->over || p->out_at < p->out.len;
}
