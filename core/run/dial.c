/*
 * dial.c - connect in a thread while the files are looked at.
 *
 * Both report and only one at a time is heard; the thread asks the person at the keyboard
 * nothing before it is sure that there is something to ship.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "run_private.h"

struct gn_dial {
    struct gn_ctx ctx; /* what the thread and the scan see */
    const struct gn_ctx *outer;
    struct gn_road *road;
    struct gn_ssh_opts opts;
    pthread_t thread;
    pthread_mutex_t lock; /* of outer, and of what follows */
    pthread_cond_t turn;
    bool may_ask;
    _Atomic bool stop;
    int done[2], wake[2]; /* pipes: the thread is over; it shall stop */
    struct gn_transport *line;
    struct gn_err err;
    int rc;
};

static void on_event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    struct gn_dial *d = ctx->event_arg;

    pthread_mutex_lock(&d->lock);
    if (d->outer->event)
        d->outer->event(d->outer, ev);
    pthread_mutex_unlock(&d->lock);
}

static int on_ask(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
                  struct gn_err *err)
{
    struct gn_dial *d = ctx->event_arg;
    int rc;

    pthread_mutex_lock(&d->lock);
    while (!d->may_ask && !d->stop)
        pthread_cond_wait(&d->turn, &d->lock);
    rc = d->stop ? gn_err_set(err, GN_E_CANCEL, "interrupted")
                 : d->outer->ask(d->outer, q, out, err);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static void *dial_main(void *arg)
{
    struct gn_dial *d = arg;

    d->rc = d->road->e->connect(&d->ctx, &d->road->target, &d->opts, &d->line, &d->err);
    gn_fs_close(d->done[1]);
    return NULL;
}

static bool open_pipes(struct gn_dial *d)
{
    d->done[0] = d->done[1] = d->wake[0] = d->wake[1] = -1;
    if (pipe(d->done) < 0 || pipe(d->wake) < 0)
        return false;
    for (int i = 0; i < 2; i++)
        if (fcntl(d->done[i], F_SETFD, FD_CLOEXEC) < 0 ||
            fcntl(d->wake[i], F_SETFD, FD_CLOEXEC) < 0)
            return false;
    return true;
}

static void dial_free(struct gn_dial *d)
{
    gn_fs_close(d->done[0]);
    gn_fs_close(d->wake[0]);
    gn_fs_close(d->wake[1]);
    pthread_cond_destroy(&d->turn);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct gn_dial *gn_dial_start(struct gn_road *road)
{
    struct gn_dial *d;
    sigset_t all, old;
    bool ok;

    /* a machine is made when it is sure that there is something to ship */
    if (road->line || road->rented || road->target.type == GN_TARGET_CLOUD)
        return NULL;
    d = gn_new(struct gn_dial);
    d->outer = road->e->ctx;
    d->road = road;
    d->opts = gn_road_ssh_opts(road);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->turn, NULL);
    ok = open_pipes(d);
    d->ctx = *d->outer;
    d->ctx.event = on_event;
    d->ctx.ask = on_ask;
    d->ctx.event_arg = d;
    d->ctx.interrupts = NULL;
    d->ctx.stop = &d->stop;
    d->ctx.wake_fd = d->wake[0];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ok = ok && pthread_create(&d->thread, NULL, dial_main, d) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!ok) { /* then it is done later, and one after the other */
        gn_fs_close(d->done[1]);
        dial_free(d);
        return NULL;
    }
    return d;
}

const struct gn_ctx *gn_dial_ctx(struct gn_dial *d, struct gn_ctx *room)
{
    /* the scan reports through the same lock, and hears Ctrl-C as ever */
    *room = d->ctx;
    room->interrupts = d->outer->interrupts;
    room->stop = d->outer->stop;
    room->wake_fd = d->outer->wake_fd;
    room->ask = d->outer->ask;
    return room;
}

static void tell(struct gn_dial *d, bool stop)
{
    pthread_mutex_lock(&d->lock);
    d->may_ask = true;
    if (stop)
        d->stop = true;
    pthread_cond_broadcast(&d->turn);
    pthread_mutex_unlock(&d->lock);
    if (stop)
        (void)!write(d->wake[1], "", 1);
}

int gn_dial_join(struct gn_dial *d, bool wanted, struct gn_err *err)
{
    struct gn_err why = GN_ERR_INIT;
    int rc = GN_OK;

    if (!d)
        return GN_OK;
    tell(d, !wanted);
    if (wanted)
        rc = gn_wait_fd(d->outer, d->done[0], POLLIN, -1, &why);
    if (rc)
        tell(d, true);
    pthread_join(d->thread, NULL);
    if (wanted && !rc && !d->rc) {
        d->road->line = d->line;
        gn_road_connected(d->road);
    } else {
        gn_transport_close(d->line);
    }
    if (wanted && (rc || d->rc))
        *err = rc ? why : d->err;
    rc = wanted && !rc ? d->rc : rc;
    dial_free(d);
    return rc;
}
