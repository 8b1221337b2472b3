/* cachefile.h - the bytes of a cache (cache.h): numbers are little-endian. */
#ifndef GN_SHIP_CACHEFILE_H
#define GN_SHIP_CACHEFILE_H

#include <stdint.h>

#define GN_CACHE_MAGIC "gnrrun cache 3\n"

/* A piece: checksum 8, length of the folder's path 2, the path, entries. */
#define GN_CACHE_HEAD      10
#define GN_CACHE_PIECE     ((size_t)64 << 10) /* begin another when there is so much in it */
#define GN_CACHE_PIECE_MAX ((uint64_t)1 << 20)
/* In the index: key, offset, length. */
#define GN_CACHE_INDEX 24
/* At the end: checksum of what follows, of the index; where that is, pieces, entries, all; id. */
#define GN_CACHE_END 80

static inline uint64_t gn_get64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static inline uint16_t gn_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline void gn_set64(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

#endif
