/*
 * hash.h - SHA-256 (OpenSSL), the POSIX cksum, and random bytes.
 */
#ifndef GNRRUN_HASH_H
#define GNRRUN_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gnrrun/err.h"

#define GN_HASH_LEN 32
#define GN_HASH_HEX 65 /* with the final NUL */

struct gn_hash; /* one running SHA-256 */

struct gn_hash *gn_hash_new(void);
void gn_hash_reset(struct gn_hash *h);
void gn_hash_add(struct gn_hash *h, const void *data, size_t len);
void gn_hash_end(struct gn_hash *h, uint8_t out[GN_HASH_LEN]); /* then reset before more */
void gn_hash_free(struct gn_hash *h);

/* In one go. */
void gn_hash_data(const void *data, size_t len, uint8_t out[GN_HASH_LEN]);

/* HMAC-SHA256 (RFC 2104); out may be the key. */
void gn_hmac(const void *key, size_t key_len, const void *data, size_t len,
             uint8_t out[GN_HASH_LEN]);

/* n bytes as 2n hex digits and a NUL. */
void gn_hex(const uint8_t *data, size_t n, char *out);
bool gn_unhex(const char *hex, uint8_t *out, size_t n); /* exactly 2n digits */

/* What cksum(1) prints: CRC-32 of the bytes and then of their number (POSIX.1-2008, cksum). */
struct gn_cksum {
    uint32_t crc;
    uint64_t len;
};
void gn_cksum_add(struct gn_cksum *c, const void *data, size_t len); /* start with {0, 0} */
uint32_t gn_cksum_end(const struct gn_cksum *c);

/* n random bytes as hex digits; out holds 2n + 1.  From the kernel; aborts if it has none. */
void gn_random_hex(char *out, size_t n);

#endif
