#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"

#define MESSAGE_MAX ((size_t)256 << 10)
#define KEYS_MAX    256
#define LIST_MS     3000

enum { FAILURE = 5, LIST = 11, LIST_ANSWER = 12, SIGN = 13 };

struct id {
    struct gn_buf key;
    char *comment;
};

struct gn_agent {
    const struct gn_ctx *ctx;
    int real;    /* to the user's agent */
    int theirs;  /* libssh's end */
    int ours;    /* the thread's end */
    int stop[2]; /* readable: the thread ends */
    bool has_thread;
    pthread_t thread;
    struct id *ids;
    size_t n, cap;

    pthread_mutex_t lock; /* of what follows */
    size_t shown;
    struct gn_buf offer;
};

static void put_u32(struct gn_buf *b, size_t v)
{
    for (int i = 24; i >= 0; i -= 8)
        gn_buf_addc(b, (char)(v >> i & 0xff));
}

static void put_string(struct gn_buf *b, const void *data, size_t len)
{
    put_u32(b, len);
    gn_buf_add(b, data, len);
}

/* Take a u32, or a counted string, from *p; false when it runs out. */
static bool get_u32(const uint8_t **p, const uint8_t *end, uint32_t *v)
{
    if (end - *p < 4)
        return false;
    *v = (uint32_t)(*p)[0] << 24 | (uint32_t)(*p)[1] << 16 | (uint32_t)(*p)[2] << 8 | (*p)[3];
    *p += 4;
    return true;
}

static bool get_string(const uint8_t **p, const uint8_t *end, const uint8_t **data, uint32_t *len)
{
    if (!get_u32(p, end, len) || (size_t)(end - *p) < *len)
        return false;
    *data = *p;
    *p += *len;
    return true;
}

