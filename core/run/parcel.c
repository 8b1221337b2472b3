/*
 * parcel.c - what a far side lacks of a tree, as one stream (core/remote/sh/arrive.sh).
 *
 * "run/..." the run's own files; "before" what must go; "tree/..." what is new or changed;
 * "x/..." pieces; "after" the sh lines that put the pieces in their places.  "after" is
 * always the last: that it is there tells the far side that nothing was cut off.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/pipe.h"
#include "parcel.h"

#define PLAIN_BELOW  ((uint64_t)64 << 10) /* a process over there costs more than so few bytes */
#define ADAPT_FROM   ((uint64_t)16 << 20) /* enough to learn from */
#define PIPE_FROM    ((uint64_t)1 << 20)  /* worth a thread that packs */
#define RESUME_BYTES ((uint64_t)256 << 20)
#define LINE_MAX_SH  ((size_t)32 << 10) /* of names for one rm */

struct gn_parcel gn_parcel_new(struct gn_road *road, const char *root, const char *what)
{
    return (struct gn_parcel){.road = road,
                              .root = root,
                              .what = what,
                              .before = GN_BUF_INIT(GN_MAX_LISTING),
                              .after = GN_BUF_INIT(GN_MAX_LISTING)};
}

void gn_parcel_clear(struct gn_parcel *p)
{
    gn_buf_clear(&p->before);
    gn_buf_clear(&p->after);
    gn_lanes_close(p->lanes);
    p->lanes = NULL;
    gn_far_close(p->far);
    p->far = NULL;
}

/* To the far side; how far the packing is was counted where it is done. */
static int send_bytes(void *arg, const void *data, size_t len, struct gn_err *err)
{
    struct gn_parcel *p = arg;
    const struct gn_ctx *ctx = p->road->e->ctx;
    uint64_t done = atomic_load(&p->done);

    p->wire += len;
    if (done)
        gn_event_progress(ctx, p->what, done < p->total ? done : p->total - 1, p->total);
    return p->lanes ? gn_lanes_write(p->lanes, data, len, err)
                    : gn_far_write(p->far, data, len, ctx, err);
}

static int put_in_pipe(void *arg, const void *data, size_t len, struct gn_err *err)
{
    struct gn_parcel *p = arg;

    return gn_pipe_put(p->pipe, data, len, err);
}

static void add_progress(void *arg, uint64_t bytes)
{
    struct gn_parcel *p = arg;

    atomic_fetch_add(&p->done, bytes);
}

/* --- what is in it ------------------------------------------------------------------------- */

/* Does its folder go as well?  Then that takes all in it. */
static bool goes_with_folder(const struct gn_parcel *p, const char *path)
{
    const char *slash = strrchr(path, '/');
    const struct gn_entry *above;
    char *dir;

    if (!slash)
        return false;
    dir = gn_strndup(path, (size_t)(slash - path));
    above = gn_manifest_find(p->tree, dir);
    free(dir);
    return !above || above->kind != GN_DIR;
}

/* rm takes many names: a process for each would be felt. */
static void add_removal(struct gn_parcel *p, const char *path)
{
    char *rel = gn_printf("./%s", path);

    if (p->rm_len && p->rm_len + strlen(rel) > LINE_MAX_SH) {
        gn_buf_addc(&p->before, '\n');
        p->rm_len = 0;
    }
    if (!p->rm_len)
        gn_buf_adds(&p->before, "rm -rf --");
    gn_buf_addc(&p->before, ' ');
    gn_buf_addsh(&p->before, rel);
    p->rm_len += strlen(rel) + 4;
    free(rel);
}

/* What e was, and how little of it must travel; NULL: all of it. */
static const struct gn_entry *find_patch(const struct gn_parcel *p, enum gn_change what,
                                         const struct gn_entry *e, uint64_t *bytes)
{
    const struct gn_entry *was = NULL;

    if (what == GN_REPLACE && gn_entry_is_large(e))
        was = gn_manifest_find(p->base, e->path);
    return was && gn_patch_bytes(p->road->e->ctx, was, e, bytes) ? was : NULL;
}

static void count_change(enum gn_change what, const struct gn_entry *e, void *arg)
{
    struct gn_parcel *p = arg;
    uint64_t bytes = 0;

    if (what != GN_REMOVE) {
        if (!find_patch(p, what, e, &bytes))
            bytes = e->kind == GN_FILE ? e->size : 0;
        p->entries++;
        p->total += bytes;
        p->files += e->kind == GN_FILE;
    }
    if (what == GN_REMOVE && !goes_with_folder(p, e->path))
        add_removal(p, e->path);
    /* tar replaces a file by a file, and nothing else by nothing else */
    if (what == GN_REPLACE) {
        const struct gn_entry *old = gn_manifest_find(p->base, e->path);

        if (old && (old->kind != e->kind || e->kind == GN_LINK))
            add_removal(p, e->path);
    }
}

