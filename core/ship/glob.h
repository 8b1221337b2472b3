/*
 * glob.h - git's wildcards: * ? [...] \x, and where "/" counts (by_path) ** over folders.
 *
 * Time is polynomial whatever the pattern: there is no recursion and at most two places to go back to.
 */
#ifndef GN_SHIP_GLOB_H
#define GN_SHIP_GLOB_H

#include <stdbool.h>

bool gn_glob(const char *pattern, const char *text, bool by_path);

#endif
