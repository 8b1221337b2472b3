/*
 * metrics.h - the numbers that a training program printed last.
 *
 * Of the last line that has any: "loss=0.3", "acc: 0.9", "'eval_loss': 1e-3", as Keras, Lightning,
 * transformers and plain print() write them.  A guess from text: it is shown, nothing depends on it.
 */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include <stddef.h>

#define GN_METRICS_MAX 6

struct gn_metric {
    char name[24], value[24];
};

/* Into out, at most GN_METRICS_MAX; how many.  text: the end of a log, whatever is in it. */
size_t gn_metrics_last(const char *text, size_t len, struct gn_metric *out);

#endif
