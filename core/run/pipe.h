/*
 * pipe.h - bytes from a thread that makes them to the one that sends them.
 */
#ifndef GNRRUN_PIPE_H
#define GNRRUN_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gnrrun/err.h"

struct gn_pipe;

typedef int (*gn_pipe_fn)(void *arg, const void *data, size_t len, struct gn_err *err);

/*
 * make runs in a thread of its own and puts bytes in; take is called here for what came.  What take
 * says ends both and is returned; else what make says.
 */
GN_MUST int gn_pipe_run(int (*make)(void *arg, struct gn_pipe *p, struct gn_err *err),
                        gn_pipe_fn take, void *arg, struct gn_err *err);

/* For make: waits for room; GN_E_CANCEL when nobody takes any more. */
GN_MUST int gn_pipe_put(struct gn_pipe *p, const void *data, size_t len, struct gn_err *err);

/*
 * For make, without a copy: where *room bytes, one at least, may be put; NULL when nobody takes
 * any more.
 */
void *gn_pipe_room(struct gn_pipe *p, size_t *room);

/* The first n of them are there. */
void gn_pipe_filled(struct gn_pipe *p, size_t n);

#endif
