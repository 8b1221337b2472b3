/*
 * buf.h - bytes that grow, up to a ceiling given at the start.
 *
 * Invariants: ptr is never NULL and ptr[len] is always 0, also when empty; bytes
 * may be anything, NUL too.  Adders return nothing: what would pass the ceiling is
 * dropped whole and gn_buf_over() says so from then on, so the caller asks once.
 */
#ifndef GNRRUN_BUF_H
#define GNRRUN_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gnrrun/err.h"

struct gn_buf {
    char *ptr;
    size_t len;
    size_t cap; /* 0: ptr is not ours yet */
    size_t max;
    bool over;
};

extern char gn_buf_empty[1];
#define GN_BUF_INIT(ceiling)                                                                       \
    {                                                                                              \
        .ptr = gn_buf_empty, .max = (ceiling)                                                      \
    }

/* Ceilings in one place. */
#define GN_MAX_LINE    ((size_t)64 << 10)  /* a line of the far side's protocol */
#define GN_MAX_PROGRAM ((size_t)16 << 20)  /* a program for the far side */
#define GN_MAX_FILE    ((size_t)1 << 20)   /* a configuration or ignore file */
#define GN_MAX_LISTING ((size_t)512 << 20) /* the names of a work folder */

void gn_buf_clear(struct gn_buf *b); /* frees; usable again */
void gn_buf_wipe(struct gn_buf *b);  /* the same, and nothing of it stays in memory */
void gn_buf_reset(struct gn_buf *b); /* empties, keeps the memory, forgets over */
bool gn_buf_over(const struct gn_buf *b);
char *gn_buf_detach(struct gn_buf *b); /* the string is the caller's; b is empty */

void gn_buf_add(struct gn_buf *b, const void *data, size_t len);
void gn_buf_adds(struct gn_buf *b, const char *s);
void gn_buf_addc(struct gn_buf *b, char c);
void gn_buf_addf(struct gn_buf *b, const char *fmt, ...) GN_PRINTF(2, 3);
void gn_buf_vaddf(struct gn_buf *b, const char *fmt, va_list ap) GN_PRINTF(2, 0);

/* As one word of a POSIX sh, whatever is in it (but NUL). */
void gn_buf_addsh(struct gn_buf *b, const char *s);

/* The same on one line: a newline is written as '"$nl"' ($nl is set by the far side's prelude). */
void gn_buf_addshline(struct gn_buf *b, const char *s);

/* As base64 (RFC 4648), with padding; url: as its section 5 has it for URLs and without. */
void gn_buf_addb64(struct gn_buf *b, const void *data, size_t len, bool url);

/* Foreign text for a message: control characters and broken UTF-8 as \xNN, cut at max bytes. */
void gn_buf_addsafe(struct gn_buf *b, const char *s, size_t len, size_t max);

/* Room for n more bytes at the end; NULL when over the ceiling.  Then gn_buf_commit(). */
char *gn_buf_room(struct gn_buf *b, size_t n);
void gn_buf_commit(struct gn_buf *b, size_t n);

/* Drop n bytes from the front. */
void gn_buf_drop(struct gn_buf *b, size_t n);

/* Human sizes and times: "1.4 GB", "3 m 20 s".  out holds at least 32 bytes. */
char *gn_fmt_bytes(uint64_t bytes, char out[32]);
char *gn_fmt_seconds(int64_t seconds, char out[32]);
/* "1 file, 257 B", "12 files, 3.4 MB". */
char *gn_fmt_files(uint64_t files, uint64_t bytes, char out[64]);

/* Millionths of a US dollar, rounded up: "$1.90", "$0.017"; below 0: "unknown". */
char *gn_fmt_money(int64_t microusd, char out[32]);
/* "$2.50", "2.5", "0" -> millionths. */
bool gn_parse_money(const char *s, int64_t *out);

/* "8GB", "512M", "1.5g", "100" -> bytes (powers of 1000 for kB MB GB TB and k M G T; 1024 for KiB MiB GiB).
 * "90", "90s", "10m", "2h", "1h30m", "1-12:00:00", "01:30:00" -> seconds.  Return false if not readable. */
bool gn_parse_bytes(const char *s, uint64_t *out);
bool gn_parse_seconds(const char *s, int64_t *out);

/* Levenshtein-like distance with transpositions, for "did you mean". */
unsigned gn_edit_distance(const char *a, const char *b);

#endif
