/* pipe.c - bytes from a thread that makes them to the one that uses them. */
#include "gnrrun/pipe.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"

#define ROOM  ((size_t)2 << 20)
#define PIECE ((size_t)128 << 10)

struct gn_pipe {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t moved;
    uint8_t *ring;
    uint64_t in, out; /* bytes since the start */
    bool over;        /* nothing more comes */
    bool stop;        /* nobody takes any more */
    pthread_t thread;
    gn_make_fn make;
    void *arg;
    int rc; /* of make */
    struct gn_err err;
};

void *gn_pipe_room(struct gn_pipe *p, size_t *room)
{
    size_t at, n;
    bool stop;

    pthread_mutex_lock(&p->lock);
    while (p->in - p->out == ROOM && !p->stop)
        pthread_cond_wait(&p->moved, &p->lock);
    stop = p->stop;
    at = (size_t)(p->in % ROOM);
    n = ROOM - (size_t)(p->in - p->out);
    pthread_mutex_unlock(&p->lock);
    *room = n < ROOM - at ? n : ROOM - at;
    return stop ? NULL : p->ring + at; /* nobody reads there before p->in says so */
}

void gn_pipe_filled(struct gn_pipe *p, size_t n)
{
    pthread_mutex_lock(&p->lock);
    p->in += n;
    pthread_cond_signal(&p->moved);
    pthread_mutex_unlock(&p->lock);
}

int gn_pipe_put(struct gn_pipe *p, const void *data, size_t len, struct gn_err *err)
{
    const uint8_t *from = data;

    while (len) {
        size_t n;
        void *to = gn_pipe_room(p, &n);

        if (!to)
            return gn_err_set(err, GN_E_CANCEL, "nobody takes what is packed");
        n = n < len ? n : len;
        memcpy(to, from, n);
        gn_pipe_filled(p, n);
        from += n;
        len -= n;
    }
    return GN_OK;
}

static void *make_main(void *arg)
{
    struct gn_pipe *p = arg;
    int rc = p->make(p->arg, p, &p->err);

    pthread_mutex_lock(&p->lock);
    p->rc = rc;
    p->over = true;
    pthread_cond_signal(&p->moved);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* A contiguous part of what is there, or 0 at the end. */
static size_t await(struct gn_pipe *p, size_t *at)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    while (p->in == p->out && !p->over)
        pthread_cond_wait(&p->moved, &p->lock);
    *at = (size_t)(p->out % ROOM);
    n = (size_t)(p->in - p->out);
    pthread_mutex_unlock(&p->lock);
    n = n < ROOM - *at ? n : ROOM - *at;
    return n < PIECE ? n : PIECE;
}

static void taken(struct gn_pipe *p, size_t n, bool stop)
{
    pthread_mutex_lock(&p->lock);
    p->out += n;
    p->stop = stop;
    pthread_cond_signal(&p->moved);
    pthread_mutex_unlock(&p->lock);
}

static int start(struct gn_pipe *p, struct gn_err *err)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&p->thread, NULL, make_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc ? gn_err_sys(err, rc, "cannot start a thread") : GN_OK;
}

static void forget(struct gn_pipe *p)
{
    pthread_cond_destroy(&p->moved);
    pthread_mutex_destroy(&p->lock);
    free(p->ring);
    free(p);
}

int gn_pipe_open(gn_make_fn make, void *arg, struct gn_pipe **out, struct gn_err *err)
{
    struct gn_pipe *p = gn_new(struct gn_pipe);
    int rc;

    p->make = make;
    p->arg = arg;
    p->err = (struct gn_err)GN_ERR_INIT;
    p->ring = gn_realloc(NULL, ROOM, 1);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->moved, NULL);
    rc = start(p, err);
    if (rc)
        forget(p);
    else
        *out = p;
    return rc;
}

size_t gn_pipe_get(struct gn_pipe *p, void *buf, size_t cap)
{
    size_t at, n = await(p, &at);

    n = n < cap ? n : cap;
    memcpy(buf, p->ring + at, n);
    taken(p, n, false);
    return n;
}

int gn_pipe_close(struct gn_pipe *p, int rc, struct gn_err *err)
{
    taken(p, 0, true);
    pthread_join(p->thread, NULL);
    if (!rc && p->rc) {
        rc = p->rc;
        *err = p->err;
    }
    forget(p);
    return rc;
}

int gn_pipe_run(gn_make_fn make, gn_pipe_fn take, void *arg, struct gn_err *err)
{
    struct gn_pipe *p;
    size_t at, n;
    int rc = gn_pipe_open(make, arg, &p, err);

    if (rc)
        return rc;
    while (!rc && (n = await(p, &at)) > 0) {
        rc = take(arg, p->ring + at, n, err);
        taken(p, n, rc != GN_OK);
    }
    return gn_pipe_close(p, rc, err);
}
