/*
 * ssh_probe - the transport by itself: run a command over there with our own streams.
 *
 *   ssh_probe [options] HOST COMMAND
 *     -H DIR       home folder (default $HOME)       -l USER  -p PORT  -J JUMP  -i KEY
 *     -a ANSWER    the next answer to a question (repeated; then nobody is there to ask)
 *     -n           nobody there: a reconnection      -A       accept new host keys
 *     -m FILE      do not read stdin: run the commands in FILE, one a line, one after another
 *     -L HOST:PORT instead of a command: a forwarded byte stream
 *     -t MS        give up reading after so long without a byte
 *     -2           open a second stream while the first is open, and drop it again
 *     -v           tell everything
 *
 * Exit status: the command's; 200 + N for error -N.  The last line on stderr is
 * "error NAME: message | hint".
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/transport.h"

struct probe {
    struct gn_ctx ctx;
    const char *answers[16];
    size_t n_answers, next;
    struct gn_target target;
    struct gn_ssh_opts opts;
    const char *many, *forward;
    int64_t quiet_ms;
    bool verbose, two, rate;
};

static volatile sig_atomic_t interrupts;
static int wake[2] = {-1, -1};

static void on_signal(int number)
{
    int keep = errno;

    (void)number;
    interrupts++;
    (void)!write(wake[1], "", 1);
    errno = keep;
}

static const char *env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static void event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    const struct probe *p = ctx->event_arg;

    if (ev->text && (p->verbose || ev->kind != GN_EV_DEBUG))
        fprintf(stderr, "event: %s\n", ev->text);
}

static int ask(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
               struct gn_err *err)
{
    struct probe *p = ctx->arg;

    fprintf(stderr, "asked: %s [%s]\n", q->prompt,
            q->yes_no ? "yes/no"
            : q->echo ? "echo"
                      : "no echo");
    if (p->next == p->n_answers)
        return gn_ctx_none.ask(ctx, q, out, err);
    gn_buf_adds(out, p->answers[p->next++]);
    return GN_OK;
}

static void pour(const char *data, size_t len)
{
    if (gn_fs_write_all(1, data, len) < 0)
        exit(99);
}

/* Our stdin goes there while its stdout comes here: written in pieces, read between them. */
static int pump(struct probe *p, struct gn_stream *s, struct gn_err *err)
{
    static char buf[1 << 20];
    bool open = !p->many;
    size_t n;

    for (;;) {
        struct pollfd in = {.fd = 0, .events = POLLIN};
        int rc;

        if (open && poll(&in, 1, 0) > 0) {
            ssize_t got = read(0, buf, sizeof buf);

            rc = got > 0 ? s->ops->write(s, buf, (size_t)got, &p->ctx, err)
                         : s->ops->eof(s, &p->ctx, err);
            open = got > 0;
            if (rc != GN_OK && rc != GN_E_PROTO)
                return rc;
        }
        rc = s->ops->read(s, buf, sizeof buf, open ? (poll(&in, 1, 0) > 0 ? 0 : 20) : p->quiet_ms,
                          &n, &p->ctx, err);
        if (rc == GN_E_TIMEOUT && open)
            continue;
        if (rc != GN_OK)
            return rc;
        if (n == 0)
            return GN_OK;
        pour(buf, n);
    }
}

static int one(struct probe *p, struct gn_transport *t, const char *command, int *status,
               struct gn_err *err)
{
    struct gn_stream *s = NULL;
    int rc;

    if (p->forward) {
        char *colon = strrchr(p->forward, ':'), *host;

        host = gn_strndup(p->forward, (size_t)(colon - p->forward));
        rc = t->ops->forward(t, host, (int)strtol(colon + 1, NULL, 10), &s, &p->ctx, err);
        free(host);
    } else {
        rc = t->ops->exec(t, command, NULL, &s, &p->ctx, err);
    }
    if (rc != GN_OK)
        return rc;
    rc = pump(p, s, err);
    *status = 0;
    if (rc == GN_OK && !p->forward)
        rc = s->ops->status(s, 10000, status, &p->ctx, err);
    if (rc == GN_OK)
        fprintf(stderr, "%s", s->ops->err_text(s));
    s->ops->close(s);
    return rc;
}

