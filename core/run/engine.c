#include "gnrrun/engine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "sweep.h"

int gn_engine_create(struct gn_engine *e, const struct gn_config *config,
                     const struct gn_target *target, const struct gn_spec *spec, const char *note,
                     struct gn_run *run, struct gn_err *err)
{
    struct gn_buf json = GN_BUF_INIT(GN_MAX_PROGRAM);
    struct gn_program words = {.words = spec->words};
    char nonce[17];
    int rc;

    memset(run, 0, sizeof *run);
    gn_random_hex(nonce, 8);
    gn_spec_format(spec, &json);
    if (gn_buf_over(&json)) {
        gn_buf_clear(&json);
        return gn_err_set(err, GN_E_USAGE, "the command line is over %zu bytes", GN_MAX_PROGRAM);
    }
    run->project = gn_strdup(config->project.name);
    run->root = gn_strdup(config->project.root);
    run->target = gn_strdup(target->name);
    run->token = gn_printf("%.60s-%s", config->project.name, nonce);
    run->workdir = gn_strdup("");
    run->command = gn_program_text(&words);
    run->spec = gn_buf_detach(&json);
    run->snapshot = gn_strdup("");
    run->note = gn_strdup(note ? note : "");
    run->sig = gn_strdup("");
    run->reason = gn_strdup("");
    run->params = gn_strdup("");
    run->host = gn_strdup("");
    run->created_s = e->ctx->wall_s(e->ctx);
    run->fetched = spec->no_fetch ? GN_FETCH_OFF : GN_FETCH_NOTHING;
    rc = spec->sweep.n ? gn_sweep_create(e, run, spec, err) : gn_store_create(e->store, run, err);
    if (rc)
        gn_run_clear(run);
    return rc;
}

/* Fetch, trying again over a broken line. */
int gn_road_fetch_retrying(struct gn_road *road, const struct gn_strs *patterns, const char *dest,
                           bool while_running, struct gn_fetch_report *report, struct gn_err *err)
{
    uint64_t files = 0, bytes = 0; /* of the trials before */

    for (unsigned n = 0;; n++) {
        int rc = gn_road_connect(road, err);

        memset(report, 0, sizeof *report);
        if (!rc)
            rc = gn_road_fetch(road, patterns, dest, while_running, report, err);
        files = report->files += files;
        bytes = report->bytes += bytes;
        if (!gn_is_line_error(rc) || n == 5 || !road->connected_once)
            return rc;
        gn_road_hang_up(road);
        gn_event_text(road->e->ctx, GN_EV_NOTE, "%s; trying again", err->msg);
        gn_err_clear(err);
        rc = gn_road_wait(road, n, err);
        if (rc)
            return rc;
    }
}

void gn_road_say_fetched(const struct gn_road *road, const struct gn_fetch_report *r)
{
    const struct gn_ctx *ctx = road->e->ctx;
    /* of a sweep they are summed up at the end */
    enum gn_event_kind kind = road->run->member ? GN_EV_DEBUG : GN_EV_STEP;
    char size[64];

    if (r->files)
        gn_event_text(ctx, kind, "fetched %s", gn_fmt_files(r->files, r->bytes, size));
    else
        gn_event_text(ctx, kind, "no new results to fetch");
    if (r->refused)
        gn_event_text(ctx, GN_EV_WARN, "%" PRIu64 " name%s over there cannot be written here",
                      r->refused, r->refused == 1 ? "" : "s");
}

/* A run that never got its work folder has no results. */
static bool has_results(const struct gn_run *run)
{
    return strcmp(run->reason, "cancelled") != 0 && strcmp(run->reason, "not-started") != 0 &&
           strcmp(run->reason, "gone") != 0 && !run->removed_there;
}

int gn_road_bring(struct gn_road *road, struct gn_err *err)
{
    struct gn_fetch_report report = {0};
    int rc;

    if (road->spec.no_fetch || road->run->fetched == GN_FETCH_ALL || !has_results(road->run))
        return GN_OK;
    rc = gn_road_fetch_retrying(road, NULL, NULL, false, &report, err);
    if (!rc)
        gn_road_say_fetched(road, &report);
    return rc;
}

/* What can be done with the whole only. */
static int is_part(const struct gn_run *run, struct gn_err *err)
{
    gn_err_set(err, GN_E_USAGE, "'%s' is a part of a sweep", run->name);
    return gn_err_hint(err, "name the whole: '%.*s'", (int)(strrchr(run->name, '.') - run->name),
                       run->name);
}

