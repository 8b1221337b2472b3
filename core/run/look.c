/* look.c - many hosts at once: a few threads go through them, one after the other. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/far.h"
#include "gnrrun/fs.h"
#include "gnrrun/pool.h"

#define THREADS    16   /* at a time: each is a login, and a lab has one door */
#define TURN_MS    20   /* how often is looked whether all are there */
#define HASTY_MS   600  /* nobody is late before */
#define LINES_MAX  1000 /* of one probe */
#define SILENCE_MS 30000

struct looking {
    struct gn_engine *e;
    struct gn_looked *v;
    size_t n;
    bool keep, hasty;
    struct gn_ctx ctx; /* of the threads: silent, and stopped by us */
    struct gn_ssh_opts opts;
    pthread_mutex_t lock; /* of what follows */
    size_t next, done, good;
    int64_t last_ms, slowest_ms; /* since the start: the last answer; the longest a good one took */
    _Atomic bool stop;
    int wake[2]; /* readable from then on */
    int64_t began_ms;
};

static int nobody(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
                  struct gn_err *err)
{
    (void)ctx;
    (void)q;
    (void)out;
    gn_err_set(err, GN_E_AUTH, "a person must log in to it");
    return gn_err_hint(err, "log in to one of them by its own name first");
}

static int probe(struct looking *all, struct gn_looked *l)
{
    const struct gn_target *t = &l->target;
    struct gn_far_arg args[] = {{"root", t->workdir ? t->workdir : "~/.gnrrun"},
                                {"brief", all->hasty ? "1" : "0"},
                                {NULL, NULL}};
    struct gn_far *far = NULL;
    int rc = all->e->connect(&all->ctx, t, &all->opts, &l->line, &l->err);

    if (!rc)
        rc = gn_far_open(l->line, "probe", args, &far, &all->ctx, &l->err);
    while (!rc) {
        const char *line;

        rc = gn_far_line(far, SILENCE_MS, &line, &all->ctx, &l->err);
        if (!rc && !line)
            rc = gn_err_set(&l->err, GN_E_NET, "the far side ended in the middle of its answer");
        if (rc || strcmp(line, "end") == 0)
            break;
        if (l->lines.n < LINES_MAX)
            gn_strs_add(&l->lines, line);
    }
    gn_far_close(far);
    if (rc || !all->keep) {
        gn_transport_close(l->line);
        l->line = NULL;
    }
    return rc;
}

static void *worker(void *arg)
{
    struct looking *all = arg;

    for (;;) {
        struct gn_looked *l = NULL;
        int64_t began = all->ctx.mono_ms(&all->ctx), now;

        pthread_mutex_lock(&all->lock);
        if (!all->stop && all->next < all->n)
            l = &all->v[all->next++];
        pthread_mutex_unlock(&all->lock);
        if (!l)
            return NULL;
        l->rc = probe(all, l);
        now = all->ctx.mono_ms(&all->ctx);
        pthread_mutex_lock(&all->lock);
        all->done++;
        all->last_ms = now - all->began_ms;
        if (!l->rc) {
            all->good++;
            if (now - began > all->slowest_ms)
                all->slowest_ms = now - began;
        }
        pthread_mutex_unlock(&all->lock);
    }
}

/* Is what is still out not worth waiting for? */
static bool enough(struct looking *all, int64_t limit_ms)
{
    int64_t now = all->ctx.mono_ms(&all->ctx) - all->began_ms;
    bool yes;

    pthread_mutex_lock(&all->lock);
    yes = all->done == all->n || now >= limit_ms ||
          (all->hasty && all->good && now >= HASTY_MS &&
           now - all->last_ms >= HASTY_MS + all->slowest_ms / 2);
    pthread_mutex_unlock(&all->lock);
    return yes;
}

static void end_all(struct looking *all)
{
    all->stop = true;
    (void)!write(all->wake[1], "", 1);
}

/* Those that were given up say so in our words. */
static void name_the_late(struct looking *all)
{
    for (size_t i = 0; i < all->n; i++) {
        struct gn_looked *l = &all->v[i];

        if (i < all->next && l->rc != GN_E_CANCEL)
            continue;
        gn_err_clear(&l->err);
        l->rc = gn_err_set(&l->err, GN_E_TIMEOUT, "%s does not answer", l->target.host);
    }
}

static int start(struct looking *all, pthread_t *threads, size_t *n, struct gn_err *err)
{
    sigset_t blocked, old;

    if (pipe(all->wake) < 0 || fcntl(all->wake[0], F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(all->wake[1], F_SETFD, FD_CLOEXEC) < 0)
        return gn_err_set(err, GN_E_FAIL, "cannot look at several hosts: too many open files");
    all->ctx.wake_fd = all->wake[0];
    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    while (*n < THREADS && *n < all->n && pthread_create(&threads[*n], NULL, worker, all) == 0)
        ++*n;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return *n ? GN_OK : gn_err_set(err, GN_E_FAIL, "cannot start a thread");
}

int gn_look(struct gn_engine *e, struct gn_looked *v, size_t n, int64_t limit_ms, bool hasty,
            bool keep, struct gn_err *err)
{
    struct looking all = {.e = e,
                          .v = v,
                          .n = n,
                          .keep = keep,
                          .hasty = hasty,
                          .ctx = *e->ctx,
                          .opts = e->ssh,
                          .wake = {-1, -1}};
    pthread_t threads[THREADS];
    size_t started = 0;
    int rc;

    all.opts.nobody_there = true;
    all.ctx.event = NULL;
    all.ctx.ask = nobody;
    all.ctx.interrupts = NULL;
    all.ctx.stop = &all.stop;
    all.began_ms = e->ctx->mono_ms(e->ctx);
    pthread_mutex_init(&all.lock, NULL);
    rc = n ? start(&all, threads, &started, err) : GN_OK;
    while (!rc && started && !enough(&all, limit_ms))
        rc = gn_wait_ms(e->ctx, TURN_MS, err);
    end_all(&all);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    name_the_late(&all);
    pthread_mutex_destroy(&all.lock);
    gn_fs_close(all.wake[0]);
    gn_fs_close(all.wake[1]);
    return rc;
}

void gn_looked_clear(struct gn_looked *l)
{
    gn_strs_clear(&l->lines);
    gn_transport_close(l->line);
    l->line = NULL;
}
