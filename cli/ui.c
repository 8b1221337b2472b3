#include "cli/ui.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/bar.h"
#include "gnrrun/fs.h"
#include "gnrrun/mem.h"

#define OUT_MAX ((size_t)64 << 10)

struct gn_ui {
    int out_fd, err_fd;
    struct gn_ui_opts o;
    bool out_tty, err_tty, color;
    struct gn_buf out;
    int out_errno; /* first failure of stdout, 0: none */
    bool gone;     /* it was EPIPE */
    bool mid_line; /* the program left the terminal's cursor inside a line */
    bool drawn;    /* a bar stands there */
    struct gn_bar bar;
    int64_t json_ms; /* when progress was last written as an object */
};

struct gn_ui *gn_ui_new(int out_fd, int err_fd, const struct gn_ui_opts *opts)
{
    struct gn_ui *ui = gn_new(struct gn_ui);

    *ui = (struct gn_ui){.out_fd = out_fd, .err_fd = err_fd, .o = *opts};
    ui->out = (struct gn_buf)GN_BUF_INIT((size_t)64 << 20);
    ui->out_tty = isatty(out_fd);
    ui->err_tty = isatty(err_fd);
    ui->color = ui->err_tty && !opts->no_color;
    ui->json_ms = -1000;
    return ui;
}

void gn_ui_free(struct gn_ui *ui)
{
    if (!ui)
        return;
    gn_ui_clear_bar(ui);
    gn_ui_flush(ui);
    gn_buf_clear(&ui->out);
    free(ui);
}

bool gn_ui_out_is_tty(const struct gn_ui *ui)
{
    return ui->out_tty;
}

bool gn_ui_err_is_tty(const struct gn_ui *ui)
{
    return ui->err_tty;
}

int gn_ui_columns(const struct gn_ui *ui)
{
    struct winsize w = {0};

    if ((ioctl(ui->err_fd, TIOCGWINSZ, &w) == 0 || ioctl(ui->out_fd, TIOCGWINSZ, &w) == 0) &&
        w.ws_col > 0)
        return w.ws_col;
    return ui->o.columns > 0 ? ui->o.columns : 80;
}

/* --- stdout -------------------------------------------------------------------------------- */

static void write_out(struct gn_ui *ui, const void *data, size_t len)
{
    if (ui->out_errno || !len)
        return;
    if (gn_fs_write_all(ui->out_fd, data, len) < 0) {
        ui->out_errno = errno;
        ui->gone = errno == EPIPE;
        /* Nobody reads: as if Ctrl-C had been pressed, so the run goes on without us. */
        if (ui->o.interrupts)
            *ui->o.interrupts = *ui->o.interrupts + 1;
    }
}

void gn_ui_flush(struct gn_ui *ui)
{
    write_out(ui, ui->out.ptr, ui->out.len);
    gn_buf_reset(&ui->out);
}

void gn_ui_out(struct gn_ui *ui, const void *data, size_t len)
{
    if (ui->out.len + len > OUT_MAX)
        gn_ui_flush(ui);
    if (len > OUT_MAX)
        write_out(ui, data, len);
    else
        gn_buf_add(&ui->out, data, len);
}

void gn_ui_outf(struct gn_ui *ui, const char *fmt, ...)
{
    struct gn_buf b = GN_BUF_INIT((size_t)16 << 20);
    va_list ap;

    va_start(ap, fmt);
    gn_buf_vaddf(&b, fmt, ap);
    va_end(ap);
    gn_ui_out(ui, b.ptr, b.len);
    gn_buf_clear(&b);
}

void gn_ui_json(struct gn_ui *ui, struct gn_json *j)
{
    struct gn_buf b = GN_BUF_INIT((size_t)256 << 20);

    gn_json_dump(j, &b);
    gn_buf_addc(&b, '\n');
    gn_ui_out(ui, b.ptr, b.len);
    gn_buf_clear(&b);
    gn_json_free(j);
}

bool gn_ui_gone(const struct gn_ui *ui)
{
    return ui->gone;
}

int gn_ui_finish(struct gn_ui *ui, struct gn_err *err)
{
    gn_ui_clear_bar(ui);
    gn_ui_flush(ui);
    if (ui->out_errno && !ui->gone)
        return gn_err_sys(err, ui->out_errno, "cannot write to standard output");
    return GN_OK;
}

/* --- stderr -------------------------------------------------------------------------------- */

static void write_err(const struct gn_ui *ui, const struct gn_buf *b)
{
    /* Words for people: where they cannot be written nothing can be said about it either. */
    int rc = gn_fs_write_all(ui->err_fd, b->ptr, b->len);

    (void)rc;
}

void gn_ui_clear_bar(struct gn_ui *ui)
{
    struct gn_buf b = GN_BUF_INIT(64);

    if (!ui->drawn)
        return;
    ui->drawn = false;
    gn_buf_adds(&b, "\r\033[K");
    write_err(ui, &b);
    gn_buf_clear(&b);
}

