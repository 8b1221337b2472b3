/*
 * lazy.h - shared libraries that are loaded when they are first needed.
 *
 * libssh with what it brings along (libcrypto, Kerberos) costs more at the start than all
 * the rest of the program, and most commands never need it.  How a room uses this:
 * core/base/libcrypto.h shows it at its shortest.
 */
#ifndef GNRRUN_LAZY_H
#define GNRRUN_LAZY_H

#include <stddef.h>

#include "gnrrun/err.h"

/*
 * Load the library for as long as the program lives and find n functions in it.  fns is a
 * struct of nothing but n pointers to functions, in the order of names.  GN_E_FAIL when
 * the library or one of them is not there.
 */
GN_MUST int gn_lazy_load(const char *soname, const char *const names[], void *fns, size_t n,
                         struct gn_err *err);

#endif
