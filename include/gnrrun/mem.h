/*
 * mem.h - memory for control data: it is there or the program ends.
 *
 * These never return NULL.  Sizes that come from outside are bounded before they
 * get here (buf.h); every state that matters is on disk before it is acted on, so
 * an abort loses no more than a dead battery would.
 */
#ifndef GNRRUN_MEM_H
#define GNRRUN_MEM_H

#include <stddef.h>

#include "gnrrun/err.h"

#define gn_new(type) ((type *)gn_calloc(1, sizeof(type)))

void *gn_calloc(size_t n, size_t size);
void *gn_realloc(void *p, size_t n, size_t size); /* n * size, checked */
char *gn_strdup(const char *s);                   /* NULL gives NULL */
char *gn_strndup(const char *s, size_t n);
char *gn_printf(const char *fmt, ...) GN_PRINTF(1, 2);

/* Make room for one more element: v is a pointer, n its count, cap its capacity. */
#define GN_GROW(v, n, cap)                                                                         \
    do {                                                                                           \
        if ((n) == (cap)) {                                                                        \
            (cap) = (cap) ? (cap)*2 : 8;                                                           \
            (v) = gn_realloc((v), (cap), sizeof *(v));                                             \
        }                                                                                          \
    } while (0)

/* A list of strings that owns them. */
struct gn_strs {
    char **v;
    size_t n, cap;
};
#define GN_STRS_INIT                                                                               \
    {                                                                                              \
        0                                                                                          \
    }

void gn_strs_add(struct gn_strs *s, const char *str);
void gn_strs_take(struct gn_strs *s, char *str); /* takes ownership */
void gn_strs_copy(struct gn_strs *to, const struct gn_strs *from);
void gn_strs_clear(struct gn_strs *s);

#endif
