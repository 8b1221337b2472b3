#include "cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cachefile.h"
#include "content.h"
#include "gnrrun/fs.h"
#include "tree.h"

/* Quick, and good enough against what is torn or rotten: whoever can write here needs no collision. */
uint64_t gn_cache_sum(const void *data, size_t len, uint64_t seed)
{
    const uint64_t k = 0x9fb21c651e98df25;
    const uint8_t *p = data;
    uint64_t a = seed ^ len * k, b = ~a;

    for (; len >= 16; len -= 16, p += 16) {
        a = (a ^ gn_get64(p)) * k;
        b = (b ^ gn_get64(p + 8)) * k;
        a ^= a >> 35;
        b ^= b >> 31;
    }
    for (; len; len--, p++)
        a = (a ^ *p) * k;
    a = (a ^ (b >> 32 | b << 32)) * k;
    a ^= a >> 28;
    a *= k;
    return a ^ a >> 32;
}

/* --- the index --------------------------------------------------------------------------------- */

static bool read_at(int fd, void *buf, size_t len, uint64_t at)
{
    uint8_t *p = buf;

    while (len) {
        ssize_t n = pread(fd, p, len, (off_t)at);

        if (n <= 0)
            return false;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static bool get_index(struct gn_cache *c, uint8_t *raw, size_t n, uint64_t end)
{
    c->v = gn_realloc(NULL, n + 1, sizeof *c->v);
    for (size_t i = 0; i < n; i++, raw += GN_CACHE_INDEX) {
        struct gn_cache_piece *p = &c->v[i];

        *p = (struct gn_cache_piece){gn_get64(raw), gn_get64(raw + 8), gn_get64(raw + 16)};
        if (p->len < GN_CACHE_HEAD || p->len > GN_CACHE_PIECE_MAX || p->at > end ||
            p->len > end - p->at || (i && c->v[i - 1].key > p->key))
            return false;
    }
    c->n = n;
    return true;
}

static bool read_index(struct gn_cache *c)
{
    uint8_t magic[sizeof GN_CACHE_MAGIC - 1], end[GN_CACHE_END], *raw;
    struct stat st;
    uint64_t size, at, n;
    bool good;

    if (fstat(c->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size < (off_t)(sizeof magic + sizeof end))
        return false;
    size = (uint64_t)st.st_size - sizeof end;
    if (!read_at(c->fd, magic, sizeof magic, 0) || memcmp(magic, GN_CACHE_MAGIC, sizeof magic) ||
        !read_at(c->fd, end, sizeof end, size) ||
        gn_cache_sum(end + 8, sizeof end - 8, 0) != gn_get64(end))
        return false;
    at = gn_get64(end + 16);
    n = gn_get64(end + 24);
    if (at < sizeof magic || at > size || n != (size - at) / GN_CACHE_INDEX ||
        (size - at) % GN_CACHE_INDEX)
        return false;
    c->entries = gn_get64(end + 32);
    c->all = gn_get64(end + 40);
    gn_hex(end + 48, GN_HASH_LEN, c->id);
    raw = gn_realloc(NULL, (size_t)n + 1, GN_CACHE_INDEX);
    good = read_at(c->fd, raw, (size_t)(size - at), at) &&
           gn_cache_sum(raw, (size_t)(size - at), 0) == gn_get64(end + 8) &&
           get_index(c, raw, (size_t)n, at);
    free(raw);
    return good;
}

void gn_cache_open(struct gn_cache *c, const char *file)
{
    *c = (struct gn_cache){.fd = -1};
    if (file)
        c->fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (c->fd >= 0 && !read_index(c))
        gn_cache_close(c);
}

void gn_cache_close(struct gn_cache *c)
{
    gn_fs_close(c->fd);
    free(c->v);
    *c = (struct gn_cache){.fd = -1};
}

static const struct gn_cache_piece *find_piece(const struct gn_cache *c, uint64_t key)
{
    size_t lo = 0, hi = c->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->v[mid].key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->n && c->v[lo].key == key ? &c->v[lo] : NULL;
}

/* --- reading ------------------------------------------------------------------------------------ */

void gn_cache_reader_init(struct gn_cache_reader *r, const struct gn_cache *c)
{
    *r = (struct gn_cache_reader){.c = c};
}

void gn_cache_reader_clear(struct gn_cache_reader *r)
{
    free(r->buf);
    r->buf = NULL;
}

/* The folder's next piece; false when there is none. */
static bool next_piece(struct gn_cache_reader *r)
{
    const struct gn_cache_piece *at = find_piece(r->c, gn_cache_sum(r->dir, r->dir_len, r->piece));
    size_t len;

    if (!at)
        return false;
    len = (size_t)at->len;
    if (len > r->cap) {
        r->buf = gn_realloc(r->buf, len, 1);
        r->cap = len;
    }
    if (!read_at(r->c->fd, r->buf, len, at->at) ||
        gn_cache_sum(r->buf + 8, len - 8, 0) != gn_get64(r->buf) ||
        gn_get16(r->buf + 8) != r->dir_len || len - GN_CACHE_HEAD < r->dir_len ||
        memcmp(r->buf + GN_CACHE_HEAD, r->dir, r->dir_len) != 0)
        return false;
    r->p = r->buf + GN_CACHE_HEAD + r->dir_len;
    r->end = r->buf + len;
    r->piece++;
    return true;
}

static const uint8_t *take(struct gn_cache_reader *r, size_t n)
{
    const uint8_t *p = r->p;

    if (n > (size_t)(r->end - r->p))
        return NULL;
    r->p += n;
    return p;
}

static bool get_file(struct gn_cache_reader *r, struct gn_cached *e)
{
    const uint8_t *p = take(r, 24 + GN_HASH_LEN);

    if (!p)
        return false;
    e->size = gn_get64(p);
    e->mtime_ns = (int64_t)gn_get64(p + 8);
    e->stamp = gn_get64(p + 16);
    e->hash = p + 24;
    return true;
}

static bool get_link(struct gn_cache_reader *r, struct gn_cached *e)
{
    const uint8_t *p = take(r, 2);

    if (!p)
        return false;
    e->link_len = gn_get16(p);
    p = take(r, e->link_len);
    e->link = (const char *)p;
    return p != NULL;
}

static bool get_entry(struct gn_cache_reader *r, struct gn_cached *e)
{
    const uint8_t *p = take(r, 6);

    *e = (struct gn_cached){.link = NULL};
    if (!p)
        return false;
    e->kind = p[0];
    e->clean = p[1] & 1;
    e->hashing = p[1] >> 1;
    e->mode = gn_get16(p + 2);
    e->name_len = gn_get16(p + 4);
    if (e->kind > GN_LINK || (e->kind == GN_FILE && !get_file(r, e)) ||
        (e->kind == GN_LINK && !get_link(r, e)))
        return false;
    p = take(r, e->name_len);
    e->name = (const char *)p;
    return p && e->name_len;
}

void gn_cache_enter(struct gn_cache_reader *r, const char *dir, size_t len)
{
    r->dir = dir;
    r->dir_len = len;
    r->piece = 0;
    r->p = r->end = NULL;
    r->have = false;
    r->over = !r->c->n;
}

const struct gn_cached *gn_cache_find(struct gn_cache_reader *r, const char *name, size_t len)
{
    while (!r->over) {
        size_t shorter;
        int order;

        if (!r->have && r->p == r->end && !next_piece(r))
            break;
        if (!r->have && !get_entry(r, &r->now))
            break;
        r->have = true;
        shorter = len < r->now.name_len ? len : r->now.name_len;
        order = memcmp(r->now.name, name, shorter);
        if (order > 0 || (!order && r->now.name_len > len))
            return NULL;
        r->have = false;
        if (!order && r->now.name_len == len)
            return &r->now;
    }
    r->over = true;
    return NULL;
}
