/*
 * launch.c - from "written down" to "started over there".
 *
 * The order is the promise.  The row says shipping before a byte is sent.  Over there
 * the run's folder gets its name only when all of it has arrived, and the same program
 * that gave it the name starts it, once for ever: so after a broken line the whole is
 * simply done again, and the far side says how far it had come.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "run_private.h"

#define TRIALS 6

/* A stream of packed files on its way. */
struct parcel {
    struct gn_road *road;
    struct gn_far *far;
    struct gn_pack *pack;
    const char *root;
    struct gn_buf after; /* sh lines for sparse files */
    const char *what;    /* for the progress bar */
    uint64_t done, total, wire;
    bool whole;    /* no base over there */
    bool complete; /* its last part may have arrived: then it may have been started */
    int rc;        /* first failure while the difference is walked */
    struct gn_err *err;
    struct gn_buf lines; /* deletions */
    uint64_t files;
};

static int send_bytes(void *arg, const void *data, size_t len, struct gn_err *err)
{
    struct parcel *p = arg;

    p->wire += len;
    return gn_far_write(p->far, data, len, p->road->e->ctx, err);
}

static void add_progress(void *arg, uint64_t bytes)
{
    struct parcel *p = arg;

    p->done += bytes;
    gn_event_progress(p->road->e->ctx, p->what, p->done, p->total);
}

static void count_change(enum gn_change what, const struct gn_entry *e, void *arg)
{
    struct parcel *p = arg;

    if (what != GN_REMOVE && e->kind == GN_FILE) {
        p->total += e->size;
        p->files++;
    }
    /* what is replaced is unlinked first: never write through a hard link */
    if (p->whole || what == GN_ADD || (what == GN_REPLACE && e->kind == GN_DIR))
        return;
    gn_buf_adds(&p->lines, "rm -rf -- ");
    char *rel = gn_printf("./%s", e->path);
    gn_buf_addshline(&p->lines, rel);
    free(rel);
    gn_buf_addc(&p->lines, '\n');
}

static void pack_change(enum gn_change what, const struct gn_entry *e, void *arg)
{
    struct parcel *p = arg;

    if (what == GN_REMOVE || p->rc)
        return;
    p->rc = gn_pack_entry(p->pack, p->root, "tree", e, &p->after, add_progress, p, p->road->e->ctx,
                          p->err);
}

/* The files of the run itself. */
static int pack_run(struct parcel *p, const struct gn_preview *view, struct gn_err *err)
{
    const struct gn_spec *spec = &p->road->spec;
    const struct gn_target *target = &p->road->target;
    int64_t limit = spec->time_s ? spec->time_s : p->road->config.project.needs.time_s;
    int nice = spec->nice >= 0     ? spec->nice
               : target->nice >= 0 ? target->nice
               : target->shared    ? 10
                                   : 0;
    struct gn_buf opts = GN_BUF_INIT(1000), sup = GN_BUF_INIT(GN_MAX_PROGRAM);
    int rc;

    gn_buf_adds(&sup, gn_sh_common);
    gn_buf_adds(&sup, gn_sh_sup);

    gn_buf_addf(&opts, "max_seconds=%" PRId64 "\ngrace=%" PRId64 "\nnice=%d\n", limit,
                spec->grace_s, nice);
    rc = gn_pack_dir(p->pack, "run", 0700, err);
    if (!rc)
        rc = gn_pack_mem(p->pack, "run/job", 0600, view->job.ptr, view->job.len, err);
    if (!rc)
        rc = gn_pack_mem(p->pack, "run/env", 0600, view->env.ptr, view->env.len, err);
    if (!rc)
        rc = gn_pack_mem(p->pack, "run/opts", 0600, opts.ptr, opts.len, err);
    if (!rc)
        rc = gn_pack_mem(p->pack, "run/sup", 0600, sup.ptr, sup.len, err);
    gn_buf_clear(&opts);
    gn_buf_clear(&sup);
    return rc;
}

/*
 * Everything that base lacks of tree, then `after`: that it is there tells the far side
 * that nothing was cut off.  base NULL: all of it; tree NULL: only the run's files.
 */
