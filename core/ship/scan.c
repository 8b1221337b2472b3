#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "content.h"
#include "gnrrun/fs.h"
#include "guard.h"
#include "manifest.h"
#include "tree.h"

struct scan {
    const struct gn_ctx *ctx;
    const struct gn_scan_opts *opts;
    struct gn_walk walk;
    struct gn_cache old, fresh;
    size_t old_at;
    bool dirty;            /* fresh is not what old is */
    int64_t start_s;       /* files touched since then, or shortly before, are racy */
    const char *secret;    /* what the first one is; NULL: none */
    const char *secret_at; /* its path */
    size_t n_secrets;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct gn_found *)a)->e.path, ((const struct gn_found *)b)->e.path);
}

static void note_secret(struct scan *s, const char *path, const char *what)
{
    if (!s->n_secrets++) {
        s->secret = what;
        s->secret_at = path;
    }
}

/* Names first: nothing has to be read for them. */
static void guard_names(struct scan *s)
{
    for (size_t i = 0; i < s->walk.n; i++) {
        const struct gn_entry *e = &s->walk.v[i].e;
        const char *what = e->kind == GN_FILE ? gn_guard_name(e->path) : NULL;

        if (what && !gn_is_allowed(s->opts->allow, e->path))
            note_secret(s, e->path, what);
    }
}

static int refuse_secrets(const struct scan *s, struct gn_err *err)
{
    char shown[GN_SHOWN], more[48] = "";

    if (!s->n_secrets)
        return GN_OK;
    if (s->n_secrets > 1)
        snprintf(more, sizeof more, " (and %zu more)", s->n_secrets - 1);
    gn_shown(s->secret_at, shown);
    gn_err_set(err, GN_E_CONFIG, "'%s' looks like %s%s: nothing was sent", shown, s->secret, more);
    return gn_err_hint(err, "add '%s' to .gnrrunignore, or pass --allow %s if it shall be shipped",
                       shown, shown);
}

/* The bytes below prefix (len bytes), and the part of it that is largest. */
static uint64_t largest_below(const struct gn_walk *w, const char *prefix, size_t len,
                              const char **best, size_t *best_len, uint64_t *best_bytes)
{
    uint64_t all = 0, bytes = 0;
    const char *group = NULL;
    size_t group_len = 0;

    *best_bytes = 0;
    for (size_t i = 0; i < w->n; i++) {
        const char *path = w->v[i].e.path;
        size_t n;

        if (strncmp(path, prefix, len) != 0 || (len && path[len] != '/'))
            continue;
        n = len + (len > 0);
        n += strcspn(path + n, "/");
        if (!group || group_len != n || memcmp(group, path, n) != 0)
            bytes = 0;
        group = path;
        group_len = n;
        bytes += w->v[i].e.size;
        all += w->v[i].e.size;
        if (bytes > *best_bytes) {
            *best = path;
            *best_len = n;
            *best_bytes = bytes;
        }
    }
    return all;
}

/* Go down while one part makes up nearly all: that is the culprit. */
static int refuse_size(const struct scan *s, uint64_t total, struct gn_err *err)
{
    const char *path = "";
    char *name;
    char shown[GN_SHOWN], all[32], limit[32], part[32];
    size_t len = 0;
    uint64_t bytes = total;

    for (;;) {
        const char *best = NULL;
        size_t best_len = 0;
        uint64_t best_bytes,
            here = largest_below(&s->walk, path, len, &best, &best_len, &best_bytes);

        if (!best || (len && best_bytes < here / 10 * 8))
            break;
        path = best;
        len = best_len;
        bytes = best_bytes;
    }
    name = gn_strndup(path, len);
    gn_shown(name, shown);
    free(name);
    gn_err_set(err, GN_E_LIMIT,
               "the project has %s, more than the limit of %s; the largest part is '%s' with %s",
               gn_fmt_bytes(total, all), gn_fmt_bytes(s->opts->max_bytes, limit), shown,
               gn_fmt_bytes(bytes, part));
    return gn_err_hint(
        err,
        "data: put `data: [%s]` into gnrrun.yaml, so that it is shipped once for all "
        "runs, or add it to .gnrrunignore",
        shown);
}

static int check_size(const struct scan *s, struct gn_err *err)
{
    uint64_t total = 0;

    for (size_t i = 0; i < s->walk.n; i++) {
        const struct gn_entry *e = &s->walk.v[i].e;
        total += gn_entry_is_huge_sparse(e) ? e->blocks * 512 : e->size;
    }
    if (s->opts->max_bytes && total > s->opts->max_bytes)
        return refuse_size(s, total, err);
    return GN_OK;
}

