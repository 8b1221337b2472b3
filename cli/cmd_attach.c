#include "cli/cmd.h"

int cmd_attach(struct gn_cli *c, struct gn_err *err)
{
    (void)c;
    return gn_err_set(err, GN_E_FAIL, "'attach' is not there yet");
}
