/*
 * tree.c - the project's tree comes to lie over there, and with it a run (core/remote/sh/launch.sh).
 *
 * What is over there we know by our own notes (base.c), and they may be wrong.  Where they are
 * enough and little changed, the stream follows the question without waiting for its answer, and
 * is dropped over there when the notes were wrong; then it is asked first, as it is for much.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "parcel.h"

/* Sent without having been asked for: so much is lost at most when the notes are wrong. */
#define SURE_BYTES  ((uint64_t)4 << 20)
#define QUICK_BYTES ((uint64_t)128 << 20) /* unpacked before anybody wonders */
#define SURE_GONE   ((size_t)4 << 10)     /* of names of what must go */
/* Worth a copy in advance. */
#define SPARE_ENTRIES 300
#define SPARE_BYTES   ((uint64_t)32 << 20)
#define SPARE_MAX     ((uint64_t)4 << 30)

struct shipping {
    struct gn_road *road;
    const struct gn_cargo *cargo;
    struct gn_base_notes notes;
    char *key, *bases;
    char spare[24], lanes[12];
    bool resume;
    struct gn_parcel parcel;
};

static void say_shipping(const struct shipping *s)
{
    const struct gn_parcel *p = &s->parcel;
    char size[64];

    if (p->files)
        gn_event_text(s->road->e->ctx, GN_EV_STEP, "shipping %s, to '%s'",
                      gn_fmt_files(p->files, p->total, size), s->road->target.name);
    else
        gn_event_text(s->road->e->ctx, GN_EV_STEP, "nothing new to ship to '%s'",
                      s->road->target.name);
}

/* --- the question ---------------------------------------------------------------------------- */

/* KiB of the tree where a spare copy of it saves a wait; else 0. */
static uint64_t worth_a_spare(const struct gn_road *road, const struct gn_cargo *cargo)
{
    const struct gn_manifest *m = cargo->tree;

    if (road->target.type == GN_TARGET_LOCAL || !*cargo->token || m->bytes > SPARE_MAX)
        return 0;
    return m->n >= SPARE_ENTRIES || m->bytes >= SPARE_BYTES ? m->bytes / 1024 + m->n * 4 + 1 : 0;
}

/* Channels that this will take, and the command after it: they are opened in one trip. */
static void expect_channels(const struct shipping *s)
{
    struct gn_transport *line = s->road->line;
    bool goes_on = *s->cargo->token || s->road->is_kept;

    if (line->ops->expect)
        line->ops->expect(line, (unsigned)(*s->lanes - '0' + !line->waiting + goes_on));
}

static void prepare(struct shipping *s)
{
    s->key = gn_base_key(&s->road->config.project);
    gn_base_load(s->road, s->key, &s->notes);
    s->bases = gn_printf("%s %s", s->notes.sure ? s->notes.sure->id : "",
                         s->notes.intended ? s->notes.intended->id : "");
    snprintf(s->spare, sizeof s->spare, "%" PRIu64, worth_a_spare(s->road, s->cargo));
    snprintf(s->lanes, sizeof s->lanes, "%d",
             gn_lanes_help(s->road->line, s->cargo->tree->bytes) ? GN_LANES_MAX : 0);
    s->resume = gn_parcel_resumes(s->cargo->tree);
    s->parcel = gn_parcel_new(s->road, s->road->config.project.root, "shipping");
}

static void shipping_clear(struct shipping *s)
{
    gn_parcel_clear(&s->parcel);
    gn_base_notes_clear(&s->notes);
    free(s->key);
    free(s->bases);
}

/* "": whatever is found there. */
static const char *started_by(const struct gn_target *t)
{
    if (t->scheduler)
        return t->scheduler;
    return t->direct || t->type == GN_TARGET_LOCAL ? "direct" : "";
}

