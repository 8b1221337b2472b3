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
#define PIECE  ((size_t)256 << 10)
#define HOLE   ((size_t)64 << 10) /* so much of zeros, where it begins at a multiple, is a hole */

struct gn_sink {
    int fd;
    struct gn_hash *hash;
    struct gn_cksum *sum;
    uint64_t at; /* in the file: where the piece that is being filled begins */
    size_t fill; /* of that piece */
    bool alone;  /* there is no thread */
    pthread_t thread;
    uint8_t *piece[PIECES];
    size_t len[PIECES];
    uint64_t from[PIECES]; /* where in the file */
    pthread_mutex_t lock;  /* of what follows */
    pthread_cond_t moved;
    uint64_t made, used; /* pieces */
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

static int use_piece(struct gn_sink *s, uint64_t n)
{
    const uint8_t *data = s->piece[n % PIECES];
    size_t len = s->len[n % PIECES];

    gn_hash_add(s->hash, data, len);
    if (s->sum)
        gn_cksum_add(s->sum, data, len);
    return write_piece(s->fd, data, len, s->from[n % PIECES]);
}

static void *use_all(void *arg)
{
    struct gn_sink *s = arg;
    bool over = false;

    while (!over) {
        uint64_t n;
        int rc;

        pthread_mutex_lock(&s->lock);
        while (s->made == s->used && !s->over)
            pthread_cond_wait(&s->moved, &s->lock);
        over = s->made == s->used;
        n = s->used;
        pthread_mutex_unlock(&s->lock);
        rc = over ? 0 : use_piece(s, n);
        pthread_mutex_lock(&s->lock);
        s->used += !over && !rc;
        s->sys_errno = rc;
        pthread_cond_signal(&s->moved);
        pthread_mutex_unlock(&s->lock);
        over = over || rc;
    }
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
    for (size_t i = 0; i < PIECES; i++)
        s->piece[i] = gn_realloc(NULL, PIECE, 1);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    s->alone = pthread_create(&s->thread, NULL, use_all, s) != 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return s;
}

/* The piece that was filled goes to the thread. */
static void hand_over(struct gn_sink *s)
{
    uint64_t n = s->made;

    s->from[n % PIECES] = s->at;
    s->len[n % PIECES] = s->fill;
    s->at += s->fill;
    s->fill = 0;
    pthread_mutex_lock(&s->lock);
    s->made++;
    pthread_cond_signal(&s->moved);
    pthread_mutex_unlock(&s->lock);
    if (!s->alone || s->sys_errno)
        return;
    s->sys_errno = use_piece(s, n);
    s->used += !s->sys_errno;
}

uint8_t *gn_sink_room(struct gn_sink *s, size_t *cap)
{
    bool bad;

    if (!s->fill) {
        pthread_mutex_lock(&s->lock);
        while (s->made - s->used == PIECES && !s->sys_errno)
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
    pthread_cond_signal(&s->moved);
    pthread_mutex_unlock(&s->lock);
    if (!s->alone)
        pthread_join(s->thread, NULL);
    *sys_errno = reach_end(s->fd);
    if (s->sys_errno)
        *sys_errno = s->sys_errno;
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    for (size_t i = 0; i < PIECES; i++)
        free(s->piece[i]);
    free(s);
}
