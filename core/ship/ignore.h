/*
 * ignore.h - rules that need not be tried: most names are matched by none, and their first and last byte
 * tell for nearly all of them.
 */
#ifndef GN_SHIP_IGNORE_H
#define GN_SHIP_IGNORE_H

#include <string.h>

#include "gnrrun/ship.h"

/* Bits of gn_ignore_filter.may; for folders GN_FILTER_DIR further left. */
#define GN_FILTER_FIRST 1U
#define GN_FILTER_LAST  2U
#define GN_FILTER_DIR   2

#define GN_FILTER_ANY_FILE 1U
#define GN_FILTER_ANY_DIR  2U

struct gn_ignore_filter {
    uint8_t may[256]; /* by byte: some rule's names begin, or end, with it */
    uint8_t any;      /* some rule's names cannot be told by that */
};

/* Add what ig may match. */
void gn_ignore_filter_add(struct gn_ignore_filter *f, const struct gn_ignore *ig);

/* False: certainly no rule matches what has this name (len bytes, not 0), wherever it is. */
static inline bool gn_ignore_may(const struct gn_ignore_filter *f, const char *name, size_t len,
                                 bool is_dir)
{
    unsigned first = f->may[(unsigned char)name[0]], last = f->may[(unsigned char)name[len - 1]];
    unsigned hit = (first & (GN_FILTER_FIRST | GN_FILTER_FIRST << GN_FILTER_DIR)) |
                   (last & (GN_FILTER_LAST | GN_FILTER_LAST << GN_FILTER_DIR));

    if (f->any & (is_dir ? GN_FILTER_ANY_DIR : GN_FILTER_ANY_FILE))
        return true;
    return (is_dir ? hit >> GN_FILTER_DIR : hit & (GN_FILTER_FIRST | GN_FILTER_LAST)) != 0;
}

#endif
