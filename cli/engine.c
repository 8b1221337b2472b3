#include "cli/engine.h"

int cmd_refresh(struct gn_cli *c, struct gn_store *s, struct gn_err *err)
{
    (void)c;
    (void)s;
    return gn_err_set(err, GN_E_FAIL, "'ps --refresh' is not there yet");
}

int cmd_targets_check(struct gn_cli *c, const struct gn_config *cfg, const struct gn_strs *names,
                      struct gn_err *err)
{
    (void)c;
    (void)cfg;
    (void)names;
    return gn_err_set(err, GN_E_FAIL, "'targets --check' is not there yet");
}
