/*
 * pool.h - many hosts looked at at once, and the freest of them chosen.
 */
#ifndef GNRRUN_POOL_H
#define GNRRUN_POOL_H

#include "gnrrun/engine.h"

/* One host, and what it said of itself. */
struct gn_looked {
    struct gn_target target;   /* the caller's */
    struct gn_strs lines;      /* of op probe */
    struct gn_transport *line; /* open, or NULL */
    int rc;                    /* GN_OK, or why there are no lines */
    struct gn_err err;
};

/*
 * Look at n hosts, several at a time, each in a thread; nobody is asked anything.  Those that are
 * late when limit_ms is over are given up; with hasty also those that are much later than the
 * others, and only what it takes to choose is asked.  keep: lines stay open.
 */
GN_MUST int gn_look(struct gn_engine *e, struct gn_looked *v, size_t n, int64_t limit_ms,
                    bool hasty, bool keep, struct gn_err *err);
/* Also closes its line. */
void gn_looked_clear(struct gn_looked *l);

/*
 * The member of pool that suits needs best: none of our runs on it, most free processors, most free
 * memory.  One that is down, full, busy or another system is left out; why is said with --verbose,
 * and in the error when none is left (GN_E_CAPACITY).  The line to it waits in e->ready.
 * avoid: a member that is not to be it, or NULL.
 */
GN_MUST int gn_pool_pick(struct gn_engine *e, const struct gn_target *pool, const char *avoid,
                         const struct gn_needs *needs, struct gn_target *out, struct gn_err *err);

/*
 * run was lost because its machine was started anew, and the machine had been chosen from a pool:
 * it begins again on another host of it.  *run becomes the one in its place, a run of its own that
 * is only written down yet, or the one that was put there before: there is one, for ever, and for
 * that one there is none.  *again: that was done; else *run is as it was, also after an error.
 */
GN_MUST int gn_pool_again(struct gn_engine *e, struct gn_run *run, bool *again, struct gn_err *err);

#endif
