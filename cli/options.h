/*
 * options.h - the option tables of the commands; each is a list of tables, ended by NULL.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/opt.h"

extern const struct gn_opt gn_options_common[]; /* every command has them */

extern const struct gn_opt *const gn_options_start[]; /* run, plan */
extern const struct gn_opt *const gn_options_ship[];
extern const struct gn_opt *const gn_options_ps[];
extern const struct gn_opt *const gn_options_show[];
extern const struct gn_opt *const gn_options_logs[];
extern const struct gn_opt *const gn_options_attach[];
extern const struct gn_opt *const gn_options_fetch[];
extern const struct gn_opt *const gn_options_stop[];
extern const struct gn_opt *const gn_options_rm[];
extern const struct gn_opt *const gn_options_sweep[];
extern const struct gn_opt *const gn_options_ssh[];
extern const struct gn_opt *const gn_options_forward[];
extern const struct gn_opt *const gn_options_files[];
extern const struct gn_opt *const gn_options_targets[];
extern const struct gn_opt *const gn_options_target[];
extern const struct gn_opt *const gn_options_init[];
extern const struct gn_opt *const gn_options_doctor[];

#endif
