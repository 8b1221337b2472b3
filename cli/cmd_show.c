#include <stdlib.h>
#include <string.h>

#include "cli/bills.h"
#include "cli/runtext.h"

/* "key:        value", made safe; nothing for what is not known. */
static void fact(struct gn_cli *c, const char *key, const char *value)
{
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);

    if (!value || !*value || !strcmp(value, "-"))
        return;
    gn_buf_addsafe(&b, value, strlen(value), (size_t)16 << 10);
    gn_ui_outf(c->ui, "%-11s%s\n", key, b.ptr);
    gn_buf_clear(&b);
}

static void fact_time(struct gn_cli *c, const char *key, int64_t at_s)
{
    char *text = gn_time_text(at_s);

    fact(c, key, text);
    free(text);
}

/* "12 files, 3.4 MB" and what is said about them. */
static void fact_size(struct gn_cli *c, const char *key, int64_t files, int64_t bytes,
                      const char *more)
{
    char size[64];
    char *text = gn_printf(
        "%s%s", gn_fmt_files((uint64_t)files, bytes > 0 ? (uint64_t)bytes : 0, size), more);

    fact(c, key, text);
    free(text);
}

static void show_state(struct gn_cli *c, const struct gn_run *r)
{
    int64_t took_s = gn_run_took_s(r, c->ctx->wall_s(c->ctx));
    char room[96];
    const char *state = gn_run_state_text(r, room);
    char took[32];

    fact(c, "state", state);
    if (r->reason && r->reason[0] && strcmp(r->reason, "exit") != 0)
        fact(c, "because", r->reason);
    fact_time(c, "created", r->created_s);
    fact_time(c, "started", r->started_s);
    fact_time(c, "ended", r->ended_s);
    if (took_s >= 0)
        fact(c, "took", gn_fmt_seconds(took_s, took));
}

static void show_run(struct gn_cli *c, const struct gn_run *r)
{
    char *log = gn_store_path(c->ctx, r, "log"), *sent;
    char size[32];

    fact(c, "run", r->name);
    fact(c, "name", r->note);
    fact(c, "command", r->command);
    fact(c, "params", r->params);
    fact(c, "project", r->root);
    fact(c, "target", r->target);
    if (r->host && strcmp(r->host, r->target) != 0)
        fact(c, "host", r->host);
    show_state(c, r);
    if (r->snapshot && r->snapshot[0] && !r->member) {
        sent = gn_printf("; %s travelled",
                         gn_fmt_bytes(r->sent_bytes > 0 ? (uint64_t)r->sent_bytes : 0, size));
        fact_size(c, "shipped", r->ship_files, r->ship_bytes, sent);
        fact(c, "snapshot", r->snapshot);
        free(sent);
    }
    fact(c, "results", gn_run_results_text(r));
    if (r->fetched_files)
        fact_size(c, "fetched", r->fetched_files, r->fetched_bytes, "");
    if (!r->members)
        fact(c, "log", log);
    if (r->workdir && r->workdir[0]) {
        char *there = gn_printf("%s/v1/runs/%s%s", r->workdir, r->token,
                                r->removed_there ? " (removed)" : "");

        fact(c, "over there", there);
        free(there);
    }
    free(log);
}

static int show_json(struct gn_cli *c, struct gn_store *s, const struct gn_run *run,
                     struct gn_err *err)
{
    struct gn_json *j = gn_run_json(c->ctx, run, true);
    int rc = run->members ? gn_cli_sweep_json(c, s, run, j, err) : GN_OK;

    if (!rc)
        rc = gn_cli_show_bills(c, s, run->sweep ? run->sweep : run->id, j, err);

    gn_ui_json(c->ui, j);
    return rc;
}

int cmd_show(struct gn_cli *c, struct gn_err *err)
{
    struct gn_store *s = NULL;
    struct gn_run run = {0};
    int rc = gn_store_open(c->ctx, &s, err);

    if (!rc)
        rc = gn_cli_run(c, s, 0, &run, err);
    if (!rc && c->json)
        rc = show_json(c, s, &run, err);
    else if (!rc)
        show_run(c, &run);
    if (!rc && !c->json)
        rc = gn_cli_show_bills(c, s, run.sweep ? run.sweep : run.id, NULL, err);
    if (!rc && run.members && !c->json) {
        gn_ui_outf(c->ui, "\n");
        rc = gn_cli_sweep_table(c, s, &run, err);
    }
    gn_run_clear(&run);
    gn_store_close(s);
    return rc;
}