static int is_whole(const struct gn_run *run, struct gn_err *err)
{
    gn_err_set(err, GN_E_USAGE, "'%s' is a sweep of %lld runs", run->name, (long long)run->members);
    return gn_err_hint(err, "name one of them: '%s.1'; gnrrun show %s lists them", run->name,
                       run->name);
}

/* A machine of its own has done its work when nothing that only it has is worth anything. */
static int release(struct gn_engine *e, const struct gn_run *run, struct gn_err *err)
{
    bool done = gn_state_over(run->state) &&
                (run->fetched == GN_FETCH_ALL || !has_results(run) || run->state == GN_LOST);

    return done && !run->sweep ? gn_rented_end(e, run, err) : GN_OK;
}

int gn_engine_drive(struct gn_engine *e, struct gn_run *run, enum gn_until until,
                    struct gn_err *err)
{
    struct gn_road road;
    int rc = gn_road_open(e, run, &road, err);

    if (rc)
        return rc;
    road.forward = true;
    if (run->members || (run->member && run->state < GN_QUEUED)) {
        rc = run->members ? gn_sweep_drive(&road, until, err) : is_part(run, err);
        gn_road_close(&road);
        return rc ? rc : release(e, run, err);
    }
    if (!gn_state_over(run->state) && run->state < GN_QUEUED)
        rc = gn_road_launch(&road, err);
    if (!rc && until >= GN_UNTIL_OVER &&
        (!gn_state_over(run->state) || run->shown_bytes < run->log_bytes ||
         (run->log_bytes == 0 && has_results(run))))
        rc = gn_road_follow(&road, err);
    if (!rc && until >= GN_UNTIL_FETCHED && gn_state_over(run->state))
        rc = gn_road_bring(&road, err);
    gn_road_close(&road);
    return rc ? rc : release(e, run, err);
}

/* Is there such a task of it? */
static int check_rank(const struct gn_road *road, int rank, struct gn_err *err)
{
    const struct gn_needs *n = &road->spec.needs;
    long long tasks = n->nodes > 1 ? (long long)n->nodes * (n->gpus > 1 ? n->gpus : 1) : 1;

    if (rank < tasks)
        return GN_OK;
    gn_err_set(err, GN_E_USAGE, "'%s' has no rank %d", road->run->name, rank);
    return tasks > 1 ? gn_err_hint(err, "its ranks are 0 to %lld", tasks - 1) : err->code;
}

int gn_engine_log(struct gn_engine *e, struct gn_run *run, int rank, int64_t from, bool follow,
                  struct gn_err *err)
{
    struct gn_road road;
    int rc = run->members ? is_whole(run, err) : gn_road_open(e, run, &road, err);

    if (rc)
        return rc;
    road.forward = follow;
    road.aside = true;
    road.shown = &from;
    road.rank = rank;
    rc = check_rank(&road, rank, err);
    if (!rc)
        rc = gn_road_follow(&road, err);
    gn_road_close(&road);
    return rc;
}

static int look_at_sweep(struct gn_engine *e, struct gn_run *run, struct gn_err *err)
{
    struct gn_road road;
    int rc = gn_road_open(e, run, &road, err);

    if (rc)
        return rc;
    if (run->state >= GN_QUEUED)
        rc = gn_sweep_look(&road, err);
    gn_road_close(&road);
    return rc;
}

/* All runs of one target over one line. */
static int refresh_target(struct gn_engine *e, struct gn_run *const *runs, size_t n,
                          struct gn_err *err)
{
    struct gn_road road;
    struct gn_buf tokens = GN_BUF_INIT((size_t)1 << 20);
    struct gn_far *far = NULL;
    int rc = gn_road_open(e, runs[0], &road, err);

    if (rc)
        return rc;
    /* each has a machine of its own: the others are looked at one after the other */
    for (size_t i = 1; i < n && road.rented && rc != GN_E_CANCEL; i++)
        rc = refresh_target(e, &runs[i], 1, err);
    n = road.rented ? 1 : n;
    for (size_t i = 0; i < n; i++)
        gn_buf_addf(&tokens, "%s%s", i ? " " : "", runs[i]->token);
    struct gn_far_arg args[] = {
        {"root", gn_road_root(&road)}, {"tokens", tokens.ptr}, {NULL, NULL}};

    rc = gn_road_connect(&road, err);
    if (!rc)
        rc = gn_far_open(road.line, "status", args, &far, e->ctx, err);
    for (size_t i = 0; i < n && !rc; i++) {
        struct gn_far_status st;
        const char *line;

        rc = gn_far_expect(far, "st", &line, e->ctx, err);
        if (!rc)
            rc = gn_far_parse_status(line, &st, err);
        road.run = runs[i];
        /* a run whose launch is under way may not be there yet */
        if (!rc && (st.state != GN_FAR_NONE || runs[i]->state >= GN_RUNNING))
            rc = gn_road_note_status(&road, &st, err);
    }
    gn_far_close(far);
    road.run = runs[0];
    gn_road_close(&road);
    gn_buf_clear(&tokens);
    return rc;
}

