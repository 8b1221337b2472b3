#include <stdlib.h>
#include <string.h>

#include "cli/bills.h"

/*
 * Machines that still cost money, found at the providers: the record here may be lost, or on another
 * laptop.
 */

static const char *const head[] = {"MACHINE", "TARGET", "STATE", "TYPE", "REGION",
                                   "OWNER",   "RUN",    "ENDS",  "COST", "NOTE"};

struct search {
    struct gn_cli *c;
    struct gn_leasing l;
    struct gn_target *targets;
    size_t n_targets;
    struct gn_founds all;
    char owner[24];
    int asked, failed; /* providers */
};

static void add_target(struct search *s, const struct gn_target *t)
{
    s->targets = gn_realloc(s->targets, s->n_targets + 1, sizeof *s->targets);
    gn_target_copy(&s->targets[s->n_targets++], t);
}

/* Those that are configured; of a provider without any: the one that its own tools would use. */
static int find_targets(struct search *s, const struct gn_config *cfg, struct gn_err *err)
{
    for (size_t i = 0; i < cfg->n_targets; i++)
        if (cfg->targets[i].type == GN_TARGET_CLOUD)
            add_target(s, &cfg->targets[i]);
    for (size_t i = 0; gn_provider_at(i); i++) {
        const char *type = gn_provider_at(i)->name;
        struct gn_target t = {0};
        bool have = false;
        int rc;

        for (size_t k = 0; k < s->n_targets && !have; k++)
            have = strcmp(s->targets[k].type_name, type) == 0;
        if (have)
            continue;
        rc = gn_target_resolve(s->c->ctx, cfg, type, &t, err);
        if (rc)
            return rc;
        if (t.type == GN_TARGET_CLOUD) {
            struct gn_provider *p = NULL;
            struct gn_err none = GN_ERR_INIT;

            if (gn_provider_open(s->c->ctx, &t, &p, &none) == GN_OK)
                add_target(s, &t);
            gn_provider_close(p);
        }
        gn_target_clear(&t);
    }
    return GN_OK;
}

static bool is_double(const struct search *s, const struct gn_found *f)
{
    for (const struct gn_found *o = s->all.v; o < f; o++)
        if (strcmp(o->lease.name, f->lease.name) == 0)
            return true;
    return false;
}

static int ask_all(struct search *s, struct gn_err *err)
{
    for (size_t i = 0; i < s->n_targets; i++) {
        struct gn_err why = GN_ERR_INIT;
        bool complete = true;
        int rc = gn_lease_list(&s->l, &s->targets[i], &s->all, &complete, &why);

        s->asked++;
        if (rc == GN_E_CANCEL)
            return *err = why, rc;
        if (rc || !complete) {
            s->failed++;
            gn_ui_say(s->c->ui, "%s", rc ? why.msg : "not every region could be asked");
        }
    }
    return GN_OK;
}

static bool is_in_use(const struct search *s, const struct gn_found *f)
{
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_run run;
    bool used;

    if (!f->run_id || gn_store_find(s->l.store, f->lease.run, NULL, &run, &ignored))
        return false;
    used = run.id == f->run_id && !gn_state_over(run.state);
    gn_run_clear(&run);
    return used;
}

static const char *note_of(const struct search *s, const struct gn_found *f)
{
    if (strcmp(f->lease.owner, s->owner) != 0)
        return "somebody else's";
    if (!f->run_id)
        return "no record of it here";
    return is_in_use(s, f) ? "its run goes on" : "nothing runs there any more";
}

