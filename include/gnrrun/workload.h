/*
 * workload.h - what a program is about to compute, as far as that could be read.
 *
 * A figure is either known, with the place it was taken from, or unknown: nothing here is
 * ever guessed.  "At most" and "at least" are honest bounds (early stopping; counting that
 * was cut short).  1 MAC = 2 FLOP; a training step is three forwards.
 */
#ifndef GNRRUN_WORKLOAD_H
#define GNRRUN_WORKLOAD_H

#include <stdbool.h>

#include "gnrrun/ctx.h"
#include "gnrrun/mem.h"

enum gn_known { GN_FIG_UNKNOWN, GN_FIG_EXACT, GN_FIG_AT_LEAST, GN_FIG_AT_MOST };

struct gn_figure {
    enum gn_known known;
    double value; /* 0 when unknown */
    char from
        [96]; /* "train.py:31", "--epochs on the command line", "table of architectures"; safe to print */
};

enum gn_framework {
    GN_FRAMEWORK_UNKNOWN,
    GN_FRAMEWORK_NONE, /* surely none that trains networks */
    GN_FRAMEWORK_TORCH,
    GN_FRAMEWORK_KERAS,
    GN_FRAMEWORK_TENSORFLOW,
    GN_FRAMEWORK_CAFFE,
};

/* What kind of network: it decides how time and memory scale. */
enum gn_family {
    GN_FAMILY_UNKNOWN,
    GN_FAMILY_MLP,
    GN_FAMILY_CNN,
    GN_FAMILY_RNN,
    GN_FAMILY_TRANSFORMER,
};

/* How the figures came about; each level is better than the one before it. */
enum gn_evidence {
    GN_EVIDENCE_NONE,
    GN_EVIDENCE_READ,    /* L0: no code was run */
    GN_EVIDENCE_DRY_RUN, /* L1: with recorders in place of the framework */
    GN_EVIDENCE_PROBE,   /* L2: some seconds of the real thing */
    GN_EVIDENCE_HISTORY, /* L3: runs before this one */
};

enum gn_precision { GN_PRECISION_UNKNOWN, GN_PRECISION_FP32, GN_PRECISION_AMP, GN_PRECISION_FP16 };

enum gn_optimizer {
    GN_OPTIMIZER_UNKNOWN,
    GN_OPTIMIZER_SGD,      /* no state */
    GN_OPTIMIZER_MOMENTUM, /* one number a parameter: also RMSprop, Adagrad */
    GN_OPTIMIZER_ADAM,     /* two: also AdamW, Adadelta */
};

struct gn_workload {
    enum gn_framework framework;
    enum gn_family family;
    enum gn_evidence evidence;
    enum gn_precision precision;
    enum gn_optimizer optimizer;
    char model[96];          /* "resnet50", or the name of the program's own class; "" unknown */
    bool model_named;        /* of the table of architectures, not the program's own */
    char dataset[96];        /* "CIFAR-10", a folder; "" unknown */
    bool dataset_downloads;  /* the program fetches it by name where it runs */
    struct gn_figure params; /* trainable parameters */
    struct gn_figure macs;   /* of one sample's forward */
    struct gn_figure out_elements; /* numbers that leaf modules put out for one sample */
    struct gn_figure calls;        /* of leaf modules in one forward */
    struct gn_figure saved_bytes;  /* kept for backward, one sample, fp32 */
    struct gn_figure batch;        /* samples a step and device */
    struct gn_figure samples;      /* of the training set */
    struct gn_figure epochs;       /* passes over it */
    struct gn_figure steps; /* optimizer steps of the whole run; where it is said or follows */
    struct gn_figure dataset_bytes; /* on disk */
    struct gn_figure gpus;          /* that the program itself asks for; unknown: nothing is said */
    bool saves;                     /* it writes checkpoints */
    char question[160];             /* the one thing to tell us that would help most; "" nothing */
};

/*
 * L0: read the program `words` (file and arguments, as of program.h) of the project at root.  None
 * of its code is run.  What cannot be read stays unknown; an error is our own or the system's.
 */
GN_MUST int gn_workload_read(const struct gn_ctx *ctx, const char *root,
                             const struct gn_strs *words, struct gn_workload *out,
                             struct gn_err *err);

#endif
