#include "cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "wire.h"

#define MAGIC     "gnrrun cache 2\n"
#define MIN_ENTRY 68

void gn_cache_clear(struct gn_cache *c)
{
    gn_arena_free(c->arena);
    free(c->v);
    *c = (struct gn_cache){.v = NULL};
}

void gn_cache_add(struct gn_cache *c, const struct gn_cached *e)
{
    GN_GROW(c->v, c->n, c->cap);
    c->v[c->n++] = *e;
}

static bool get_all(struct gn_wire *w, struct gn_cache *c)
{
    uint64_t n = gn_wire_get(w, 8);

    if (w->bad || n > (uint64_t)(w->end - w->p) / MIN_ENTRY)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        struct gn_cached e = {.path = ""};
        const char *path;
        size_t len;

        e.size = gn_wire_get(w, 8);
        e.ino = gn_wire_get(w, 8);
        e.mtime_ns = (int64_t)gn_wire_get(w, 8);
        e.ctime_ns = (int64_t)gn_wire_get(w, 8);
        e.clean = (uint8_t)gn_wire_get(w, 1);
        e.hashing = (uint8_t)gn_wire_get(w, 1);
        gn_wire_copy(w, e.hash, sizeof e.hash);
        path = gn_wire_gets(w, &len);
        if (w->bad)
            return false;
        e.path = gn_arena_add(c->arena, path, len);
        gn_cache_add(c, &e);
    }
    return w->p == w->end;
}

void gn_cache_load(struct gn_cache *c, const char *file)
{
    struct gn_buf b = GN_BUF_INIT(GN_MAX_LISTING);
    struct gn_err err = GN_ERR_INIT;
    struct gn_wire w;

    *c = (struct gn_cache){.arena = gn_arena_new()};
    if (!file)
        return;
    if (gn_fs_read(file, &b, &err) || !gn_wire_open(&w, &b, MAGIC) || !get_all(&w, c))
        c->n = 0;
    gn_buf_clear(&b);
}

bool gn_cache_save(const struct gn_cache *c, const char *file)
{
    struct gn_buf b = GN_BUF_INIT(GN_MAX_LISTING);
    bool good;

    gn_buf_adds(&b, MAGIC);
    gn_wire_put(&b, c->n, 8);
    for (size_t i = 0; i < c->n; i++) {
        const struct gn_cached *e = &c->v[i];

        gn_wire_put(&b, e->size, 8);
        gn_wire_put(&b, e->ino, 8);
        gn_wire_put(&b, (uint64_t)e->mtime_ns, 8);
        gn_wire_put(&b, (uint64_t)e->ctime_ns, 8);
        gn_wire_put(&b, e->clean, 1);
        gn_wire_put(&b, e->hashing, 1);
        gn_buf_add(&b, e->hash, sizeof e->hash);
        gn_wire_puts(&b, e->path);
    }
    gn_wire_seal(&b);
    good = !gn_buf_over(&b) && gn_fs_keep(file, b.ptr, b.len);
    gn_buf_clear(&b);
    return good;
}

const struct gn_cached *gn_cache_next(const struct gn_cache *c, size_t *at, const char *path)
{
    int order = 1;

    while (*at < c->n && (order = strcmp(c->v[*at].path, path)) < 0)
        ++*at;
    return *at < c->n && order == 0 ? &c->v[*at] : NULL;
}
