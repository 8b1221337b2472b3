/* SEEK_DATA and SEEK_HOLE became POSIX only in 2024. */
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#include "content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ahead.h"
#include "blocks.h"
#include "tree.h"

#define HUGE_SPARSE      ((uint64_t)1 << 30)
#define SPARSE_MIN       ((uint64_t)1 << 20) /* below, holes are not worth a look */
#define MAX_EXTENTS      512
#define FIRST_GAP_JOINED ((uint64_t)64 << 10)

bool gn_entry_is_huge_sparse(const struct gn_entry *e)
{
    return e->kind == GN_FILE && e->size >= HUGE_SPARSE && e->blocks < e->size / 1024;
}

enum gn_hashing gn_entry_hashing(const struct gn_entry *e)
{
    if (gn_entry_is_huge_sparse(e))
        return GN_HASH_SPARSE;
    return gn_entry_is_large(e) ? GN_HASH_BLOCKS : GN_HASH_ALL;
}

void gn_extents_clear(struct gn_extents *x)
{
    free(x->v);
    *x = (struct gn_extents)GN_EXTENTS_INIT;
}

static void add_extent(struct gn_extents *x, uint64_t from, uint64_t to, uint64_t gap)
{
    struct gn_extent *last = x->n ? &x->v[x->n - 1] : NULL;

    if (last && from <= last->at + last->len + gap) {
        if (to > last->at + last->len)
            last->len = to - last->at;
        return;
    }
    GN_GROW(x->v, x->n, x->cap);
    x->v[x->n++] = (struct gn_extent){from, to - from};
}

void gn_extents_add(struct gn_extents *x, uint64_t at, uint64_t len)
{
    add_extent(x, at, at + len, 0);
}

#ifdef SEEK_HOLE
/* False when the file system cannot tell. */
static bool find_holes(int fd, uint64_t size, struct gn_extents *x)
{
    off_t at = 0;

    while ((uint64_t)at < size) {
        off_t data = lseek(fd, at, SEEK_DATA);
        off_t hole;

        if (data < 0)
            return errno == ENXIO; /* nothing but a hole up to the end */
        hole = lseek(fd, data, SEEK_HOLE);
        if (hole <= data)
            return false;
        if ((uint64_t)data < size) {
            uint64_t from = (uint64_t)data / GN_BLOCK * GN_BLOCK;
            uint64_t to = ((uint64_t)hole + GN_BLOCK - 1) / GN_BLOCK * GN_BLOCK;
            add_extent(x, from, to < size ? to : size, FIRST_GAP_JOINED);
        }
        at = hole;
    }
    return true;
}
#else
static bool find_holes(int fd, uint64_t size, struct gn_extents *x)
{
    (void)fd, (void)size, (void)x;
    return false;
}
#endif

void gn_extents_join(struct gn_extents *x)
{
    for (uint64_t gap = FIRST_GAP_JOINED * 2; x->n > MAX_EXTENTS; gap *= 2) {
        size_t n = x->n;

        x->n = 0;
        for (size_t i = 0; i < n; i++)
            add_extent(x, x->v[i].at, x->v[i].at + x->v[i].len, gap);
    }
    x->bytes = 0;
    for (size_t i = 0; i < x->n; i++)
        x->bytes += x->v[i].len;
}

void gn_extents_find(int fd, uint64_t size, uint64_t blocks, struct gn_extents *out)
{
    bool sparse = size >= SPARSE_MIN && blocks < size / 512;

    gn_extents_clear(out);
    if (!sparse || !find_holes(fd, size, out)) {
        gn_extents_clear(out);
        if (size)
            add_extent(out, 0, size, 0);
    }
    gn_extents_join(out);
}

void gn_reader_init(struct gn_reader *r, const struct gn_ctx *ctx)
{
    *r = (struct gn_reader){.ctx = ctx, .hash = gn_hash_new()};
    r->buf = gn_realloc(NULL, GN_READ_CHUNK, 1);
}

void gn_reader_clear(struct gn_reader *r)
{
    gn_hash_free(r->hash);
    free(r->buf);
    *r = (struct gn_reader){.hash = NULL};
}