/* One line of ours.  color: an SGR number, or NULL.  Whatever is in text, it stays one line. */
static void line(struct gn_ui *ui, const char *lead, const char *color, const char *text)
{
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);

    gn_ui_clear_bar(ui);
    gn_ui_flush(ui);
    if (ui->mid_line) {
        gn_buf_addc(&b, '\n');
        ui->mid_line = false;
    }
    if (ui->color && color)
        gn_buf_addf(&b, "\033[%sm", color);
    gn_buf_adds(&b, lead);
    gn_buf_addsafe(&b, text, strlen(text), (size_t)8 << 10);
    gn_buf_adds(&b, ui->color && color ? "\033[0m\n" : "\n");
    write_err(ui, &b);
    gn_buf_clear(&b);
}

void gn_ui_say(struct gn_ui *ui, const char *fmt, ...)
{
    struct gn_buf b = GN_BUF_INIT((size_t)32 << 10);
    va_list ap;

    if (ui->o.quiet)
        return;
    va_start(ap, fmt);
    gn_buf_vaddf(&b, fmt, ap);
    va_end(ap);
    line(ui, "gnrrun: ", NULL, b.ptr);
    gn_buf_clear(&b);
}

void gn_ui_error(struct gn_ui *ui, const struct gn_err *err, int status)
{
    line(ui, "gnrrun: ", "31", err->msg);
    if (err->hint[0])
        line(ui, "hint: ", NULL, err->hint);
    if (ui->o.json) {
        struct gn_json *j = gn_json_object();

        gn_json_set_str(j, "event", "error");
        gn_json_set_int(j, "status", status);
        gn_json_set_str(j, "text", err->msg);
        gn_json_set_str(j, "hint", err->hint[0] ? err->hint : NULL);
        gn_ui_json(ui, j);
    }
}

/* --- events -------------------------------------------------------------------------------- */

static void show_log(struct gn_ui *ui, const struct gn_event *ev)
{
    if (!ev->len)
        return;
    gn_ui_clear_bar(ui);
    gn_ui_flush(ui);
    write_out(ui, ev->data, ev->len);
    ui->mid_line = ui->out_tty && ui->err_tty && ev->data[ev->len - 1] != '\n';
}

static void show_progress(struct gn_ui *ui, const struct gn_event *ev)
{
    struct gn_buf b = GN_BUF_INIT((size_t)8 << 10);
    bool now =
        gn_bar_update(&ui->bar, ev->text ? ev->text : "", ev->done, ev->total, ui->o.mono_ms(NULL));

    if (ev->total && ev->done >= ev->total) {
        gn_ui_clear_bar(ui);
        ui->bar.what[0] = '\0';
    } else if (now && ui->err_tty && !ui->mid_line && !ui->o.quiet) {
        gn_buf_addc(&b, '\r');
        gn_bar_line(&ui->bar, gn_ui_columns(ui), &b);
        gn_buf_adds(&b, "\033[K");
        write_err(ui, &b);
        ui->drawn = true;
    }
    gn_buf_clear(&b);
}

static void write_json(struct gn_ui *ui, const struct gn_event *ev)
{
    int64_t now = ui->o.mono_ms(NULL);
    bool end = ev->total && ev->done >= ev->total;

    if (ev->kind == GN_EV_DEBUG && !ui->o.verbose)
        return;
    if (ev->kind == GN_EV_PROGRESS && !end && now - ui->json_ms < 500)
        return;
    if (ev->kind == GN_EV_PROGRESS)
        ui->json_ms = now;
    gn_ui_json(ui, gn_json_event(ev, (int64_t)time(NULL)));
    gn_ui_flush(ui);
}

void gn_ui_event(struct gn_ui *ui, const struct gn_event *ev)
{
    const char *text = ev->text ? ev->text : "";

    if (ui->o.json) {
        write_json(ui, ev);
        if (ev->kind != GN_EV_WARN && ev->kind != GN_EV_PROGRESS)
            return;
    }
    switch (ev->kind) {
    case GN_EV_LOG:
        show_log(ui, ev);
        break;
    case GN_EV_PROGRESS:
        show_progress(ui, ev);
        break;
    case GN_EV_WARN:
        line(ui, "gnrrun: warning: ", "33", text);
        break;
    case GN_EV_STEP:
    case GN_EV_NOTE:
        if (!ui->o.quiet)
            line(ui, "gnrrun: ", "2", text);
        break;
    case GN_EV_STATE:
        if (ui->o.verbose && ev->run)
            gn_ui_say(ui, "%s: %s", ev->run, text);
        break;
    case GN_EV_DEBUG:
        if (ui->o.verbose)
            line(ui, "gnrrun: ", "2", text);
        break;
    }
}
