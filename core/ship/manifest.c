#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "tree.h"
#include "wire.h"

#define MAGIC          "gnrrun manifest 1\n"
#define MIN_ENTRY      62                 /* bytes of an entry in the file */
#define SEAL_BYTES     ((size_t)64 << 10) /* hashed at once; an entry has less */
#define MAX_FILE_BYTES ((uint64_t)1 << 60)

void gn_manifest_free(struct gn_manifest *m)
{
    if (!m)
        return;
    gn_arena_free(m->arena);
    free(m->v);
    free(m);
}

/* What the id is made of: everything the far side could see, but no times. */
static void put_identity(struct gn_buf *b, const struct gn_entry *e)
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
        put_identity(&b, &m->v[i]);
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

int gn_manifest_write(const struct gn_manifest *m, const char *path, struct gn_err *err)
{
    struct gn_buf b = GN_BUF_INIT(GN_MAX_LISTING);
    int rc;

    gn_buf_adds(&b, MAGIC);
    gn_wire_put(&b, m->n, 8);
    for (size_t i = 0; i < m->n; i++) {
        put_identity(&b, &m->v[i]);
        gn_wire_put(&b, (uint64_t)m->v[i].mtime_ns, 8);
        gn_wire_put(&b, m->v[i].blocks, 8);
    }
    gn_wire_seal(&b);
    if (gn_buf_over(&b))
        rc = gn_err_set(err, GN_E_LIMIT, "too many files: %zu", m->n);
    else
        rc = gn_fs_replace(path, b.ptr, b.len, 0600, err);
    gn_buf_clear(&b);
    return rc;
}

/* Relative, and made of real names only. */
static bool is_plain_path(const char *s, size_t len)
{
    if (!len || len >= GN_PATH_LIMIT || memchr(s, '\0', len))
        return false;
    for (size_t at = 0; at <= len;) {
        const char *slash = at < len ? memchr(s + at, '/', len - at) : NULL;
        size_t n = slash ? (size_t)(slash - (s + at)) : len - at;

        if (!n || (n == 1 && s[at] == '.') || (n == 2 && s[at] == '.' && s[at + 1] == '.'))
            return false;
        at += n + 1;
    }
    return true;
}

static bool fits_kind(const struct gn_entry *e, size_t link_len)
{
    static const uint8_t zeros[GN_HASH_LEN];

    if (e->mode > 0777 || e->kind > GN_LINK || e->size > MAX_FILE_BYTES)
        return false;
    if (e->kind != GN_FILE && (e->size || memcmp(e->hash, zeros, sizeof zeros) != 0))
        return false;
    return (e->kind == GN_LINK) == (link_len > 0);
}

/* The next entry, which must come after the one before. */
static bool get_entry(struct gn_wire *w, struct gn_manifest *m)
{
    struct gn_entry *e = &m->v[m->n];
    size_t path_len, link_len;
    const char *path, *link;

    e->kind = (uint8_t)gn_wire_get(w, 1);
    e->mode = (uint16_t)gn_wire_get(w, 2);
    e->size = gn_wire_get(w, 8);
    gn_wire_copy(w, e->hash, sizeof e->hash);
    path = gn_wire_gets(w, &path_len);
    link = gn_wire_gets(w, &link_len);
    e->mtime_ns = (int64_t)gn_wire_get(w, 8);
    e->blocks = gn_wire_get(w, 8);
    if (w->bad || !is_plain_path(path, path_len) || !fits_kind(e, link_len) ||
        link_len >= GN_PATH_LIMIT || memchr(link, '\0', link_len))
        return false;
    e->path = gn_arena_add(m->arena, path, path_len);
    e->link = e->kind == GN_LINK ? gn_arena_add(m->arena, link, link_len) : NULL;
    return !m->n || strcmp(m->v[m->n - 1].path, e->path) < 0;
}

static bool get_all(struct gn_wire *w, struct gn_manifest *m)
{
    uint64_t n = gn_wire_get(w, 8);

    if (w->bad || n > (uint64_t)(w->end - w->p) / MIN_ENTRY)
        return false;
    m->v = gn_calloc((size_t)n + 1, sizeof *m->v);
    while (m->n < n) {
        if (!get_entry(w, m))
            return false;
        m->n++;
    }
    return w->p == w->end;
}

int gn_manifest_read(const char *path, struct gn_manifest **out, struct gn_err *err)
{
    struct gn_buf file = GN_BUF_INIT(GN_MAX_LISTING);
    struct gn_manifest *m = gn_new(struct gn_manifest);
    struct gn_wire w;
    int rc = gn_fs_read(path, &file, err);

    if (rc)
        goto out;
    m->arena = gn_arena_new();
    if (!gn_wire_open(&w, &file, MAGIC) || !get_all(&w, m)) {
        rc = gn_err_set(err, GN_E_PROTO, "'%s' is damaged or no manifest", path);
        goto out;
    }
    gn_manifest_seal(m);
    *out = m;
    m = NULL;
out:
    gn_manifest_free(m);
    gn_buf_clear(&file);
    return rc;
}

static int by_path(const void *key, const void *entry)
{
    return strcmp(key, ((const struct gn_entry *)entry)->path);
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