static bool same_place(const struct gn_run *a, const struct gn_run *b)
{
    return a == b || (!a->members && !b->members && strcmp(a->target, b->target) == 0 &&
                      strcmp(a->workdir, b->workdir) == 0 && strcmp(a->root, b->root) == 0);
}

int gn_engine_refresh(struct gn_engine *e, struct gn_run *const *runs, size_t n, struct gn_err *err)
{
    struct gn_run **group = gn_calloc(n, sizeof *group);
    bool *done = gn_calloc(n, sizeof *done);
    int rc = GN_OK;

    for (size_t i = 0; i < n && rc != GN_E_CANCEL; i++) {
        size_t k = 0;

        for (size_t j = i; j < n; j++) {
            if (done[j] || gn_state_over(runs[j]->state) || !same_place(runs[i], runs[j]))
                continue;
            done[j] = true;
            group[k++] = runs[j];
        }
        if (!k)
            continue;
        rc = group[0]->members ? look_at_sweep(e, group[0], err) : refresh_target(e, group, k, err);
        if (rc && rc != GN_E_CANCEL)
            gn_event_text(e->ctx, GN_EV_WARN, "state of '%s' is as it was last seen: %s",
                          group[0]->name, err->msg);
    }
    free(done);
    free(group);
    return rc == GN_E_CANCEL ? rc : GN_OK;
}

int gn_engine_stop(struct gn_engine *e, struct gn_run *run, int64_t grace_s, struct gn_err *err)
{
    struct gn_road road;
    struct gn_far *far = NULL;
    struct gn_far_status st;
    const char *line;
    char grace[24];
    int rc;

    if (gn_state_over(run->state))
        return GN_OK;
    rc = gn_road_open(e, run, &road, err);
    if (!rc && run->state == GN_CREATED && (road.rented || road.target.type == GN_TARGET_CLOUD)) {
        /* it has a machine at most; who waits for it finds the run over, and makes no other */
        gn_run_set_text(&run->reason, "cancelled");
        rc = gn_road_set_state(&road, GN_STOPPED, err);
        gn_road_close(&road);
        return rc ? rc : gn_rented_end(e, run, err);
    }
    if (rc)
        return rc;
    struct gn_buf g = GN_BUF_INIT(sizeof grace - 1);
    gn_buf_addf(&g, "%" PRId64, grace_s < 0 ? road.spec.grace_s : grace_s);
    struct gn_far_arg args[] = {
        {"root", gn_road_root(&road)}, {"token", run->token}, {"grace", g.ptr}, {NULL, NULL}};

    rc = gn_road_connect(&road, err);
    if (!rc)
        rc = gn_far_open(road.line, "stop", args, &far, e->ctx, err);
    do {
        if (!rc)
            rc = gn_far_expect(far, "st", &line, e->ctx, err);
        if (!rc)
            rc = gn_far_parse_status(line, &st, err);
    } while (!rc && st.state == GN_FAR_STOPPING);
    gn_far_close(far);
    if (!rc)
        rc = run->members ? gn_sweep_look(&road, err) : gn_road_note_status(&road, &st, err);
    if (!rc && !gn_state_over(run->state))
        rc = gn_err_set(err, GN_E_FAIL, "'%s' does not end", run->name);
    gn_road_close(&road);
    gn_buf_clear(&g);
    return rc;
}

int gn_engine_fetch(struct gn_engine *e, struct gn_run *run, const struct gn_strs *patterns,
                    const char *dest, struct gn_fetch_report *report, struct gn_err *err)
{
    struct gn_road road;
    int rc;

    if (!has_results(run))
        return gn_err_set(err, GN_E_NOTFOUND, "'%s' has no results over there", run->name);
    rc = gn_road_open(e, run, &road, err);
    if (rc)
        return rc;
    rc = run->members ? gn_sweep_fetch(&road, patterns, dest, report, err)
                      : gn_road_fetch_retrying(&road, patterns, dest, !gn_state_over(run->state),
                                               report, err);
    if (!rc)
        gn_road_say_fetched(&road, report);
    gn_road_close(&road);
    return rc ? rc : release(e, run, err);
}

