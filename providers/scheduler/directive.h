/*
 * directive.h - a line of a job's script, made of what users wrote.
 */
#ifndef GNRRUN_DIRECTIVE_H
#define GNRRUN_DIRECTIVE_H

#include "gnrrun/scheduler.h"

/* Can s be a word of such a line: nothing that a queue splits, quotes or comments at? */
bool gn_directive_word(const char *s);

/* GN_E_CONFIG unless value can be one: "'a b' cannot be WHAT". */
GN_MUST int gn_directive_check(const char *value, const char *what, struct gn_err *err);

/* front, value, newline, if value can be a word.  A NULL value: nothing. */
GN_MUST int gn_directive(struct gn_buf *out, const char *front, const char *value, const char *what,
                         struct gn_err *err);

/* What the user wants that we have no word for, a line each: "--constraint=v100". */
GN_MUST int gn_directive_raw(struct gn_buf *out, const char *front, const struct gn_target *t,
                             const char *such_as, struct gn_err *err);

#endif
