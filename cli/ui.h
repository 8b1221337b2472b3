/*
 * ui.h - the only code that knows about terminals.
 *
 * stdout carries the answer and nothing else: the program's bytes, rows, or with --json
 * one object per line.  stderr carries our own words.  Colour and bars appear only
 * where stderr is a terminal; a bar is gone before anything else is written.
 */
#ifndef CLI_UI_H
#define CLI_UI_H

#include <stdbool.h>

#include "gnrrun/ctx.h"
#include "gnrrun/json.h"

struct gn_ui;

struct gn_ui_opts {
    bool json, quiet, verbose;
    bool no_color; /* NO_COLOR, TERM=dumb */
    int columns;   /* $COLUMNS where the terminal does not say, 0: 80 */
    int64_t (*mono_ms)(const struct gn_ctx *ctx);
    volatile sig_atomic_t *interrupts; /* raised when stdout is closed: `gnrrun train.py | head` */
};

struct gn_ui *gn_ui_new(int out_fd, int err_fd, const struct gn_ui_opts *opts);
void gn_ui_free(struct gn_ui *ui); /* clears the bar, flushes */

/* --- stdout -------------------------------------------------------------------------------- */

/* Bytes as they are.  Kept until flush, 64 KiB, or the end. */
void gn_ui_out(struct gn_ui *ui, const void *data, size_t len);
void gn_ui_outf(struct gn_ui *ui, const char *fmt, ...) GN_PRINTF(2, 3);
/* One object, one line; takes j. */
void gn_ui_json(struct gn_ui *ui, struct gn_json *j);
/* Write out now.  Errors are kept: see gn_ui_finish(). */
void gn_ui_flush(struct gn_ui *ui);
/* Nobody reads stdout any more. */
bool gn_ui_gone(const struct gn_ui *ui);
/* Flush; GN_E_SYS when something could not be written (but not when nobody reads any more). */
GN_MUST int gn_ui_finish(struct gn_ui *ui, struct gn_err *err);

/* --- stderr -------------------------------------------------------------------------------- */

/* "gnrrun: ..." and a newline; not with --quiet. */
void gn_ui_say(struct gn_ui *ui, const char *fmt, ...) GN_PRINTF(2, 3);
/* The error and its hint, in any case.  With --json also as an object on stdout. */
void gn_ui_error(struct gn_ui *ui, const struct gn_err *err, int status);
/* Take the bar away (before a prompt, a shell). */
void gn_ui_clear_bar(struct gn_ui *ui);

/* ctx->event: words, bar or objects. */
void gn_ui_event(struct gn_ui *ui, const struct gn_event *ev);

bool gn_ui_out_is_tty(const struct gn_ui *ui);
bool gn_ui_err_is_tty(const struct gn_ui *ui);
int gn_ui_columns(const struct gn_ui *ui);

/* --- tables -------------------------------------------------------------------------------- */

#define GN_TABLE_COLUMNS 12

struct gn_table {
    const char *const *head; /* n names */
    size_t n;
    unsigned right;     /* bit i: column i is right-aligned */
    struct gn_buf text; /* of all cells */
    struct gn_cell {
        uint32_t at, len; /* in text, which has a ceiling */
        uint32_t width;   /* on a terminal */
    } * cell;
    size_t cells, cap;
    size_t width[GN_TABLE_COLUMNS];
};

/* One row: n strings, NULL: "-". */
void gn_table_row(struct gn_table *t, const char *const *cells);
/* Aligned columns to stdout; on a terminal, cut at its width. */
void gn_table_print(struct gn_ui *ui, struct gn_table *t);
void gn_table_clear(struct gn_table *t);

/* Columns that s takes on a terminal; and the bytes of it that fit into max columns. */
size_t gn_width(const char *s);
size_t gn_width_cut(const char *s, size_t max);

/* The event as an object ("event", "time", "run", ...); for --json. */
struct gn_json *gn_json_event(const struct gn_event *ev, int64_t time_s);

#endif
