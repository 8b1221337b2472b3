#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bills.h"
#include "cli/cmd.h"
#include "cli/engine.h"
#include "cli/runtext.h"
#include "gnrrun/engine.h"

#define NEWEST 10 /* ended runs that are shown without --all */

static const char *const head[] = {"RUN", "STATE", "TARGET", "AGE", "TOOK", "RESULTS", "COMMAND"};

struct listing {
    struct gn_cli *c;
    struct gn_table table;
    int64_t now_s;
    size_t shown;
    struct gn_strs idle; /* what is to be said of those that seem to do nothing */
};

static void remind(struct listing *l, const struct gn_run *r)
{
    const char *what = strcmp(r->reason, GN_RESTS_GPU) == 0
                           ? "its GPUs had done nothing for 20 minutes"
                       : strcmp(r->reason, GN_RESTS_LOG) == 0 ? "it had written no log for an hour"
                                                              : NULL;
    char *text;

    if (r->state != GN_RUNNING || !what)
        return;
    text = gn_printf("%s still runs on '%s', and when last looked at %s; to end it: gnrrun stop %s",
                     r->name, r->target, what, r->name);
    gn_strs_add(&l->idle, text);
    free(text);
}

static int add_run(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct listing *l = arg;
    char age[32] = "-", took[32] = "-", state[96];
    int64_t took_s = gn_run_took_s(r, l->now_s);

    (void)err;
    l->shown++;
    remind(l, r);
    if (l->now_s >= r->created_s)
        gn_fmt_seconds(l->now_s - r->created_s, age);
    if (took_s >= 0)
        gn_fmt_seconds(took_s, took);
    gn_table_row(&l->table, (const char *const[]){r->name, gn_run_state_text(r, state), r->target,
                                                  age, took, gn_run_results_text(r), r->command});
    return GN_OK;
}

/* For programs: all that is known of each. */
struct objects {
    struct gn_cli *c;
    size_t ended;
    bool all;
};

static int add_object(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct objects *o = arg;

    (void)err;
    if (!gn_state_over(r->state) || ++o->ended <= NEWEST || o->all)
        gn_ui_json(o->c->ui, gn_run_json(o->c->ctx, r, false));
    return GN_OK;
}

int cmd_ps(struct gn_cli *c, struct gn_err *err)
{
    struct gn_store *s = NULL;
    struct listing l = {
        .c = c,
        .table = {.head = head, .n = sizeof head / sizeof *head, .right = 1u << 3 | 1u << 4},
        .now_s = c->ctx->wall_s(c->ctx),
        .idle = GN_STRS_INIT,
    };
    struct objects o = {.c = c, .all = gn_args_has(&c->args, "all")};
    int64_t n = 0;
    int rc = gn_store_open(c->ctx, &s, err);

    if (!rc && gn_args_has(&c->args, "refresh"))
        rc = cmd_refresh(c, s, err);
    if (!rc && c->json)
        rc = gn_store_each(s, NULL, 0, add_object, &o, err);
    if (rc || c->json)
        goto out;
    rc = gn_store_list(s, o.all ? -1 : NEWEST, add_run, &l, err);
    if (!rc)
        rc = gn_store_count(s, &n, err);
    if (rc)
        goto out;
    if (l.shown)
        gn_table_print(c->ui, &l.table);
    else
        gn_ui_say(c->ui, "no runs yet; 'gnrrun PROGRAM --target NAME' starts one");
    if (n > (int64_t)l.shown)
        gn_ui_say(c->ui, "%" PRId64 " older runs are not shown; see 'gnrrun ps --all'",
                  n - (int64_t)l.shown);
    for (size_t i = 0; i < l.idle.n; i++)
        gn_ui_say(c->ui, "%s", l.idle.v[i]);
    gn_cli_bills(c, s, 0);
out:
    gn_strs_clear(&l.idle);
    gn_table_clear(&l.table);
    gn_store_close(s);
    return rc;
}