static int ask(struct shipping *s, const char *sure, struct gn_err *err)
{
    const struct gn_cargo *c = s->cargo;
    bool remote = s->road->target.type != GN_TARGET_LOCAL;
    /* what is sent unasked is little; what is asked for first is at most all of it */
    bool quick = *sure ? s->parcel.before.len <= SURE_GONE : c->tree->bytes <= QUICK_BYTES;
    const struct gn_far_arg args[] = {{"root", gn_road_root(s->road)},
                                      {"token", c->token},
                                      {"proj", s->key},
                                      {"id", c->tree->id},
                                      {"base", s->bases},
                                      {"sure", sure},
                                      {"quick", quick ? "1" : "0"},
                                      {"before", *sure && quick ? s->parcel.before.ptr : ""},
                                      {"zstd", remote ? "1" : "0"},
                                      {"links", c->links},
                                      {"spare", s->spare},
                                      {"resume", s->resume ? "1" : "0"},
                                      {"lanes", *sure ? "0" : s->lanes},
                                      {"client", s->road->client},
                                      {"sched", started_by(&s->road->target)},
                                      {"start", "1"},
                                      {NULL, NULL}};

    s->parcel.told_before = *sure && quick;
    return (*sure ? gn_far_start : gn_far_open)(s->road->line, "launch", args, &s->parcel.far,
                                                s->road->e->ctx, err);
}

/* --- the answer ------------------------------------------------------------------------------ */

struct answer {
    char run[16], snap[16], base[GN_HASH_HEX];
    bool zstd, plain;
    int64_t parts;
};

/* Then nothing was taken. */
static int found_queue(const struct shipping *s, struct gn_err *err)
{
    const char *name = s->road->target.name;

    gn_err_set(err, GN_E_CONFIG, "'%s' is the login node of a batch queue (%s)", name,
               s->road->queue);
    return gn_err_hint(err,
                       "if programs may be started on it all the same, say 'scheduler: direct' in "
                       "its entry in config.yaml");
}

static int read_answer(struct shipping *s, struct answer *a, struct gn_err *err)
{
    char queue[sizeof s->road->queue];
    const char *line;
    int rc = gn_far_expect(s->parcel.far, "launch", &line, s->road->e->ctx, err);

    if (rc)
        return rc;
    if (!gn_far_field(line, "run", a->run, sizeof a->run) ||
        !gn_far_field(line, "snap", a->snap, sizeof a->snap) ||
        !gn_far_field(line, "base", a->base, sizeof a->base))
        return gn_err_set(err, GN_E_PROTO, "the far side did not say what it lacks");
    if (gn_far_field(line, "queue", queue, sizeof queue) && strcmp(queue, "-") != 0 &&
        strspn(queue, "abcdefghijklmnopqrstuvwxyz") == strlen(queue)) {
        memcpy(s->road->queue, queue, sizeof queue);
        return found_queue(s, err);
    }
    a->zstd = gn_far_number(line, "zstd", 0) == 1;
    a->plain = gn_far_number(line, "plain", 0) == 1;
    a->parts = gn_far_number(line, "parts", 0);
    gn_parcel_hear(&s->parcel, line);
    return GN_OK;
}

static const struct gn_manifest *find_base(const struct shipping *s, const struct answer *a)
{
    if (s->notes.sure && strcmp(s->notes.sure->id, a->base) == 0)
        return s->notes.sure;
    if (s->notes.intended && strcmp(s->notes.intended->id, a->base) == 0)
        return s->notes.intended;
    return NULL;
}

static int read_end(struct shipping *s, struct gn_err *err)
{
    const struct gn_ctx *ctx = s->road->e->ctx;
    struct gn_far_status st;
    const char *line;
    int rc;

    if (!*s->cargo->token)
        return gn_far_expect(s->parcel.far, "ok", &line, ctx, err);
    rc = gn_far_line(s->parcel.far, 120000, &line, ctx, err);
    if (!rc && !line)
        rc = gn_err_set(err, GN_E_NET, "the far side ended before it said how the run is");
    if (!rc)
        rc = gn_far_parse_status(line, &st, err);
    if (!rc && st.state == GN_FAR_NONE)
        rc = gn_err_set(err, GN_E_PROTO, "the far side lost what it was sent");
    return rc ? rc : gn_road_note_status(s->road, &st, err);
}

/* --- both ways ------------------------------------------------------------------------------- */

