/*
 * proxy.c - ProxyCommand: the user's own command as the line to the host.
 */
#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "sshtext.h"

/* Between fork and exec: nothing but system calls. */
static void child(int line, int log, char *const argv[])
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, normal = {.sa_handler = SIG_DFL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGPIPE, &normal, NULL);
    sigaction(SIGINT, &ignore, NULL); /* Ctrl-C is for us to think about */
    if (dup2(line, 0) < 0 || dup2(line, 1) < 0 || dup2(log, 2) < 0)
        _exit(126);
    execv("/bin/sh", argv);
    _exit(127);
}

static int set_flags(int fd, bool nonblock)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return nonblock ? fcntl(fd, F_SETFL, O_NONBLOCK) : 0;
}

int gn_proxy_start(const struct gn_ctx *ctx, const struct gn_sshconf *c, struct gn_proxy *out,
                   int *fd, struct gn_err *err)
{
    int pair[2] = {-1, -1}, log[2] = {-1, -1}, rc = GN_OK;
    char *text = NULL, *line = NULL, sh[] = "sh", opt[] = "-c";
    pid_t pid;

    if (!gn_ssh_shell_ok(c->hostname) || !gn_ssh_shell_ok(c->user) || !gn_ssh_shell_ok(c->alias))
        return gn_err_set(err, GN_E_CONFIG,
                          "the host or user name of '%s' cannot be used in a ProxyCommand",
                          c->hostname);
    text = gn_ssh_expand(c->proxy_command, c, ctx);
    line = gn_printf("exec %s", text);
    /* The log's end is non-blocking for the child too: a proxy that talks must not stop for it. */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pipe(log) < 0 ||
        set_flags(pair[0], true) < 0 || set_flags(pair[1], false) < 0 ||
        set_flags(log[0], true) < 0 || set_flags(log[1], true) < 0) {
        rc = gn_err_sys(err, errno, "cannot prepare ProxyCommand");
        goto out;
    }
    pid = fork();
    if (pid == 0) {
        char *argv[] = {sh, opt, line, NULL};
        child(pair[1], log[1], argv);
    }
    if (pid < 0) {
        rc = gn_err_sys(err, errno, "cannot start ProxyCommand");
        goto out;
    }
    out->pid = pid;
    out->err_fd = log[0];
    *fd = pair[0];
    pair[0] = log[0] = -1;
out:
    gn_fs_close(pair[0]);
    gn_fs_close(pair[1]);
    gn_fs_close(log[0]);
    gn_fs_close(log[1]);
    free(text);
    free(line);
    return rc;
}

void gn_proxy_blame(struct gn_proxy *p, struct gn_err *err)
{
    char said[512], *safe, *last;
    ssize_t n;

    if (p->pid <= 0 || err->code != GN_E_NET)
        return;
    n = read(p->err_fd, said, sizeof said - 1);
    if (n <= 0) {
        gn_err_prefix(err, "ProxyCommand: ");
        return;
    }
    said[n] = 0;
    while (n > 0 && (said[n - 1] == '\n' || said[n - 1] == '\r'))
        said[--n] = 0;
    last = strrchr(said, '\n');
    safe = gn_ssh_safe(last ? last + 1 : said, 300);
    gn_err_set(err, GN_E_NET, "ProxyCommand failed: %s", safe);
    free(safe);
}

void gn_proxy_stop(struct gn_proxy *p)
{
    struct timespec tick = {.tv_nsec = 5000000};

    if (p->pid <= 0)
        return;
    gn_fs_close(p->err_fd);
    kill(p->pid, SIGTERM);
    for (int i = 0; i < 40; i++) {
        pid_t got = waitpid(p->pid, NULL, WNOHANG);

        if (got == p->pid || (got < 0 && errno != EINTR)) {
            p->pid = 0;
            return;
        }
        nanosleep(&tick, NULL);
    }
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
}