static int send_parcel(struct parcel *p, const struct gn_manifest *base,
                       const struct gn_manifest *tree, const struct gn_preview *run_files,
                       bool zstd, struct gn_err *err)
{
    const struct gn_ctx *ctx = p->road->e->ctx;
    int rc = gn_pack_open(send_bytes, p, zstd, &p->pack, err);

    if (rc)
        return rc;
    p->err = err;
    p->rc = GN_OK;
    if (run_files)
        rc = pack_run(p, run_files, err);
    if (!rc)
        rc = gn_pack_dir(p->pack, "tree", 0700, err);
    if (!rc && tree) {
        gn_manifest_diff(base, tree, pack_change, p);
        rc = p->rc;
    }
    if (!rc && gn_buf_over(&p->after))
        rc = gn_err_set(err, GN_E_LIMIT, "too many holes in sparse files");
    p->complete = !rc;
    if (!rc)
        rc = gn_pack_mem(p->pack, "after", 0600, p->after.ptr, p->after.len, err);
    if (rc)
        gn_pack_abort(p->pack);
    else
        rc = gn_pack_close(p->pack, err);
    p->pack = NULL;
    if (!rc)
        rc = gn_far_eof(p->far, ctx, err);
    if (!rc && p->total)
        gn_event_progress(ctx, p->what, p->total, p->total);
    return rc;
}

static void parcel_clear(struct parcel *p)
{
    gn_buf_clear(&p->after);
    gn_buf_clear(&p->lines);
    gn_far_close(p->far);
    p->far = NULL;
}

static struct parcel parcel_new(struct gn_road *road, const char *root, const char *what)
{
    return (struct parcel){.road = road,
                           .root = root,
                           .what = what,
                           .after = GN_BUF_INIT(GN_MAX_PROGRAM),
                           .lines = GN_BUF_INIT(GN_MAX_LISTING)};
}

/* --- data: ------------------------------------------------------------------------------- */

static int put_data(struct gn_road *road, const struct gn_data_item *d, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    bool remote = road->target.type != GN_TARGET_LOCAL;
    struct gn_far_arg args[] = {{"root", gn_road_root(road)},
                                {"id", d->tree->id},
                                {"zstd", remote ? "1" : "0"},
                                {NULL, NULL}};
    struct parcel p;
    char what[256], size[32];
    const char *line;
    int rc;

    snprintf(what, sizeof what, "data '%.200s'", d->name);
    p = parcel_new(road, d->path, what);
    p.whole = true;
    rc = gn_far_open(road->line, "put", args, &p.far, ctx, err);
    if (!rc)
        rc = gn_far_expect(p.far, "put", &line, ctx, err);
    if (!rc && gn_far_number(line, "have", 0) == 1)
        goto out;
    if (!rc) {
        bool zstd = gn_far_number(line, "zstd", 0) == 1;

        gn_manifest_diff(NULL, d->tree, count_change, &p);
        gn_event_text(ctx, GN_EV_STEP, "shipping data '%s', %s, to '%s' (once per host)", d->name,
                      gn_fmt_bytes(d->tree->bytes, size), road->target.name);
        rc = send_parcel(&p, NULL, d->tree, NULL, zstd, err);
    }
    if (!rc)
        rc = gn_far_expect(p.far, "ok", &line, ctx, err);
out:
    parcel_clear(&p);
    return rc ? gn_err_prefix(err, "data '%s': ", d->name) : GN_OK;
}

static void add_link(struct gn_buf *links, const struct gn_data_item *d)
{
    char *target = d->there ? gn_strdup(d->there) : NULL;

    if (!target && d->tree->n == 1 && gn_fs_is_file(d->path))
        target = gn_printf("data/%s/%s", d->tree->id, d->tree->v[0].path);
    else if (!target)
        target = gn_printf("data/%s", d->tree->id);
    gn_buf_adds(links, "link ");
    gn_buf_addsh(links, target);
    gn_buf_addc(links, ' ');
    gn_buf_addsh(links, d->name);
    gn_buf_addc(links, '\n');
    free(target);
}

/* --- the project -------------------------------------------------------------------------- */

static int read_status(struct gn_road *road, struct gn_far *far, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    struct gn_far_status st;
    const char *line;
    int rc = gn_far_line(far, 120000, &line, ctx, err);

    if (!rc && !line)
        rc = gn_err_set(err, GN_E_NET, "the far side ended before it said how the run is");
    if (!rc)
        rc = gn_far_parse_status(line, &st, err);
    if (!rc && st.state == GN_FAR_NONE)
        rc = gn_err_set(err, GN_E_PROTO, "the far side lost what it was sent");
    return rc ? rc : gn_road_note_status(road, &st, err);
}

