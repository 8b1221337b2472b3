#include "cli/bills.h"

int cmd_rm(struct gn_cli *c, struct gn_err *err)
{
    struct gn_engine e;
    int rc = gn_cli_engine(c, &e, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < c->args.words.n && !rc; i++) {
        struct gn_run run;

        rc = gn_cli_run(c, e.store, i, &run, err);
        if (rc)
            break;
        rc = gn_engine_remove(&e, &run, gn_args_has(&c->args, "force"), err);
        if (!rc)
            gn_ui_say(c->ui, "removed %s", run.name);
        rc = gn_cli_unless_bills(c, e.store, run.id, rc, err);
        gn_run_clear(&run);
    }
    gn_store_close(e.store);
    return rc;
}
