#include "cli/cmd.h"

int cmd_ssh(struct gn_cli *c, struct gn_err *err)
{
    (void)c;
    return gn_err_set(err, GN_E_FAIL, "'ssh' is not there yet");
}
