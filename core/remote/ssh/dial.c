#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gnrrun/fs.h"

#define CONNECT_MS 15000

/*
 * A name being looked up by a thread of its own, since getaddrinfo() cannot be
 * interrupted.  Whoever is last frees it.
 */
struct lookup {
    pthread_mutex_t lock;
    bool left_alone; /* the asker went away */
    bool done;
    int wake[2];
    char *host, *service;
    struct addrinfo hints, *found;
    int rc;
};

static void lookup_free(struct lookup *l)
{
    if (l->found)
        freeaddrinfo(l->found);
    gn_fs_close(l->wake[0]);
    gn_fs_close(l->wake[1]);
    pthread_mutex_destroy(&l->lock);
    free(l->host);
    free(l->service);
    free(l);
}

static void *lookup_main(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(l->host, l->service, &l->hints, &found);
    bool ours;

    pthread_mutex_lock(&l->lock);
    l->rc = rc;
    l->found = rc == 0 ? found : NULL;
    l->done = true;
    ours = l->left_alone;
    if (!ours)
        (void)!write(l->wake[1], "", 1);
    pthread_mutex_unlock(&l->lock);
    if (ours)
        lookup_free(l);
    return NULL;
}

static int cloexec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* A thread that all signals pass by. */
static int start_thread(pthread_t *t, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(t, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static int lookup_failed(const struct gn_sshconf *c, const char *name, int rc, struct gn_err *err)
{
    gn_err_set(err, GN_E_NET, "cannot find the address of '%s': %s", name, gai_strerror(rc));
    if (strcmp(c->alias, c->hostname) == 0)
        gn_err_hint(err, "check the spelling; many hosts can be found only from inside (VPN, or "
                         "'jump:' through a gateway)");
    else
        gn_err_hint(err,
                    "many hosts can be found only from inside: connect the VPN, or set "
                    "ProxyJump for '%s'",
                    c->alias);
    return err->code;
}

/* Addresses of the host, in the order to try them.  *out goes to freeaddrinfo(). */
static int look_up(const struct gn_ctx *ctx, const struct gn_sshconf *c, const char *host, int port,
                   int64_t timeout_ms, struct addrinfo **out, struct gn_err *err)
{
    struct lookup *l = gn_new(struct lookup);
    pthread_t thread;
    bool ours;
    int rc;

    l->wake[0] = l->wake[1] = -1;
    pthread_mutex_init(&l->lock, NULL);
    l->host = gn_strdup(host);
    l->service = gn_printf("%d", port);
    l->hints.ai_socktype = SOCK_STREAM;
    l->hints.ai_family = AF_UNSPEC;
    if (c->address_family && strcmp(c->address_family, "inet") == 0)
        l->hints.ai_family = AF_INET;
    if (c->address_family && strcmp(c->address_family, "inet6") == 0)
        l->hints.ai_family = AF_INET6;
    if (pipe(l->wake) < 0 || cloexec(l->wake[0]) < 0 || cloexec(l->wake[1]) < 0) {
        rc = gn_err_sys(err, errno, "cannot make a pipe");
        goto out;
    }
    rc = start_thread(&thread, lookup_main, l);
    if (rc != 0) {
        rc = gn_err_sys(err, rc, "cannot start a thread");
        goto out;
    }
    rc = gn_wait_fd(ctx, l->wake[0], POLLIN, timeout_ms, err);
    pthread_mutex_lock(&l->lock);
    ours = l->done;
    l->left_alone = !ours;
    pthread_mutex_unlock(&l->lock);
    if (!ours) { /* the thread frees it when the resolver lets go */
        pthread_detach(thread);
        if (rc == GN_E_TIMEOUT)
            rc = gn_err_set(err, GN_E_NET, "cannot find the address of '%s': no answer", host);
        return rc;
    }
    pthread_join(thread, NULL);
    rc = GN_OK;
    if (l->rc != 0)
        rc = lookup_failed(c, host, l->rc, err);
    *out = l->found;
    l->found = NULL;
out:
    lookup_free(l);
    return rc;
}

static int bind_source(int fd, const struct gn_sshconf *c, int family, struct gn_err *err)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int rc = GN_OK;

    if (!c->bind_address || strcmp(c->bind_address, "none") == 0)
        return GN_OK;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST;
    if (getaddrinfo(c->bind_address, NULL, &hints, &found) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0)
        rc = gn_err_set(err, GN_E_NET, "cannot use BindAddress '%s': %s", c->bind_address,
                        found ? strerror(errno) : "not an address of this family");
    if (found)
        freeaddrinfo(found);
    return rc;
}

/* One address.  The error is left in err whenever *fd stays -1. */
static int try_one(const struct gn_ctx *ctx, const struct gn_sshconf *c, const struct addrinfo *a,
                   int64_t timeout_ms, int *fd, struct gn_err *err)
{
    int s = socket(a->ai_family, SOCK_STREAM, a->ai_protocol), one = 1, failed = 0, rc;
    socklen_t len = sizeof failed;

    if (s < 0)
        return gn_err_sys(err, errno, "cannot make a socket");
    rc = bind_source(s, c, a->ai_family, err);
    if (rc != GN_OK)
        goto out;
    if (cloexec(s) < 0 || fcntl(s, F_SETFL, O_NONBLOCK) < 0) {
        rc = gn_err_sys(err, errno, "cannot prepare a socket");
        goto out;
    }
    if (connect(s, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS) {
        failed = errno;
    } else {
        rc = gn_wait_fd(ctx, s, POLLOUT, timeout_ms, err);
        if (rc == GN_E_TIMEOUT)
            failed = ETIMEDOUT;
        else if (rc != GN_OK)
            goto out;
        else if (getsockopt(s, SOL_SOCKET, SO_ERROR, &failed, &len) < 0)
            failed = errno;
    }
    if (failed) {
        rc = gn_err_set(err, GN_E_NET, "cannot connect to '%s' port %d: %s", c->hostname, c->port,
                        strerror(failed));
        goto out;
    }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    *fd = s;
    return GN_OK;
out:
    gn_fs_close(s);
    return rc;
}

int gn_dial_tcp(const struct gn_ctx *ctx, const struct gn_sshconf *c, int *fd, struct gn_err *err)
{
    int64_t total = c->connect_timeout_s > 0 ? (int64_t)c->connect_timeout_s * 1000 : CONNECT_MS;
    int64_t end = ctx->mono_ms(ctx) + total;
    struct addrinfo *list = NULL;
    int n = 0, rc;

    rc = look_up(ctx, c, c->hostname, c->port, total, &list, err);
    if (rc != GN_OK)
        return rc;
    for (const struct addrinfo *a = list; a; a = a->ai_next)
        n++;
    rc = gn_err_set(err, GN_E_NET, "cannot connect to '%s': no address", c->hostname);
    for (const struct addrinfo *a = list; a && *fd < 0; a = a->ai_next, n--) {
        int64_t left = end - ctx->mono_ms(ctx);

        if (left < 0)
            left = 0;
        rc = try_one(ctx, c, a, left / n, fd, err); /* a silent address leaves time for the next */
        if (rc == GN_E_CANCEL)
            break;
    }
    freeaddrinfo(list);
    if (rc == GN_OK)
        gn_err_clear(err);
    else if (rc == GN_E_NET && !err->hint[0])
        gn_err_hint(err, "is the machine up, and are you on its network (VPN)?");
    return rc;
}
