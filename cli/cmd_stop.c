#include "cli/bills.h"
#include "gnrrun/lease.h"

/* One that was made for it has nothing else to do: what it wrote comes home, and it ends. */
static int end_machine(struct gn_cli *c, struct gn_engine *e, struct gn_run *run,
                       struct gn_err *err)
{
    const struct gn_leasing l = {.ctx = c->ctx, .store = e->store, .provider = e->provider};
    int rc;

    if (!gn_lease_bills(&l, run->id))
        return GN_OK;
    rc = gn_engine_drive(e, run, GN_UNTIL_FETCHED, err);
    return !rc && gn_cli_bills(c, e->store, run->id) ? GN_EXIT_BILLING : rc;
}

int cmd_stop(struct gn_cli *c, struct gn_err *err)
{
    int64_t grace = gn_args_has(&c->args, "now") ? 0 : gn_args_num(&c->args, "grace", -1);
    struct gn_engine e;
    struct gn_run run;
    int rc = gn_cli_engine(c, &e, err);

    if (rc)
        return rc;
    rc = gn_cli_run(c, e.store, 0, &run, err);
    if (!rc) {
        bool was_over = gn_state_over(run.state);

        rc = gn_engine_stop(&e, &run, grace, err);
        if (!rc && was_over)
            gn_ui_say(c->ui, "%s is over already", run.name);
        if (!rc)
            gn_cli_say_outcome(c, &run);
        if (!rc)
            rc = end_machine(c, &e, &run, err);
        gn_run_clear(&run);
    }
    gn_store_close(e.store);
    return rc;
}
