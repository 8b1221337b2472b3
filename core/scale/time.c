/*
 * time.c - an additive roofline with a launch floor.
 *
 *     t_dev  = 6 MAC b / (peak eta)  +  KAPPA out b bytes / BW  +  20 P / BW
 *     t_step = max(t_dev, HOST_CALL calls + HOST_STEP)
 *
 * ETA_*, KAPPA, KEPLER and HOST_CALL were fitted by least absolute log error on 381 published
 * rows of 11 GPUs, K40 to A100 (ryujaehun/pytorch-gpu-benchmark, timm's train tables,
 * jcjohnson/cnn-benchmarks, u39kun, Lambda, NVIDIA's DeepLearningExamples).  The etas are at
 * their bounds, for the memory term carries most networks: they are no utilisation.
 */
#include <math.h>
#include <stdio.h>

#include "gnrrun/scale.h"

#define ETA_FP32  0.95
#define ETA_FP16  0.9
#define ETA_TF32  0.55
#define KAPPA     15.5
#define KEPLER    2.5
#define HOST_CALL 230e-6

/* What a step costs before any layer: loss, optimizer, feeding a batch.  A Keras MNIST MLP shows it. */
#define HOST_STEP 2e-3
/* Share of a processor's peak: 0.05-0.16 in 2016's frameworks, up to 0.4 in today's. */
#define ETA_CPU  0.15
#define CPU_CALL 30e-6
#define CPU_STEP 1e-3

/* MACs to one element that a layer puts out, where the elements are unknown: resnet50 has 128,
 * vgg16 540, mobilenet_v2 15; BERT with its attention 280-400. */
static const double density[] = {[GN_FAMILY_UNKNOWN] = 120,
                                 [GN_FAMILY_MLP] = 200,
                                 [GN_FAMILY_CNN] = 120,
                                 [GN_FAMILY_RNN] = 120,
                                 [GN_FAMILY_TRANSFORMER] = 300};
/* Calls of leaf modules likewise.  A recurrent network's depend on its length: unknown. */
static const double usual_calls[] = {[GN_FAMILY_UNKNOWN] = 60,
                                     [GN_FAMILY_MLP] = 8,
                                     [GN_FAMILY_CNN] = 60,
                                     [GN_FAMILY_RNN] = 0,
                                     [GN_FAMILY_TRANSFORMER] = 180};

static bool given(const struct gn_figure *f)
{
    return f->known != GN_FIG_UNKNOWN && isfinite(f->value) && f->value > 0;
}

static double or_else(const struct gn_figure *f, double otherwise)
{
    return given(f) ? f->value : otherwise;
}

/* FLOP/s that can be had, and bytes of a number. */
static double rate(const struct gn_workload *w, const struct gn_device *d, double *bytes)
{
    double r = d->fp32 * ETA_FP32, tensor = d->tf32 * ETA_TF32;
    bool half = w->precision == GN_PRECISION_AMP || w->precision == GN_PRECISION_FP16;

    *bytes = 4;
    if (d->cls == GN_DEVICE_CPU)
        return d->calibrated ? d->fp32 : d->fp32 * ETA_CPU;
    if (half && d->fp16 > 0) {
        *bytes = 2;
        return d->fp16 * ETA_FP16;
    }
    /* PyTorch takes TF32 for convolutions; for other products only where it is told to. */
    if (w->family == GN_FAMILY_CNN && tensor > r)
        r = tensor;
    return r;
}

static double device_time(const struct gn_workload *w, const struct gn_device *d)
{
    double bytes, flops = rate(w, d, &bytes), b = w->batch.value;
    double out = or_else(&w->out_elements, w->macs.value / density[w->family]);
    double t = 6 * w->macs.value * b / flops + KAPPA * out * b * bytes / d->bytes_s +
               20 * or_else(&w->params, 0) / d->bytes_s;

    return d->kepler ? t * KEPLER : t;
}

static double host_time(const struct gn_workload *w, const struct gn_device *d)
{
    bool cpu = d->cls == GN_DEVICE_CPU;
    double calls = or_else(&w->calls, usual_calls[w->family]);

    return calls * (cpu ? CPU_CALL : HOST_CALL) + (cpu ? CPU_STEP : HOST_STEP);
}

/* By the evidence; what is not known beside it comes on top, in quadrature. */
static double sigma_of(const struct gn_workload *w, const struct gn_device *d)
{
    double s = w->model_named ? 0.40 : 0.60;

    if (d->cls == GN_DEVICE_CPU && !d->calibrated)
        return 1.1;
    if (w->evidence == GN_EVIDENCE_PROBE || w->evidence == GN_EVIDENCE_HISTORY)
        s = 0.35;
    if (w->family == GN_FAMILY_UNKNOWN)
        s = hypot(s, 0.3);
    if (d->cls == GN_DEVICE_GPU && w->precision == GN_PRECISION_UNKNOWN)
        s = hypot(s, 0.2);
    return s;
}

/* Of the figures that the number of steps is made of: bounds the same way stay one, others are none. */
static bool join(enum gn_known *bound, enum gn_known more)
{
    if (more == GN_FIG_EXACT || more == *bound)
        return true;
    if (*bound != GN_FIG_EXACT)
        return false;
    *bound = more;
    return true;
}

static const char *count_steps(const struct gn_workload *w, struct gn_duration *out)
{
    if (given(&w->steps)) {
        out->steps = w->steps.value;
        out->bound = w->steps.known;
        return NULL;
    }
    if (!given(&w->epochs))
        return "how many epochs it runs is not known";
    if (!given(&w->samples))
        return "how large its data set is is not known";
    if (!given(&w->batch))
        return "its batch is not known";
    out->bound = w->epochs.known;
    if (!join(&out->bound, w->samples.known))
        return "its epochs and its data set are bounds in opposite directions";
    out->steps = w->epochs.value * ceil(w->samples.value / w->batch.value);
    return NULL;
}

static const char *why_no_step(const struct gn_workload *w, const struct gn_device *d)
{
    if (d->cls == GN_DEVICE_UNKNOWN || !(d->fp32 > 0) || !(d->bytes_s > 0))
        return "how fast this device is is not known";
    if (!given(&w->macs))
        return "how large its network is is not known";
    if (!given(&w->batch))
        return "its batch is not known";
    if (w->family == GN_FAMILY_RNN && !given(&w->calls))
        return "how many time steps its recurrent layers take is not known";
    return NULL;
}

void gn_scale_time(const struct gn_workload *w, const struct gn_device *d, struct gn_duration *out)
{
    const char *no_step = why_no_step(w, d), *no_total;

    *out = (struct gn_duration){.step_known = !no_step};
    no_total = count_steps(w, out);
    if (out->steps > 0 && given(&w->macs) && given(&w->batch))
        out->flop = 6 * w->macs.value * w->batch.value * out->steps;
    if (!no_step) {
        double dev = device_time(w, d), host = host_time(w, d);

        out->launch_bound = host > dev;
        out->step_s = gn_range_of(host > dev ? host : dev, sigma_of(w, d));
        if (!no_total)
            out->total_s = gn_range_of(out->step_s.p50 * out->steps, out->step_s.sigma);
    }
    out->known = !no_step && !no_total;
    if (!out->known)
        snprintf(out->why, sizeof out->why, "%s", no_step ? no_step : no_total);
}
