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
#include "sweep.h"

#define TRIALS       6
#define SHARED_NICE  19 /* less would take a tenth of a full machine from its other users */
#define LEAD_GRACE_S 15 /* a member's own grace comes first */
#define LEAD_JOB     "exec sh \"$GNRRUN_RUN_DIR/sup\" sweep \"$GNRRUN_RUN_DIR\"\n"

/* Does it fall to the supervisor which GPUs the program gets?  Slurm does that itself. */
static bool picks_gpus(const struct gn_road *road)
{
    const char *queue = road->target.scheduler;

    return (road->spec.needs.gpus || road->target.shared) &&
           !(queue && strcmp(queue, "slurm") == 0);
}

/* How the supervisor shall treat it. */
static void write_opts(const struct gn_road *road, struct gn_buf *opts)
{
    const struct gn_spec *spec = &road->spec;
    const struct gn_target *target = &road->target;
    int64_t limit = spec->time_s ? spec->time_s : road->config.project.needs.time_s;
    int nice = spec->nice >= 0     ? spec->nice
               : target->nice >= 0 ? target->nice
               : target->shared    ? SHARED_NICE
                                   : 0;

    if (target->scheduler) /* a node of the queue is ours as far as we asked for it */
        nice = 0;

    gn_buf_addf(opts, "max_seconds=%" PRId64 "\ngrace=%" PRId64 "\nnice=%d\ncpus=%d\n", limit,
                spec->grace_s, nice, spec->needs.cpus);
    if (picks_gpus(road))
        gn_buf_addf(opts, "gpus=%d\ngpu_mb=%" PRIu64 "\nshare=%d\n", spec->needs.gpus,
                    spec->needs.gpu_mem_bytes / 1048576, target->shared && !target->scheduler);
}

/* How it shall treat the one that starts the members of a sweep, and waits for them. */
static void write_lead_opts(const struct gn_spec *spec, struct gn_buf *opts)
{
    gn_buf_addf(opts, "grace=%" PRId64 "\nparallel=%d\neach_gpus=%d\neach_cpus=%d\n",
                spec->grace_s + LEAD_GRACE_S, spec->parallel, spec->needs.gpus, spec->needs.cpus);
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
                                     .grace_s = spec->grace_s,
                                     .members = road->run->members,
                                     .parallel = spec->parallel};
    int rc;

    if (!s)
        return gn_err_set(err, GN_E_CONFIG, "target '%s': this version knows no scheduler '%s'",
                          road->target.name, road->target.scheduler);
    if (wish.members && !s->member)
        return gn_err_set(err, GN_E_CONFIG,
                          "target '%s': this version makes no sweeps of jobs of '%s'",
                          road->target.name, s->name);
    rc = s->head(&wish, batch, err);
    if (rc)
        return gn_err_prefix(err, "target '%s': ", road->target.name);
    if (wish.members)
        gn_buf_addf(batch, "exec sh \"$1/sup\" member \"$1\" \"%s\"\n", s->member);
    else
        gn_buf_adds(batch, "exec sh \"$1/sup\" run \"$1\"\n");
    gn_buf_adds(queue, gn_sh_queue);
    gn_buf_adds(queue, s->sh);
    return GN_OK;
}

/* The run's own files, as they stand in the archive. */
struct own_files {
    struct gn_buf text[12];
    struct gn_far_file v[12];
    size_t n;
};

/* Room for the text of one more. */
static struct gn_buf *add_file(struct own_files *f, const char *path)
{
    f->text[f->n] = (struct gn_buf)GN_BUF_INIT(GN_MAX_PROGRAM);
    f->v[f->n].path = path;
    return &f->text[f->n++];
}

static void files_clear(struct own_files *f)
{
    for (size_t i = 0; i < f->n; i++)
        gn_buf_wipe(&f->text[i]);
}

/* The program, and how it is supervised; of a sweep: of each member. */
static int add_program(const struct gn_road *road, const struct gn_preview *view,
                       struct own_files *f, struct gn_err *err)
{
    bool sweep = road->run->members != 0;
    struct gn_buf *b = add_file(f, sweep ? "run/m.job" : "run/job");

