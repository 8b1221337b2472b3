/*
 * members.c - a sweep after it was shipped: its members are asked for, brought home and summed up.
 *
 * Over there they are runs like any other (core/remote/sh/sweep.sh), and so they are here: each has a
 * row, a log, results and an end of its own.  The row of the sweep says what theirs come to.  One that
 * fails hides none of the others.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

#define TOKENS_MAX ((size_t)1 << 20)

/* --- looked at --------------------------------------------------------------------------------- */

/* A road whose run is one member after the other; its own stays the sweep. */
struct sweep {
    struct gn_road *road;
    struct gn_run *run; /* the sweep */
    struct gn_run *m;   /* its members */
    size_t n;
    bool *is_home; /* nothing more is to be brought */
    bool fetch;    /* results too */
    int failed;    /* what kept results of one from coming: the first such error */
    struct gn_err why;
};

static int add_member(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct sweep *s = arg;

    if ((int64_t)s->n >= s->run->members || r->member != (int64_t)s->n + 1)
        return gn_err_set(err, GN_E_FAIL, "the record of '%s' is not whole", s->run->name);
    gn_run_copy(&s->m[s->n++], r);
    return GN_OK;
}

/* Is there nothing of it that could be brought? */
static bool is_home(const struct sweep *s, const struct gn_run *m)
{
    if (!m->started_s)
        return gn_state_over(m->state);
    return m->log_bytes && (!s->fetch || m->fetched >= GN_FETCH_ALL || m->removed_there);
}

static int load(struct gn_road *road, bool fetch, struct sweep *s, struct gn_err *err)
{
    size_t n = (size_t)road->run->members;
    int rc;

    *s = (struct sweep){.road = road, .run = road->run, .fetch = fetch, .why = GN_ERR_INIT};
    s->m = gn_calloc(n, sizeof *s->m);
    s->is_home = gn_calloc(n, sizeof *s->is_home);
    rc = gn_store_members(road->e->store, s->run->id, add_member, s, err);
    if (!rc && s->n != n)
        rc = gn_err_set(err, GN_E_FAIL, "the record of '%s' is not whole", s->run->name);
    for (size_t i = 0; i < s->n; i++)
        s->is_home[i] = is_home(s, &s->m[i]);
    return rc;
}

static void unload(struct sweep *s)
{
    s->road->run = s->run;
    for (size_t i = 0; i < s->n; i++)
        gn_run_clear(&s->m[i]);
    free(s->m);
    free(s->is_home);
}

static enum gn_state sum_state(const struct sweep *s, const struct gn_run **worst)
{
    enum gn_state state = GN_SUCCEEDED;

    for (size_t i = 0; i < s->n; i++) {
        const struct gn_run *m = &s->m[i];

        if (!gn_state_over(m->state))
            return s->run->state == GN_STOPPING ? GN_STOPPING : GN_RUNNING;
        if (m->state == GN_SUCCEEDED)
            continue;
        if (state == GN_SUCCEEDED || (state == GN_STOPPED && m->state != GN_STOPPED)) {
            state = m->state == GN_STOPPED ? GN_STOPPED : GN_FAILED;
            *worst = m;
        }
    }
    return state;
}

/* All of those that run do nothing: why that is known. */
static const char *sum_rest(const struct sweep *s)
{
    const char *rest = "";

    for (size_t i = 0; i < s->n; i++) {
        const struct gn_run *m = &s->m[i];

        if (m->state != GN_RUNNING)
            continue;
        if (!m->reason || !*m->reason)
            return "";
        rest = m->reason;
    }
    return rest;
}

