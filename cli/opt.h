/*
 * opt.h - options: one table that the parser, --help, completion and the test of the man page read.
 *
 * A command's options are one or more tables, each ended by an entry without a name.
 * Parsing checks every value (numbers, sizes, durations), so that a command need not.
 */
#ifndef CLI_OPT_H
#define CLI_OPT_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/err.h"
#include "gnrrun/mem.h"

enum gn_opt_kind {
    GN_OPT_FLAG,
    GN_OPT_TEXT,
    GN_OPT_INT,   /* min to max */
    GN_OPT_SIZE,  /* "8GB" */
    GN_OPT_TIME,  /* "1h30m" */
    GN_OPT_MONEY, /* "$2.50": millionths of a dollar */
    GN_OPT_ENV,   /* K or K=V */
    GN_OPT_FILE,  /* the last three are text; they help completion */
    GN_OPT_DIR,
    GN_OPT_TARGET,
};

struct gn_opt {
    const char *name; /* "target": without dashes */
    const char *arg;  /* "NAME"; NULL for a flag */
    const char *help; /* one line, lower case */
    enum gn_opt_kind kind;
    char letter; /* 't', or 0 */
    bool many;   /* each counts; otherwise the last one does */
    bool empty;  /* "" is a value too */
    int min, max;
};

enum gn_opt_mode {
    GN_WORDS_MIXED,   /* options anywhere; what looks like one and is none is an error */
    GN_WORDS_PROGRAM, /* ours anywhere before "--"; after the first word, others are the program's */
    GN_WORDS_COMMAND, /* options up to the second word; from there on all is the command */
};

struct gn_given {
    const struct gn_opt *opt;
    const char *text; /* in argv; NULL for a flag */
    int64_t num;
};

struct gn_args {
    const struct gn_opt *const *tables; /* ended by NULL */
    struct gn_given *v;
    size_t n, cap;
    struct gn_strs words; /* all that is no option */
};

/*
 * Read argv[0..argc-1] (no program name).  GN_E_USAGE: one specific line, and as the hint
 * what was probably meant.  out is filled as far as reading came, so that --json before
 * the mistake is known; clear it in any case.
 */
GN_MUST int gn_args_parse(const struct gn_opt *const *tables, enum gn_opt_mode mode, int argc,
                          char **argv, struct gn_args *out, struct gn_err *err);
void gn_args_clear(struct gn_args *a);

/* By long name, which must be in the tables.  What was not given: false, NULL, the fallback. */
bool gn_args_has(const struct gn_args *a, const char *name);
const char *gn_args_text(const struct gn_args *a, const char *name);
int64_t gn_args_num(const struct gn_args *a, const char *name, int64_t fallback);
void gn_args_each(const struct gn_args *a, const char *name, struct gn_strs *out); /* appends */

/* The option called name, or NULL. */
const struct gn_opt *gn_opt_find(const struct gn_opt *const *tables, const char *name);
const struct gn_opt *gn_opt_letter(const struct gn_opt *const *tables, char letter);

/* The long name nearest to name within `within` typos, or NULL. */
const char *gn_opt_near(const struct gn_opt *const *tables, const char *name, unsigned within);

#endif