static bool is_zero(const uint8_t *p, size_t n)
{
    return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/* Blocks of zeros are left out, so that it does not matter how the file system laid them out. */
static void hash_blocks(struct gn_hash *h, uint64_t at, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i += GN_BLOCK) {
        size_t n = len - i < GN_BLOCK ? len - i : GN_BLOCK;
        uint64_t number = (at + i) / GN_BLOCK;
        uint8_t head[8];

        if (is_zero(p + i, n))
            continue;
        for (unsigned k = 0; k < 8; k++)
            head[k] = (uint8_t)(number >> (8 * k));
        gn_hash_add(h, head, sizeof head);
        gn_hash_add(h, p + i, n);
    }
}

static void hash_piece(struct gn_reader *r, uint64_t at, const uint8_t *piece, size_t len)
{
    switch (r->how) {
    case GN_HASH_NONE:
        break;
    case GN_HASH_ALL:
        gn_hash_add(r->hash, piece, len);
        break;
    case GN_HASH_BLOCKS:
        gn_block_hash_add(r->blocks, piece, len);
        break;
    case GN_HASH_SPARSE:
        hash_blocks(r->hash, at, piece, len);
        break;
    }
}

static void hash_hole(struct gn_reader *r, uint64_t len)
{
    if (r->progress && len)
        r->progress(r->progress_arg, len);
    if (r->how == GN_HASH_NONE || r->how == GN_HASH_SPARSE || !len)
        return;
    memset(r->buf, 0, len < GN_READ_CHUNK ? (size_t)len : GN_READ_CHUNK);
    while (len) {
        size_t n = len < GN_READ_CHUNK ? (size_t)len : GN_READ_CHUNK;
        hash_piece(r, 0, r->buf, n);
        len -= n;
    }
}

/* A short read of a network file system is no end. */
int gn_read_at(int fd, const char *path, uint64_t at, uint8_t *buf, size_t len, struct gn_err *err)
{
    char shown[GN_SHOWN];
    size_t got = 0;

    while (got < len) {
        ssize_t n = pread(fd, buf + got, len - got, (off_t)(at + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gn_err_sys(err, errno, "cannot read '%s'", gn_shown(path, shown));
        if (n == 0)
            return gn_err_set(err, GN_E_CHANGED, "'%s' became shorter while it was read",
                              gn_shown(path, shown));
        got += (size_t)n;
    }
    return GN_OK;
}

/* An extent on its way: read and hashed ahead of whoever takes the bytes. */
struct passage {
    struct gn_reader *r;
    int fd;
    const char *path;
    uint64_t from;
};

static int make_piece(void *arg, uint64_t at, uint8_t *piece, size_t len, struct gn_err *err)
{
    struct passage *p = arg;
    int rc;

    if (gn_interrupted(p->r->ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    rc = gn_read_at(p->fd, p->path, p->from + at, piece, len, err);
    if (rc)
        return rc;
    hash_piece(p->r, p->from + at, piece, len);
    return GN_OK;
}

static int use_piece(void *arg, uint64_t at, uint8_t *piece, size_t len, struct gn_err *err)
{
    struct passage *p = arg;
    struct gn_reader *r = p->r;
    int rc = r->data ? r->data(r->data_arg, p->from + at, piece, len, err) : GN_OK;

    if (!rc && r->progress)
        r->progress(r->progress_arg, len);
    return rc;
}

static int read_extent(struct gn_reader *r, int fd, const char *path, const struct gn_extent *x,
                       struct gn_err *err)
{
    struct passage p = {.r = r, .fd = fd, .path = path, .from = x->at};

    return gn_ahead(x->len, make_piece, use_piece, &p, r->buf, err);
}

int gn_reader_run(struct gn_reader *r, int fd, const char *path, uint64_t size,
                  const struct gn_extents *x, uint8_t hash[GN_HASH_LEN], struct gn_err *err)
{
    uint64_t at = 0;
    int rc = GN_OK;

    gn_hash_reset(r->hash);
    r->blocks = r->how == GN_HASH_BLOCKS ? gn_block_hash_new(size) : NULL;
    for (size_t i = 0; i < x->n && !rc; i++) {
        hash_hole(r, x->v[i].at - at);
        rc = read_extent(r, fd, path, &x->v[i], err);
        at = x->v[i].at + x->v[i].len;
    }
    if (!rc)
        hash_hole(r, size - at);
    if (!rc && r->blocks)
        gn_block_hash_end(r->blocks, hash);
    else if (!rc && r->how != GN_HASH_NONE)
        gn_hash_end(r->hash, hash);
    gn_block_hash_free(r->blocks);
    r->blocks = NULL;
    return rc;
}