static int remove_there(struct gn_road *road, bool force, struct gn_err *err)
{
    struct gn_buf tokens = GN_BUF_INIT((size_t)1 << 20);
    int rc = GN_OK;

    if (road->run->members)
        rc = gn_sweep_tokens(road, &tokens, err);
    else
        gn_buf_adds(&tokens, road->run->token);
    struct gn_far_arg args[] = {{"root", gn_road_root(road)},
                                {"tokens", tokens.ptr},
                                {"force", force ? "1" : "0"},
                                {NULL, NULL}};
    struct gn_far *far = NULL;
    const char *line;

    if (!rc)
        rc = gn_road_connect(road, err);

    if (!rc)
        rc = gn_far_open(road->line, "rm", args, &far, road->e->ctx, err);
    if (!rc)
        rc = gn_far_expect(far, "ok", &line, road->e->ctx, err);
    gn_far_close(far);
    gn_buf_clear(&tokens);
    return rc;
}

int gn_engine_remove(struct gn_engine *e, struct gn_run *run, bool force, struct gn_err *err)
{
    struct gn_road road;
    int rc = GN_OK;

    if (run->member)
        return is_part(run, err);
    if (!force && !gn_state_over(run->state)) {
        gn_err_set(err, GN_E_EXISTS, "'%s' is not over", run->name);
        return gn_err_hint(err, "gnrrun stop %s, or --force", run->name);
    }
    if (!force && has_results(run) && run->fetched != GN_FETCH_ALL) {
        gn_err_set(err, GN_E_EXISTS, "results of '%s' are not here yet", run->name);
        return gn_err_hint(err, "gnrrun fetch %s, or --force to lose them", run->name);
    }
    rc = gn_rented_end(e, run, err);
    if (rc)
        return rc;
    if (!run->removed_there && run->state != GN_CREATED) {
        rc = gn_road_open(e, run, &road, err);
        if (!rc && road.target.type == GN_TARGET_CLOUD) {
            gn_road_close(&road); /* it is gone with its machine */
        } else if (!rc) {
            /* of a sweep that is over only the lead could still seem to be in a queue */
            rc = remove_there(&road, force || run->members, err);
            gn_road_close(&road);
        }
        if (rc && rc != GN_E_NOTFOUND)
            return rc;
    }
    return gn_run_forget(e, run, err);
}

static int connect_rented(struct gn_engine *e, const struct gn_run *run, struct gn_transport **out,
                          struct gn_target *target, struct gn_err *err)
{
    struct gn_run own;
    struct gn_road road = {.e = e, .run = &own, .target = *target};
    int rc;

    gn_run_copy(&own, run);
    rc = gn_rented_known(&road, err);
    if (!rc && run->state < GN_QUEUED && !road.rented)
        rc = gn_err_set(err, GN_E_NOTFOUND, "'%s' has no machine yet", run->name);
    if (!rc)
        rc = gn_road_connect(&road, err);
    *out = road.line;
    *target = road.target;
    gn_target_clear(&road.cloud);
    gn_run_clear(&own);
    return rc;
}

int gn_engine_connect(struct gn_engine *e, const struct gn_run *run, struct gn_transport **out,
                      struct gn_target *target, struct gn_err *err)
{
    struct gn_config config;
    int rc = gn_config_load(e->ctx, run->root, &config, err);

    if (rc)
        return rc;
    rc = gn_target_resolve(e->ctx, &config, run->target, target, err);
    gn_config_clear(&config);
    if (rc)
        return rc;
    rc = target->type == GN_TARGET_CLOUD ? connect_rented(e, run, out, target, err)
                                         : e->connect(e->ctx, target, &e->ssh, out, err);
    if (rc)
        gn_target_clear(target);
    return rc;
}

int gn_engine_probe(struct gn_engine *e, const struct gn_target *target, struct gn_strs *lines,
                    struct gn_err *err)
{
    struct gn_far_arg args[] = {{"root", target->workdir ? target->workdir : "~/.gnrrun"},
                                {NULL, NULL}};
    struct gn_transport *t = NULL;
    struct gn_far *far = NULL;
    int rc = e->connect(e->ctx, target, &e->ssh, &t, err);

    if (!rc)
        rc = gn_far_open(t, "probe", args, &far, e->ctx, err);
    while (!rc) {
        const char *line;

        rc = gn_far_line(far, 30000, &line, e->ctx, err);
        if (!rc && !line)
            rc = gn_err_set(err, GN_E_NET, "the far side ended in the middle of its answer");
        if (rc || strcmp(line, "end") == 0)
            break;
        if (lines->n < 1000)
            gn_strs_add(lines, line);
    }
    gn_far_close(far);
    gn_transport_close(t);
    return rc;
}
