#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define SEAL_BYTES ((size_t)64 << 10) /* hashed at once; an entry has less */

void gn_manifest_free(struct gn_manifest *m)
{
    if (!m)
        return;
    gn_arena_free(m->arena);
    free(m->v);
    free(m);
}

void gn_manifest_put_identity(struct gn_buf *b, const struct gn_entry *e)
{
    gn_wire_put(b, e->kind, 1);
    gn_wire_put(b, e->mode, 2);
    gn_wire_put(b, e->size, 8);
    gn_buf_add(b, e->hash, sizeof e->hash);
    gn_wire_puts(b, e->path);
    gn_wire_puts(b, e->link ? e->link : "");
}

void gn_manifest_seal(struct gn_manifest *m)
{
    struct gn_buf b = GN_BUF_INIT(SEAL_BYTES * 2);
    struct gn_hash *h = gn_hash_new();
    uint8_t hash[GN_HASH_LEN];

    m->bytes = 0;
    for (size_t i = 0; i < m->n; i++) {
        gn_manifest_put_identity(&b, &m->v[i]);
        m->bytes += m->v[i].size;
        if (b.len < SEAL_BYTES)
            continue;
        gn_hash_add(h, b.ptr, b.len);
        gn_buf_reset(&b);
    }
    gn_hash_add(h, b.ptr, b.len);
    gn_hash_end(h, hash);
    gn_hex(hash, sizeof hash, m->id);
    gn_hash_free(h);
    gn_buf_clear(&b);
}

static int by_path(const void *key, const void *entry)
{
    return strcmp(key, ((const struct gn_entry *)entry)->path);
}

size_t gn_manifest_files(const struct gn_manifest *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        n += m->v[i].kind == GN_FILE;
    return n;
}

const struct gn_entry *gn_manifest_find(const struct gn_manifest *m, const char *path)
{
    return m->n ? bsearch(path, m->v, m->n, sizeof *m->v, by_path) : NULL;
}

static bool is_same(const struct gn_entry *a, const struct gn_entry *b)
{
    return a->kind == b->kind && a->mode == b->mode && a->size == b->size &&
           !memcmp(a->hash, b->hash, sizeof a->hash) &&
           (a->kind != GN_LINK || !strcmp(a->link, b->link));
}

void gn_manifest_diff(const struct gn_manifest *old, const struct gn_manifest *cur, gn_change_fn fn,
                      void *arg)
{
    size_t i, k = cur->n;

    /* Backwards, so that a folder goes after what is in it. */
    for (i = old ? old->n : 0; i-- > 0;) {
        int order = 1;

        while (k && (order = strcmp(cur->v[k - 1].path, old->v[i].path)) > 0)
            k--;
        if (!k || order != 0)
            fn(GN_REMOVE, &old->v[i], arg);
    }
    i = 0;
    for (k = 0; k < cur->n; k++) {
        while (old && i < old->n && strcmp(old->v[i].path, cur->v[k].path) < 0)
            i++;
        if (!old || i == old->n || strcmp(old->v[i].path, cur->v[k].path) != 0)
            fn(GN_ADD, &cur->v[k], arg);
        else if (!is_same(&old->v[i], &cur->v[k]))
            fn(GN_REPLACE, &cur->v[k], arg);
    }
}
