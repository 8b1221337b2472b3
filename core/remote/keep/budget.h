/*
 * budget.h - so many refused logins, and no more: sites shut out who goes on.
 */
#ifndef GNRRUN_REMOTE_KEEP_BUDGET_H
#define GNRRUN_REMOTE_KEEP_BUDGET_H

#include "door.h"
#include "gnrrun/transport.h"

/*
 * Connect and log in as gn_transport_ssh() does, unless that was refused so often of late that the
 * next may be one too many: GN_E_AUTH then, and nothing is sent.  door NULL: one is looked for when
 * there is a refusal to write down.
 */
GN_MUST int gn_budget_dial(const struct gn_ctx *ctx, const struct gn_target *target,
                           const struct gn_ssh_opts *opts, const struct gn_door *door,
                           struct gn_transport **out, struct gn_err *err);

/* As if none had been. */
void gn_budget_forget(const struct gn_door *door);

#endif
