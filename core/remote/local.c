/*
 * local.c - this machine as a far side: commands are children of ours.
 *
 * Each stream has a session of its own, so that Ctrl-C at our terminal reaches us alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "gnrrun/transport.h"

#define ERR_KEEP    4096
#define PENDING_MAX ((size_t)64 << 20)

struct local {
    struct gn_transport base;
    char *home;
    pid_t *gone; /* children that were dropped and are not reaped yet */
    size_t n_gone, cap_gone;
};

struct local_stream {
    struct gn_stream base;
    struct local *owner;
    pid_t pid; /* 0: none, or reaped */
    int in, out, err;
    int status;            /* once reaped */
    struct gn_buf pending; /* of stdout, read while we were writing */
    char err_text[ERR_KEEP + 1];
    size_t err_len;
};

static struct local_stream *stream_of(struct gn_stream *s)
{
    return (struct local_stream *)(void *)s;
}

static void reap(struct local *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n_gone; i++)
        if (waitpid(l->gone[i], NULL, WNOHANG) == 0)
            l->gone[kept++] = l->gone[i];
    l->n_gone = kept;
}

static void shut(int *fd)
{
    gn_fs_close(*fd);
    *fd = -1;
}

/* Keep the last ERR_KEEP bytes of what the child says on stderr. */
static void read_err(struct local_stream *s)
{
    char buf[1024];
    ssize_t n = read(s->err, buf, sizeof buf);
    size_t drop, len;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        shut(&s->err);
        return;
    }
    len = (size_t)n;
    drop = s->err_len + len > ERR_KEEP ? s->err_len + len - ERR_KEEP : 0;
    memmove(s->err_text, s->err_text + drop, s->err_len - drop);
    s->err_len -= drop;
    memcpy(s->err_text + s->err_len, buf, len);
    s->err_len += len;
    s->err_text[s->err_len] = '\0';
}

