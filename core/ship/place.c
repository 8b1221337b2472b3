/*
 * place.c - the entries of each folder are put where they belong in the sorted whole, with the hashes that
 * are known.
 *
 * In order of paths what is in folder a comes where "a/" does among the names beside it: "a-b" and
 * "a.b" before, "a0" behind.
 */
#include <string.h>

#include "content.h"
#include "walk.h"

void gn_secrets_add(struct gn_secrets *s, const char *path, const char *what)
{
    if (!s->n++ || strcmp(path, s->path) < 0) {
        s->path = path;
        s->what = what;
    }
}

void gn_secrets_join(struct gn_secrets *s, struct gn_secrets *from)
{
    if (!from->n)
        return;
    gn_secrets_add(s, from->path, from->what);
    s->n += from->n - 1;
    from->n = 0;
}

/* What is in the folder on top comes before name. */
static bool is_due(const struct gn_folder *f, const char *name)
{
    size_t n = strlen(f->name);

    return strncmp(name, f->name, n) != 0 || (unsigned char)name[n] > '/';
}

static void end_open(struct gn_walker *w, size_t *at)
{
    struct gn_folder *f = w->open[--w->n_open];

    f->first = *at;
    *at += atomic_load(&f->total);
}

static bool is_known(const struct gn_entry *e, const struct gn_cached *c, bool everything)
{
    return c && c->kind == GN_FILE && c->size == e->size && c->mtime_ns == e->mtime_ns &&
           c->stamp == e->stamp && c->hashing == gn_entry_hashing(e) && (c->clean || everything);
}

/* The hash, if it is known; else it is to be read. */
static bool take_hash(struct gn_walker *w, struct gn_entry *e, const struct gn_cached *c)
{
    const struct gn_scan *s = w->crew->scan;

    if (is_known(e, c, s->opts->everything)) {
        memcpy(e->hash, c->hash, sizeof e->hash);
        e->clean = c->clean;
        return c->mode == e->mode;
    }
    GN_GROW(w->todo, w->n_todo, w->cap_todo);
    w->todo[w->n_todo++] = (uint32_t)(e - s->m->v);
    return false;
}

static void place_file(struct gn_walker *w, const struct gn_folder *f, const struct gn_seen *seen,
                       const char *name, size_t len, struct gn_entry *e)
{
    const struct gn_scan_opts *opts = w->crew->scan->opts;
    const char *what;

    e->size = seen->size;
    e->blocks = seen->blocks;
    e->stamp = seen->stamp;
    w->bytes += e->size;
    w->stored += gn_entry_is_huge_sparse(e) ? e->blocks * 512 : e->size;
    if (!w->guard)
        return;
    what = gn_guard_file(w->guard, e->path, name, len, f->is_hidden);
    if (what && !gn_is_allowed(opts->allow, e->path))
        gn_secrets_add(&w->secrets, e->path, what);
}

static void place_entry(struct gn_walker *w, const struct gn_folder *f, const struct gn_seen *seen,
                        const char *name, struct gn_entry *e)
{
    size_t len = strlen(name);
    const struct gn_cached *c = gn_cache_find(&w->cached, name, len);

    *e = (struct gn_entry){.path = seen->path, .kind = seen->kind};
    if (seen->kind == GN_DIR) {
        e->mode = seen->sub->mode;
        e->mtime_ns = seen->sub->mtime_ns;
        w->known += c && c->kind == GN_DIR && c->mode == e->mode;
        return;
    }
    e->mode = seen->mode;
    e->mtime_ns = seen->mtime_ns;
    if (seen->kind == GN_FILE) {
        place_file(w, f, seen, name, len, e);
        w->known += take_hash(w, e, c);
    } else {
        e->link = name + len + 1;
        w->known += c && c->kind == GN_LINK && c->mode == e->mode &&
                    strlen(e->link) == c->link_len && !memcmp(e->link, c->link, c->link_len);
    }
}

int gn_folder_place(struct gn_walker *w, struct gn_task t, struct gn_err *err)
{
    struct gn_folder *f = t.f;
    size_t at = f->first, skip = f->path_len + (f->path_len > 0);

    if (gn_interrupted(w->crew->scan->ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    gn_folder_path(w, f);
    gn_cache_enter(&w->cached, w->path, f->path_len);
    for (size_t i = 0; i < f->n; i++) {
        const struct gn_seen *seen = &f->v[i];

        if (seen->gone || (seen->kind == GN_DIR && seen->sub->left_out))
            continue;
        while (w->n_open && is_due(w->open[w->n_open - 1], seen->path + skip))
            end_open(w, &at);
        place_entry(w, f, seen, seen->path + skip, &w->crew->scan->m->v[at++]);
        if (seen->kind != GN_DIR)
            continue;
        GN_GROW(w->open, w->n_open, w->cap_open);
        w->open[w->n_open++] = seen->sub;
    }
    while (w->n_open)
        end_open(w, &at);
    for (size_t i = f->n; i-- > 0;)
        if (f->v[i].kind == GN_DIR && !f->v[i].sub->left_out && f->v[i].sub->n)
            gn_crew_add(w, (struct gn_task){f->v[i].sub, false}, 1);
    return GN_OK;
}
