/* road.c - the line to a run's far side, and its row in the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/hash.h"
#include "run_private.h"

#define IDLE_S 1200 /* GPUs that did nothing for so long are worth a word */

int gn_road_open(struct gn_engine *e, struct gn_run *run, struct gn_road *road, struct gn_err *err)
{
    int rc;

    *road = (struct gn_road){.e = e, .run = run, .shown = &run->shown_bytes};
    gn_random_hex(road->client, 8);
    rc = gn_spec_parse(run->spec, &road->spec, err);
    if (!rc)
        rc = gn_config_load(e->ctx, run->root, &road->config, err);
    if (!rc) {
        road->have_config = true;
        rc = gn_target_resolve(e->ctx, &road->config, run->target, &road->target, err);
    }
    if (!rc && road->target.type == GN_TARGET_CLOUD)
        rc = gn_rented_known(road, err);
    if (!rc && !road->rented && road->target.type == GN_TARGET_SSH && !road->target.scheduler &&
        !road->target.direct)
        road->target.scheduler = gn_base_queue(road);
    if (!rc && e->ready && strcmp(e->ready_for, road->target.name) == 0) {
        road->line = e->ready;
        e->ready = NULL;
        gn_road_connected(road);
    }
    if (rc)
        gn_road_close(road);
    return rc;
}

void gn_road_lend(struct gn_road *road, struct gn_engine *e, struct gn_run *run,
                  const struct gn_config *config, const struct gn_target *target,
                  const struct gn_spec *spec)
{
    *road = (struct gn_road){.e = e, .run = run, .shown = &run->shown_bytes};
    road->config = *config;
    road->target = *target;
    road->spec = *spec;
    gn_random_hex(road->client, 8);
}

void gn_road_close(struct gn_road *road)
{
    gn_road_hang_up(road);
    gn_spec_clear(&road->spec);
    if (road->have_config)
        gn_config_clear(&road->config);
    gn_target_clear(&road->target);
    gn_target_clear(&road->cloud);
}

const char *gn_road_root(const struct gn_road *road)
{
    /* Where it was put counts, not where the target's entry would put it today. */
    if (road->run->workdir && *road->run->workdir)
        return road->run->workdir;
    if (road->target.workdir)
        return road->target.workdir;
    return "~/.gnrrun";
}

struct gn_ssh_opts gn_road_ssh_opts(const struct gn_road *road)
{
    struct gn_ssh_opts opts = road->e->ssh;

    /* Once logged in, a person's answer is not asked for again by a machine. */
    if (road->connected_once)
        opts.nobody_there = true;
    return opts;
}

void gn_road_connected(struct gn_road *road)
{
    road->connected_once = true;
    if (road->line->takes_inline == GN_UNKNOWN && gn_base_line_note(road, 'i'))
        road->line->takes_inline = GN_YES;
    if (road->line->takes_plain == GN_UNKNOWN && gn_base_line_note(road, 'q'))
        road->line->takes_plain = GN_YES;
}

int gn_road_connect(struct gn_road *road, struct gn_err *err)
{
    struct gn_ssh_opts opts = gn_road_ssh_opts(road);
    int rc;

    if (road->line)
        return GN_OK;
    rc = road->target.type == GN_TARGET_CLOUD ? gn_rented_get(road, err) : GN_OK;
    if (rc)
        return rc;
    gn_event_text(road->e->ctx, GN_EV_DEBUG, "connecting to '%s'", road->target.name);
    if (road->rented)
        rc = gn_rented_dial(road, err);
    else
        rc = road->e->connect(road->e->ctx, &road->target, &opts, &road->line, err);
    if (!rc)
        gn_road_connected(road);
    return rc;
}

int gn_road_prepare(struct gn_road *road, struct gn_preview *view, struct gn_err *err)
{
    struct gn_dial *dial = gn_dial_start(road);
    struct gn_ctx room;
    const struct gn_ctx *ctx = dial ? gn_dial_ctx(dial, &room) : road->e->ctx;
    struct gn_err dialing = GN_ERR_INIT;
    int rc =
        gn_preview_make(ctx, &road->config, &road->target, &road->spec, road->run->name, view, err);
    int dialed = gn_dial_join(dial, !rc, &dialing);

    if (rc)
        return rc;
    rc = dialed;
    if (rc)
        *err = dialing;
    else
        rc = gn_road_connect(road, err);
    if (rc)
        gn_preview_clear(view);
    return rc;
}

void gn_road_hang_up(struct gn_road *road)
{
    gn_transport_close(road->line);
    road->line = NULL;
}

bool gn_is_line_error(int rc)
{
    return rc == GN_E_NET || rc == GN_E_TIMEOUT;
}

int gn_road_wait(struct gn_road *road, unsigned n, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    /* a line that breaks once is soon there again; one that stays away is left in peace */
    int64_t ms = n == 0 ? 200 : n < 6 ? (int64_t)250 << n : n < 12 ? 8000 : 30000;

    /* many laptops lose one server at the same instant */
    ms += ctx->mono_ms(ctx) % (ms / 4 + 1);
    return gn_wait_ms(ctx, ms, err);
}

int gn_road_set_state(struct gn_road *road, enum gn_state state, struct gn_err *err)
{
    bool changed = false;
    struct gn_event ev = {
        .kind = GN_EV_STATE, .text = gn_state_name(state), .run = road->run->name};
    int rc;

    if (road->run->state == state)
        return GN_OK;
    road->run->state = state;
    rc = gn_store_advance(road->e->store, road->run, &changed, err);
    if (!rc && changed && road->e->ctx->event)
        road->e->ctx->event(road->e->ctx, &ev);
    return rc;
}