/* False at the end, on error, when told to stop, at Ctrl-C, or after timeout_ms (-1: none). */
static bool ready(struct gn_agent *a, int fd, short events, int timeout_ms)
{
    struct pollfd p[3] = {{.fd = fd, .events = events},
                          {.fd = a->stop[0], .events = POLLIN},
                          {.fd = a->ctx->wake_fd, .events = POLLIN}};
    int n;

    do
        n = poll(p, 3, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n > 0 && !p[1].revents && !gn_interrupted(a->ctx) && (p[0].revents || p[2].revents);
}

static bool transfer(struct gn_agent *a, int fd, char *data, size_t len, bool out, int timeout_ms)
{
    while (len > 0) {
        ssize_t n;

        if (!ready(a, fd, out ? POLLOUT : POLLIN, timeout_ms))
            return false;
        n = out ? send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT)
                : recv(fd, data, len, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_message(struct gn_agent *a, int fd, const struct gn_buf *m, int timeout_ms)
{
    struct gn_buf all = GN_BUF_INIT(MESSAGE_MAX + 4);
    bool ok;

    put_string(&all, m->ptr, m->len);
    ok = !gn_buf_over(&all) && transfer(a, fd, all.ptr, all.len, true, timeout_ms);
    gn_buf_clear(&all);
    return ok;
}

static bool get_message(struct gn_agent *a, int fd, struct gn_buf *m, int timeout_ms)
{
    uint8_t head[4];
    const uint8_t *p = head;
    uint32_t len;
    char *room;

    gn_buf_reset(m);
    if (!transfer(a, fd, (char *)head, 4, false, timeout_ms) || !get_u32(&p, head + 4, &len) ||
        len < 1 || len > MESSAGE_MAX)
        return false;
    room = gn_buf_room(m, len);
    if (!room || !transfer(a, fd, room, len, false, timeout_ms))
        return false;
    gn_buf_commit(m, len);
    return true;
}

/* A signature asked for by the name we showed is asked of the agent by the key's own. */
static bool sign(struct gn_agent *a, struct gn_buf *m)
{
    const uint8_t *p = (const uint8_t *)m->ptr + 1, *end = (const uint8_t *)m->ptr + m->len;
    struct gn_buf ask = GN_BUF_INIT(MESSAGE_MAX);
    const uint8_t *name;
    uint32_t len;
    bool ok = false;

    pthread_mutex_lock(&a->lock);
    if (get_string(&p, end, &name, &len) && len == a->offer.len &&
        memcmp(name, a->offer.ptr, len) == 0) {
        const struct gn_buf *key = &a->ids[a->shown].key;

        gn_buf_addc(&ask, SIGN);
        put_string(&ask, key->ptr, key->len);
        gn_buf_add(&ask, p, (size_t)(end - p));
        ok = !gn_buf_over(&ask);
    }
    pthread_mutex_unlock(&a->lock);
    ok = ok && send_message(a, a->real, &ask, -1) && get_message(a, a->real, m, -1);
    gn_buf_clear(&ask);
    return ok;
}

static void *serve(void *arg)
{
    struct gn_agent *a = arg;
    struct gn_buf m = GN_BUF_INIT(MESSAGE_MAX);

    while (get_message(a, a->ours, &m, -1)) {
        int what = (unsigned char)m.ptr[0];

        if (what == LIST) {
            gn_buf_reset(&m);
            gn_buf_addc(&m, LIST_ANSWER);
            pthread_mutex_lock(&a->lock);
            put_u32(&m, a->offer.len ? 1 : 0);
            if (a->offer.len) {
                put_string(&m, a->offer.ptr, a->offer.len);
                put_string(&m, "gnrrun", 6);
            }
            pthread_mutex_unlock(&a->lock);
        } else if (what != SIGN || !sign(a, &m)) {
            gn_buf_reset(&m);
            gn_buf_addc(&m, FAILURE);
        }
        if (!send_message(a, a->ours, &m, -1))
            break;
    }
    /* libssh may be waiting for an answer. */
    shutdown(a->ours, SHUT_RDWR);
    gn_buf_clear(&m);
    return NULL;
}

static bool list_keys(struct gn_agent *a)
{
    struct gn_buf m = GN_BUF_INIT(MESSAGE_MAX);
    const uint8_t *p, *end, *key, *comment;
    uint32_t n = 0, key_len, comment_len;
    bool ok = false;

    gn_buf_addc(&m, LIST);
    if (!send_message(a, a->real, &m, LIST_MS) || !get_message(a, a->real, &m, LIST_MS) ||
        m.ptr[0] != LIST_ANSWER)
        goto out;
    p = (const uint8_t *)m.ptr + 1;
    end = (const uint8_t *)m.ptr + m.len;
    ok = get_u32(&p, end, &n) && n <= KEYS_MAX;
    for (uint32_t i = 0; ok && i < n; i++) {
        struct id id = {.key = GN_BUF_INIT(MESSAGE_MAX)};

        ok = get_string(&p, end, &key, &key_len) && get_string(&p, end, &comment, &comment_len);
        if (!ok)
            break;
        gn_buf_add(&id.key, key, key_len);
        id.comment = gn_strndup((const char *)comment, comment_len);
        GN_GROW(a->ids, a->n, a->cap);
        a->ids[a->n++] = id;
    }
out:
    gn_buf_clear(&m);
    return ok;
}

static bool connect_to(struct gn_agent *a, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof at.sun_path)
        return false;
    memcpy(at.sun_path, path, strlen(path) + 1);
    a->real = socket(AF_UNIX, SOCK_STREAM, 0);
    return a->real >= 0 && fcntl(a->real, F_SETFD, FD_CLOEXEC) == 0 &&
           connect(a->real, (struct sockaddr *)&at, sizeof at) == 0;
}

static bool start(struct gn_agent *a)
{
    sigset_t all, old;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return false;
    a->ours = pair[0];
    a->theirs = pair[1];
    if (fcntl(pair[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(pair[1], F_SETFD, FD_CLOEXEC) < 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    a->has_thread = pthread_create(&a->thread, NULL, serve, a) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return a->has_thread;
}

struct gn_agent *gn_agent_open(const struct gn_ctx *ctx, const char *path)
{
    struct gn_agent *a = gn_new(struct gn_agent);

    a->ctx = ctx;
    a->real = a->theirs = a->ours = a->stop[0] = a->stop[1] = -1;
    a->offer = (struct gn_buf)GN_BUF_INIT(MESSAGE_MAX);
    pthread_mutex_init(&a->lock, NULL);
    if (pipe(a->stop) < 0 || fcntl(a->stop[0], F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(a->stop[1], F_SETFD, FD_CLOEXEC) < 0 || !connect_to(a, path) || !list_keys(a) ||
        a->n == 0 || !start(a)) {
        gn_agent_close(a);
        return NULL;
    }
    return a;
}

void gn_agent_close(struct gn_agent *a)
{
    if (!a)
        return;
    if (a->has_thread) {
        (void)!write(a->stop[1], "", 1);
        pthread_join(a->thread, NULL);
    }
    gn_fs_close(a->real);
    gn_fs_close(a->ours);
    gn_fs_close(a->theirs);
    gn_fs_close(a->stop[0]);
    gn_fs_close(a->stop[1]);
    for (size_t i = 0; i < a->n; i++) {
        gn_buf_clear(&a->ids[i].key);
        free(a->ids[i].comment);
    }
    free(a->ids);
    gn_buf_clear(&a->offer);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

int gn_agent_fd(struct gn_agent *a)
{
    int fd = a->theirs;

    a->theirs = -1;
    return fd;
}

size_t gn_agent_count(const struct gn_agent *a)
{
    return a->n;
}

const struct gn_buf *gn_agent_key(const struct gn_agent *a, size_t i)
{
    return &a->ids[i].key;
}

const char *gn_agent_comment(const struct gn_agent *a, size_t i)
{
    return a->ids[i].comment;
}

void gn_agent_show(struct gn_agent *a, size_t i, const void *offer, size_t len)
{
    pthread_mutex_lock(&a->lock);
    a->shown = i;
    gn_buf_reset(&a->offer);
    gn_buf_add(&a->offer, offer, len);
    pthread_mutex_unlock(&a->lock);
}
