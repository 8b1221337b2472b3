/* ask.c - one question, or some work, as core would ask and report it: for test_terminal.py. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/exit.h"
#include "cli/ui.h"
#include "cli/world.h"

static int question(const struct gn_ctx *ctx, const char *kind, struct gn_ui *ui,
                    struct gn_err *err)
{
    struct gn_question q = {
        .prompt = "the host is not known\nPassword for 'me':",
        .echo = !strcmp(kind, "echo"),
        .yes_no = !strcmp(kind, "yes"),
        .without = "give it with --some-flag",
    };
    struct gn_buf answer = GN_BUF_INIT(4096);
    int rc = ctx->ask(ctx, &q, &answer, err);

    if (!rc)
        gn_ui_outf(ui, "answer=[%s]\n", answer.ptr);
    gn_buf_clear(&answer);
    return rc;
}

/* A bar over work that goes on until a line comes in; then its end, a word, a line of the log. */
static int work(const struct gn_ctx *ctx, struct gn_ui *ui, struct gn_err *err)
{
    struct gn_event log = {.kind = GN_EV_LOG, .data = "50%\r100%", .len = 8};
    char c;
    int rc = GN_OK;

    for (uint64_t i = 1; !rc && i < 1000; i++) {
        gn_event_progress(ctx, "shipping", i * 1000, 1000000);
        rc = gn_wait_fd(ctx, STDIN_FILENO, POLLIN, 10, err);
        if (rc == GN_E_TIMEOUT)
            rc = GN_OK;
        else if (!rc && read(STDIN_FILENO, &c, 1) >= 0)
            break;
    }
    if (rc)
        return rc;
    gn_event_text(ctx, GN_EV_STEP, "a word");
    gn_ui_event(ui, &log);
    gn_event_text(ctx, GN_EV_NOTE, "another");
    return GN_OK;
}

int main(int argc, char **argv)
{
    struct gn_ui_opts o = {.mono_ms = gn_ctx_none.mono_ms, .interrupts = gn_signals_count()};
    struct gn_ui *ui = gn_ui_new(STDOUT_FILENO, STDERR_FILENO, &o);
    struct gn_world world = {0};
    struct gn_err err = GN_ERR_INIT;
    const char *kind = argc > 1 ? argv[1] : "hidden";
    int rc = gn_world_open(&world, ui, &err);

    if (!rc)
        rc = strcmp(kind, "work") ? question(&world.ctx, kind, ui, &err)
                                  : work(&world.ctx, ui, &err);
    if (rc)
        gn_ui_error(ui, &err, gn_exit_of(rc));
    gn_ui_free(ui);
    gn_world_close(&world);
    return gn_exit_of(rc);
}