/* Ask, look at what it has, send what it lacks. */
static int ask_first(struct shipping *s, struct gn_err *err)
{
    const struct gn_cargo *c = s->cargo;
    struct answer a;
    int rc = ask(s, "", err);

    if (!rc)
        rc = read_answer(s, &a, err);
    if (rc)
        return rc;
    s->parcel.complete = strcmp(a.run, "none") != 0;
    gn_base_note_line(s->road, a.zstd, a.plain && s->road->line->takes_plain != GN_NO);
    if (s->parcel.complete)
        return read_end(s, err);
    if (strcmp(a.snap, "have") == 0)
        gn_parcel_plan(&s->parcel, NULL, NULL);
    else if (strcmp(a.snap, "base") == 0 && find_base(s, &a))
        gn_parcel_plan(&s->parcel, find_base(s, &a), c->tree);
    else if (strcmp(a.snap, "full") == 0)
        gn_parcel_plan(&s->parcel, NULL, c->tree);
    else
        return gn_err_set(err, GN_E_PROTO, "the far side speaks of a tree that we do not know");
    say_shipping(s);
    if (strcmp(a.snap, "full") == 0)
        rc = gn_parcel_resume(&s->parcel, a.parts, err);
    if (rc)
        return rc;
    if (strcmp(a.snap, "have") != 0 || *c->token)
        rc = gn_parcel_send(&s->parcel, c->files, c->n, a.zstd, err);
    return rc ? rc : read_end(s, err);
}

/* Little changed, the notes say: send it at once.  *done stays false when they were wrong. */
static int send_at_once(struct shipping *s, bool *done, struct gn_err *err)
{
    const struct gn_manifest *base = s->notes.sure;
    bool same = strcmp(base->id, s->cargo->tree->id) == 0;
    struct answer a;
    int rc = ask(s, base->id, err);

    if (rc)
        return rc;
    say_shipping(s);
    if (!same || *s->cargo->token)
        rc = gn_parcel_send(&s->parcel, s->cargo->files, s->cargo->n, s->notes.zstd, err);
    else
        rc = gn_far_eof(s->parcel.far, s->road->e->ctx, err);
    if (!rc)
        rc = gn_far_greet(s->parcel.far, s->road->e->ctx, err);
    if (rc == GN_E_FAIL && s->road->line->takes_plain == GN_YES) {
        s->road->line->takes_plain = GN_NO; /* another shell than it said */
        gn_err_clear(err);
        return GN_OK;
    }
    if (!rc)
        rc = read_answer(s, &a, err);
    if (rc)
        return rc;
    *done = strcmp(a.run, "none") == 0 &&
            (strcmp(a.snap, "have") == 0 || strcmp(a.base, base->id) == 0);
    return *done ? read_end(s, err) : GN_OK;
}

/* parcel.total is planned: what the notes say is lacking. */
static bool is_sure(struct shipping *s)
{
    if (!s->notes.sure || s->road->line->takes_inline != GN_YES)
        return false;
    gn_parcel_plan(&s->parcel, strcmp(s->notes.sure->id, s->cargo->tree->id) ? s->notes.sure : NULL,
                   strcmp(s->notes.sure->id, s->cargo->tree->id) ? s->cargo->tree : NULL);
    return s->parcel.total <= SURE_BYTES;
}

int gn_tree_ship(struct gn_road *road, struct gn_cargo *cargo, struct gn_err *err)
{
    struct shipping s = {.road = road, .cargo = cargo};
    bool done = false;
    int rc = GN_OK;

    prepare(&s);
    expect_channels(&s);
    gn_base_intend(road, s.key, &s.notes, cargo->tree);
    if (is_sure(&s)) {
        rc = send_at_once(&s, &done, err);
        if (!rc && !done) {
            cargo->wire += s.parcel.wire;
            gn_parcel_clear(&s.parcel);
            s.parcel = gn_parcel_new(road, road->config.project.root, "shipping");
        }
    }
    if (!rc && !done)
        rc = ask_first(&s, err);
    cargo->wire += s.parcel.wire;
    cargo->may_run = s.parcel.complete;
    if (!rc)
        gn_base_settle(road, s.key, &s.notes, cargo->tree);
    shipping_clear(&s);
    return rc;
}