void gn_parcel_plan(struct gn_parcel *p, const struct gn_manifest *base,
                    const struct gn_manifest *tree)
{
    p->base = base;
    p->tree = tree;
    p->total = p->files = p->entries = 0;
    atomic_store(&p->done, 0);
    p->rm_len = 0;
    gn_buf_reset(&p->before);
    gn_buf_reset(&p->after);
    if (!tree)
        return;
    gn_manifest_diff(base, tree, count_change, p);
    if (p->rm_len)
        gn_buf_addc(&p->before, '\n');
}

static bool has_holes(const struct gn_manifest *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].kind == GN_FILE && m->v[i].blocks * 512 + ((uint64_t)256 << 10) <= m->v[i].size)
            return true;
    return false;
}

bool gn_parcel_resumes(const struct gn_manifest *tree)
{
    return tree->bytes >= RESUME_BYTES && !has_holes(tree);
}

int gn_parcel_resume(struct gn_parcel *p, int64_t parts, struct gn_err *err)
{
    const struct gn_ctx *ctx = p->road->e->ctx;
    const struct gn_entry *last;
    const char *line;
    int64_t size;
    char *ask;
    int rc;

    if (parts < 1 || (uint64_t)parts > p->entries || p->base || !gn_parcel_resumes(p->tree))
        return GN_OK;
    p->parts = (uint64_t)parts;
    last = &p->tree->v[parts - 1];
    if (!gn_entry_is_large(last) || strchr(last->path, '\n'))
        return GN_OK;
    ask = gn_printf("size %s\n", last->path);
    rc = gn_far_write(p->far, ask, strlen(ask), ctx, err);
    free(ask);
    if (!rc)
        rc = gn_far_expect(p->far, "size", &line, ctx, err);
    if (rc)
        return rc;
    size = strtoll(line + 5, NULL, 10);
    if (size < 0 || (uint64_t)size > last->size)
        size = 0; /* an older one of that name */
    p->there = (uint64_t)size;
    gn_event_text(ctx, GN_EV_DEBUG, "%" PRId64 " entries are there, and %" PRId64 " bytes of '%s'",
                  parts - 1, size, last->path);
    return GN_OK;
}

/* --- sending ------------------------------------------------------------------------------- */

/*
 * A whole tree that was cut off goes on behind the entries that are there.  The last of them may
 * be half a file; folders and links are put right at the end of a tar only: they are sent again.
 */
static bool is_there(const struct gn_parcel *p, const struct gn_entry *e, uint64_t at)
{
    return e->kind == GN_FILE && at + 1 < p->parts;
}

/* All of it, or what is missing of it. */
static int pack_whole(struct gn_parcel *p, const struct gn_entry *e, uint64_t at)
{
    const struct gn_ctx *ctx = p->road->e->ctx;
    bool done = false;
    int rc = GN_OK;

    if (p->there && at + 1 == p->parts)
        rc = gn_pack_rest(p->pack, p->root, "tree", e, p->there, &p->after, add_progress, p, ctx,
                          &done, p->err);
    if (rc || done)
        return rc;
    return gn_pack_entry(p->pack, p->root, "tree", e, &p->after, add_progress, p, ctx, p->err);
}

static void pack_change(enum gn_change what, const struct gn_entry *e, void *arg)
{
    struct gn_parcel *p = arg;
    const struct gn_entry *was;
    uint64_t bytes, at;

    if (what == GN_REMOVE || p->rc)
        return;
    at = p->packed++;
    was = find_patch(p, what, e, &bytes);
    if (was)
        p->rc = gn_pack_patch(p->pack, p->root, "tree", was, e, p->is_shared, &p->after,
                              add_progress, p, p->road->e->ctx, p->err);
    else if (is_there(p, e, at))
        add_progress(p, e->size);
    else
        p->rc = pack_whole(p, e, at);
}

static int pack_files(struct gn_parcel *p, const struct gn_far_file *files, size_t n,
                      struct gn_err *err)
{
    int rc = n ? gn_pack_dir(p->pack, "run", 0700, err) : GN_OK;

    for (size_t i = 0; i < n && !rc; i++)
        rc = gn_pack_mem(p->pack, files[i].path, 0600, files[i].data, files[i].len, err);
    return rc;
}

static int pack_all(struct gn_parcel *p, const struct gn_far_file *files, size_t n,
                    struct gn_err *err)
{
    int rc = pack_files(p, files, n, err);

