#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "gnrrun/fs.h"
#include "manifest.h"
#include "tree.h"

bool gn_is_skipped(const struct gn_strs *skip, const char *path)
{
    for (size_t i = 0; skip && i < skip->n; i++) {
        const char *s = skip->v[i];
        size_t n;

        while (!strncmp(s, "./", 2))
            s += 2;
        n = strlen(s);
        while (n && s[n - 1] == '/')
            n--;
        if (n && !strncmp(path, s, n) && (!path[n] || path[n] == '/'))
            return true;
    }
    return false;
}

/* pattern against path and every folder above it. */
static bool matches_or_above(const char *path, const char *pattern)
{
    char part[GN_PATH_LIMIT];
    size_t len = strlen(path);

    if (len >= sizeof part)
        return false;
    memcpy(part, path, len + 1);
    for (bool is_dir = false;; is_dir = true) {
        char *slash = strrchr(part, '/');

        if (gn_glob_match(pattern, part, is_dir))
            return true;
        if (!slash)
            return false;
        *slash = '\0';
    }
}

bool gn_is_allowed(const struct gn_strs *allow, const char *path)
{
    for (size_t i = 0; allow && i < allow->n; i++)
        if (matches_or_above(path, allow->v[i]))
            return true;
    return false;
}

static int refuse_secrets(const struct gn_scan *s, struct gn_err *err)
{
    char shown[GN_SHOWN], more[48] = "";

    if (!s->secrets.n)
        return GN_OK;
    if (s->secrets.n > 1)
        snprintf(more, sizeof more, " (and %zu more)", s->secrets.n - 1);
    gn_shown(s->secrets.path, shown);
    gn_err_set(err, GN_E_CONFIG, "'%s' looks like %s%s: nothing was sent", shown, s->secrets.what,
               more);
    return gn_err_hint(err, "add '%s' to .gnrrunignore, or pass --allow %s if it shall be shipped",
                       shown, shown);
}

/* The bytes below prefix (len bytes), and the part of it that is largest. */
static uint64_t largest_below(const struct gn_manifest *m, const char *prefix, size_t len,
                              const char **best, size_t *best_len, uint64_t *best_bytes)
{
    uint64_t all = 0, bytes = 0;
    const char *group = NULL;
    size_t group_len = 0;

    *best_bytes = 0;
    for (size_t i = 0; i < m->n; i++) {
        const char *path = m->v[i].path;
        size_t n;

        if (strncmp(path, prefix, len) != 0 || (len && path[len] != '/'))
            continue;
        n = len + (len > 0);
        n += strcspn(path + n, "/");
        if (!group || group_len != n || memcmp(group, path, n) != 0)
            bytes = 0;
        group = path;
        group_len = n;
        bytes += m->v[i].size;
        all += m->v[i].size;
        if (bytes > *best_bytes) {
            *best = path;
            *best_len = n;
            *best_bytes = bytes;
        }
    }
    return all;
}

/* Go down while one part makes up nearly all: that is the culprit. */
static int refuse_size(const struct gn_scan *s, uint64_t total, struct gn_err *err)
{
    const char *path = "";
    char *name;
    char shown[GN_SHOWN], all[32], limit[32], part[32];
    size_t len = 0;
    uint64_t bytes = total;

    for (;;) {
        const char *best = NULL;
        size_t best_len = 0;
        uint64_t best_bytes, here = largest_below(s->m, path, len, &best, &best_len, &best_bytes);

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

/* The cache needs not be written when it says the same: all of its entries were found, and no others. */
static void save_cache(const struct gn_scan *s)
{
    const char *file = s->opts->cache_file;
    size_t lasting = 0;

    if (s->known == s->m->n && s->known == s->cache.entries)
        return;
    for (size_t i = 0; i < s->m->n; i++)
        lasting += s->m->v[i].kind != GN_FILE || s->m->v[i].stamp;
    if (s->known == s->cache.entries && s->known == lasting)
        return;
    if (!gn_cache_save(s->m, file))
        gn_event_text(s->ctx, GN_EV_DEBUG, "cannot write '%s': the next scan reads all again",
                      file);
}

/* The id was kept with the cache: making it takes longer than all else that is left. */
static void seal(struct gn_scan *s)
{
    if (s->known == s->m->n && s->cache.entries == s->m->n && s->cache.all == s->m->n && s->m->n)
        memcpy(s->m->id, s->cache.id, sizeof s->m->id);
    else
        gn_manifest_seal(s->m);
}

int gn_scan(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_manifest **out,
            struct gn_err *err)
{
    struct gn_scan s = {.ctx = ctx, .opts = opts, .m = gn_new(struct gn_manifest)};
    int rc;

    s.start_s = ctx->wall_s(ctx);
    s.m->arena = gn_arena_new();
    gn_cache_open(&s.cache, opts->cache_file);
    rc = gn_scan_walk(&s, err);
    if (!rc)
        rc = refuse_secrets(&s, err);
    if (!rc && opts->max_bytes && s.stored > opts->max_bytes)
        rc = refuse_size(&s, s.stored, err);
    if (!rc)
        rc = gn_scan_hash(&s, err);
    if (!rc)
        rc = refuse_secrets(&s, err);
    if (!rc) {
        seal(&s);
        if (opts->cache_file)
            save_cache(&s);
        *out = s.m;
        s.m = NULL;
    }
    gn_cache_close(&s.cache);
    free(s.todo);
    gn_manifest_free(s.m);
    return rc;
}