    gn_buf_add(b, view->job.ptr, view->job.len);
    b = add_file(f, sweep ? "run/m.env" : "run/env");
    gn_buf_add(b, view->env.ptr, view->env.len);
    write_opts(road, add_file(f, sweep ? "run/m.opts" : "run/opts"));
    b = add_file(f, "run/sup");
    gn_buf_adds(b, gn_sh_common);
    if (sweep) {
        gn_buf_adds(b, gn_sh_work);
        gn_buf_adds(b, gn_sh_sweep);
    }
    if (road->target.shared && !road->target.scheduler)
        gn_buf_adds(b, gn_sh_polite);
    if (picks_gpus(road)) {
        gn_buf_adds(b, gn_sh_site);
        gn_buf_adds(b, gn_sh_smi);
        gn_buf_adds(b, gn_sh_gpus);
        if (road->spec.needs.gpu_type)
            gn_buf_addf(add_file(f, sweep ? "run/m.gpu_type" : "run/gpu_type"), "%s\n",
                        road->spec.needs.gpu_type);
    }
    gn_buf_adds(b, gn_sh_sup);
    if (road->spec.needs.nodes > 1)
        gn_buf_adds(add_file(f, sweep ? "run/m.rank" : "run/rank"), gn_job_rank);
    if (!sweep)
        return GN_OK;
    gn_buf_adds(add_file(f, "run/job"), LEAD_JOB);
    write_lead_opts(&road->spec, add_file(f, "run/opts"));
    return gn_sweep_lines(road, &view->program, add_file(f, "run/sweep"), err);
}

static int make_files(const struct gn_road *road, const struct gn_preview *view,
                      struct own_files *f, struct gn_err *err)
{
    int rc = add_program(road, view, f, err);

    if (!rc && road->target.scheduler) {
        struct gn_buf *batch = add_file(f, "run/batch");

        rc = write_batch(road, batch, add_file(f, "run/queue"), err);
    }
    for (size_t i = 0; i < f->n; i++) {
        f->v[i].data = f->text[i].ptr;
        f->v[i].len = f->text[i].len;
        if (!rc && gn_buf_over(&f->text[i]))
            rc = gn_err_set(err, GN_E_LIMIT, "program and environment are over %zu bytes",
                            GN_MAX_PROGRAM);
    }
    return rc;
}

/* *may_run: something of it may have been started, whatever is returned. */
static int ship_run(struct gn_road *road, const struct gn_preview *view, bool doubt, bool *may_run,
                    struct gn_err *err)
{
    struct gn_buf links = GN_BUF_INIT((size_t)1 << 20);
    struct own_files files = {.n = 0};
    struct gn_cargo cargo = {.tree = view->tree, .token = road->run->token};
    int rc = make_files(road, view, &files, err);

    for (size_t i = 0; i < view->n_data && !rc; i++) {
        rc = gn_data_ship(road, &view->data[i], doubt, &cargo.wire, err);
        gn_data_link(&links, &view->data[i]);
    }
    cargo.links = links.ptr;
    cargo.files = files.v;
    cargo.n = files.n;
    road->tree = view->tree;
    if (!rc)
        rc = gn_tree_ship(road, &cargo, err);
    road->tree = NULL;
    if (!rc)
        road->run->sent_bytes += (int64_t)cargo.wire;
    *may_run = cargo.may_run;
    gn_buf_clear(&links);
    files_clear(&files);
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
    run->ship_files = (int64_t)gn_manifest_files(view->tree);
    run->ship_bytes = (int64_t)view->tree->bytes;
    gn_run_set_text(&run->workdir, gn_road_root(road));
    if (run->state == GN_CREATED) {
        gn_event_text(road->e->ctx, GN_EV_STEP, "%s on '%s': %s", run->name, run->target,
                      run->command);
        if (run->members)
            gn_event_text(road->e->ctx, GN_EV_STEP, "a sweep of %" PRId64 " runs", run->members);
        return gn_road_set_state(road, GN_SHIPPING, err);
    }
    return gn_store_update(road->e->store, run, true, err);
}

/* Nothing runs over there, and the row says so; where nothing was sent there need be no row. */
static int give_up(struct gn_road *road, int rc)
{
    struct gn_err ignored = GN_ERR_INIT;

    if (gn_rented_end(road->e, road->run, &ignored))
        gn_event_text(road->e->ctx, GN_EV_WARN, "%s", ignored.msg);
    if (road->run->state == GN_CREATED) {
        if (gn_run_forget(road->e, road->run, &ignored))
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

/* A queue was found where nobody had said that there is one: it starts the run then, and every one to come. */
static bool take_queue(struct gn_road *road)
{
    if (road->target.scheduler || !*road->queue || !road->e->scheduler(road->queue))
        return false;
    road->target.scheduler = gn_strdup(road->queue);
    gn_base_note_queue(road, road->queue);
    gn_event_text(road->e->ctx, GN_EV_NOTE, "'%s' has a batch queue: %s becomes a job of %s",
                  road->target.name, road->run->name, road->queue);
    return true;
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
        if (take_queue(road)) {
            gn_err_clear(err);
            continue;
        }
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
