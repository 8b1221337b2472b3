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
#include "parcel.h"

#define TRIALS 6

/* How the supervisor shall treat it. */
static void write_opts(const struct gn_road *road, struct gn_buf *opts)
{
    const struct gn_spec *spec = &road->spec;
    const struct gn_target *target = &road->target;
    int64_t limit = spec->time_s ? spec->time_s : road->config.project.needs.time_s;
    int nice = spec->nice >= 0     ? spec->nice
               : target->nice >= 0 ? target->nice
               : target->shared    ? 10
                                   : 0;

    if (target->scheduler) /* a node of the queue is ours as far as we asked for it */
        nice = 0;

    gn_buf_addf(opts, "max_seconds=%" PRId64 "\ngrace=%" PRId64 "\nnice=%d\n", limit, spec->grace_s,
                nice);
}

/* Where a queue starts it: the script, and how to talk to that queue. */
static int write_batch(const struct gn_road *road, struct gn_buf *batch, struct gn_buf *queue,
                       struct gn_err *err)
{
    const struct gn_scheduler *s = road->e->scheduler(road->target.scheduler);
    const struct gn_spec *spec = &road->spec;
    const struct gn_job_wish wish = {.name = road->run->token,
                                     .needs = &spec->needs,
                                     .target = &road->target,
                                     .time_s = spec->time_s ? spec->time_s
                                                            : road->config.project.needs.time_s,
                                     .grace_s = spec->grace_s};
    int rc;

    if (!s)
        return gn_err_set(err, GN_E_CONFIG, "target '%s': this version knows no scheduler '%s'",
                          road->target.name, road->target.scheduler);
    rc = s->head(&wish, batch, err);
    if (rc)
        return gn_err_prefix(err, "target '%s': ", road->target.name);
    gn_buf_adds(batch, "exec sh \"$1/sup\" run \"$1\"\n");
    gn_buf_adds(queue, gn_sh_queue);
    gn_buf_adds(queue, s->sh);
    return GN_OK;
}

/* *may_run: something of it may have been started, whatever is returned. */
static int ship_run(struct gn_road *road, const struct gn_preview *view, bool doubt, bool *may_run,
                    struct gn_err *err)
{
    struct gn_buf links = GN_BUF_INIT((size_t)1 << 20), opts = GN_BUF_INIT(1000);
    struct gn_buf sup = GN_BUF_INIT(GN_MAX_PROGRAM);
    struct gn_buf batch = GN_BUF_INIT(GN_MAX_PROGRAM), queue = GN_BUF_INIT(GN_MAX_PROGRAM);
    struct gn_cargo cargo = {.tree = view->tree, .token = road->run->token};
    int rc = road->target.scheduler ? write_batch(road, &batch, &queue, err) : GN_OK;

    for (size_t i = 0; i < view->n_data && !rc; i++) {
        rc = gn_data_ship(road, &view->data[i], doubt, &cargo.wire, err);
        gn_data_link(&links, &view->data[i]);
    }
    gn_buf_adds(&sup, gn_sh_common);
    gn_buf_adds(&sup, gn_sh_sup);
    write_opts(road, &opts);
    const struct gn_far_file files[] = {
        {"run/job", view->job.ptr, view->job.len}, {"run/env", view->env.ptr, view->env.len},
        {"run/opts", opts.ptr, opts.len},          {"run/sup", sup.ptr, sup.len},
        {"run/batch", batch.ptr, batch.len},       {"run/queue", queue.ptr, queue.len}};
    cargo.links = links.ptr ? links.ptr : "";
    cargo.files = files;
    cargo.n = sizeof files / sizeof files[0] - (road->target.scheduler ? 0 : 2);
    road->tree = view->tree;
    if (!rc)
        rc = gn_tree_ship(road, &cargo, err);
    road->tree = NULL;
    if (!rc)
        road->run->sent_bytes += (int64_t)cargo.wire;
    *may_run = cargo.may_run;
    gn_buf_clear(&links);
    gn_buf_clear(&opts);
    gn_buf_clear(&sup);
    gn_buf_clear(&batch);
    gn_buf_clear(&queue);
    return rc;
}

/* The notes said that its data: is there, and it is not: then it is asked for each. */
static int launch_once(struct gn_road *road, const struct gn_preview *view, bool *may_run,
                       struct gn_err *err)
{
    int rc = ship_run(road, view, false, may_run, err);

    if (rc != GN_E_NOTFOUND || !view->n_data)
        return rc;
    gn_err_clear(err);
    return ship_run(road, view, true, may_run, err);
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
    rc = gn_road_prepare(road, &view, err);
    if (rc)
        return rc;
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
