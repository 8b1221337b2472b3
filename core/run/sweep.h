/*
 * sweep.h - a sweep: many runs of one program, shipped once.
 */
#ifndef GNRRUN_SWEEP_H
#define GNRRUN_SWEEP_H

#include "run_private.h"

/* Write it and its members down: name, id, token and members of sweep are set. */
GN_MUST int gn_sweep_create(struct gn_engine *e, struct gn_run *sweep, const struct gn_spec *spec,
                            struct gn_err *err);

/* The lead's file `sweep` (core/remote/sh/PROTOCOL.md). */
GN_MUST int gn_sweep_lines(const struct gn_road *road, const struct gn_program *program,
                           struct gn_buf *out, struct gn_err *err);

/* The same as for a run (engine.h), of a road whose run is a sweep. */
GN_MUST int gn_sweep_drive(struct gn_road *road, enum gn_until until, struct gn_err *err);
GN_MUST int gn_sweep_fetch(struct gn_road *road, const struct gn_strs *patterns, const char *dest,
                           struct gn_fetch_report *report, struct gn_err *err);

/* How its members are now. */
GN_MUST int gn_sweep_look(struct gn_road *road, struct gn_err *err);

/* Its own and theirs, a blank between. */
GN_MUST int gn_sweep_tokens(struct gn_road *road, struct gn_buf *out, struct gn_err *err);

#endif