/* Wait for any of our fds.  want_in: also for room in stdin. */
static int wait_any(struct local_stream *s, bool want_in, int64_t end, struct pollfd p[4],
                    const struct gn_ctx *ctx, struct gn_err *err)
{
    int64_t left = end < 0 ? 1000 : end - ctx->mono_ms(ctx);

    if (gn_interrupted(ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    p[0] = (struct pollfd){.fd = want_in ? s->in : -1, .events = POLLOUT};
    p[1] = (struct pollfd){.fd = s->out, .events = POLLIN};
    p[2] = (struct pollfd){.fd = s->err, .events = POLLIN};
    p[3] = (struct pollfd){.fd = ctx->wake_fd, .events = POLLIN};
    if (poll(p, 4, left < 0 ? 0 : left > 1000 ? 1000 : (int)left) < 0 && errno != EINTR)
        return gn_err_sys(err, errno, "cannot wait");
    if (p[2].revents)
        read_err(s);
    return GN_OK;
}

static int take_out(struct local_stream *s, struct gn_err *err)
{
    char *room = gn_buf_room(&s->pending, 65536);
    ssize_t n;

    if (!room)
        return gn_err_set(err, GN_E_LIMIT, "more than %zu bytes of answer while sending",
                          PENDING_MAX);
    n = read(s->out, room, 65536);
    if (n > 0)
        gn_buf_commit(&s->pending, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        shut(&s->out);
    return GN_OK;
}

static int stream_write(struct gn_stream *base, const void *data, size_t len,
                        const struct gn_ctx *ctx, struct gn_err *err)
{
    struct local_stream *s = stream_of(base);
    const char *at = data;

    while (len) {
        struct pollfd p[4];
        ssize_t n;
        int rc;

        if (s->in < 0)
            return gn_err_set(err, GN_E_NET, "the command on this machine takes no more input");
        rc = wait_any(s, true, -1, p, ctx, err);
        if (!rc && p[1].revents)
            rc = take_out(s, err);
        if (rc)
            return rc;
        if (!p[0].revents)
            continue;
        n = write(s->in, at, len < 65536 ? len : 65536);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            shut(&s->in);
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return GN_OK;
}

static int stream_eof(struct gn_stream *base, const struct gn_ctx *ctx, struct gn_err *err)
{
    (void)ctx;
    (void)err;
    shut(&stream_of(base)->in);
    return GN_OK;
}

static int stream_read(struct gn_stream *base, void *buf, size_t cap, int64_t timeout_ms, size_t *n,
                       const struct gn_ctx *ctx, struct gn_err *err)
{
    struct local_stream *s = stream_of(base);
    int64_t end = timeout_ms < 0 ? -1 : ctx->mono_ms(ctx) + timeout_ms;

    for (;;) {
        struct pollfd p[4];
        ssize_t got;
        int rc;

        if (s->pending.len) {
            *n = s->pending.len < cap ? s->pending.len : cap;
            memcpy(buf, s->pending.ptr, *n);
            gn_buf_drop(&s->pending, *n);
            return GN_OK;
        }
        if (s->out < 0) {
            *n = 0;
            return GN_OK;
        }
        rc = wait_any(s, false, end, p, ctx, err);
        if (rc)
            return rc;
        if (p[1].revents) {
            got = read(s->out, buf, cap);
            if (got > 0) {
                *n = (size_t)got;
                return GN_OK;
            }
            if (got == 0 || (errno != EAGAIN && errno != EINTR))
                shut(&s->out);
            continue;
        }
        if (end >= 0 && ctx->mono_ms(ctx) >= end)
            return gn_err_set(err, GN_E_TIMEOUT, "this machine did not answer in time");
    }
}

static const char *stream_err_text(struct gn_stream *base)
{
    struct local_stream *s = stream_of(base);
    struct pollfd p = {.fd = s->err, .events = POLLIN};

    while (s->err >= 0 && poll(&p, 1, 0) > 0)
        read_err(s);
    return s->err_text;
}

static int stream_status(struct gn_stream *base, int64_t timeout_ms, int *status,
                         const struct gn_ctx *ctx, struct gn_err *err)
{
    struct local_stream *s = stream_of(base);
    int64_t end = timeout_ms < 0 ? INT64_MAX : ctx->mono_ms(ctx) + timeout_ms;

    while (s->pid > 0) {
        int st, rc;
        pid_t got = waitpid(s->pid, &st, WNOHANG);

        if (got == s->pid || (got < 0 && errno == ECHILD)) {
            s->status = got < 0 ? -1 : WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
            s->pid = 0;
            break;
        }
        if (ctx->mono_ms(ctx) >= end)
            return gn_err_set(err, GN_E_TIMEOUT, "the command on this machine does not end");
        rc = gn_wait_ms(ctx, 2, err);
        if (rc)
            return rc;
    }
    *status = s->status;
    return GN_OK;
}

static void stream_resize(struct gn_stream *base, int cols, int rows)
{
    (void)base;
    (void)cols;
    (void)rows;
}

static void stream_close(struct gn_stream *base)
{
    struct local_stream *s = stream_of(base);

    shut(&s->in);
    shut(&s->out);
    shut(&s->err);
    if (s->pid > 0) {
        struct local *l = s->owner;

        kill(s->pid, SIGHUP);
        GN_GROW(l->gone, l->n_gone, l->cap_gone);
        l->gone[l->n_gone++] = s->pid;
        reap(l);
    }
    gn_buf_clear(&s->pending);
    free(s);
}

static const struct gn_stream_ops stream_ops = {
    .write = stream_write,
    .eof = stream_eof,
    .read = stream_read,
    .err_text = stream_err_text,
    .status = stream_status,
    .resize = stream_resize,
    .close = stream_close,
};

static struct local_stream *stream_new(struct local *l)
{
    struct local_stream *s = gn_new(struct local_stream);

    s->base.ops = &stream_ops;
    s->owner = l;
    s->in = s->out = s->err = -1;
    s->status = -1;
    s->pending = (struct gn_buf)GN_BUF_INIT(PENDING_MAX);
    return s;
}

/* In the child: as a login would find the world, whatever we ignore or block. */
static _Noreturn void become(const struct local *l, const char *command, int in, int out, int errfd)
{
    static const int sigs[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD, SIGTSTP};
    sigset_t none;

    for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++)
        signal(sigs[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errfd, 2) < 0)
        _exit(126);
    if (chdir(l->home) < 0 && chdir("/") < 0)
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* Descriptors that never meet a standard stream's number nor leak into another child. */
static int make_pipe(int p[2])
{
    if (pipe(p) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        int high = fcntl(p[i], F_DUPFD_CLOEXEC, 3);

        close(p[i]);
        p[i] = high;
    }
    return p[0] < 0 || p[1] < 0 ? -1 : 0;
}

static int local_exec(struct gn_transport *base, const char *command, const struct gn_pty *pty,
                      struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct local *l = (struct local *)(void *)base;
    int p[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    struct local_stream *s;
    pid_t pid = -1;

    (void)ctx;
    if (pty)
        return gn_err_set(err, GN_E_BUG, "no terminal is needed on this machine");
    reap(l);
    for (int i = 0; i < 3; i++)
        if (make_pipe(p[i]) < 0)
            goto fail;
    pid = fork();
    if (pid < 0)
        goto fail;
    if (pid == 0)
        become(l, command, p[0][0], p[1][1], p[2][1]);
    close(p[0][0]);
    close(p[1][1]);
    close(p[2][1]);
    s = stream_new(l);
    s->pid = pid;
    s->in = p[0][1];
    s->out = p[1][0];
    s->err = p[2][0];
    fcntl(s->in, F_SETFL, O_NONBLOCK);
    fcntl(s->out, F_SETFL, O_NONBLOCK);
    fcntl(s->err, F_SETFL, O_NONBLOCK);
    *out = &s->base;
    return GN_OK;
fail:
    gn_err_sys(err, errno, "cannot start a command on this machine");
    for (int i = 0; i < 6; i++)
        gn_fs_close(p[i / 2][i % 2]);
    return err->code;
}

static int local_forward(struct gn_transport *base, const char *host, int port,
                         struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct local *l = (struct local *)(void *)base;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    struct local_stream *s;
    char service[16];
    int fd = -1;

    (void)ctx;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return gn_err_set(err, GN_E_NET, "no address for '%s'", host);
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0)
            shut(&fd);
    }
    freeaddrinfo(list);
    if (fd < 0)
        return gn_err_set(err, GN_E_NET, "nothing listens on port %d: %s", port, strerror(errno));
    s = stream_new(l);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    s->out = fd;
    s->in = dup(fd);
    fcntl(s->in, F_SETFD, FD_CLOEXEC);
    *out = &s->base;
    return GN_OK;
}

/* Several children, several fds: a poll loop asks each stream in turn instead. */
static int local_fd(struct gn_transport *base)
{
    (void)base;
    return -1;
}

static int local_rtt(struct gn_transport *base)
{
    (void)base;
    return 0;
}

static void local_close(struct gn_transport *base)
{
    struct local *l = (struct local *)(void *)base;

    reap(l);
    free(l->gone);
    free(l->home);
    free(l);
}

static const struct gn_transport_ops local_ops = {
    .name = "local",
    .exec = local_exec,
    .forward = local_forward,
    .fd = local_fd,
    .rtt_ms = local_rtt,
    .close = local_close,
};

int gn_transport_local(const struct gn_ctx *ctx, struct gn_transport **out, struct gn_err *err)
{
    struct local *l = gn_new(struct local);

    (void)err;
    l->base.ops = &local_ops;
    l->home = gn_strdup(ctx->home);
    *out = &l->base;
    return GN_OK;
}
