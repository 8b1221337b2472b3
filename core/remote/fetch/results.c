/* results.c - what of the things over there may be a result: by its name, its kind, its times. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/far.h"
#include "listing.h"
#include "room.h"

#define MAX_RESULTS ((size_t)2000000)
#define MAX_VENVS   1000

struct lister {
    struct gn_fetch *f;
    struct gn_listing_head head;
    struct gn_strs venvs; /* folders with a pyvenv.cfg: whatever their name */
    struct gn_strs built; /* folders in which something is of the setup's making */
};

static bool same_kind(const struct gn_entry *e, char type)
{
    return (e->kind == GN_FILE && type == 'f') || (e->kind == GN_DIR && type == 'd') ||
           (e->kind == GN_LINK && type == 'l');
}

/* Changed last after the run was put together and before its setup was over.  What is older
 * than both came with the run, and if it has a new name the program may have moved it. */
static bool by_setup(const struct lister *l, const struct gn_listed *e)
{
    return e->ctime_ns >= l->head.marker_ns && e->ctime_ns < l->head.setup_ns;
}

/* path is of the setup's making: its folders are then no results because of a changed time. */
static void note_built(struct lister *l, const char *path)
{
    const char *last = l->built.n ? l->built.v[l->built.n - 1] : "";
    char *dir = gn_strdup(path);
    char *slash = strrchr(dir, '/');

    if (slash)
        *slash = 0;
    if (!slash || strcmp(dir, last) == 0) {
        free(dir);
        return;
    }
    for (slash = strrchr(dir, '/'); slash; slash = strrchr(dir, '/')) {
        gn_strs_add(&l->built, dir);
        *slash = 0;
    }
    gn_strs_take(&l->built, dir);
}

/* May it be a result? */
static bool may_be(struct lister *l, const struct gn_listed *e, const char *path,
                   const struct gn_entry **shipped)
{
    const struct gn_fetch_opts *o = l->f->opts;
    const char *why;

    *shipped = o->shipped ? gn_manifest_find(o->shipped, path) : NULL;
    if (*shipped && same_kind(*shipped, e->type) &&
        (e->type == 'd' || e->ctime_ns < l->head.marker_ns))
        return false;
    if (by_setup(l, e)) {
        note_built(l, path);
        return false;
    }
    if (gn_select_junk(path, e->type == 'd') || gn_select_below(o->skip, path) ||
        !gn_select_wanted(o->patterns, path, e->type == 'd'))
        return false;
    why = e->cut ? "its path is too long" : gn_confine_refuses(e->path, e->len);
    if (!why && e->type == 'o')
        why = "it is neither a file nor a folder nor a link";
    if (why)
        gn_fetch_refuse(l->f, e->path, e->len, why);
    return !why;
}

static int on_listed(const struct gn_listed *e, void *arg, struct gn_err *err)
{
    struct lister *l = arg;
    struct gn_fetch *f = l->f;
    char *path = gn_strndup(e->path, e->len);
    const char *base = strrchr(path, '/');
    const struct gn_entry *shipped;
    struct gn_cand *c;

    if (base && strcmp(base, "/pyvenv.cfg") == 0 && l->venvs.n < MAX_VENVS)
        gn_strs_take(&l->venvs, gn_strndup(path, (size_t)(base - path)));
    if (!may_be(l, e, path, &shipped)) {
        free(path);
        return GN_OK;
    }
    if (f->n >= MAX_RESULTS) {
        free(path);
        gn_err_set(err, GN_E_LIMIT, "the run made more than %zu files", MAX_RESULTS);
        gn_err_hint(err, "name those that are wanted with results: or on the command line");
        return GN_E_LIMIT;
    }
    GN_GROW(f->cand, f->n, f->cap);
    c = &f->cand[f->n++];
    *c = (struct gn_cand){.path = path,
                          .size = e->size,
                          .mtime_ns = e->mtime_ns,
                          .ctime_ns = e->ctime_ns,
                          .shipped = shipped,
                          .mode = e->mode & 0777, /* never setuid, setgid, sticky */
                          .type = e->type};
    return GN_OK;
}

void gn_cand_clear(struct gn_cand *c)
{
    free(c->path);
    free(c->target);
    gn_place_free(c->place);
}

static int cmp_cand(const void *a, const void *b)
{
    return strcmp(((const struct gn_cand *)a)->path, ((const struct gn_cand *)b)->path);
}

static int cmp_str(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_built(const struct gn_strs *built, const struct gn_cand *c)
{
    return c->type == 'd' && built->n &&
           bsearch(&c->path, built->v, built->n, sizeof *built->v, cmp_str);
}

/* In order, each once (a folder that changes while it is listed may name a file twice), without
 * what lies in virtual environments, and without folders that the setup filled. */
static void tidy(struct lister *l)
{
    struct gn_fetch *f = l->f;
    size_t n = 0;

    if (f->n)
        qsort(f->cand, f->n, sizeof *f->cand, cmp_cand);
    if (l->built.n)
        qsort(l->built.v, l->built.n, sizeof *l->built.v, cmp_str);
    for (size_t i = 0; i < f->n; i++) {
        if ((n && strcmp(f->cand[n - 1].path, f->cand[i].path) == 0) ||
            gn_select_below(&l->venvs, f->cand[i].path) || is_built(&l->built, &f->cand[i]))
            gn_cand_clear(&f->cand[i]);
        else
            f->cand[n++] = f->cand[i];
    }
    f->n = n;
}

static int read_listing(struct lister *l, struct gn_far *far, struct gn_err *err)
{
    struct gn_listing *list = gn_listing_new(on_listed, l);
    const struct gn_ctx *ctx = l->f->ctx;
    const char *line;
    char buf[16384];
    size_t n;
    int rc;

    rc = gn_far_expect(far, "list", &line, ctx, err);
    if (!rc)
        rc = gn_listing_head(line, &l->head, err);
    while (!rc) {
        rc = gn_far_read(far, buf, sizeof buf, &n, ctx, err);
        if (!rc && n == 0)
            break;
        if (!rc)
            rc = gn_listing_feed(list, buf, n, err);
    }
    if (!rc)
        rc = gn_listing_end(list, err);
    gn_listing_free(list);
    return rc;
}

/*
 * The last look is at everything: a folder of old files that was moved has a new name and old
 * times.  While the program runs the quick look will do.
 */
int gn_results_list(struct gn_fetch *f, struct gn_err *err)
{
    bool full = !f->opts->shipped || !f->opts->while_running;
    const struct gn_far_arg args[] = {{"root", f->opts->run->workdir},
                                      {"token", f->opts->run->token},
                                      {"full", full ? "1" : "0"},
                                      {NULL, NULL}};
    struct lister l = {.f = f};
    struct gn_far *far = NULL;
    int rc = gn_far_open(f->t, "list", args, &far, f->ctx, err);

    if (!rc)
        rc = read_listing(&l, far, err);
    gn_far_close(far);
    f->fine = l.head.fine;
    f->far_cksum = l.head.cksum;
    f->clock_s = l.head.clock_s;
    f->takes_names = l.head.names;
    f->trusts = f->takes_names && f->fine && !f->opts->while_running && !f->again;
    tidy(&l);
    gn_strs_clear(&l.venvs);
    gn_strs_clear(&l.built);
    return rc;
}
