/*
 * term.h - the user's terminal as a far shell wants it.
 */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>

/* Every key goes through, Ctrl-C too.  False when stdin is no terminal. */
bool gn_term_raw(void);
/* As it was before; safe to call at any time, from a signal handler too. */
void gn_term_restore(void);
void gn_term_size(int *cols, int *rows);

#endif
