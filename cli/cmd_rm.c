#include "cli/cmd.h"

int cmd_rm(struct gn_cli *c, struct gn_err *err)
{
    (void)c;
    return gn_err_set(err, GN_E_FAIL, "'rm' is not there yet");
}
