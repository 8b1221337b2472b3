/*
 * farprog.h - the text of a far-side program, and the command that carries it.
 *
 * A program goes as the command itself where the server and the login shell take it: then what
 * follows it on stdin can be on its way at once.  Else it goes on stdin, where a shell that reads
 * ahead would swallow whatever follows before the greeting has come.
 */
#ifndef GNRRUN_REMOTE_FARPROG_H
#define GNRRUN_REMOTE_FARPROG_H

#include <stdbool.h>

#include "gnrrun/buf.h"
#include "gnrrun/far.h"

#define GN_INLINE_MAX ((size_t)60 << 10) /* one argument may have 128 KiB on Linux */

/* Its arguments, what all share, its own text; false: there is no program `op`. */
bool gn_program_write(struct gn_buf *program, const char *op, const char *nonce,
                      const struct gn_far_arg *args);

/* The arguments alone; lines: for a program that reads them, each in one line whatever it holds. */
void gn_program_args(struct gn_buf *text, const struct gn_far_arg *args, bool lines);

/* A command for login shells that are known to quote as POSIX does; false: it is too long. */
bool gn_program_quote(const struct gn_buf *program, struct gn_buf *command);

/* A command that every login shell passes on unchanged (three processes more); false when the
 * program holds what some would not. */
bool gn_program_wrap(const struct gn_buf *program, struct gn_buf *command);

#endif