/* The row of the sweep says what its members' say. */
static int sum_up(struct sweep *s, struct gn_err *err)
{
    struct gn_run *run = s->run;
    const struct gn_run *worst = NULL;
    enum gn_state state = sum_state(s, &worst);
    int64_t ended_s = 0;
    bool waits = true;
    int rc;

    s->road->run = run;
    run->members_over = run->members_ok = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct gn_run *m = &s->m[i];

        run->members_over += gn_state_over(m->state);
        run->members_ok += m->state == GN_SUCCEEDED;
        waits = waits && m->state <= GN_QUEUED;
        if (m->started_s && (!run->started_s || m->started_s < run->started_s))
            run->started_s = m->started_s;
        if (m->ended_s > ended_s)
            ended_s = m->ended_s;
    }
    if (gn_state_over(state)) {
        run->code = worst ? worst->code : 0;
        run->ended_s = ended_s;
        gn_run_set_text(&run->reason, state == GN_FAILED ? "members" : worst ? worst->reason : "");
        return gn_road_set_state(s->road, state, err);
    }
    gn_run_set_text(&run->reason, sum_rest(s));
    rc = gn_store_update(s->road->e->store, run, false, err);
    return rc || gn_state_over(run->state)
               ? rc
               : gn_road_set_state(s->road, waits ? GN_QUEUED : state, err);
}

static void say_ended(const struct sweep *s, const struct gn_run *m)
{
    struct gn_buf text = GN_BUF_INIT(2000);
    char took[32];

    gn_buf_addsafe(&text, m->params, strlen(m->params), 300);
    gn_buf_adds(&text, ": ");
    gn_run_outcome(m, &text);
    if (m->started_s && m->ended_s >= m->started_s)
        gn_buf_addf(&text, " after %s", gn_fmt_seconds(m->ended_s - m->started_s, took));
    gn_event_text(s->road->e->ctx, GN_EV_STEP, "%s %s", m->name, text.ptr);
    gn_buf_clear(&text);
}

/* "st TOKEN.K ...": of which member; NULL: of none that was asked about. */
static struct gn_run *of_line(const struct sweep *s, const char *line)
{
    size_t n = strlen(s->run->token);
    char *end;
    unsigned long long k;

    if (strncmp(line, "st ", 3) != 0 || strncmp(line + 3, s->run->token, n) != 0 ||
        line[3 + n] != '.')
        return NULL;
    k = strtoull(line + 4 + n, &end, 10);
    return *end == ' ' && k >= 1 && k <= s->n ? &s->m[k - 1] : NULL;
}

static int note(struct sweep *s, const char *line, bool *over, struct gn_err *err)
{
    struct gn_run *m = of_line(s, line);
    struct gn_far_status st;
    int rc;

    if (!m) {
        struct gn_buf safe = GN_BUF_INIT(1000);

        gn_buf_addsafe(&safe, line, strlen(line), 200);
        gn_err_set(err, GN_E_PROTO, "the far side speaks of what was not asked about: %s",
                   safe.ptr);
        gn_buf_clear(&safe);
        return err->code;
    }
    rc = gn_far_parse_status(line, &st, err);
    if (rc || gn_state_over(m->state))
        return rc;
    s->road->run = m;
    rc = gn_road_note_status(s->road, &st, err);
    s->road->run = s->run;
    if (!rc && gn_state_over(m->state)) {
        say_ended(s, m);
        *over = true;
    }
    return rc;
}

/* Those that are not over, as the argument of `status`; how many. */
static size_t name_open(const struct sweep *s, struct gn_buf *tokens)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (!gn_state_over(s->m[i].state))
            gn_buf_addf(tokens, "%s%s", n++ ? " " : "", s->m[i].token);
    return n;
}

/*
 * What `status` says of all that are not over.  watch: and goes on to say, until one of them is, and
 * no other at the same time.
 */
static int ask(struct sweep *s, bool watch, struct gn_err *err)
{
    const struct gn_ctx *ctx = s->road->e->ctx;
    struct gn_buf tokens = GN_BUF_INIT(TOKENS_MAX);
    struct gn_far *far = NULL;
    bool over = false;
    int rc = GN_OK;

    if (name_open(s, &tokens)) {
        struct gn_far_arg args[] = {{"root", gn_road_root(s->road)},
                                    {"tokens", tokens.ptr},
                                    {"watch", watch ? "1" : "0"},
                                    {NULL, NULL}};

        rc = gn_far_open(s->road->line, "status", args, &far, ctx, err);
        while (!rc) {
            const char *line = NULL;

            rc = gn_far_event(far, watch && over ? 0 : GN_FAR_SILENCE_MS, &line, ctx, err);
            if (watch && over && rc == GN_E_TIMEOUT) {
                gn_err_clear(err);
                rc = GN_OK;
                break;
            }
            if (!rc && !line)
                rc =
                    gn_err_set(err, GN_E_NET, "the connection to '%s' ended", s->road->target.name);
            if (rc || strcmp(line, "end") == 0)
                break;
            if (strcmp(line, "k") != 0)
                rc = note(s, line, &over, err);
        }
    }
    gn_far_close(far);
    gn_buf_clear(&tokens);
    return rc;
}

