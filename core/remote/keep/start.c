#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "link.h"
#include "talk.h"

#define ITS_FD    3      /* where a keeper finds who started it */
#define SILENT_MS 120000 /* a login has an end: each of its steps has one */

/* In a child of a child, so that it is nobody's: no terminal, no files of ours, no signal held back. */
static _Noreturn void become(const char *exe, const char *target, int fd)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    umask(077);
    if (null < 0 || chdir("/") < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
        _exit(127);
    if (fd == ITS_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, ITS_FD) < 0)
        _exit(127);
    if (null > ITS_FD)
        close(null);
    execl(exe, "gnrrun", "__keep", target, (char *)NULL);
    _exit(127);
}

static int spawn(const char *exe, const char *target, int *fd, struct gn_err *err)
{
    int pair[2], status;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return gn_err_sys(err, errno, "cannot make a socket");
    if (gn_door_prepare(pair[0]) < 0 || fcntl(pair[1], F_SETFD, FD_CLOEXEC) < 0 ||
        (child = fork()) < 0) {
        gn_err_sys(err, errno, "cannot start a process");
        gn_fs_close(pair[0]);
        gn_fs_close(pair[1]);
        return err->code;
    }
    if (child == 0) { /* other threads may have held any lock: plain system calls, nothing else */
        pid_t second = fork();

        if (second == 0)
            become(exe, target, pair[1]);
        _exit(second < 0);
    }
    gn_fs_close(pair[1]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    *fd = pair[0];
    return GN_OK;
}

static int answer(int fd, const struct gn_wire *asked, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_question q = {.prompt = asked->text[0] ? asked->text[0] : "",
                            .echo = asked->num[0] != 0,
                            .yes_no = asked->num[1] != 0,
                            .without = asked->text[1]};
    struct gn_buf said = GN_BUF_INIT((size_t)16 << 10);
    struct gn_err why = GN_ERR_INIT;
    struct gn_wire w = {.kind = GN_ASK_ANSWER};
    int rc = ctx->ask(ctx, &q, &said, &why);

    if (!rc && gn_buf_over(&said))
        rc = gn_err_set(&why, GN_E_LIMIT, "the answer is too long");
    w.num[0] = rc;
    if (rc) {
        w.text[1] = why.msg;
        w.text[2] = *why.hint ? why.hint : NULL;
    } else {
        w.text[0] = said.ptr;
    }
    rc = gn_talk_send(fd, &w, ctx, err);
    gn_buf_wipe(&said);
    return rc;
}

/* Hear it until it is logged in, or says why not. */
static int attend(int fd, struct gn_buf *in, int *rtt_ms, const struct gn_ctx *ctx,
                  struct gn_err *err)
{
    size_t used = 0;
    bool heard = false;

    for (;;) {
        struct gn_wire w;
        int rc = gn_talk_get(fd, in, &used, &w, SILENT_MS, ctx, err);

        if (rc == GN_E_NET && !heard)
            return gn_err_set(err, GN_E_NOTFOUND, "no process to keep the connection started");
        if (rc == GN_E_TIMEOUT || rc == GN_E_NET)
            return gn_err_set(err, GN_E_NET, "the process that logs in %s",
                              rc == GN_E_NET ? "ended" : "does not answer");
        if (rc)
            return rc;
        heard = true;
        if (w.kind == GN_SAY_WELCOME)
            *rtt_ms = (int)w.num[0];
        if (w.kind == GN_SAY_WELCOME)
            return GN_OK;
        if (w.kind == GN_SAY_REFUSED)
            return gn_talk_refused(&w, err);
        if (w.kind == GN_SAY_EVENT)
            gn_event_text(ctx,
                          w.num[0] == GN_EV_WARN   ? GN_EV_WARN
                          : w.num[0] == GN_EV_NOTE ? GN_EV_NOTE
                                                   : GN_EV_DEBUG,
                          "%s", w.text[0] ? w.text[0] : "");
        else if (w.kind == GN_SAY_QUESTION)
            rc = answer(fd, &w, ctx, err);
        else
            rc = gn_err_set(err, GN_E_PROTO, "the process that logs in says what it should not");
        if (rc)
            return rc;
    }
}

int gn_keep_start(const struct gn_ctx *ctx, const struct gn_target *target,
                  const struct gn_ssh_opts *opts, const struct gn_door *door,
                  struct gn_transport **out, struct gn_err *err)
{
    struct gn_wire order = {
        .kind = GN_ASK_DIAL,
        .num = {target->port, target->keep_s, opts->accept_new, opts->nobody_there || ctx->alone},
        .text = {target->name, target->host, target->user, target->jump, target->identity,
                 door->way}};
    struct gn_buf in = GN_BUF_INIT(GN_WIRE_MAX * 4);
    int fd = -1, rtt_ms = 0, rc = spawn(ctx->exe, target->name, &fd, err);

    if (rc)
        return gn_err_set(err, GN_E_NOTFOUND, "no process to keep the connection can be started");
    rc = gn_talk_send(fd, &order, ctx, err);
    if (rc == GN_E_NET)
        rc = gn_err_set(err, GN_E_NOTFOUND, "no process to keep the connection started");
    if (!rc)
        rc = attend(fd, &in, &rtt_ms, ctx, err);
    if (!rc)
        *out = gn_link_new(target->name, door, fd, rtt_ms);
    else
        gn_fs_close(fd);
    gn_buf_wipe(&in);
    return rc;
}
