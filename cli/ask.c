#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/world.h"
#include "gnrrun/fs.h"

#define ANSWER_MAX 4096

/* For gn_ask_restore(), which a signal handler may call. */
static struct termios before;
static volatile sig_atomic_t hidden_fd = -1;

void gn_ask_restore(void)
{
    if (hidden_fd >= 0)
        tcsetattr(hidden_fd, TCSAFLUSH, &before);
    hidden_fd = -1;
}

static void hide(int fd)
{
    struct termios quiet;

    if (tcgetattr(fd, &before) < 0)
        return;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    hidden_fd = fd;
    tcsetattr(fd, TCSAFLUSH, &quiet);
}

/* The last line of the prompt, for an error. */
static void name_prompt(const char *prompt, struct gn_buf *out)
{
    size_t len = strlen(prompt), start;

    while (len && strchr(" :?\n\r", prompt[len - 1]))
        len--;
    for (start = len; start && prompt[start - 1] != '\n'; start--)
        ;
    gn_buf_addsafe(out, prompt + start, len - start, 120);
}

bool gn_ask_can(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    gn_fs_close(fd);
    return fd >= 0;
}

static int nobody(const struct gn_question *q, struct gn_err *err)
{
    struct gn_buf b = GN_BUF_INIT(1024);

    name_prompt(q->prompt, &b);
    gn_err_set(err, GN_E_AUTH, "there is no terminal to ask: '%s'", b.ptr);
    gn_buf_clear(&b);
    return q->without ? gn_err_hint(err, "%s", q->without) : err->code;
}

static void wipe(void *p, size_t n)
{
    for (volatile char *c = p; n; n--)
        *c++ = 0;
}

/* One line without its end into line. */
static int read_line(const struct gn_ctx *ctx, int fd, char line[ANSWER_MAX], size_t *len,
                     struct gn_err *err)
{
    *len = 0;
    for (;;) {
        struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = ctx->wake_fd, .events = POLLIN}};
        char c = 0;
        ssize_t n;

        if (gn_interrupted(ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        if (poll(p, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return gn_err_sys(err, errno, "cannot wait for the terminal");
        }
        if (!p[0].revents)
            continue;
        n = read(fd, &c, 1);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return gn_err_set(err, GN_E_AUTH, "no answer was given");
        if (c == '\n')
            return GN_OK;
        if (*len < ANSWER_MAX - 1)
            line[(*len)++] = c;
    }
}

static int ask_once(const struct gn_ctx *ctx, int fd, const struct gn_question *q,
                    const char *prompt, struct gn_buf *out, struct gn_err *err)
{
    char line[ANSWER_MAX];
    size_t len = 0;
    int rc;

    if (!q->echo && !q->yes_no)
        hide(fd);
    if (gn_fs_write_all(fd, prompt, strlen(prompt)) < 0) {
        gn_ask_restore();
        return gn_err_sys(err, errno, "cannot write to the terminal");
    }
    rc = read_line(ctx, fd, line, &len, err);
    if (hidden_fd >= 0) {
        gn_ask_restore();
        if (gn_fs_write_all(fd, "\n", 1) < 0 && !rc)
            rc = gn_err_sys(err, errno, "cannot write to the terminal");
    }
    if (!rc)
        gn_buf_add(out, line, len);
    wipe(line, sizeof line);
    return rc;
}

static int ask_on(const struct gn_ctx *ctx, int fd, const struct gn_question *q, struct gn_buf *out,
                  struct gn_err *err)
{
    struct gn_buf prompt = GN_BUF_INIT((size_t)64 << 10);
    int rc = GN_OK;

    gn_buf_adds(&prompt, q->prompt);
    if (q->yes_no && !strstr(q->prompt, "yes/no"))
        gn_buf_adds(&prompt, " (yes/no) ");
    else if (prompt.len && !strchr(" \n", prompt.ptr[prompt.len - 1]))
        gn_buf_addc(&prompt, ' ');
    for (int i = 0; i < 3; i++) {
        size_t at = out->len;

        rc = ask_once(ctx, fd, q, i ? "please type 'yes' or 'no': " : prompt.ptr, out, err);
        if (rc || !q->yes_no || !strcmp(out->ptr + at, "yes") || !strcmp(out->ptr + at, "no"))
            break;
        gn_buf_reset(out);
    }
    gn_buf_clear(&prompt);
    return rc;
}

int gn_ask(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
           struct gn_err *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC), rc;

    if (fd < 0)
        return nobody(q, err);
    gn_ui_clear_bar(ctx->event_arg);
    /* Ctrl-Z would leave the shell with a terminal that hides what is typed. */
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGTSTP, &ignore, &old);
    rc = ask_on(ctx, fd, q, out, err);
    sigaction(SIGTSTP, &old, NULL);
    gn_fs_close(fd);
    return rc;
}