void gn_run_set_text(char **to, const char *text)
{
    if (*to && strcmp(*to, text) == 0)
        return;
    free(*to);
    *to = gn_strdup(text);
}

static enum gn_state ended_state(const struct gn_far_status *st)
{
    if (strcmp(st->reason, "stop") == 0)
        return GN_STOPPED;
    if (strcmp(st->reason, "timeout") == 0)
        return GN_TIMEDOUT;
    if (strcmp(st->reason, "exit") == 0 && st->code == 0)
        return GN_SUCCEEDED;
    return GN_FAILED;
}

/* A new guess of when it starts is no news. */
static bool is_news(const struct gn_run *run, const char *why)
{
    size_t n = strcspn(why, ":");

    return !run->reason || strncmp(run->reason, why, n) ||
           (run->reason[n] && run->reason[n] != ':') || strstr(why, ": starts about ") == NULL;
}

/* Why it waits, each time that is something else.  Another state writes it down with itself. */
static int note_wait(struct gn_road *road, const struct gn_far_status *st, struct gn_err *err)
{
    struct gn_run *run = road->run;
    char why[sizeof st->reason + sizeof st->words + 2];
    bool news;

    snprintf(why, sizeof why, "%s%s%s", st->reason, *st->reason && *st->words ? ": " : "",
             st->words);
    if (!*why || (run->reason && strcmp(run->reason, why) == 0))
        return GN_OK;
    news = is_news(run, why);
    gn_run_set_text(&run->reason, why);
    /* of a sweep that would be many words */
    if (strcmp(why, "gpus") == 0)
        gn_event_text(road->e->ctx, GN_EV_NOTE,
                      "%s waits for free GPUs on '%s'; who has them: gnrrun targets %s --check",
                      run->name, run->target, run->target);
    else
        gn_event_text(road->e->ctx, run->member || !news ? GN_EV_DEBUG : GN_EV_NOTE,
                      "%s waits in the queue of '%s': %s", run->name, run->target, why);
    return run->state == GN_QUEUED ? gn_store_update(road->e->store, run, false, err) : GN_OK;
}

/* What others on a machine that is theirs too would like to know of one that runs: does it sit there idle? */
static const char *rest_of(const struct gn_road *road, const struct gn_far_status *st)
{
    if (st->idle_s >= IDLE_S)
        return GN_RESTS_GPU;
    return st->quiet && road->target.shared ? GN_RESTS_LOG : "";
}

static int note_running(struct gn_road *road, const struct gn_far_status *st, struct gn_err *err)
{
    struct gn_run *run = road->run;
    const char *rest = rest_of(road, st);
    bool is_new = !run->reason || strcmp(run->reason, rest) != 0;

    if (run->state < GN_RUNNING && st->cpus && !road->spec.needs.cpus && !run->member)
        gn_event_text(road->e->ctx, GN_EV_NOTE,
                      "%s is held to %d processor%s of '%s', which others use too; more: --cpus N",
                      run->name, st->cpus, st->cpus == 1 ? "" : "s", run->target);
    gn_run_set_text(&run->reason, rest); /* it waits for nothing any more */
    return is_new && run->state == GN_RUNNING ? gn_store_update(road->e->store, run, false, err)
                                              : GN_OK;
}

/* Of a sweep what was shipped says only that it is there; how it goes its members say. */
static int note_lead(struct gn_road *road, const struct gn_far_status *st, struct gn_err *err)
{
    if (road->run->state >= GN_QUEUED)
        return GN_OK;
    return gn_road_set_state(
        road, st->state == GN_FAR_NONE || st->state == GN_FAR_PREPARED ? GN_STARTING : GN_QUEUED,
        err);
}

int gn_road_note_status(struct gn_road *road, const struct gn_far_status *st, struct gn_err *err)
{
    if (road->run->members)
        return note_lead(road, st, err);

    struct gn_run *run = road->run;
    const struct gn_ctx *ctx = road->e->ctx;
    /* the far clock may be anything: only differences of it are used */
    int64_t ago = st->start_s && st->now_s >= st->start_s ? st->now_s - st->start_s : 0;
    int64_t lasted = st->end_s && st->end_s >= st->start_s ? st->end_s - st->start_s : 0;
    enum gn_state next = run->state;
    int rc = GN_OK;

    if (*st->host)
        gn_run_set_text(&run->host, st->host);
    if (st->start_s && !run->started_s)
        run->started_s = ctx->wall_s(ctx) - ago;
    switch (st->state) {
    case GN_FAR_PREPARED:
    case GN_FAR_STARTING:
        next = run->state == GN_QUEUED ? GN_QUEUED : GN_STARTING;
        break;
    case GN_FAR_QUEUED:
        next = GN_QUEUED;
        rc = note_wait(road, st, err);
        break;
    case GN_FAR_RUNNING:
    case GN_FAR_ELSEWHERE:
        next = GN_RUNNING;
        rc = note_running(road, st, err);
        break;
    case GN_FAR_STOPPING:
        next = GN_STOPPING;
        break;
    case GN_FAR_ENDED:
        next = ended_state(st);
        run->code = st->code;
        gn_run_set_text(&run->sig, st->sig);
        gn_run_set_text(&run->reason, st->reason);
        run->ended_s = run->started_s ? run->started_s + lasted : ctx->wall_s(ctx);
        break;
    case GN_FAR_LOST:
    case GN_FAR_NONE:
        next = GN_LOST;
        gn_run_set_text(&run->reason, st->state == GN_FAR_NONE ? "gone" : st->reason);
        run->ended_s = ctx->wall_s(ctx);
        break;
    }
    return rc ? rc : gn_road_set_state(road, next, err);
}
