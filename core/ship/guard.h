/*
 * guard.h - secrets that must not leave this machine by accident.
 */
#ifndef GN_SHIP_GUARD_H
#define GN_SHIP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of a file the guard wants to see. */
#define GN_GUARD_HEAD 1024

/* What a file of this name is, "a private key" for example; NULL: nothing special. */
const char *gn_guard_name(const char *path);

/* The same for many files.  name (len bytes) is the last part of path; is_hidden: a folder on it
 * begins with ".". */
struct gn_guard;
struct gn_guard *gn_guard_new(void);
void gn_guard_free(struct gn_guard *g);
const char *gn_guard_file(const struct gn_guard *g, const char *path, const char *name, size_t len,
                          bool is_hidden);

/* The same by the first bytes of a file. */
const char *gn_guard_content(const char *path, const uint8_t *head, size_t len);

#endif
