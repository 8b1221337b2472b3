/*
 * runtext.h - a run in words and as an object.
 */
#ifndef CLI_RUNTEXT_H
#define CLI_RUNTEXT_H

#include "gnrrun/json.h"
#include "gnrrun/store.h"

/* "running", "failed (3)", "stopped (TERM)" */
const char *gn_run_state_text(const struct gn_run *r, char out[96]);
/* What became of the results: "here", "some are here", "over there", "-" */
const char *gn_run_results_text(const struct gn_run *r);
/* Seconds since it started, or that it took; -1: unknown. */
int64_t gn_run_took_s(const struct gn_run *r, int64_t now_s);
/* "2026-11-22 21:04:05" in local time, "-" for 0. */
char *gn_time_text(int64_t at_s);

/* Every fact; all: with what it was launched from. */
struct gn_json *gn_run_json(const struct gn_ctx *ctx, const struct gn_run *r, bool all);

#endif