/* --- brought home ------------------------------------------------------------------------------ */

/* Log and results of one that is over.  Of one that never began there are none. */
static int bring(struct sweep *s, struct gn_run *m, struct gn_err *err)
{
    struct gn_road *road = s->road;
    int64_t nothing = INT64_MAX; /* of the log is shown */
    int rc = GN_OK;

    if (!m->started_s)
        return GN_OK;
    road->run = m;
    road->shown = &nothing;
    road->aside = true;
    road->forward = false;
    if (!m->log_bytes)
        rc = gn_road_follow(road, err);
    if (!rc && s->fetch)
        rc = gn_road_bring(road, err);
    road->run = s->run;
    road->shown = &s->run->shown_bytes;
    road->aside = false;
    return rc;
}

/* What keeps one from coming keeps no other; a line that is gone and Ctrl-C do. */
static int bring_all(struct sweep *s, struct gn_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        struct gn_err why = GN_ERR_INIT;
        int rc;

        if (s->is_home[i] || !gn_state_over(s->m[i].state))
            continue;
        rc = bring(s, &s->m[i], &why);
        if (rc == GN_E_CANCEL || gn_is_line_error(rc)) {
            *err = why;
            return rc;
        }
        s->is_home[i] = true;
        if (!rc)
            continue;
        gn_event_text(s->road->e->ctx, GN_EV_WARN, "%s: %s", s->m[i].name, why.msg);
        if (!s->failed) {
            s->failed = rc;
            s->why = why;
        }
    }
    return GN_OK;
}

static bool all_over(const struct sweep *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!gn_state_over(s->m[i].state))
            return false;
    return true;
}

static bool all_home(const struct sweep *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!s->is_home[i])
            return false;
    return true;
}

static int watch(struct sweep *s, struct gn_err *err)
{
    struct gn_road *road = s->road;
    unsigned broken = 0;
    int rc = GN_OK;

    while (!(all_over(s) && all_home(s))) {
        int64_t was = s->run->members_over;

        rc = gn_road_connect(road, err);
        if (!rc)
            rc = ask(s, true, err);
        if (!rc)
            rc = sum_up(s, err);
        if (!rc)
            rc = bring_all(s, err);
        if (!rc) {
            broken = 0;
            gn_event_progress(road->e->ctx, "members", (uint64_t)s->run->members_over, s->n);
            continue;
        }
        if (!gn_is_line_error(rc) || !road->connected_once)
            return rc;
        gn_road_hang_up(road);
        if (s->run->members_over > was)
            broken = 0;
        if (broken == 0 || broken == 4)
            gn_event_text(road->e->ctx, GN_EV_NOTE, "%s; the sweep goes on, trying again",
                          err->msg);
        gn_err_clear(err);
        rc = gn_road_wait(road, broken++, err);
        if (rc)
            return rc;
    }
    return GN_OK;
}

/* --- what the engine asks for ------------------------------------------------------------------ */

/* The members are as the launch of their sweep was. */
static int follow_launch(struct sweep *s, enum gn_state state, const char *reason,
                         struct gn_err *err)
{
    struct gn_err ignored = GN_ERR_INIT;
    int rc = gn_store_begin(s->road->e->store, err), end;

    if (rc)
        return rc;
    for (size_t i = 0; i < s->n && !rc; i++) {
        struct gn_run *m = &s->m[i];

        if (m->state >= GN_QUEUED)
            continue;
        m->state = state;
        gn_run_set_text(&m->reason, reason);
        gn_run_set_text(&m->workdir, s->run->workdir);
        gn_run_set_text(&m->snapshot, s->run->snapshot);
        rc = gn_store_update(s->road->e->store, m, true, err);
    }
    end = gn_store_end(s->road->e->store, rc ? &ignored : err);
    return rc ? rc : end;
}

