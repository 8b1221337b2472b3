/*
 * engine.h - what offline commands ask of the engine.
 */
#ifndef CLI_ENGINE_H
#define CLI_ENGINE_H

#include "cli/cmd.h"

/*
 * `ps --refresh`: ask the far sides of all runs that are not over, one connection per target, and
 * write what they say into the store.  A target that cannot be reached is a GN_EV_WARN.
 */
GN_MUST int cmd_refresh(struct gn_cli *c, struct gn_store *s, struct gn_err *err);

/* `targets --check`: connect to each and say what is there. */
GN_MUST int cmd_targets_check(struct gn_cli *c, const struct gn_config *cfg,
                              const struct gn_strs *names, struct gn_err *err);

#endif
