#include "cli/runs.h"

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
        gn_run_clear(&run);
    }
    gn_store_close(e.store);
    return rc;
}
