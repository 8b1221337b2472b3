/*
 * pipe.h - bytes from a thread that makes them to the one that uses them.
 */
#ifndef GNRRUN_PIPE_H
#define GNRRUN_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gnrrun/err.h"

struct gn_pipe;

typedef int (*gn_make_fn)(void *arg, struct gn_pipe *p, struct gn_err *err);
typedef int (*gn_pipe_fn)(void *arg, const void *data, size_t len, struct gn_err *err);

/*
 * make runs in a thread of its own and puts bytes in; take is called here for what came.  What take
 * says ends both and is returned; else what make says.
 */
GN_MUST int gn_pipe_run(gn_make_fn make, gn_pipe_fn take, void *arg, struct gn_err *err);

/*
 * The same for one who asks for what came: opened, asked, closed.  gn_pipe_get() waits for a byte at
 * least; 0: no more will come.  gn_pipe_close() waits until make, which finds nobody to take any more,
 * has ended; it returns rc, or what make says when that is GN_OK.
 */
GN_MUST int gn_pipe_open(gn_make_fn make, void *arg, struct gn_pipe **out, struct gn_err *err);
size_t gn_pipe_get(struct gn_pipe *p, void *buf, size_t cap);
GN_MUST int gn_pipe_close(struct gn_pipe *p, int rc, struct gn_err *err);

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