static int launch(struct sweep *s, struct gn_err *err)
{
    struct gn_run *run = s->run;
    struct gn_err later = GN_ERR_INIT;
    int rc = gn_road_launch(s->road, err);

    if (!rc)
        return follow_launch(s, GN_QUEUED, "", err);
    if (run->id && gn_state_over(run->state) && follow_launch(s, run->state, run->reason, &later))
        gn_event_text(s->road->e->ctx, GN_EV_WARN, "%s", later.msg);
    return rc;
}

/* All results that will ever come are here. */
static int sum_fetched(struct sweep *s, struct gn_err *err)
{
    struct gn_run *run = s->run;
    int64_t had = run->fetched_files, had_bytes = run->fetched_bytes;

    run->fetched_files = run->fetched_bytes = 0;
    for (size_t i = 0; i < s->n; i++) {
        run->fetched_files += s->m[i].fetched_files;
        run->fetched_bytes += s->m[i].fetched_bytes;
    }
    if (run->fetched_files != had) {
        struct gn_fetch_report report = {.files = (uint64_t)(run->fetched_files - had),
                                         .bytes = (uint64_t)(run->fetched_bytes - had_bytes)};

        gn_road_say_fetched(s->road, &report);
    }
    if (s->failed) {
        *err = s->why;
        return s->failed;
    }
    if (s->fetch && !s->road->spec.no_fetch && gn_state_over(run->state))
        run->fetched = GN_FETCH_ALL;
    return gn_store_update(s->road->e->store, run, true, err);
}

int gn_sweep_drive(struct gn_road *road, enum gn_until until, struct gn_err *err)
{
    struct gn_run *run = road->run;
    struct sweep s;
    int rc = load(road, until >= GN_UNTIL_FETCHED && !road->spec.no_fetch, &s, err);

    if (!rc && !gn_state_over(run->state))
        rc = run->state < GN_QUEUED ? launch(&s, err) : follow_launch(&s, GN_QUEUED, "", err);
    if (!rc && until >= GN_UNTIL_OVER)
        rc = watch(&s, err);
    if (!rc && until >= GN_UNTIL_OVER)
        rc = sum_fetched(&s, err);
    unload(&s);
    return rc;
}

int gn_sweep_look(struct gn_road *road, struct gn_err *err)
{
    struct sweep s;
    int rc = load(road, false, &s, err);

    if (!rc)
        rc = gn_road_connect(road, err);
    if (!rc)
        rc = ask(&s, false, err);
    if (!rc)
        rc = sum_up(&s, err);
    unload(&s);
    return rc;
}

int gn_sweep_fetch(struct gn_road *road, const struct gn_strs *patterns, const char *dest,
                   struct gn_fetch_report *report, struct gn_err *err)
{
    struct sweep s;
    int rc = load(road, true, &s, err);

    *report = (struct gn_fetch_report){0};
    for (size_t i = 0; i < s.n && !rc; i++) {
        struct gn_fetch_report one = {0};

        if (!s.m[i].started_s || s.m[i].removed_there)
            continue;
        road->run = &s.m[i];
        rc = gn_road_fetch_retrying(road, patterns, dest, !gn_state_over(s.m[i].state), &one, err);
        if (rc)
            gn_err_prefix(err, "%s: ", s.m[i].name);
        report->files += one.files;
        report->bytes += one.bytes;
        report->same += one.same;
        report->beside += one.beside;
        report->refused += one.refused;
        report->later += one.later;
    }
    road->run = s.run;
    if (!rc && gn_state_over(s.run->state) && !(patterns && patterns->n))
        s.run->fetched = report->later ? GN_FETCH_SOME : GN_FETCH_ALL;
    if (!rc)
        rc = sum_fetched(&s, err);
    unload(&s);
    return rc;
}

int gn_sweep_tokens(struct gn_road *road, struct gn_buf *out, struct gn_err *err)
{
    struct sweep s;
    int rc = load(road, false, &s, err);

    gn_buf_adds(out, road->run->token);
    for (size_t i = 0; i < s.n && !rc; i++)
        gn_buf_addf(out, " %s", s.m[i].token);
    unload(&s);
    return rc;
}
