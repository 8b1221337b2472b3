/*
 * bills.h - what costs money, for people: machines that were made for runs.
 */
#ifndef CLI_BILLS_H
#define CLI_BILLS_H

#include "cli/runs.h"
#include "gnrrun/provider.h"

/* A line for each machine of the run (0: of any) that may cost money now; how many. */
int gn_cli_bills(struct gn_cli *c, struct gn_store *s, int64_t run_id);

/*
 * rc, or after an error GN_EXIT_BILLING where a machine of the run may cost money: the error is told
 * then, and what bills.
 */
int gn_cli_unless_bills(struct gn_cli *c, struct gn_store *s, int64_t run_id, int rc,
                        struct gn_err *err);

/* `show`: the machines that a run had, and what they cost. */
int gn_cli_show_bills(struct gn_cli *c, struct gn_store *s, int64_t run_id, struct gn_json *to,
                      struct gn_err *err);

/* `plan`: what would be rented, and the worst that can cost. */
int gn_cli_show_offer(struct gn_cli *c, const struct gn_asked *a, struct gn_err *err);

/* `targets --check`, `doctor`: whose account it is; nothing is made. */
int gn_cli_cloud_account(struct gn_cli *c, const struct gn_target *t, struct gn_account *out,
                         struct gn_err *err);

/* "18:40", or "2026-11-28 06:40" when that is not today; the caller's. */
char *gn_cli_until(const struct gn_cli *c, int64_t at_s);

#endif
