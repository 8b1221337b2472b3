/*
 * jump.c - ProxyJump without a second ssh: a direct-tcpip channel of one session is
 * the line of the next.
 *
 * libssh wants a descriptor, so a thread carries bytes between the channel and a
 * socketpair.  While it runs, the jump host's session is the thread's alone.
 */
#include "ssh_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK ((size_t)64 << 10)

/* Bytes on their way in one direction. */
struct way {
    char data[CHUNK];
    size_t at, len;
    bool ended;
};

struct gn_pump {
    struct gn_hop *hop;
    ssh_channel ch;
    int fd;      /* our end of the pair */
    int stop[2]; /* readable: end now */
    bool has_thread;
    pthread_t thread;
    struct way in, out; /* from the channel, to the channel */
};

/* Channel to socket.  True when anything moved. */
static bool pull(struct gn_pump *p)
{
    struct way *w = &p->in;
    bool moved = false;

    if (w->at == w->len && !w->ended) {
        int n = ssh_channel_read_nonblocking(p->ch, w->data, CHUNK, 0);

        w->at = w->len = 0;
        if (n > 0)
            w->len = (size_t)n;
        else if (n < 0 || ssh_channel_is_eof(p->ch) || ssh_channel_is_closed(p->ch))
            w->ended = true;
        moved = n > 0;
    }
    if (w->at < w->len) {
        ssize_t n = send(p->fd, w->data + w->at, w->len - w->at, MSG_NOSIGNAL);

        if (n > 0) {
            w->at += (size_t)n;
            moved = true;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            w->ended = true;
            w->at = w->len;
        }
    }
    return moved;
}

/* Socket to channel. */
static bool push(struct gn_pump *p)
{
    struct way *w = &p->out;
    bool moved = false;

    if (w->at == w->len && !w->ended) {
        ssize_t n = recv(p->fd, w->data, CHUNK, 0);

        w->at = w->len = 0;
        if (n > 0)
            w->len = (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            w->ended = true;
        moved = n > 0;
    }
    if (w->at < w->len) {
        int n = ssh_channel_write(p->ch, w->data + w->at, (uint32_t)(w->len - w->at));

        if (n > 0) {
            w->at += (size_t)n;
            moved = true;
        } else if (n < 0) {
            w->ended = true;
            w->at = w->len;
        }
    }
    return moved;
}

static void wait_for_more(struct gn_pump *p, bool moved)
{
    struct pollfd f[3] = {{.fd = ssh_get_fd(p->hop->session), .events = POLLIN},
                          {.fd = p->fd},
                          {.fd = p->stop[0], .events = POLLIN}};

    if (ssh_get_poll_flags(p->hop->session) & SSH_WRITE_PENDING)
        f[0].events |= POLLOUT;
    if (p->out.at == p->out.len)
        f[1].events |= POLLIN;
    if (p->in.at < p->in.len)
        f[1].events |= POLLOUT;
    (void)poll(f, 3, moved ? 0 : 1000);
}

static bool told_to_stop(struct gn_pump *p)
{
    struct pollfd f = {.fd = p->stop[0], .events = POLLIN};

    return poll(&f, 1, 0) > 0;
}

static void *carry(void *arg)
{
    struct gn_pump *p = arg;

    while (!told_to_stop(p)) {
        bool alive = gn_hop_work(p->hop), moved = pull(p);

        moved = push(p) || moved;
        if ((p->in.ended && p->in.at == p->in.len) || p->out.ended || (!alive && !moved))
            break;
        wait_for_more(p, moved);
    }
    /* The next session sees the end of its line. */
    shutdown(p->fd, SHUT_RDWR);
    return NULL;
}

struct forward {
    ssh_channel ch;
    const char *host;
    int port;
};

static int step_forward(struct gn_hop *h, void *arg)
{
    struct forward *f = arg;

    (void)h;
    return ssh_channel_open_forward(f->ch, f->host, f->port, "127.0.0.1", 0);
}

static int make_pair(struct gn_pump *p, int *fd, struct gn_err *err)
{
    int pair[2];

    if (pipe(p->stop) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return gn_err_sys(err, errno, "cannot prepare the jump");
    p->fd = pair[0];
    *fd = pair[1];
    if (fcntl(p->stop[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(p->stop[1], F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(pair[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(pair[1], F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(pair[1], F_SETFL, O_NONBLOCK) < 0)
        return gn_err_sys(err, errno, "cannot prepare the jump");
    return GN_OK;
}

int gn_pump_start(struct gn_hop *h, const char *host, int port, int *fd, const struct gn_ctx *ctx,
                  struct gn_err *err)
{
    struct gn_pump *p = gn_new(struct gn_pump);
    struct forward f = {.host = host, .port = port};
    sigset_t all, old;
    int rc;

    *fd = -1;
    p->hop = h;
    p->fd = p->stop[0] = p->stop[1] = -1;
    p->ch = ssh_channel_new(h->session);
    h->pump = p;
    if (!p->ch)
        return gn_err_set(err, GN_E_FAIL, "cannot make a channel");
    f.ch = p->ch;
    rc = gn_channel_open(h, step_forward, &f, p->ch, ctx, err);
    if (rc != GN_OK)
        return gn_err_prefix(err, "no way from '%s' to '%s' port %d: ", h->who, host, port);
    rc = make_pair(p, fd, err);
    if (rc != GN_OK)
        return rc;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&p->thread, NULL, carry, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return gn_err_sys(err, rc, "cannot start a thread");
    p->has_thread = true;
    return GN_OK;
}

void gn_pump_stop(struct gn_pump *p)
{
    if (!p)
        return;
    if (p->has_thread) {
        (void)!write(p->stop[1], "", 1);
        pthread_join(p->thread, NULL);
    }
    gn_fs_close(p->fd);
    gn_fs_close(p->stop[0]);
    gn_fs_close(p->stop[1]);
    ssh_channel_free(p->ch);
    free(p);
}
