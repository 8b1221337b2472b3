/* ahead.c - one thread makes pieces while another uses those that are made. */
#include "ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "gnrrun/mem.h"

#define PIECES      4
#define WORTH_A_ONE ((uint64_t)4 << 20) /* less is done before a thread is started */

struct ahead {
    uint64_t len;
    gn_ahead_fn make;
    void *arg;
    uint8_t *piece[PIECES];
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t moved;
    uint64_t made, used; /* pieces */
    bool stop;           /* nobody uses any more */
    int rc;              /* of make */
    struct gn_err err;
};

static size_t size_at(uint64_t len, uint64_t at)
{
    return len - at < GN_AHEAD_PIECE ? (size_t)(len - at) : GN_AHEAD_PIECE;
}

static void *make_all(void *arg)
{
    struct ahead *a = arg;

    for (uint64_t n = 0, at = 0; at < a->len; n++) {
        size_t size = size_at(a->len, at);
        bool stop;
        int rc;

        pthread_mutex_lock(&a->lock);
        while (n - a->used == PIECES && !a->stop)
            pthread_cond_wait(&a->moved, &a->lock);
        stop = a->stop;
        pthread_mutex_unlock(&a->lock);
        if (stop)
            break;
        rc = a->make(a->arg, at, a->piece[n % PIECES], size, &a->err);
        at += size;
        pthread_mutex_lock(&a->lock);
        a->rc = rc;
        if (!rc)
            a->made = n + 1;
        pthread_cond_signal(&a->moved);
        pthread_mutex_unlock(&a->lock);
        if (rc)
            break;
    }
    return NULL;
}

/* The piece number n, or the reason why there is none. */
static int await(struct ahead *a, uint64_t n)
{
    int rc;

    pthread_mutex_lock(&a->lock);
    while (a->made <= n && !a->rc)
        pthread_cond_wait(&a->moved, &a->lock);
    rc = a->made > n ? GN_OK : a->rc;
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static int use_all(struct ahead *a, gn_ahead_fn use, struct gn_err *err)
{
    int rc = GN_OK;

    for (uint64_t n = 0, at = 0; at < a->len && !rc; n++) {
        size_t size = size_at(a->len, at);

        rc = await(a, n);
        if (rc) {
            *err = a->err;
            return rc;
        }
        rc = use(a->arg, at, a->piece[n % PIECES], size, err);
        at += size;
        pthread_mutex_lock(&a->lock);
        a->used = n + 1;
        a->stop = rc != GN_OK;
        pthread_cond_signal(&a->moved);
        pthread_mutex_unlock(&a->lock);
    }
    return rc;
}

static int one_after_the_other(struct ahead *a, gn_ahead_fn use, struct gn_err *err)
{
    int rc = GN_OK;

    for (uint64_t at = 0; at < a->len && !rc; at += GN_AHEAD_PIECE) {
        rc = a->make(a->arg, at, a->piece[0], size_at(a->len, at), err);
        if (!rc)
            rc = use(a->arg, at, a->piece[0], size_at(a->len, at), err);
    }
    return rc;
}

int gn_ahead(uint64_t len, gn_ahead_fn make, gn_ahead_fn use, void *arg, uint8_t *buf,
             struct gn_err *err)
{
    struct ahead a = {.len = len, .make = make, .arg = arg, .piece = {buf}, .err = GN_ERR_INIT};
    sigset_t all, old;
    pthread_t thread;
    int rc;

    if (len < WORTH_A_ONE)
        return one_after_the_other(&a, use, err);
    for (size_t i = 1; i < PIECES; i++)
        a.piece[i] = gn_realloc(NULL, GN_AHEAD_PIECE, 1);
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.moved, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&thread, NULL, make_all, &a);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        rc = one_after_the_other(&a, use, err);
    } else {
        rc = use_all(&a, use, err);
        pthread_join(thread, NULL);
    }
    pthread_cond_destroy(&a.moved);
    pthread_mutex_destroy(&a.lock);
    for (size_t i = 1; i < PIECES; i++)
        free(a.piece[i]);
    return rc;
}
