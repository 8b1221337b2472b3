#include "cli/runs.h"

#include "cli/bills.h"

#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/pool.h"
#include "gnrrun/provider.h"

#define SECOND_PRESS_MS 2000

struct gn_engine gn_cli_road(const struct gn_cli *c)
{
    return (struct gn_engine){
        .ctx = c->ctx,
        .ssh = {.accept_new = gn_args_has(&c->args, "accept-new-host-key")},
        .connect = gn_transport_open,
        .provider = gn_provider_open,
        .scheduler = gn_scheduler_find,
    };
}

int gn_cli_engine(struct gn_cli *c, struct gn_engine *e, struct gn_err *err)
{
    *e = gn_cli_road(c);
    return gn_store_open(c->ctx, &e->store, err);
}

void gn_cli_engine_close(struct gn_engine *e)
{
    gn_transport_close(e->ready);
    free(e->ready_for);
    gn_store_close(e->store);
}

int gn_cli_override(struct gn_cli *c, struct gn_run *run, struct gn_err *err)
{
    struct gn_spec spec;
    struct gn_buf text = GN_BUF_INIT(GN_MAX_PROGRAM);
    const char *dest = gn_args_text(&c->args, "results");
    int rc = gn_spec_parse(run->spec, &spec, err);

    if (rc)
        return rc;
    if (gn_args_has(&c->args, "no-fetch"))
        spec.no_fetch = true;
    spec.sync_s = gn_args_num(&c->args, "sync", spec.sync_s);
    if (dest) {
        free(spec.dest);
        spec.dest = gn_path_join(c->ctx->cwd, dest);
    }
    gn_spec_format(&spec, &text);
    free(run->spec);
    run->spec = gn_buf_detach(&text);
    gn_spec_clear(&spec);
    return GN_OK;
}

void gn_cli_say_outcome(struct gn_cli *c, const struct gn_run *run)
{
    struct gn_buf text = GN_BUF_INIT(1000);
    char took[32];

    gn_run_outcome(run, &text);
    if (gn_state_over(run->state) && run->started_s && run->ended_s >= run->started_s)
        gn_buf_addf(&text, " after %s", gn_fmt_seconds(run->ended_s - run->started_s, took));
    gn_ui_say(c->ui, "%s on '%s': %s", run->name, run->target, text.ptr);
    gn_buf_clear(&text);
}

static void json_end(struct gn_cli *c, const struct gn_run *run, int status)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_str(o, "event", "end");
    gn_json_set_str(o, "run", run->name);
    gn_json_set_str(o, "target", run->target);
    gn_json_set_str(o, "state", gn_state_name(run->state));
    gn_json_set_str(o, "reason", run->reason);
    gn_json_set_bool(o, "program_status", gn_state_over(run->state) && status == run->code);
    if (gn_state_over(run->state))
        gn_json_set_int(o, "code", run->code);
    else
        gn_json_set_null(o, "code");
    gn_json_set_int(o, "exit_status", status);
    gn_ui_json(c->ui, o);
}

static void say_how_to_return(struct gn_cli *c, const struct gn_run *run, bool is_there)
{
    if (!is_there && run->state < GN_QUEUED)
        gn_ui_say(c->ui, "%s may have been started on '%s' or not; go on with it: gnrrun attach %s",
                  run->name, run->target, run->name);
    else
        gn_ui_say(c->ui, "%s %s, on '%s'; come back to it: gnrrun attach %s", run->name,
                  run->state == GN_QUEUED ? "waits" : "goes on", run->target, run->name);
    gn_ui_say(c->ui, "end it: gnrrun stop %s%s", run->name,
              gn_cli_signal(c) == 2 ? " (or Ctrl-C again within 2 seconds)" : "");
}

