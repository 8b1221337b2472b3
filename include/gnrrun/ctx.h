/*
 * ctx.h - everything core may know of the world around it.
 *
 * Below cli/ nothing reads the environment, a clock, a terminal or a signal but
 * through this; tests hand in their own.  Core never prints, never prompts, never
 * exits: it reports events and asks questions here.
 */
#ifndef GNRRUN_CTX_H
#define GNRRUN_CTX_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/buf.h"

enum gn_event_kind {
    GN_EV_STEP,     /* text: what begins now ("shipping 12 files to 'ravan'") */
    GN_EV_PROGRESS, /* text: what; done of total bytes (total 0: unknown); done == total: finished */
    GN_EV_LOG,   /* data, len: bytes of the program's output, offset: where they stand in the log */
    GN_EV_NOTE,  /* text: worth a line ("connection lost; trying again in 2 s") */
    GN_EV_WARN,  /* text: worth a line in any case, also with --quiet */
    GN_EV_STATE, /* text: the run's new state; run: its name */
    GN_EV_DEBUG, /* text: for --verbose */
};

struct gn_event {
    enum gn_event_kind kind;
    const char *text; /* safe to print; NULL for GN_EV_LOG */
    const char *run;  /* name of the run it is about, or NULL */
    const char *data;
    size_t len;
    uint64_t offset;
    uint64_t done, total;
};

/* A question for the person at the keyboard. */
struct gn_question {
    const char *prompt;  /* made safe by the asker; may have several lines */
    bool echo;           /* show what is typed */
    bool yes_no;         /* "yes" or anything else */
    const char *without; /* what to say when nobody can be asked: the flag or setting to use */
};

struct gn_ctx {
    const char *home;       /* $HOME */
    const char *user;       /* the local user's name */
    const char *config_dir; /* $XDG_CONFIG_HOME/gnrrun */
    const char *state_dir;  /* $XDG_STATE_HOME/gnrrun */
    const char *cache_dir;  /* $XDG_CACHE_HOME/gnrrun */
    const char *cwd;        /* where the user stands */
    const char *exe;        /* this program, for another process of it; NULL: none is started */
    const char *(*env)(const struct gn_ctx *ctx, const char *name); /* NULL when unset */

    int64_t (*mono_ms)(const struct gn_ctx *ctx); /* runs on while the clock is set */
    int64_t (*wall_s)(const struct gn_ctx *ctx);  /* seconds since 1970 */

    void (*event)(const struct gn_ctx *ctx, const struct gn_event *ev);
    void *event_arg;

    /* Answer into out (a ceiling of its own; the caller wipes it).  GN_E_AUTH when nobody can be asked. */
    int (*ask)(const struct gn_ctx *ctx, const struct gn_question *q, struct gn_buf *out,
               struct gn_err *err);
    bool alone; /* it is known that nobody can be asked */

    /* Times Ctrl-C was pressed; waits look at it and at wake_fd (readable after each; -1: none). */
    const volatile sig_atomic_t *interrupts;
    int wake_fd;
    const _Atomic bool
        *stop; /* true: as interrupted, for a thread's own copy; noticed within a second */
    void *arg; /* of whoever made this ctx */
};

/* Microseconds, to measure how fast something of ours is; decisions about time ask the ctx. */
int64_t gn_stopwatch_us(void);

/* Short forms. */
void gn_event_text(const struct gn_ctx *ctx, enum gn_event_kind kind, const char *fmt, ...)
    GN_PRINTF(3, 4);
void gn_event_progress(const struct gn_ctx *ctx, const char *what, uint64_t done, uint64_t total);
bool gn_interrupted(const struct gn_ctx *ctx);

/* Wait ms, or less when interrupted: then GN_E_CANCEL. */
GN_MUST int gn_wait_ms(const struct gn_ctx *ctx, int64_t ms, struct gn_err *err);

/* poll(2) of one fd, -1 for none: GN_OK ready, GN_E_TIMEOUT, GN_E_CANCEL. */
GN_MUST int gn_wait_fd(const struct gn_ctx *ctx, int fd, short events, int64_t timeout_ms,
                       struct gn_err *err);

/* Nothing known, nobody to ask, real clocks: for tests and fuzzers. */
extern const struct gn_ctx gn_ctx_none;

#endif