static void show(struct search *s)
{
    struct gn_table table = {.head = head, .n = sizeof head / sizeof *head};

    for (size_t i = 0; i < s->all.n; i++) {
        const struct gn_found *f = &s->all.v[i];
        const struct gn_lease *l = &f->lease;
        char cost[32], *until = gn_cli_until(s->c, l->deadline_s);

        if (is_double(s, f))
            continue;
        if (s->c->json) {
            struct gn_json *o = gn_json_object();

            gn_json_set_str(o, "id", l->id);
            gn_json_set_str(o, "name", l->name);
            gn_json_set_str(o, "target", f->target);
            gn_json_set_str(o, "state", gn_lease_state_name(l->state));
            gn_json_set_str(o, "region", l->region);
            gn_json_set_str(o, "owner", l->owner);
            gn_json_set_str(o, "run", l->run);
            gn_json_set_int(o, "deadline", l->deadline_s);
            gn_json_set_bool(o, "recorded", f->run_id != 0);
            gn_ui_json(s->c->ui, o);
        } else {
            gn_table_row(&table, (const char *const[]){
                                     l->id, f->target, gn_lease_state_name(l->state), l->machine,
                                     *l->zone ? l->zone : l->region, l->owner, l->run, until,
                                     gn_fmt_money(f->cost_microusd, cost), note_of(s, f)});
        }
        free(until);
    }
    if (table.cells)
        gn_table_print(s->c->ui, &table);
    gn_table_clear(&table);
}

static const struct gn_target *target_of(const struct search *s, const struct gn_found *f)
{
    for (size_t i = 0; i < s->n_targets; i++)
        if (strncmp(s->targets[i].name, f->target, sizeof f->target - 1) == 0)
            return &s->targets[i];
    return NULL;
}

/* Ours, and only where no run of ours goes on; how many are left. */
static int terminate(struct search *s)
{
    int left = 0;

    for (size_t i = 0; i < s->all.n; i++) {
        const struct gn_found *f = &s->all.v[i];
        struct gn_err why = GN_ERR_INIT;

        if (is_double(s, f) || strcmp(f->lease.owner, s->owner) != 0)
            continue;
        if (is_in_use(s, f)) {
            gn_ui_say(s->c->ui, "%s still runs on '%s'; to end both: gnrrun stop %s", f->lease.run,
                      f->lease.id, f->lease.run);
            left++;
        } else if (gn_lease_end_found(&s->l, target_of(s, f), f, &why)) {
            gn_ui_say(s->c->ui, "%s", why.msg);
            left++;
        } else {
            gn_ui_say(s->c->ui, "machine '%s' is gone", f->lease.id);
        }
    }
    return left;
}

static int ours(const struct search *s)
{
    int n = 0;

    for (size_t i = 0; i < s->all.n; i++)
        n += strcmp(s->all.v[i].lease.owner, s->owner) == 0 && !is_double(s, &s->all.v[i]);
    return n;
}

static int sweep(struct search *s, struct gn_err *err)
{
    int left, rc = ask_all(s, err);

    if (rc)
        return rc;
    show(s);
    left = ours(s);
    if (left && gn_args_has(&s->c->args, "terminate"))
        left = terminate(s);
    /* what the record has and no list shows: its end, too, is looked for */
    rc = gn_lease_refresh(&s->l, err);
    if (rc)
        return rc;
    if (s->failed)
        gn_ui_say(s->c->ui, "%d of %d providers could not be asked", s->failed, s->asked);
    if (!s->asked)
        gn_ui_say(s->c->ui,
                  "no cloud is configured and no credentials of one are here: nothing to ask");
    else if (!left && !s->failed && !gn_lease_bills(&s->l, 0))
        gn_ui_say(s->c->ui, "nothing of yours costs money");
    return left || s->failed || gn_lease_bills(&s->l, 0) ? GN_EXIT_BILLING : GN_EXIT_OK;
}

int cmd_sweep(struct gn_cli *c, struct gn_err *err)
{
    struct search s = {.c = c, .l = {.ctx = c->ctx, .provider = gn_provider_open}};
    struct gn_store *store = NULL;
    struct gn_config cfg = {0};
    int rc = gn_store_open(c->ctx, &store, err);

    s.l.store = store;
    gn_lease_owner(c->ctx, s.owner);
    if (!rc)
        rc = gn_cli_config(c, &cfg, err);
    if (!rc)
        rc = find_targets(&s, &cfg, err);
    if (!rc)
        rc = sweep(&s, err);
    for (size_t i = 0; i < s.n_targets; i++)
        gn_target_clear(&s.targets[i]);
    free(s.targets);
    free(s.all.v);
    gn_config_clear(&cfg);
    gn_store_close(store);
    return rc;
}
