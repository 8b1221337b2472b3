#include <stdlib.h>

#include "cli/cmd.h"
#include "cli/engine.h"
#include "cli/runtext.h"

#define NEWEST 10 /* ended runs that are shown without --all */

static const char *const head[] = {"RUN", "STATE", "TARGET", "AGE", "TOOK", "RESULTS", "COMMAND"};

struct listing {
    struct gn_cli *c;
    struct gn_table table;
    int64_t now_s;
    size_t ended, hidden;
    bool all;
};

static int add_run(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct listing *l = arg;
    char age[32] = "-", took[32] = "-";
    int64_t took_s = gn_run_took_s(r, l->now_s);
    char *state;

    (void)err;
    if (gn_state_over(r->state) && ++l->ended > NEWEST && !l->all) {
        l->hidden++;
        return GN_OK;
    }
    if (l->c->json) {
        gn_ui_json(l->c->ui, gn_run_json(l->c->ctx, r, false));
        return GN_OK;
    }
    if (l->now_s >= r->created_s)
        gn_fmt_seconds(l->now_s - r->created_s, age);
    if (took_s >= 0)
        gn_fmt_seconds(took_s, took);
    state = gn_run_state_text(r);
    gn_table_row(&l->table, (const char *const[]){r->name, state, r->target, age, took,
                                                  gn_run_results_text(r), r->command});
    free(state);
    return GN_OK;
}

int cmd_ps(struct gn_cli *c, struct gn_err *err)
{
    struct gn_store *s = NULL;
    struct listing l = {
        .c = c,
        .table = {.head = head, .n = sizeof head / sizeof *head, .right = 1u << 3 | 1u << 4},
        .now_s = c->ctx->wall_s(c->ctx),
        .all = gn_args_has(&c->args, "all"),
    };
    int rc = gn_store_open(c->ctx, &s, err);

    if (!rc && gn_args_has(&c->args, "refresh"))
        rc = cmd_refresh(c, s, err);
    if (!rc)
        rc = gn_store_each(s, NULL, 0, add_run, &l, err);
    if (rc || c->json)
        goto out;
    if (l.table.cells.n)
        gn_table_print(c->ui, &l.table);
    else
        gn_ui_say(c->ui, "no runs yet; 'gnrrun PROGRAM --target NAME' starts one");
    if (l.hidden)
        gn_ui_say(c->ui, "%zu older runs are not shown; see 'gnrrun ps --all'", l.hidden);
out:
    gn_table_clear(&l.table);
    gn_store_close(s);
    return rc;
}
