/*
 * world.h - the real world as a struct gn_ctx: environment, clocks, signals, the person.
 */
#ifndef CLI_WORLD_H
#define CLI_WORLD_H

#include "cli/ui.h"
#include "gnrrun/ctx.h"

struct gn_world {
    struct gn_ctx ctx;
    char *home, *user, *config_dir, *state_dir, *cache_dir, *cwd;
};

/* Read the environment, catch signals.  Events go to ui. */
GN_MUST int gn_world_open(struct gn_world *w, struct gn_ui *ui, struct gn_err *err);
void gn_world_close(struct gn_world *w);

/* --- signals (signals.c) --------------------------------------------------------------------- */

/*
 * SIGINT, SIGTERM and SIGHUP are counted and wake whoever waits; SIGPIPE becomes EPIPE.  Those
 * that our parent ignores (nohup, a job in the background) stay ignored.  Somebody who goes on
 * pressing Ctrl-C while nothing listens gets the prompt back: nothing is lost by that.
 */
GN_MUST int gn_signals_catch(struct gn_err *err);
volatile sig_atomic_t *gn_signals_count(void);
int gn_signals_last(void);
int gn_signals_fd(void);
void gn_signals_forget(void);

/* --- questions (ask.c) ----------------------------------------------------------------------- */

/* Is there a terminal to ask at? */
bool gn_ask_can(void);

int gn_ask(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
           struct gn_err *err);
/* Put the terminal back as it was; safe in a signal handler. */
void gn_ask_restore(void);

#endif
