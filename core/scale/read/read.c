/* read.c - nothing is read of a program yet: every figure is unknown. */
#include "gnrrun/workload.h"

int gn_workload_read(const struct gn_ctx *ctx, const char *root, const struct gn_strs *words,
                     struct gn_workload *out, struct gn_err *err)
{
    (void)ctx;
    (void)root;
    (void)words;
    (void)err;
    *out = (struct gn_workload){0};
    return GN_OK;
}
