#include "cli/runs.h"

int cmd_attach(struct gn_cli *c, struct gn_err *err)
{
    struct gn_engine e;
    struct gn_run run;
    int rc = gn_cli_engine(c, &e, err);

    if (rc)
        return rc;
    rc = gn_cli_run(c, e.store, 0, &run, err);
    if (!rc) {
        rc = gn_cli_override(c, &run, err);
        if (!rc)
            rc = gn_cli_drive(c, &e, &run,
                              gn_args_has(&c->args, "no-fetch") ? GN_UNTIL_OVER : GN_UNTIL_FETCHED,
                              err);
        gn_run_clear(&run);
    }
    gn_cli_engine_close(&e);
    return rc;
}
