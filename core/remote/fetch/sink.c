/* sink.c - see sink.h. */
#include "sink.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"

#define PIECES 8
#define HANDS  2 /* one sums up, one writes: each takes about as long as the deciphering */
#define PIECE  ((size_t)256 << 10)
#define HOLE   ((size_t)64 << 10) /* so much of zeros, where it begins at a multiple, is a hole */

/* One thread, and what it does with a piece: 0 or errno. */
struct hand {
    struct gn_sink *sink;
    int (*use)(struct gn_sink *s, uint64_t n);
    pthread_t thread;
    bool alone;    /* there is no thread */
    uint64_t used; /* pieces; under the lock */
};

struct gn_sink {
    int fd;
    struct gn_hash *hash;
    struct gn_cksum *sum;
    uint64_t at; /* in the file: where the piece that is being filled begins */
    size_t fill; /* of that piece */
    uint8_t *piece[PIECES];
    size_t len[PIECES];
    uint64_t from[PIECES]; /* where in the file */
    struct hand hand[HANDS];
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t moved;
    uint64_t made; /* pieces */
    bool over;
    int sys_errno;
};

static bool all_zero(const uint8_t *s, size_t n)
{
    return s[0] == 0 && memcmp(s, s + 1, n - 1) == 0;
}

/* Write a piece, or leave holes in its place. */
static int write_piece(int fd, const uint8_t *data, size_t len, uint64_t from)
{
    size_t done = 0, at = 0;

    /* a piece ends at a multiple of HOLE, unless it is the last one */
    while (at < len) {
        size_t n = HOLE - (size_t)((from + at) % HOLE);
        bool hole;

        n = n < len - at ? n : len - at;
        hole = n == HOLE && all_zero(data + at, n);
        if (hole && at > done && gn_fs_write_all(fd, data + done, at - done) < 0)
            return errno;
        at += n;
        if (hole && lseek(fd, (off_t)n, SEEK_CUR) < 0)
            return errno;
        if (hole)
            done = at;
    }
    return at > done && gn_fs_write_all(fd, data + done, at - done) < 0 ? errno : 0;
}

static int sum_up(struct gn_sink *s, uint64_t n)
{
    gn_hash_add(s->hash, s->piece[n % PIECES], s->len[n % PIECES]);
    if (s->sum)
        gn_cksum_add(s->sum, s->piece[n % PIECES], s->len[n % PIECES]);
    return 0;
}

static int write_down(struct gn_sink *s, uint64_t n)
{
    return write_piece(s->fd, s->piece[n % PIECES], s->len[n % PIECES], s->from[n % PIECES]);
}

/* Every piece that was made, until it is over or something is wrong. */
static void *use_all(void *arg)
{
    struct hand *h = arg;
    struct gn_sink *s = h->sink;
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->made == h->used && !s->over && !s->sys_errno)
            pthread_cond_wait(&s->moved, &s->lock);
        if (s->made == h->used || s->sys_errno)
            break;
        pthread_mutex_unlock(&s->lock);
        rc = h->use(s, h->used);
        pthread_mutex_lock(&s->lock);
        h->used++;
        if (rc)
            s->sys_errno = rc;
        pthread_cond_broadcast(&s->moved);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct gn_sink *gn_sink_new(int fd, uint64_t at, struct gn_hash *hash, struct gn_cksum *sum)
{
    struct gn_sink *s = gn_new(struct gn_sink);
    sigset_t all, old;

    s->fd = fd;
    s->at = at;
    s->hash = hash;
    s->sum = sum;
    s->hand[0] = (struct hand){.sink = s, .use = sum_up};
    s->hand[1] = (struct hand){.sink = s, .use = write_down};
    for (size_t i = 0; i < PIECES; i++)
        s->piece[i] = gn_realloc(NULL, PIECE, 1);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (struct hand *h = s->hand; h < s->hand + HANDS; h++)
        h->alone = pthread_create(&h->thread, NULL, use_all, h) != 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return s;
}

/* The piece that was filled goes to the threads. */
static void hand_over(struct gn_sink *s)
{
    uint64_t n = s->made;

    s->from[n % PIECES] = s->at;
    s->len[n % PIECES] = s->fill;
    s->at += s->fill;
    s->fill = 0;
    pthread_mutex_lock(&s->lock);
    s->made++;
    pthread_cond_broadcast(&s->moved);
    for (struct hand *h = s->hand; h < s->hand + HANDS; h++) {
        if (!h->alone || s->sys_errno)
            continue;
        s->sys_errno = h->use(s, n);
        h->used++;
    }
    pthread_mutex_unlock(&s->lock);
}

/* Is the oldest piece still in use?  Under the lock. */
static bool is_full(const struct gn_sink *s)
{
    for (const struct hand *h = s->hand; h < s->hand + HANDS; h++)
        if (s->made - h->used == PIECES)
            return true;
    return false;
}

uint8_t *gn_sink_room(struct gn_sink *s, size_t *cap)
{
    bool bad;

    if (!s->fill) {
        pthread_mutex_lock(&s->lock);
        while (is_full(s) && !s->sys_errno)
            pthread_cond_wait(&s->moved, &s->lock);
        bad = s->sys_errno != 0;
        pthread_mutex_unlock(&s->lock);
        if (bad)
            return NULL;
    }
    /* pieces end where holes may begin */
    *cap = PIECE - (size_t)(s->at % PIECE) - s->fill;
    return s->piece[s->made % PIECES] + s->fill;
}

void gn_sink_put(struct gn_sink *s, size_t n)
{
    s->fill += n;
    if (s->fill && (s->at + s->fill) % PIECE == 0)
        hand_over(s);
}

/* A hole at the end is part of the file. */
static int reach_end(int fd)
{
    off_t end = lseek(fd, 0, SEEK_CUR);
    struct stat st;

    return end < 0 || fstat(fd, &st) < 0 || (st.st_size < end && ftruncate(fd, end) < 0) ? errno
                                                                                         : 0;
}

void gn_sink_end(struct gn_sink *s, int *sys_errno)
{
    if (s->fill)
        hand_over(s);
    pthread_mutex_lock(&s->lock);
    s->over = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    for (struct hand *h = s->hand; h < s->hand + HANDS; h++)
        if (!h->alone)
            pthread_join(h->thread, NULL);
    *sys_errno = reach_end(s->fd);
    if (s->sys_errno)
        *sys_errno = s->sys_errno;
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    for (size_t i = 0; i < PIECES; i++)
        free(s->piece[i]);
    free(s);
}