/* What was read: into the cache, unless it is too young to be told from its next content. */
static void take_hashed(struct scan *s, struct gn_found *f)
{
    struct gn_cached c = {.path = f->e.path,
                          .size = f->e.size,
                          .ino = f->ino,
                          .mtime_ns = f->e.mtime_ns,
                          .ctime_ns = f->ctime_ns,
                          .clean = !s->opts->everything && !f->secret,
                          .hashing = (uint8_t)gn_entry_hashing(&f->e)};

    if (f->secret && !gn_is_allowed(s->opts->allow, f->e.path))
        note_secret(s, f->e.path, f->secret);
    if (f->ctime_ns / 1000000000 + 1 >= s->start_s)
        return;
    f->e.stamp = gn_found_stamp(f);
    memcpy(c.hash, f->e.hash, sizeof c.hash);
    gn_cache_add(&s->fresh, &c);
    s->dirty = true;
}

static bool take_cached(struct scan *s, struct gn_found *f)
{
    const struct gn_cached *c = gn_cache_next(&s->old, &s->old_at, f->e.path);

    if (!c || c->size != f->e.size || c->ino != f->ino || c->mtime_ns != f->e.mtime_ns ||
        c->ctime_ns != f->ctime_ns || c->hashing != gn_entry_hashing(&f->e) ||
        !(c->clean || s->opts->everything))
        return false;
    memcpy(f->e.hash, c->hash, sizeof f->e.hash);
    f->e.stamp = gn_found_stamp(f);
    gn_cache_add(&s->fresh, c);
    return true;
}

static int hash_all(struct scan *s, struct gn_err *err)
{
    int rc;

    for (size_t i = 0; i < s->walk.n; i++) {
        struct gn_found *f = &s->walk.v[i];

        f->todo = f->e.kind == GN_FILE && !take_cached(s, f);
    }
    s->dirty = s->fresh.n != s->old.n;
    rc = gn_walk_hash(s->ctx, s->opts, &s->walk, err);
    for (size_t i = 0; !rc && i < s->walk.n; i++)
        if (s->walk.v[i].hashed)
            take_hashed(s, &s->walk.v[i]);
    return rc;
}

static int cached_by_path(const void *a, const void *b)
{
    return strcmp(((const struct gn_cached *)a)->path, ((const struct gn_cached *)b)->path);
}

static void save_cache(struct scan *s)
{
    if (!s->opts->cache_file || !s->dirty)
        return;
    if (s->fresh.n)
        qsort(s->fresh.v, s->fresh.n, sizeof *s->fresh.v, cached_by_path);
    if (!gn_cache_save(&s->fresh, s->opts->cache_file))
        gn_event_text(s->ctx, GN_EV_DEBUG, "cannot write '%s': the next scan reads all again",
                      s->opts->cache_file);
}

static struct gn_manifest *make_manifest(struct gn_walk *w)
{
    struct gn_manifest *m = gn_new(struct gn_manifest);

    m->v = gn_calloc(w->n + 1, sizeof *m->v);
    for (m->n = 0; m->n < w->n; m->n++)
        m->v[m->n] = w->v[m->n].e;
    m->arena = w->arena;
    w->arena = NULL;
    gn_manifest_seal(m);
    return m;
}

int gn_scan(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_manifest **out,
            struct gn_err *err)
{
    struct scan s = {.ctx = ctx, .opts = opts};
    int rc;

    s.start_s = ctx->wall_s(ctx);
    s.walk.arena = gn_arena_new();
    gn_cache_load(&s.old, opts->cache_file);
    rc = gn_walk(ctx, opts, &s.walk, err);
    if (rc)
        goto out;
    if (s.walk.n)
        qsort(s.walk.v, s.walk.n, sizeof *s.walk.v, by_path);
    if (!opts->everything)
        guard_names(&s);
    rc = refuse_secrets(&s, err);
    if (!rc)
        rc = check_size(&s, err);
    if (!rc)
        rc = hash_all(&s, err);
    if (!rc)
        rc = refuse_secrets(&s, err);
    if (rc)
        goto out;
    save_cache(&s);
    *out = make_manifest(&s.walk);
out:
    gn_cache_clear(&s.old);
    gn_cache_clear(&s.fresh);
    gn_arena_free(s.walk.arena);
    free(s.walk.v);
    return rc;
}
