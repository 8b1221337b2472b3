/* weigh.c - the rows of plan. */
#include "cli/weigh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 8000

static bool given(const struct gn_figure *f)
{
    return f->known != GN_FIG_UNKNOWN;
}

/* --- the places --- */

static int add(struct gn_cli *c, const struct gn_asked *a, const char *name, struct gn_weighed *w,
               struct gn_err *err)
{
    struct gn_target t = {0};
    int rc;

    for (size_t i = 0; i < w->n_looked; i++) {
        if (strcmp(w->looked[i].target.name, name) == 0)
            return GN_OK;
    }
    rc = gn_target_resolve(c->ctx, &a->config, name, &t, err);
    if (rc)
        return rc;
    w->looked = gn_realloc(w->looked, w->n_looked + 1, sizeof *w->looked);
    if (t.hosts.n) { /* one stands for all of a pool */
        struct gn_looked *l = &w->looked[w->n_looked++];

        *l = (struct gn_looked){0};
        gn_target_member(&t, 0, &l->target);
        gn_target_clear(&t);
    } else if (t.type == GN_TARGET_LOCAL || t.type == GN_TARGET_SSH) {
        w->looked[w->n_looked++] = (struct gn_looked){.target = t};
    } else {
        gn_target_clear(&t);
    }
    return GN_OK;
}

static int look(struct gn_cli *c, const struct gn_asked *a, struct gn_weighed *w,
                struct gn_err *err)
{
    struct gn_engine e = gn_cli_road(c);
    const char *named = gn_args_text(&c->args, "target");
    int rc = add(c, a, "local", w, err);

    if (!rc && named)
        rc = add(c, a, named, w, err);
    for (size_t i = 0; !rc && !named && i < a->config.n_targets; i++)
        rc = add(c, a, a->config.targets[i].name, w, err);
    return rc ? rc : gn_look(&e, w->looked, w->n_looked, LOOK_MS, false, false, err);
}

static void take_places(struct gn_weighed *w, uint64_t ship_bytes)
{
    w->places = gn_calloc(w->n_looked * GN_PLACES_MAX, sizeof *w->places);
    for (size_t i = 0; i < w->n_looked; i++) {
        const struct gn_looked *l = &w->looked[i];
        size_t n = gn_places_of(&l->target, &l->lines, (double)ship_bytes, &w->places[w->n]);

        for (size_t k = 0; l->rc && k < n; k++)
            w->places[w->n + k].unusable = l->err.msg;
        w->n += n;
    }
    w->verdicts = gn_calloc(w->n, sizeof *w->verdicts);
}

int gn_cli_weigh(struct gn_cli *c, const struct gn_asked *a, uint64_t ship_bytes,
                 struct gn_weighed *out, struct gn_err *err)
{
    struct gn_weighed w = {0};
    struct gn_choose_policy policy;
    int rc = gn_workload_read(c->ctx, a->config.project.root, &a->spec.words, &w.workload, err);

    w.choice.place = SIZE_MAX;
    gn_choose_policy_of(&a->config, gn_args_has(&c->args, "max-cost") ? a->spec.max_microusd : -1,
                        a->spec.needs.gpus, &policy);
    if (!rc && given(&w.workload.macs) && given(&w.workload.batch)) {
        rc = look(c, a, &w, err);
        if (!rc) {
            take_places(&w, ship_bytes);
            gn_choose(&w.workload, &policy, w.places, w.n, w.verdicts, &w.choice);
        }
    }
    if (rc)
        gn_weighed_clear(&w);
    else
        *out = w;
    return rc;
}

void gn_weighed_clear(struct gn_weighed *w)
{
    for (size_t i = 0; i < w->n_looked; i++) {
        gn_looked_clear(&w->looked[i]);
        gn_target_clear(&w->looked[i].target);
    }
    free(w->looked);
    free(w->places);
    free(w->verdicts);
    *w = (struct gn_weighed){0};
}

/* --- in words --- */

static const char *seconds(double s, char out[32])
{
    return gn_fmt_seconds(s < 1e15 ? (int64_t)ceil(s) : (int64_t)1e15, out);
}

static void add_figure(struct gn_buf *b, const struct gn_figure *f, double unit, const char *what)
{
    static const char *const bound[] = {"", "", "at least ", "at most "};

    if (given(f))
        gn_buf_addf(b, "%s%s%.*g%s", b->len ? ", " : "", bound[f->known], unit > 1 ? 3 : 12,
                    f->value / unit, what);
}

static void show_scale(struct gn_cli *c, const struct gn_weighed *w)
{
    const struct gn_workload *l = &w->workload;
    struct gn_buf b = GN_BUF_INIT(1024);
    struct gn_footprint m;
    char size[32];

    if (*l->model)
        gn_buf_addsafe(&b, l->model, strlen(l->model), 96);
    add_figure(&b, &l->params, 1e6, "M parameters");
    add_figure(&b, &l->macs, 1e9, " GMAC a sample");
    if (*l->dataset) {
        gn_buf_adds(&b, b.len ? ", " : "");
        gn_buf_addsafe(&b, l->dataset, strlen(l->dataset), 96);
    }
    add_figure(&b, &l->samples, 1, " samples");
    add_figure(&b, &l->batch, 1, " a step");
    add_figure(&b, &l->epochs, 1, " epochs");
    gn_ui_outf(c->ui, "scale    %s\n", b.len ? b.ptr : "unknown");
    gn_scale_memory(l, &m);
    if (m.known)
        gn_ui_outf(c->ui, "memory   %s%s of the device\n", m.rough ? "roughly " : "",
                   gn_fmt_bytes((uint64_t)fmin(m.bytes, 1e18), size));
    gn_buf_clear(&b);
}

