/* cmd_forward.c - a port here that is a port of the run's machine. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/runs.h"
#include "gnrrun/fs.h"

#define LINKS_MAX 64

struct tie {
    int fd; /* -1: free */
    struct gn_stream *far;
};

struct forwarder {
    struct gn_cli *c;
    struct gn_transport *t;
    int door, port;
    struct tie tie[LINKS_MAX];
};

/* "6006", "8080:6006" */
static int read_ports(const char *word, int *local, int *remote, struct gn_err *err)
{
    char *end;
    long a = strtol(word, &end, 10), b = a;

    if (end != word && *end == ':' && end[1]) {
        const char *second = end + 1;

        b = strtol(second, &end, 10);
    }
    if (end == word || *end || a < 1 || a > 65535 || b < 1 || b > 65535) {
        gn_err_set(err, GN_E_USAGE, "'%s' is not a port", word);
        return gn_err_hint(err, "gnrrun forward 6006, or 8080:6006 for another port here");
    }
    *local = (int)a;
    *remote = (int)b;
    return GN_OK;
}

static int listen_here(int port, int *out, struct gn_err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* nobody but this machine */
    if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0) {
        gn_err_sys(err, errno, "cannot listen on port %d here", port);
        gn_err_hint(err, "choose another one: gnrrun forward LOCAL:PORT");
        gn_fs_close(fd);
        return err->code;
    }
    *out = fd;
    return GN_OK;
}

static void untie(struct tie *t)
{
    gn_fs_close(t->fd);
    gn_stream_close(t->far);
    t->fd = -1;
    t->far = NULL;
}

static int take_caller(struct forwarder *f, struct gn_err *err)
{
    int fd = accept(f->door, NULL, NULL), rc;
    struct tie *t = NULL;

    if (fd < 0)
        return GN_OK;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    for (size_t i = 0; i < LINKS_MAX && !t; i++)
        if (f->tie[i].fd < 0)
            t = &f->tie[i];
    if (!t) {
        close(fd);
        return GN_OK;
    }
    rc = f->t->ops->forward(f->t, "127.0.0.1", f->port, &t->far, f->c->ctx, err);
    if (!rc) {
        t->fd = fd;
        return GN_OK;
    }
    close(fd);
    if (rc == GN_E_CANCEL)
        return rc;
    /* nobody listens there yet: the next caller may have more luck */
    gn_event_text(f->c->ctx, GN_EV_NOTE, "%s", err->msg);
    gn_err_clear(err);
    return GN_OK;
}

/* From here to there, once the socket has something. */
static int carry_out(struct forwarder *f, struct tie *t, struct gn_err *err)
{
    char buf[16384];
    ssize_t n = read(t->fd, buf, sizeof buf);
    int rc;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return GN_OK;
    if (n <= 0) {
        untie(t);
        return GN_OK;
    }
    rc = t->far->ops->write(t->far, buf, (size_t)n, f->c->ctx, err);
    if (rc == GN_E_NET) {
        gn_err_clear(err);
        untie(t);
        rc = GN_OK;
    }
    return rc;
}

static int carry_in(struct forwarder *f, struct tie *t, struct gn_err *err)
{
    char buf[16384];
    size_t n = 0;
    int rc = t->far->ops->read(t->far, buf, sizeof buf, 0, &n, f->c->ctx, err);

    if (rc == GN_E_TIMEOUT) {
        gn_err_clear(err);
        return GN_OK;
    }
    if (rc)
        return rc;
    if (n == 0 || gn_fs_write_all(t->fd, buf, n) < 0)
        untie(t);
    return GN_OK;
}

static int serve(struct forwarder *f, struct gn_err *err)
{
    int rc = GN_OK;

    while (!rc) {
        struct pollfd p[LINKS_MAX + 3] = {{.fd = f->door, .events = POLLIN},
                                          {.fd = f->t->ops->fd(f->t), .events = POLLIN},
                                          {.fd = f->c->ctx->wake_fd, .events = POLLIN}};
        bool busy = false;

        for (size_t i = 0; i < LINKS_MAX; i++) {
            p[i + 3] = (struct pollfd){.fd = f->tie[i].fd, .events = POLLIN};
            busy = busy || f->tie[i].fd >= 0;
        }
        /* a far side without an fd of its own is looked at now and then */
        if (poll(p, LINKS_MAX + 3, busy && p[1].fd < 0 ? 10 : 1000) < 0 && errno != EINTR)
            return gn_err_sys(err, errno, "cannot wait");
        if (gn_interrupted(f->c->ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        if (p[0].revents)
            rc = take_caller(f, err);
        for (size_t i = 0; i < LINKS_MAX && !rc; i++) {
            if (f->tie[i].fd >= 0 && p[i + 3].fd >= 0 && p[i + 3].revents)
                rc = carry_out(f, &f->tie[i], err);
            if (!rc && f->tie[i].fd >= 0)
                rc = carry_in(f, &f->tie[i], err);
        }
    }
    return rc;
}

static int forward_run(struct gn_cli *c, struct gn_engine *e, const struct gn_run *run, int local,
                       int remote, struct gn_err *err)
{
    struct forwarder f = {.c = c, .door = -1, .port = remote};
    struct gn_target target = {0};
    int rc = listen_here(local, &f.door, err);

    for (size_t i = 0; i < LINKS_MAX; i++)
        f.tie[i].fd = -1;
    if (!rc)
        rc = gn_engine_connect(e, run, &f.t, &target, err);
    if (!rc) {
        gn_ui_say(c->ui, "http://localhost:%d is port %d of '%s'; Ctrl-C ends it", local, remote,
                  target.name);
        rc = serve(&f, err);
    }
    for (size_t i = 0; i < LINKS_MAX; i++)
        untie(&f.tie[i]);
    gn_fs_close(f.door);
    gn_transport_close(f.t);
    gn_target_clear(&target);
    return rc == GN_E_CANCEL ? GN_EXIT_OK : rc;
}

int cmd_forward(struct gn_cli *c, struct gn_err *err)
{
    const struct gn_strs *w = &c->args.words;
    int local = 0, remote = 0, rc = read_ports(w->v[w->n - 1], &local, &remote, err);
    struct gn_engine e;
    struct gn_run run;

    if (!rc)
        rc = gn_cli_engine(c, &e, err);
    if (rc)
        return rc;
    /* word 2 is never there: the newest run of this project */
    rc = gn_cli_run(c, e.store, w->n == 2 ? 0 : w->n, &run, err);
    if (!rc) {
        rc = forward_run(c, &e, &run, local, remote, err);
        gn_run_clear(&run);
    }
    gn_store_close(e.store);
    return rc;
}
