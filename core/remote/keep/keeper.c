/*
 * keeper.c - the life of a keeper: log in for who started it, then serve whoever comes.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "budget.h"
#include "gnrrun/fs.h"
#include "gnrrun/keep.h"
#include "gnrrun/mem.h"
#include "serve.h"
#include "talk.h"

#define ORDER_MS  10000            /* for who started us to say what for */
#define PERSON_MS (10 * 60 * 1000) /* for a person to answer */
#define TICK_MS   1000
#define SOON_MS   50

/* While it logs in: who started us hears what happens, and answers. */
struct dialing {
    const struct gn_ctx *ctx;
    int fd; /* -1: he is gone */
    struct gn_buf in;
    size_t used;
    bool asked; /* a person, for more than whether the host is known */
};

/* --- words to and from who started us ------------------------------------------------------ */

static void tell(struct dialing *d, const struct gn_wire *w)
{
    struct gn_err ignored = GN_ERR_INIT;

    if (d->fd >= 0 && gn_talk_send(d->fd, w, d->ctx, &ignored)) {
        gn_fs_close(d->fd);
        d->fd = -1;
    }
}

static void on_event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    if (ev->kind == GN_EV_NOTE || ev->kind == GN_EV_WARN || ev->kind == GN_EV_DEBUG)
        tell(ctx->event_arg,
             &(struct gn_wire){.kind = GN_SAY_EVENT, .num = {ev->kind}, .text = {ev->text}});
}

static int on_ask(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
                  struct gn_err *err)
{
    struct dialing *d = ctx->event_arg;
    struct gn_wire w = {
        .kind = GN_SAY_QUESTION, .num = {q->echo, q->yes_no}, .text = {q->prompt, q->without}};
    int rc;

    tell(d, &w);
    if (d->fd < 0)
        return gn_err_set(err, GN_E_CANCEL, "who wanted the connection is gone");
    rc = gn_talk_get(d->fd, &d->in, &d->used, &w, PERSON_MS, d->ctx, err);
    if (rc)
        return rc;
    if (w.kind != GN_ASK_ANSWER)
        return gn_err_set(err, GN_E_PROTO, "no answer to a question");
    if (!w.text[0]) {
        gn_err_set(err, (int)w.num[0], "%s", w.text[1] ? w.text[1] : "no answer");
        return w.text[2] ? gn_err_hint(err, "%s", w.text[2]) : err->code;
    }
    d->asked = d->asked || !q->yes_no;
    gn_buf_adds(out, w.text[0]);
    memset(d->in.ptr, 0, d->in.len);
    return GN_OK;
}

/* --- logging in ---------------------------------------------------------------------------- */

static void take_order(const struct gn_wire *w, struct gn_target *t, struct gn_ssh_opts *opts)
{
    *t = (struct gn_target){.type = GN_TARGET_SSH, .nice = -1};
    t->port = (int)w->num[0];
    t->keep_s = w->num[1];
    opts->accept_new = w->num[2] != 0;
    opts->nobody_there = w->num[3] != 0;
    t->name = gn_strdup(w->text[0] ? w->text[0] : "?");
    t->host = gn_strdup(w->text[1]);
    t->user = gn_strdup(w->text[2]);
    t->jump = gn_strdup(w->text[3]);
    t->identity = gn_strdup(w->text[4]);
}

