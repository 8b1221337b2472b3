/*
 * fuzz_cache.c - a cache's piece with any bytes as its entries, the checksums put right: each name is found as
 * a whole or not at all, and nothing is read behind the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "cachefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAGIC_LEN (sizeof GN_CACHE_MAGIC - 1)

/* One piece, of folder "d". */
static void write_file(const char *path, const uint8_t *data, size_t size)
{
    size_t len = GN_CACHE_HEAD + 1 + size;
    uint8_t *piece = calloc(1, len), index[GN_CACHE_INDEX], end[GN_CACHE_END] = {0};
    FILE *f = fopen(path, "wb");

    if (!f || !piece)
        abort();
    piece[8] = 1;
    piece[GN_CACHE_HEAD] = 'd';
    if (size)
        memcpy(piece + GN_CACHE_HEAD + 1, data, size);
    gn_set64(piece, gn_cache_sum(piece + 8, len - 8, 0));
    gn_set64(index, gn_cache_sum("d", 1, 0));
    gn_set64(index + 8, MAGIC_LEN);
    gn_set64(index + 16, len);
    gn_set64(end + 8, gn_cache_sum(index, sizeof index, 0));
    gn_set64(end + 16, MAGIC_LEN + len);
    gn_set64(end + 24, 1);
    gn_set64(end, gn_cache_sum(end + 8, sizeof end - 8, 0));
    fwrite(GN_CACHE_MAGIC, 1, MAGIC_LEN, f);
    fwrite(piece, 1, len, f);
    fwrite(index, 1, sizeof index, f);
    fwrite(end, 1, sizeof end, f);
    fclose(f);
    free(piece);
}

static void find_all(struct gn_cache *c)
{
    static const char *const names[] = {"\x01", "a", "a.b", "ab", "b", "c", "zz"};
    struct gn_cache_reader r;

    gn_cache_reader_init(&r, c);
    gn_cache_enter(&r, "d", 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct gn_cached *e = gn_cache_find(&r, names[i], strlen(names[i]));
        unsigned sum = 0;

        if (!e)
            continue;
        if (e->name_len != strlen(names[i]) || memcmp(e->name, names[i], e->name_len) != 0 ||
            (e->kind == GN_FILE) != (e->hash != NULL))
            abort();
        for (size_t k = 0; e->hash && k < GN_HASH_LEN; k++)
            sum += e->hash[k];
        for (size_t k = 0; k < e->link_len; k++)
            sum += (unsigned char)e->link[k];
        if (sum == (unsigned)-1)
            abort();
    }
    gn_cache_enter(&r, "", 0);
    if (gn_cache_find(&r, "a", 1))
        abort();
    gn_cache_reader_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gn_cache c;
    char path[64];

    snprintf(path, sizeof path, "/tmp/gnrrun-fuzz-cache-%ld", (long)getpid());
    write_file(path, data, size);
    gn_cache_open(&c, path);
    if (c.n != (size + GN_CACHE_HEAD + 1 <= GN_CACHE_PIECE_MAX))
        abort();
    find_all(&c);
    gn_cache_close(&c);
    /* and as a file of its own */
    FILE *f = fopen(path, "wb");
    if (!f)
        abort();
    fwrite(data, 1, size, f);
    fclose(f);
    gn_cache_open(&c, path);
    gn_cache_close(&c);
    unlink(path);
    return 0;
}
