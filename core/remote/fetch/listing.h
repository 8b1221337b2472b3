/*
 * listing.h - the records of the far side's `list`, read as they come.
 *
 * A record begins with the nonce at the start of a line and ends where the next one
 * begins, so a name may hold newlines but no name can pass for a record.  The far side
 * may send anything: every size is bounded, what is not a record is GN_E_PROTO.
 */
#ifndef GN_FETCH_LISTING_H
#define GN_FETCH_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/buf.h"
#include "gnrrun/err.h"

#define GN_LISTING_NAMES ((size_t)16000000) /* more records than this are refused */
#define GN_LISTING_PATH  ((size_t)16 << 10) /* a longer path is cut */

/* What the line before the records says. */
struct gn_listing_head {
    int64_t clock_s;   /* far clock, 0: unknown */
    int64_t marker_ns; /* ctime of the marker: what is older came with the run */
    int64_t setup_ns;  /* end of the setup, 0: none was, INT64_MAX: it has not come to its end */
    bool fine;         /* times have parts of a second */
    bool cksum;        /* there is nothing better */
    bool names;        /* `get` takes names as they are, and tells what did not stand still */
};
GN_MUST int gn_listing_head(const char *line, struct gn_listing_head *out, struct gn_err *err);

/* "12", "12.5", "-1.25" as nanoseconds; false when it is no such number.  Centuries off: cut. */
bool gn_listing_time(const char *s, size_t len, int64_t *ns);

struct gn_listed {
    const char *path; /* below work/, without "./"; len bytes, no NUL; until the callback returns */
    size_t len;
    char type; /* f d l o */
    bool cut;  /* the path goes on: no file here can have it */
    uint16_t mode;
    uint64_t size;
    int64_t mtime_ns, ctime_ns;
};
typedef int (*gn_listed_fn)(const struct gn_listed *e, void *arg, struct gn_err *err);

struct gn_listing;

struct gn_listing *gn_listing_new(gn_listed_fn fn, void *arg);
void gn_listing_free(struct gn_listing *l);

/* The next bytes.  After the end record more bytes are GN_E_PROTO. */
GN_MUST int gn_listing_feed(struct gn_listing *l, const void *data, size_t len, struct gn_err *err);

/* The stream is over: GN_E_NET when the end record has not come. */
GN_MUST int gn_listing_end(const struct gn_listing *l, struct gn_err *err);

#endif