/* Something that goes on while the next stream is opened, then is dropped. */
static int beside(struct probe *p, struct gn_transport *t, const char *command, int *status,
                  struct gn_err *err)
{
    struct gn_stream *s = NULL;
    int rc = t->ops->exec(t, "cat", NULL, &s, &p->ctx, err), second;

    if (rc != GN_OK)
        return rc;
    rc = one(p, t, command, status, err);
    s->ops->close(s);
    if (rc != GN_E_LIMIT)
        return rc;
    fprintf(stderr, "beside: %s\n", err->msg);
    second = one(p, t, command, status, err); /* the place is free again, if not at once */
    return second;
}

static int several(struct probe *p, struct gn_transport *t, int *status, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    char *save = NULL;
    int rc = gn_fs_read(p->many, &text, err);

    for (char *line = strtok_r(text.ptr, "\n", &save); rc == GN_OK && line;
         line = strtok_r(NULL, "\n", &save))
        rc = one(p, t, line, status, err);
    gn_buf_clear(&text);
    return rc;
}

static void options(struct probe *p, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "H:l:p:J:i:a:nAm:L:t:2rv")) != -1)
        switch (c) {
        case 'H':
            p->ctx.home = optarg;
            break;
        case 'l':
            p->target.user = optarg;
            break;
        case 'p':
            p->target.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'J':
            p->target.jump = optarg;
            break;
        case 'i':
            p->target.identity = optarg;
            break;
        case 'a':
            if (p->n_answers < sizeof p->answers / sizeof *p->answers)
                p->answers[p->n_answers++] = optarg;
            break;
        case 'n':
            p->opts.nobody_there = true;
            break;
        case 'A':
            p->opts.accept_new = true;
            break;
        case 'm':
            p->many = optarg;
            break;
        case 'L':
            p->forward = optarg;
            break;
        case 't':
            p->quiet_ms = strtol(optarg, NULL, 10);
            break;
        case '2':
            p->two = true;
            break;
        case 'r':
            p->rate = true;
            break;
        case 'v':
            p->verbose = true;
            break;
        default:
            exit(98);
        }
}

int main(int argc, char **argv)
{
    struct sigaction on = {.sa_handler = on_signal};
    struct gn_transport *t = NULL;
    struct gn_err err = GN_ERR_INIT;
    struct probe p = {.ctx = gn_ctx_none, .quiet_ms = -1};
    int rc, status = 0;

    if (pipe(wake) < 0)
        return 97;
    sigaction(SIGINT, &on, NULL);
    p.ctx.home = getenv("HOME");
    p.ctx.user = getenv("USER") ? getenv("USER") : "nobody";
    p.ctx.env = env;
    p.ctx.event = event;
    p.ctx.event_arg = &p;
    p.ctx.ask = ask;
    p.ctx.arg = &p;
    p.ctx.interrupts = &interrupts;
    p.ctx.wake_fd = wake[0];
    options(&p, argc, argv);
    if (optind >= argc)
        return 98;
    p.target.name = p.target.host = argv[optind];
    rc = gn_transport_ssh(&p.ctx, &p.target, &p.opts, &t, &err);
    if (rc == GN_OK) {
        fprintf(stderr, "connected in %d ms\n", t->ops->rtt_ms(t));
        if (p.rate)
            (void)t->ops->rate(t, &p.ctx);
        rc = p.two    ? beside(&p, t, argv[optind + 1], &status, &err)
             : p.many ? several(&p, t, &status, &err)
                      : one(&p, t, argc > optind + 1 ? argv[optind + 1] : "true", &status, &err);
        t->ops->close(t);
    }
    if (rc != GN_OK)
        fprintf(stderr, "error %d: %s | %s\n", -rc, err.msg, err.hint);
    return rc == GN_OK ? status : 200 - rc;
}