    if (!rc && gn_buf_over(&p->before))
        rc = gn_err_set(err, GN_E_LIMIT, "too many files to remove");
    if (!rc)
        rc = gn_pack_mem(p->pack, "before", 0600, p->before.ptr, p->told_before ? 0 : p->before.len,
                         err);
    if (!rc)
        rc = gn_pack_dir(p->pack, "x", 0700, err);
    if (!rc)
        rc = gn_pack_dir(p->pack, "tree", 0700, err);
    p->packed = 0;
    p->err = err;
    if (!rc && p->tree) {
        gn_manifest_diff(p->base, p->tree, pack_change, p);
        rc = p->rc;
    }
    if (!rc && gn_buf_over(&p->after))
        rc = gn_err_set(err, GN_E_LIMIT, "too many holes in sparse files");
    p->complete = !rc;
    if (!rc)
        rc = gn_pack_mem(p->pack, "after", 0600, p->after.ptr, p->after.len, err);
    return rc;
}

static void find_largest(enum gn_change what, const struct gn_entry *e, void *arg)
{
    struct gn_parcel *p = arg;
    uint64_t bytes;

    if (find_patch(p, what, e, &bytes))
        return;
    if (what != GN_REMOVE && e->kind == GN_FILE && (!p->largest || e->size > p->largest->size))
        p->largest = e;
}

/* One file that makes up nearly all, and is compressed already: then it travels as it is. */
static bool is_worth_it(struct gn_parcel *p)
{
    p->largest = NULL;
    if (p->tree)
        gn_manifest_diff(p->base, p->tree, find_largest, p);
    return !p->largest || p->largest->size < p->total / 10 * 9 ||
           gn_pack_would_shrink(p->root, p->largest);
}

/* pipe NULL: straight to the far side. */
static int pack_to(struct gn_parcel *p, struct gn_pipe *pipe, struct gn_err *err)
{
    int rc;

    p->pipe = pipe;
    p->rc = GN_OK;
    rc = gn_pack_open(pipe ? put_in_pipe : send_bytes, p, p->how, &p->pack, err);
    if (rc)
        return rc;
    rc = pack_all(p, p->run_files, p->n_run_files, err);
    if (rc)
        gn_pack_abort(p->pack);
    else
        rc = gn_pack_close(p->pack, err);
    p->pack = NULL;
    return rc;
}

static int pack_into(void *arg, struct gn_pipe *pipe, struct gn_err *err)
{
    return pack_to(arg, pipe, err);
}

void gn_parcel_hear(struct gn_parcel *p, const char *line)
{
    int64_t n = gn_far_number(line, "lanes", 0);

    p->lanes_there = n > 0 && n <= GN_LANES_MAX ? (unsigned)n : 0;
    if (!gn_far_field(line, "dir", p->dir, sizeof p->dir))
        p->lanes_there = 0;
}

/* The line before the stream, and the channels that it will need. */
static int say_how(struct gn_parcel *p, uint64_t raw, struct gn_err *err)
{
    bool lanes = p->lanes_there && gn_lanes_help(p->road->line, raw);
    char line[16];

    if (lanes)
        p->lanes = gn_lanes_open(p->road, p->far, p->dir, p->lanes_there);
    snprintf(line, sizeof line, "%s%s\n", p->how & GN_PACK_ZSTD ? "z" : ".", lanes ? " lanes" : "");
    return gn_far_write(p->far, line, strlen(line), p->road->e->ctx, err);
}

int gn_parcel_send(struct gn_parcel *p, const struct gn_far_file *files, size_t n, bool zstd,
                   struct gn_err *err)
{
    const struct gn_ctx *ctx = p->road->e->ctx;
    uint64_t raw = p->total + p->before.len;
    int rc;

    p->run_files = files;
    p->n_run_files = n;
    p->how = GN_PACK_PLAIN;
    for (size_t i = 0; i < n; i++)
        raw += files[i].len;
    if (zstd && raw >= PLAIN_BELOW && is_worth_it(p) &&
        !(raw >= ADAPT_FROM && gn_transport_is_fast(p->road->line, p->road->e->ctx)))
        p->how = GN_PACK_ZSTD | (raw >= ADAPT_FROM ? GN_PACK_ADAPT : 0);
    rc = say_how(p, raw, err);
    /* one file as it is: the thread that reads ahead of us (core/ship/ahead.c) is enough */
    if (!rc)
        rc = raw < PIPE_FROM || (p->how == GN_PACK_PLAIN && p->largest)
                 ? pack_to(p, NULL, err)
                 : gn_pipe_run(pack_into, send_bytes, p, err);
    if (!rc && p->lanes)
        rc = gn_lanes_end(p->lanes, err);
    if (!rc)
        rc = gn_far_eof(p->far, ctx, err);
    if (!rc && p->total)
        gn_event_progress(ctx, p->what, p->total, p->total);
    return rc;
}
