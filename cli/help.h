/*
 * help.h - --help and --version, from the tables.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/cmd.h"

void gn_help_all(struct gn_buf *out);
void gn_help_command(const struct gn_command *c, struct gn_buf *out);
void gn_help_version(struct gn_buf *out);

/* The answer to `gnrrun __complete WORDS...`: "candidate\tdescription" lines, or ":files", ":dirs". */
void gn_complete(int argc, char **argv, const struct gn_ctx *ctx, struct gn_buf *out);

#endif
