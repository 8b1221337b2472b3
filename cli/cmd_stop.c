#include "cli/cmd.h"

int cmd_stop(struct gn_cli *c, struct gn_err *err)
{
    (void)c;
    return gn_err_set(err, GN_E_FAIL, "'stop' is not there yet");
}