static void say_shipping(struct gn_road *road, const struct parcel *p)
{
    char size[32];

    if (p->files)
        gn_event_text(road->e->ctx, GN_EV_STEP, "shipping %" PRIu64 " file%s, %s, to '%s'",
                      p->files, p->files == 1 ? "" : "s", gn_fmt_bytes(p->total, size),
                      road->target.name);
    else
        gn_event_text(road->e->ctx, GN_EV_STEP, "nothing new to ship to '%s'", road->target.name);
}

/* The far side has greeted and says what it wants: give it. */
static int answer_launch(struct gn_road *road, struct parcel *p, const char *line,
                         const struct gn_preview *view, const struct gn_manifest *base,
                         struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    bool zstd = gn_far_number(line, "zstd", 0) == 1;
    char snap[16];
    int rc;

    if (!gn_far_field(line, "snap", snap, sizeof snap))
        return gn_err_set(err, GN_E_PROTO, "the far side did not say what it lacks");
    p->whole = strcmp(snap, "base") != 0 || !base;
    if (strcmp(snap, "have") != 0)
        gn_manifest_diff(p->whole ? NULL : base, view->tree, count_change, p);
    say_shipping(road, p);
    gn_buf_adds(&p->lines, ".\n");
    if (gn_buf_over(&p->lines))
        return gn_err_set(err, GN_E_LIMIT, "too many files to remove");
    rc = gn_far_write(p->far, p->lines.ptr, p->lines.len, ctx, err);
    if (!rc)
        rc = send_parcel(p, p->whole ? NULL : base, strcmp(snap, "have") == 0 ? NULL : view->tree,
                         view, zstd, err);
    return rc;
}

/* *may_run: something of it may have been started, whatever is returned. */
static int launch_once(struct gn_road *road, const struct gn_preview *view, bool *may_run,
                       struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    struct gn_run *run = road->run;
    char *key = gn_base_key(&road->config.project), *base_file = gn_base_path(road, key);
    struct gn_buf links = GN_BUF_INIT((size_t)1 << 20);
    struct gn_manifest *base = NULL;
    struct parcel p = parcel_new(road, road->config.project.root, "shipping");
    struct gn_err ignored = GN_ERR_INIT;
    const char *line;
    int rc = GN_OK;

    /* without the note of the last ship everything is sent: slower, not wrong */
    if (gn_manifest_read(base_file, &base, &ignored))
        base = NULL;
    for (size_t i = 0; i < view->n_data && !rc; i++) {
        if (!view->data[i].there)
            rc = put_data(road, &view->data[i], err);
        add_link(&links, &view->data[i]);
    }
    struct gn_far_arg args[] = {{"root", gn_road_root(road)},
                                {"token", run->token},
                                {"proj", key},
                                {"id", view->tree->id},
                                {"base", base ? base->id : ""},
                                {"zstd", road->target.type == GN_TARGET_LOCAL ? "0" : "1"},
                                {"links", links.ptr},
                                {"start", "1"},
                                {NULL, NULL}};
    if (!rc)
        rc = gn_far_open(road->line, "launch", args, &p.far, ctx, err);
    if (!rc)
        rc = gn_far_expect(p.far, "launch", &line, ctx, err);
    if (!rc) {
        char was[16] = "";

        gn_far_field(line, "run", was, sizeof was);
        p.complete = strcmp(was, "none") != 0;
        if (!p.complete)
            rc = answer_launch(road, &p, line, view, base, err);
    }
    if (!rc)
        rc = read_status(road, p.far, err);
    if (!rc) {
        run->sent_bytes += (int64_t)p.wire;
        gn_base_keep(road, view->tree, base_file);
    }
    *may_run = p.complete;
    parcel_clear(&p);
    gn_manifest_free(base);
    gn_buf_clear(&links);
    free(base_file);
    free(key);
    return rc;
}

/* Is it there already?  A launch whose answer was lost has nothing to ship. */
static int ask_status(struct gn_road *road, bool *there, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    struct gn_far_arg args[] = {
        {"root", gn_road_root(road)}, {"tokens", road->run->token}, {NULL, NULL}};
    struct gn_far *far = NULL;
    struct gn_far_status st;
    const char *line;
    int rc = gn_far_open(road->line, "status", args, &far, ctx, err);

    if (!rc)
        rc = gn_far_expect(far, "st", &line, ctx, err);
    if (!rc)
        rc = gn_far_parse_status(line, &st, err);
    gn_far_close(far);
    if (rc)
        return rc;
    *there = st.state != GN_FAR_NONE && st.state != GN_FAR_PREPARED;
    return *there ? gn_road_note_status(road, &st, err) : GN_OK;
}

