#include "cli/runtext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "running 3/8, 1 failed", "failed 2/8", "succeeded 8/8" */
static const char *sweep_text(const struct gn_run *r, char out[96])
{
    const char *name = gn_state_name(r->state);
    long long over = r->members_over, bad = r->members_over - r->members_ok, all = r->members;

    if (r->state < GN_QUEUED || (gn_state_over(r->state) && !over))
        return name;
    if (gn_state_over(r->state) && r->state != GN_SUCCEEDED)
        snprintf(out, 96, "%s %lld/%lld", name, bad, all);
    else if (bad)
        snprintf(out, 96, "%s %lld/%lld, %lld failed", name, over, all, bad);
    else
        snprintf(out, 96, "%s %lld/%lld", name, over, all);
    return out;
}

const char *gn_run_state_text(const struct gn_run *r, char out[96])
{
    const char *name = gn_state_name(r->state);

    if (r->members)
        return sweep_text(r, out);
    if (gn_state_over(r->state) && r->sig && r->sig[0])
        snprintf(out, 96, "%s (%s)", name, r->sig);
    else if (r->state == GN_FAILED && r->reason && r->reason[0] && strcmp(r->reason, "exit") != 0)
        snprintf(out, 96, "%s (%s)", name, r->reason);
    else if (r->state == GN_FAILED)
        snprintf(out, 96, "%s (%d)", name, r->code);
    else
        return name;
    return out;
}

const char *gn_run_results_text(const struct gn_run *r)
{
    switch (r->fetched) {
    case GN_FETCH_ALL:
        return "here";
    case GN_FETCH_SOME:
        return "some are here";
    case GN_FETCH_OFF:
        return "not wanted here";
    case GN_FETCH_NOTHING:
        break;
    }
    if (r->removed_there)
        return "gone";
    return r->started_s ? "over there" : "-";
}

int64_t gn_run_took_s(const struct gn_run *r, int64_t now_s)
{
    int64_t end = r->ended_s ? r->ended_s : now_s;

    if (!r->started_s || (gn_state_over(r->state) && !r->ended_s) || end < r->started_s)
        return -1;
    return end - r->started_s;
}

char *gn_time_text(int64_t at_s)
{
    time_t t = (time_t)at_s;
    struct tm tm;
    char text[64];

    if (!at_s || !localtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
        return gn_strdup("-");
    return gn_strdup(text);
}

static void set_time(struct gn_json *j, const char *key, int64_t at_s)
{
    if (at_s)
        gn_json_set_int(j, key, at_s);
    else
        gn_json_set_null(j, key);
}

/* What is not known yet is null, not "". */
static void set_text(struct gn_json *j, const char *key, const char *s)
{
    gn_json_set_str(j, key, s && *s ? s : NULL);
}

static void set_all(const struct gn_ctx *ctx, const struct gn_run *r, struct gn_json *j)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_json *spec = NULL;
    char *log = gn_store_path(ctx, r, "log");

    set_text(j, "token", r->token);
    set_text(j, "workdir", r->workdir);
    set_text(j, "snapshot", r->snapshot);
    gn_json_set_str(j, "log", log);
    gn_json_set_int(j, "shown_bytes", r->shown_bytes);
    free(log);
    if (r->spec && r->spec[0] && gn_json_parse(r->spec, strlen(r->spec), &spec, &err) == GN_OK)
        gn_json_set(j, "spec", spec);
    else
        gn_json_set_null(j, "spec");
}

struct gn_json *gn_run_json(const struct gn_ctx *ctx, const struct gn_run *r, bool all)
{
    static const char *const fetched[] = {[GN_FETCH_NOTHING] = "nothing",
                                          [GN_FETCH_SOME] = "some",
                                          [GN_FETCH_ALL] = "all",
                                          [GN_FETCH_OFF] = "off"};
    struct gn_json *j = gn_json_object();
    bool over = gn_state_over(r->state);

    gn_json_set_str(j, "run", r->name);
    set_text(j, "note", r->note);
    gn_json_set_str(j, "project", r->project);
    gn_json_set_str(j, "root", r->root);
    gn_json_set_str(j, "target", r->target);
    set_text(j, "host", r->host);
    gn_json_set_str(j, "command", r->command);
    gn_json_set_str(j, "state", gn_state_name(r->state));
    gn_json_set_bool(j, "over", over);
    if (over)
        gn_json_set_int(j, "status", r->code);
    else
        gn_json_set_null(j, "status");
    set_text(j, "signal", r->sig);
    set_text(j, "reason", r->reason);
    set_time(j, "created", r->created_s);
    set_time(j, "started", r->started_s);
    set_time(j, "ended", r->ended_s);
    gn_json_set_int(j, "log_bytes", r->log_bytes);
    gn_json_set_str(j, "fetched", fetched[r->fetched]);
    gn_json_set_int(j, "fetched_files", r->fetched_files);
    gn_json_set_int(j, "fetched_bytes", r->fetched_bytes);
    gn_json_set_int(j, "ship_files", r->ship_files);
    gn_json_set_int(j, "ship_bytes", r->ship_bytes);
    gn_json_set_int(j, "sent_bytes", r->sent_bytes);
    if (r->members) {
        gn_json_set_int(j, "members_all", r->members);
        gn_json_set_int(j, "members_over", r->members_over);
        gn_json_set_int(j, "members_succeeded", r->members_ok);
    }
    if (r->member) {
        gn_json_set_int(j, "member", r->member);
        gn_json_set_str(j, "params", r->params);
    }
    gn_json_set_bool(j, "detached", r->detached);
    gn_json_set_bool(j, "removed_there", r->removed_there);
    if (all)
        set_all(ctx, r, j);
    return j;
}
