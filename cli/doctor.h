/*
 * doctor.h - findings, each with its remedy.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/cmd.h"

enum gn_health { GN_FINE, GN_POOR, GN_BROKEN };

struct gn_doctor {
    struct gn_cli *c;
    int status; /* exit status so far: that of the first thing that is broken */
};

/* remedy NULL: none needed.  status: of the process if this is GN_BROKEN. */
void gn_finding(struct gn_doctor *d, const char *what, enum gn_health health, int status,
                const char *remedy, const char *fmt, ...) GN_PRINTF(6, 7);

/* ssh, keys, agent (doctor_ssh.c). */
void gn_doctor_ssh(struct gn_doctor *d);

/* Is there an executable of this name on PATH? */
bool gn_on_path(const struct gn_ctx *ctx, const char *name);

#endif
