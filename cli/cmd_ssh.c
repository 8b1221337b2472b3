/* cmd_ssh.c - a shell, or one command, where a run lives. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/runs.h"
#include "cli/term.h"
#include "gnrrun/fs.h"

/* "~/x" as a shell there expands it, whatever else is in it. */
static void add_path(struct gn_buf *b, const char *path)
{
    if (path[0] == '~' && (path[1] == '/' || !path[1])) {
        gn_buf_adds(b, "\"$HOME\"");
        path++;
    }
    gn_buf_addsh(b, path);
}

/* One word for the login shell, whichever it is: exec /bin/sh -c '...'. */
static char *command_line(const struct gn_run *run, const struct gn_strs *words, size_t first)
{
    struct gn_buf sh = GN_BUF_INIT(GN_MAX_FILE), line = GN_BUF_INIT(GN_MAX_FILE);

    if (run) {
        char *work =
            gn_printf("%s/v1/runs/%s/work", *run->workdir ? run->workdir : "~/.gnrrun", run->token);

        gn_buf_adds(&sh, "cd -- ");
        add_path(&sh, work);
        gn_buf_adds(&sh, " && ");
        free(work);
    }
    if (first < words->n) {
        gn_buf_adds(&sh, "exec /bin/sh -c ");
        struct gn_buf command = GN_BUF_INIT(GN_MAX_FILE);
        for (size_t i = first; i < words->n; i++)
            gn_buf_addf(&command, "%s%s", i > first ? " " : "", words->v[i]);
        gn_buf_addsh(&sh, command.ptr);
        gn_buf_clear(&command);
    } else {
        gn_buf_adds(&sh, "exec \"${SHELL:-/bin/sh}\" -l");
    }
    gn_buf_adds(&line, "exec /bin/sh -c ");
    gn_buf_addsh(&line, sh.ptr);
    if (first < words->n)
        gn_buf_adds(&line, " 2>&1");
    gn_buf_clear(&sh);
    return gn_buf_detach(&line);
}

/* Everything that is there, without waiting.  *open false at its end. */
static int pump_out(struct gn_cli *c, struct gn_stream *s, bool *open, struct gn_err *err)
{
    char buf[16384];
    size_t n = 0;

    for (;;) {
        int rc = s->ops->read(s, buf, sizeof buf, 0, &n, c->ctx, err);

        if (rc == GN_E_TIMEOUT) {
            gn_err_clear(err);
            break;
        }
        if (rc)
            return rc;
        if (n == 0) {
            *open = false;
            break;
        }
        gn_ui_out(c->ui, buf, n);
    }
    gn_ui_flush(c->ui);
    return GN_OK;
}

static int pump_in(struct gn_cli *c, struct gn_stream *s, int *in, struct gn_err *err)
{
    char buf[4096];
    ssize_t n = read(*in, buf, sizeof buf);

    if (n < 0 && errno == EINTR)
        return GN_OK;
    if (n <= 0) {
        *in = -1;
        return s->ops->eof(s, c->ctx, err);
    }
    return s->ops->write(s, buf, (size_t)n, c->ctx, err);
}

static int pump(struct gn_cli *c, struct gn_transport *t, struct gn_stream *s, struct gn_err *err)
{
    int in = STDIN_FILENO, cols = 0, rows = 0, rc = GN_OK, status = -1;
    bool open = true;

    while (open && !rc) {
        struct pollfd p[3] = {{.fd = in, .events = POLLIN},
                              {.fd = t->ops->fd(t), .events = POLLIN},
                              {.fd = c->ctx->wake_fd, .events = POLLIN}};
        int w, h;

        gn_term_size(&w, &h);
        if (w != cols || h != rows)
            s->ops->resize(s, cols = w, rows = h);
        /* the window's size is looked at now and then; so is a far side without an fd */
        if (poll(p, 3, p[1].fd < 0 ? 20 : 250) < 0 && errno != EINTR)
            return gn_err_sys(err, errno, "cannot wait");
        if (p[0].revents)
            rc = pump_in(c, s, &in, err);
        if (!rc)
            rc = pump_out(c, s, &open, err);
    }
    if (!rc)
        rc = s->ops->status(s, 5000, &status, c->ctx, err);
    if (rc)
        return rc;
    if (status < 0)
        return gn_err_set(err, GN_E_NET, "the connection was lost");
    return status;
}

static int over_transport(struct gn_cli *c, struct gn_transport *t, const struct gn_run *run,
                          size_t first, struct gn_err *err)
{
    char *line = command_line(run, &c->args.words, first);
    const char *term = c->ctx->env(c->ctx, "TERM");
    struct gn_pty pty = {.term = term ? term : "dumb"};
    bool shell = first >= c->args.words.n && isatty(STDIN_FILENO);
    struct gn_stream *s = NULL;
    int rc;

    gn_term_size(&pty.cols, &pty.rows);
    rc = t->ops->exec(t, line, shell ? &pty : NULL, &s, c->ctx, err);
    if (!rc) {
        if (shell)
            gn_term_raw();
        rc = pump(c, t, s, err);
        gn_term_restore();
    }
    gn_stream_close(s);
    free(line);
    return rc;
}

/* On this machine the shell simply takes our place. */
static int here(struct gn_cli *c, const struct gn_run *run, size_t first, struct gn_err *err)
{
    char *line = command_line(run, &c->args.words, first);

    gn_ui_flush(c->ui);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    free(line);
    return gn_err_sys(err, errno, "cannot start /bin/sh");
}

static int connect_run(struct gn_cli *c, struct gn_engine *e, const struct gn_run *run,
                       size_t first, struct gn_err *err)
{
    struct gn_target target = {0};
    struct gn_transport *t = NULL;
    int rc = gn_engine_connect(e, run, &t, &target, err);

    if (rc)
        return rc;
    rc = target.type == GN_TARGET_LOCAL ? here(c, run, first, err)
                                        : over_transport(c, t, run, first, err);
    gn_transport_close(t);
    gn_target_clear(&target);
    return rc;
}

static int connect_target(struct gn_cli *c, struct gn_engine *e, struct gn_err *err)
{
    struct gn_config config;
    struct gn_target target = {0};
    struct gn_transport *t = NULL;
    int rc = gn_config_load(c->ctx, c->ctx->cwd, &config, err);

    if (rc)
        return rc;
    rc = gn_target_resolve(c->ctx, &config, c->args.words.v[0], &target, err);
    gn_config_clear(&config);
    if (rc)
        return rc;
    if (target.type == GN_TARGET_LOCAL)
        rc = here(c, NULL, 1, err);
    else
        rc = e->connect(c->ctx, &target, &e->ssh, &t, err);
    if (!rc && t)
        rc = over_transport(c, t, NULL, 1, err);
    gn_transport_close(t);
    gn_target_clear(&target);
    return rc;
}

int cmd_ssh(struct gn_cli *c, struct gn_err *err)
{
    struct gn_engine e;
    struct gn_run run;
    int rc = gn_cli_engine(c, &e, err);

    if (rc)
        return rc;
    rc = gn_cli_run(c, e.store, 0, &run, err);
    if (!rc) {
        rc = connect_run(c, &e, &run, c->args.words.n ? 1 : 0, err);
        gn_run_clear(&run);
    } else if (rc == GN_E_NOTFOUND && c->args.words.n) {
        gn_err_clear(err);
        rc = connect_target(c, &e, err);
    }
    gn_store_close(e.store);
    return rc;
}