static void note_person(const struct gn_door *d, bool asked)
{
    if (asked)
        gn_fs_close(open(d->person, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    else
        unlink(d->person);
}

/* The connection, and the socket to lend it at; the first who has it is who started us. */
static int log_in(struct gn_keeper *k, struct dialing *d, struct gn_err *err)
{
    struct gn_ctx ctx = *d->ctx;
    struct gn_target target = {0};
    struct gn_ssh_opts opts = {0};
    struct gn_wire w;
    int rc = gn_talk_get(d->fd, &d->in, &d->used, &w, ORDER_MS, d->ctx, err);

    if (!rc && (w.kind != GN_ASK_DIAL || !w.text[5]))
        rc = gn_err_set(err, GN_E_PROTO, "a keeper was started by nobody");
    if (rc)
        return rc;
    take_order(&w, &target, &opts);
    ctx.event = on_event;
    ctx.ask = on_ask;
    ctx.alone = false; /* whether he is, he said */
    ctx.event_arg = d;
    rc = gn_door_find(d->ctx, w.text[5], &k->door, err);
    if (!rc)
        rc = gn_door_hold(&k->door, &k->lock, err);
    if (!rc)
        rc = gn_door_make(&k->door, &k->listening, err);
    if (!rc)
        rc = gn_budget_dial(&ctx, &target, &opts, &k->door, &k->line, err);
    if (!rc)
        rc = gn_door_open(&k->door, k->listening, err);
    if (!rc) {
        note_person(&k->door, d->asked);
        k->keep_ms = (target.keep_s > 0 ? target.keep_s : d->asked ? GN_KEEP_S : 0) * 1000;
    }
    gn_target_clear(&target);
    return rc;
}

/* --- serving ------------------------------------------------------------------------------- */

static void add_peer(struct gn_keeper *k, int fd, bool welcome)
{
    if (fd >= 0)
        k->peers[k->n++] = gn_peer_new(k, fd, welcome);
}

static void drop_peer(struct gn_keeper *k, size_t i, const struct gn_err *why)
{
    gn_peer_free(k, k->peers[i], why);
    k->peers[i] = k->peers[--k->n];
}

/* Until something can be done; p as poll(2) left it, the first two are the door and the line. */
static int wait_for_work(struct gn_keeper *k, struct pollfd p[GN_PEERS_MAX + 3], struct gn_err *err)
{
    int ms = k->again ? 0 : TICK_MS;

    p[0] = (struct pollfd){.fd = k->n < GN_PEERS_MAX ? k->listening : -1, .events = POLLIN};
    p[1] = (struct pollfd){.fd = k->line->ops->fd(k->line), .events = gn_ssh_events(k->line)};
    p[2] = (struct pollfd){.fd = k->ctx->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < k->n; i++) {
        p[i + 3] =
            (struct pollfd){.fd = gn_peer_fd(k->peers[i]), .events = gn_peer_events(k->peers[i])};
        if (gn_peer_is_opening(k->peers[i]) && ms > SOON_MS)
            ms = SOON_MS;
    }
    if (poll(p, (nfds_t)k->n + 3, ms) < 0 && errno != EINTR)
        return gn_err_sys(err, errno, "cannot wait");
    if (gn_interrupted(k->ctx))
        return gn_err_set(err, GN_E_CANCEL, "told to end");
    return GN_OK;
}

/*
 * One round for everybody.  What came meanwhile may be for one who had his turn, and what went made
 * room for another's: then there is one more at once.
 */
static int serve_all(struct gn_keeper *k, struct pollfd p[GN_PEERS_MAX + 3], struct gn_err *err)
{
    uint64_t moved = gn_ssh_moved(k->line);
    size_t n = k->n;
    int rc = gn_ssh_work(k->line, k->ctx, err);

    k->again = false;
    for (size_t i = n; !rc && i-- > 0;) { /* backwards: the last takes the place of one that goes */
        if (!gn_peer_serve(k, k->peers[i], p[i + 3].revents, err))
            drop_peer(k, i, NULL);
        rc = err->code;
    }
    if (!rc && (p[0].revents & POLLIN))
        add_peer(k, gn_door_let_in(k->listening), false);
    if (!rc && !k->retired)
        gn_ssh_stay_ready(k->line, k->sessions, k->ctx);
    k->again = k->again || gn_ssh_moved(k->line) != moved;
    return rc;
}

static int serve(struct gn_keeper *k, struct gn_err *err)
{
    struct pollfd *p = gn_calloc(GN_PEERS_MAX + 3, sizeof *p);
    int rc = GN_OK;

    while (!rc && !k->over) {
        int64_t now;

        rc = wait_for_work(k, p, err);
        if (!rc)
            rc = serve_all(k, p, err);
        if (k->retired) /* the next finds nobody, and starts one that speaks as he does */
            gn_door_shut(&k->door, &k->listening, &k->lock);
        now = k->ctx->mono_ms(k->ctx);
        if (k->n)
            k->used_ms = now;
        else if (k->retired || now - k->used_ms >= k->keep_ms)
            k->over = true;
    }
    free(p);
    return rc;
}

int gn_keep_main(const struct gn_ctx *ctx, int fd, struct gn_err *err)
{
    struct gn_keeper *k = gn_new(struct gn_keeper);
    struct dialing d = {.ctx = ctx, .fd = fd, .in = GN_BUF_INIT(GN_WIRE_MAX * 4)};
    int rc = GN_OK;

    k->ctx = ctx;
    k->lock = k->listening = -1;
    if (gn_door_prepare(fd) < 0)
        rc = gn_err_sys(err, errno, "nobody started this");
    if (!rc)
        rc = log_in(k, &d, err);
    if (rc)
        tell(&d, &(struct gn_wire){.kind = GN_SAY_REFUSED,
                                   .num = {rc},
                                   .text = {err->msg, *err->hint ? err->hint : NULL}});
    gn_buf_wipe(&d.in);
    if (!rc) {
        tell(&d, &(struct gn_wire){.kind = GN_SAY_WELCOME, .num = {k->line->ops->rtt_ms(k->line)}});
        k->used_ms = ctx->mono_ms(ctx);
        add_peer(k, d.fd, true);
        d.fd = -1;
        rc = serve(k, err);
    }
    /* first: who loses this one must not find it again */
    gn_door_shut(&k->door, &k->listening, &k->lock);
    while (k->n)
        drop_peer(k, k->n - 1, rc == GN_E_NET ? err : NULL);
    gn_fs_close(d.fd);
    gn_transport_close(k->line);
    gn_door_clear(&k->door);
    free(k);
    return rc;
}