static void show_place(struct gn_table *table, const struct gn_place *p,
                       const struct gn_judgement *v)
{
    static const char *const fits[] = {"unknown", "yes", "tight", "no"};
    char lo[32], hi[32], money[32], bytes[32];
    char *took = v->time.known ? gn_printf("%s to %s", seconds(v->time.total_s.p10, lo),
                                           seconds(v->time.total_s.p90, hi))
                               : gn_strdup("unknown");
    const char *note = *v->cause ? v->cause : v->time.why;
    const char *row[] = {p->name,
                         *p->device.name ? p->device.name : "-",
                         fits[v->fit],
                         took,
                         p->wait_s < 0 ? "unknown" : "-",
                         gn_fmt_bytes((uint64_t)p->ship_bytes, bytes),
                         v->cost_microusd ? gn_fmt_money(v->cost_microusd, money) : "-",
                         note};

    gn_table_row(table, row);
    free(took);
}

void gn_weighed_text(struct gn_cli *c, const struct gn_weighed *w)
{
    static const char *const head[] = {"TARGET", "DEVICE", "FITS", "TIME (80 %)",
                                       "WAIT",   "SHIP",   "COST", "NOTE"};
    struct gn_table table = {.head = head, .n = 8};

    show_scale(c, w);
    if (*w->workload.question)
        gn_ui_outf(c->ui, "ask      %s\n", w->workload.question);
    if (!w->n) {
        gn_ui_outf(c->ui, "duration unknown\n");
        return;
    }
    gn_ui_outf(c->ui, "\n");
    for (size_t i = 0; i < w->n; i++)
        show_place(&table, &w->places[i], &w->verdicts[i]);
    gn_table_print(c->ui, &table);
    gn_table_clear(&table);
    gn_ui_outf(c->ui, "\nbest     %s: %s\n",
               w->choice.place == SIZE_MAX ? "none" : w->places[w->choice.place].name,
               w->choice.reason);
}

/* --- as numbers --- */

static void set_figure(struct gn_json *o, const char *key, const struct gn_figure *f)
{
    static const char *const known[] = {"unknown", "exact", "at least", "at most"};
    struct gn_json *j = gn_json_object();

    gn_json_set_str(j, "known", known[f->known]);
    if (given(f))
        gn_json_set_real(j, "value", f->value);
    else
        gn_json_set_null(j, "value");
    gn_json_set_str(j, "from", given(f) ? f->from : NULL);
    gn_json_set(o, key, j);
}

static struct gn_json *place_json(const struct gn_place *p, const struct gn_judgement *v)
{
    static const char *const fits[] = {"unknown", "yes", "tight", "no"};
    struct gn_json *o = gn_json_object();
    bool finite = v->time.known && isfinite(v->time.total_s.p90);

    gn_json_set_str(o, "target", p->name);
    gn_json_set_str(o, "device", *p->device.name ? p->device.name : NULL);
    gn_json_set_bool(o, "feasible", v->feasible);
    gn_json_set_str(o, "fits", fits[v->fit]);
    gn_json_set_str(o, "note", *v->cause ? v->cause : NULL);
    gn_json_set_str(o, "why_unknown", v->time.known ? NULL : v->time.why);
    if (finite) {
        gn_json_set_real(o, "seconds_p10", v->time.total_s.p10);
        gn_json_set_real(o, "seconds_p50", v->time.total_s.p50);
        gn_json_set_real(o, "seconds_p90", v->time.total_s.p90);
    }
    if (v->time.step_known)
        gn_json_set_real(o, "step_seconds", v->time.step_s.p50);
    if (v->cost_microusd >= 0)
        gn_json_set_int(o, "cost_microusd", v->cost_microusd);
    else
        gn_json_set_null(o, "cost_microusd");
    return o;
}

void gn_weighed_json(const struct gn_weighed *w, struct gn_json *out)
{
    struct gn_json *scale = gn_json_object(), *places = gn_json_array();
    const struct gn_workload *l = &w->workload;

    gn_json_set_str(scale, "model", *l->model ? l->model : NULL);
    gn_json_set_str(scale, "dataset", *l->dataset ? l->dataset : NULL);
    gn_json_set_str(scale, "question", *l->question ? l->question : NULL);
    set_figure(scale, "params", &l->params);
    set_figure(scale, "macs", &l->macs);
    set_figure(scale, "batch", &l->batch);
    set_figure(scale, "samples", &l->samples);
    set_figure(scale, "epochs", &l->epochs);
    set_figure(scale, "steps", &l->steps);
    gn_json_set(out, "scale", scale);
    for (size_t i = 0; i < w->n; i++)
        gn_json_append(places, place_json(&w->places[i], &w->verdicts[i]));
    gn_json_set(out, "places", places);
    gn_json_set_str(out, "best",
                    w->choice.place == SIZE_MAX ? NULL : w->places[w->choice.place].name);
    gn_json_set_str(out, "reason", *w->choice.reason ? w->choice.reason : NULL);
}