/* Write down what this run is made of before anything of it leaves. */
static int write_plan(struct gn_road *road, const struct gn_preview *view, struct gn_err *err)
{
    struct gn_run *run = road->run;
    char *path = gn_store_path(road->e->ctx, run, "manifest");
    char *dir = gn_store_path(road->e->ctx, run, "");
    int rc = gn_fs_mkdirs(dir, 0700, err);

    if (!rc)
        rc = gn_manifest_write(view->tree, path, err);
    free(dir);
    free(path);
    if (rc)
        return rc;
    gn_run_set_text(&run->snapshot, view->tree->id);
    run->ship_files = (int64_t)view->tree->n;
    run->ship_bytes = (int64_t)view->tree->bytes;
    gn_run_set_text(&run->workdir, gn_road_root(road));
    if (run->state == GN_CREATED) {
        gn_event_text(road->e->ctx, GN_EV_STEP, "%s on '%s': %s", run->name, run->target,
                      run->command);
        return gn_road_set_state(road, GN_SHIPPING, err);
    }
    return gn_store_update(road->e->store, run, true, err);
}

/* Nothing runs over there, and the row says so; where nothing was sent there need be no row. */
static int give_up(struct gn_road *road, int rc)
{
    struct gn_err ignored = GN_ERR_INIT;

    if (road->run->state == GN_CREATED) {
        if (gn_store_forget(road->e->store, road->run->id, &ignored))
            gn_event_text(road->e->ctx, GN_EV_WARN, "%s", ignored.msg);
        road->run->id = 0;
        return rc;
    }
    free(road->run->reason);
    road->run->reason = gn_strdup(rc == GN_E_CANCEL ? "cancelled" : "not-started");
    if (gn_road_set_state(road, rc == GN_E_CANCEL ? GN_STOPPED : GN_FAILED, &ignored))
        gn_event_text(road->e->ctx, GN_EV_WARN, "%s", ignored.msg);
    return rc;
}

/* One trial, from the files as they are now.  *sure: if it failed, nothing can have been started. */
static int trial(struct gn_road *road, bool *sure, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    struct gn_preview view;
    bool there = false;
    int rc = GN_OK;

    *sure = road->run->state == GN_CREATED;
    if (!*sure) {
        rc = gn_road_connect(road, err);
        if (!rc)
            rc = ask_status(road, &there, err);
        if (rc || there)
            return rc;
        *sure = true;
    }
    rc = gn_preview_make(ctx, &road->config, &road->target, &road->spec, road->run->name, &view,
                         err);
    if (rc)
        return rc;
    if (!road->line)
        gn_event_text(ctx, GN_EV_DEBUG, "connecting to '%s'", road->target.name);
    rc = gn_road_connect(road, err);
    if (!rc)
        rc = write_plan(road, &view, err);
    if (!rc) {
        bool may_run = false;

        rc = launch_once(road, &view, &may_run, err);
        /* a line that broke may hide a start, and is worth another trial; Ctrl-C in mid-ship hides none */
        *sure =
            !rc || !(gn_is_line_error(rc) || rc == GN_E_PROTO || (rc == GN_E_CANCEL && may_run));
    }
    gn_preview_clear(&view);
    return rc;
}

int gn_road_launch(struct gn_road *road, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    bool sure = true;
    int rc;

    for (unsigned n = 0;; n++) {
        rc = trial(road, &sure, err);
        if (!rc)
            return GN_OK;
        if (n + 1 == TRIALS)
            break;
        if (rc == GN_E_CHANGED && n < 3) {
            gn_event_text(ctx, GN_EV_NOTE, "%s; reading again", err->msg);
            continue;
        }
        if (!gn_is_line_error(rc) || !road->connected_once)
            break;
        gn_road_hang_up(road);
        gn_event_text(ctx, GN_EV_NOTE, "%s; trying again", err->msg);
        gn_err_clear(err);
        rc = gn_road_wait(road, n, err);
        if (rc)
            break;
    }
    return sure ? give_up(road, rc) : rc;
}
