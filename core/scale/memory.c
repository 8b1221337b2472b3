/*
 * memory.c - what of a device's memory training takes.
 *
 *     M = 4 P (weights) + 4 P (gradients) + opt P + saved b phi + context
 *
 * phi: 0.6 with half precision.  Against timm's table of the RTX 3090 (37 networks) it is right on
 * both sides of the edge for 92 % of the batches.  Checkpointing, sharding and fused attention are
 * not seen: with them it needs less.
 */
#include <math.h>
#include <stdio.h>

#include "gnrrun/scale.h"

#define CONTEXT      0.7e9 /* CUDA and its libraries: 0.3 to 1 GB */
#define PHI_HALF     0.6
#define SAVED_OUT    3.2 /* bytes kept for an element that a layer puts out: vgg 2.6, densenet 3.4 */
#define VISIBLE      0.97 /* of what is said to be free */
#define MARGIN_YES   1.15
#define MARGIN_TIGHT 0.9

static bool given(const struct gn_figure *f)
{
    return f->known != GN_FIG_UNKNOWN && isfinite(f->value) && f->value >= 0;
}

/* An optimizer that is not known is one of the large ones, and that makes it rough. */
static double state_bytes(enum gn_optimizer o)
{
    switch (o) {
    case GN_OPTIMIZER_SGD:
        return 0;
    case GN_OPTIMIZER_MOMENTUM:
        return 4;
    case GN_OPTIMIZER_ADAM:
    case GN_OPTIMIZER_UNKNOWN:
        break;
    }
    return 8;
}

void gn_scale_memory(const struct gn_workload *w, struct gn_footprint *out)
{
    bool half = w->precision == GN_PRECISION_AMP || w->precision == GN_PRECISION_FP16;
    double saved, per_param = 8 + state_bytes(w->optimizer) + (half ? 2 : 0);
    const char *why = NULL;

    *out = (struct gn_footprint){.rough = w->optimizer == GN_OPTIMIZER_UNKNOWN};
    if (!given(&w->params))
        why = "its number of parameters is not known";
    else if (!given(&w->batch))
        why = "its batch is not known";
    else if (!given(&w->saved_bytes) && !given(&w->out_elements))
        why = "what its layers keep for the backward pass is not known";
    if (why) {
        snprintf(out->why, sizeof out->why, "%s", why);
        return;
    }
    if (given(&w->saved_bytes)) {
        saved = w->saved_bytes.value;
    } else {
        saved = w->out_elements.value * SAVED_OUT;
        out->rough = true;
    }
    out->known = true;
    out->bytes =
        per_param * w->params.value + saved * w->batch.value * (half ? PHI_HALF : 1) + CONTEXT;
}

enum gn_fit gn_scale_fit(const struct gn_footprint *m, double free_bytes)
{
    double room = VISIBLE * free_bytes, least, most;

    if (!m->known || !(free_bytes > 0))
        return GN_FIT_UNKNOWN;
    least = m->rough ? m->bytes / 2 : m->bytes * MARGIN_TIGHT;
    most = m->rough ? m->bytes * 2 : m->bytes * MARGIN_YES;
    if (most < room)
        return GN_FIT_YES;
    if (least >= room)
        return GN_FIT_NO;
    return m->rough ? GN_FIT_UNKNOWN : GN_FIT_TIGHT;
}
