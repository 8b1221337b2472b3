/*
 * exit.h - the exit status of gnrrun, in one place.
 */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

#include <stddef.h>

enum gn_exit {
    GN_EXIT_OK = 0,
#define GN_EXIT(name, number, text) GN_EXIT_##name = (number),
#include "cli/exit.def"
#undef GN_EXIT
};

/* Marks for the table of commands: which of them a command may end with. */
#define GN_ENDS(code)    (1u << ((code)-100))
#define GN_ENDS_ALWAYS   (GN_ENDS(100) | GN_ENDS(101) | GN_ENDS(102) | GN_ENDS(108) | GN_ENDS(130))
#define GN_ENDS_REACHING (GN_ENDS(103) | GN_ENDS(104) | GN_ENDS(105))
#define GN_ENDS_PROGRAM  (1u << 31) /* the program's own */

struct gn_exit_text {
    int code;
    const char *text;
};

/* All of them in order; *n is how many. */
const struct gn_exit_text *gn_exit_list(size_t *n);

/* For a negative enum gn_rc. */
int gn_exit_of(int rc);

#endif