/* Interrupted while it ran: it goes on, unless Ctrl-C comes again at once. */
static int detached(struct gn_cli *c, struct gn_engine *e, struct gn_run *run, struct gn_err *err)
{
    struct gn_err ignored = GN_ERR_INIT;
    int rc;

    run->detached = true;
    if (gn_store_update(e->store, run, false, &ignored))
        gn_ui_say(c->ui, "%s", ignored.msg);
    gn_ui_flush(c->ui);
    say_how_to_return(c, run, false);
    if (gn_cli_signal(c) != 2)
        return GN_EXIT_INTERRUPTED;
    if (gn_cli_interrupts(c) < 2) {
        gn_cli_resume(c);
        rc = gn_wait_ms(c->ctx, SECOND_PRESS_MS, err);
        if (rc != GN_E_CANCEL)
            return GN_EXIT_INTERRUPTED;
    }
    gn_cli_resume(c);
    gn_ui_say(c->ui, "stopping %s", run->name);
    rc = gn_engine_stop(e, run, -1, err);
    if (rc)
        return rc;
    /* what it wrote and made until then is as good as ever */
    rc = gn_engine_drive(e, run, GN_UNTIL_FETCHED, err);
    if (rc)
        return rc;
    gn_cli_say_outcome(c, run);
    return gn_run_exit_status(run);
}

static int failed(struct gn_cli *c, const struct gn_run *run, int rc, struct gn_err *err)
{
    if (run->id == 0)
        return rc;
    if (gn_state_over(run->state) && run->log_bytes >= 0 &&
        strcmp(run->reason, "not-started") != 0) {
        gn_cli_say_outcome(c, run);
        if (!*err->hint)
            gn_err_hint(err, "the results are safe over there: gnrrun fetch %s", run->name);
        gn_err_prefix(err, "results of '%s' are not here yet: ", run->name);
        gn_ui_error(c->ui, err, GN_EXIT_NORESULTS);
        return GN_EXIT_NORESULTS;
    }
    if (!gn_state_over(run->state) && !*err->hint)
        gn_err_hint(err, "go on with: gnrrun attach %s", run->name);
    return rc;
}

/* One that was lost with its machine goes on as another; where it cannot, it stays lost. */
static int drive(struct gn_cli *c, struct gn_engine *e, struct gn_run *run, enum gn_until until,
                 struct gn_err *err)
{
    bool again = false;
    int rc = gn_engine_drive(e, run, until, err);

    if (rc || until == GN_UNTIL_STARTED)
        return rc;
    rc = gn_pool_again(e, run, &again, err);
    if (rc && rc != GN_E_CANCEL) {
        gn_ui_say(c->ui, "%s", err->msg);
        gn_err_clear(err);
        return GN_OK;
    }
    return again ? gn_engine_drive(e, run, until, err) : rc;
}

int gn_cli_drive(struct gn_cli *c, struct gn_engine *e, struct gn_run *run, enum gn_until until,
                 struct gn_err *err)
{
    int64_t id = run->id; /* of one that is forgotten, too, a machine may be left */
    int rc = drive(c, e, run, until, err), status;

    if (rc == GN_E_CANCEL && run->id && !gn_state_over(run->state) && run->state >= GN_SHIPPING)
        status = detached(c, e, run, err);
    else if (rc == GN_E_CANCEL) {
        gn_ui_say(c->ui,
                  run->id && gn_state_over(run->state) && strcmp(run->reason, "cancelled") != 0
                      ? "interrupted; the rest of the results: gnrrun fetch %s"
                      : "cancelled; nothing of %s runs",
                  run->name);
        status = GN_EXIT_INTERRUPTED;
    } else if (rc)
        status = failed(c, run, rc, err);
    else if (until == GN_UNTIL_STARTED && !gn_state_over(run->state)) {
        say_how_to_return(c, run, true);
        status = GN_EXIT_OK;
    } else {
        if (run->members && !c->json && gn_cli_sweep_table(c, e->store, run, err))
            return err->code;
        gn_ui_flush(c->ui);
        gn_cli_say_outcome(c, run);
        status = gn_run_exit_status(run);
    }
    status = gn_cli_unless_bills(c, e->store, id, status, err);
    /* with --detach that was the wish */
    if (status != GN_EXIT_BILLING && gn_cli_bills(c, e->store, id) &&
        (until != GN_UNTIL_STARTED || status != GN_EXIT_OK))
        status = GN_EXIT_BILLING;
    if (status >= 0 && c->json)
        json_end(c, run, status);
    return status;
}
