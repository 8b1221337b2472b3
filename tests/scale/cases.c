/*
 * cases.c CASES.csv: published measurements against what gn_scale_time() and gn_scale_memory()
 * say.  Prints the table that is kept as result.txt; fails where a bar is missed.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/scale.h"

#define COLUMNS 18
#define MAX     100

enum {
    ID,
    METRIC,
    FAMILY,
    PRECISION,
    OPTIMIZER,
    NAMED,
    PARAMS,
    GMACS,
    OUT,
    SAVED,
    CALLS,
    BATCH,
    SAMPLES,
    EPOCHS,
    DEVICE,
    SOCKETS,
    MEASURED,
    SOURCE
};

struct score {
    double ratio[MAX];
    int n, answered, within2, inside, wrongly, missed;
};

static struct gn_figure figure(const char *text, double unit)
{
    struct gn_figure f = {.value = strtod(text, NULL) * unit};

    f.known = f.value > 0 ? GN_FIG_EXACT : GN_FIG_UNKNOWN;
    return f;
}

static int word(const char *w, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(w, words[i]) == 0)
            return i;
    }
    fprintf(stderr, "'%s' is no word of this column\n", w);
    exit(2);
}

static struct gn_workload workload(char **v)
{
    static const char *const families[] = {"unknown", "mlp", "cnn", "rnn", "transformer", NULL};
    static const char *const precisions[] = {"unknown", "fp32", "amp", "fp16", NULL};
    static const char *const optimizers[] = {"unknown", "sgd", "momentum", "adam", NULL};

    return (struct gn_workload){
        .evidence = GN_EVIDENCE_READ,
        .family = (enum gn_family)word(v[FAMILY], families),
        .precision = (enum gn_precision)word(v[PRECISION], precisions),
        .optimizer = (enum gn_optimizer)word(v[OPTIMIZER], optimizers),
        .model_named = *v[NAMED] == '1',
        .params = figure(v[PARAMS], 1e6),
        .macs = figure(v[GMACS], 1e9),
        .out_elements = figure(v[OUT], 1e6),
        .saved_bytes = figure(v[SAVED], 1e6),
        .calls = figure(v[CALLS], 1),
        .batch = figure(v[BATCH], 1),
        .samples = figure(v[SAMPLES], 1),
        .epochs = figure(v[EPOCHS], 1),
    };
}

static struct gn_device device(char **v)
{
    struct gn_device d = {0};
    int sockets = (int)strtol(v[SOCKETS], NULL, 10), cores = 0;

    if (sockets)
        (void)gn_device_cpu(v[DEVICE], sockets, &d);
    else if (sscanf(v[DEVICE], "%d cores", &cores) == 1)
        gn_device_cores(cores, &d);
    else
        (void)gn_device_gpu(v[DEVICE], &d);
    return d;
}

static void fit_case(char **v, struct gn_workload *w, const struct gn_device *d, struct score *s)
{
    struct gn_footprint fits, over;
    bool right;

    gn_scale_memory(w, &fits);
    w->batch.value *= 1.5; /* the next rung of the ladder */
    gn_scale_memory(w, &over);
    right = gn_scale_fit(&fits, d->mem_bytes) <= GN_FIT_TIGHT &&
            gn_scale_fit(&fits, d->mem_bytes) != GN_FIT_UNKNOWN &&
            gn_scale_fit(&over, d->mem_bytes) == GN_FIT_NO;
    printf("%-4s %-36.36s %10.1f GB %9.1f GB at the next batch  %s\n", v[ID], v[DEVICE],
           fits.bytes / 1e9, over.bytes / 1e9, right ? "right" : "WRONG");
    s->within2 += right;
    s->answered++;
    s->n++;
}

static void time_case(char **v, const struct gn_workload *w, const struct gn_device *d,
                      struct score *s)
{
    struct gn_duration t;
    double truth = strtod(v[MEASURED], NULL), ratio;
    struct gn_range r;
    bool inside;

    gn_scale_time(w, d, &t);
    r = *v[METRIC] == 't' ? t.total_s : t.step_s;
    if (*v[METRIC] == 's')
        truth /= 1000;
    if (*v[METRIC] == 'r')
        truth = w->batch.value / truth;
    s->n++;
    if (*v[METRIC] == 't' ? !t.known : !t.step_known) {
        printf("%-4s %-36.36s unknown: %s\n", v[ID], v[DEVICE], t.why);
        return;
    }
    ratio = r.p50 / truth;
    inside = truth >= r.p10 && truth <= r.p90;
    printf("%-4s %-36.36s %10.3f s  said %10.3f s  (%.3f to %.3f)  %4.2f%s%s\n", v[ID], v[DEVICE],
           truth, r.p50, r.p10, r.p90, ratio, inside ? "" : "  outside",
           fmax(ratio, 1 / ratio) > 2 ? "  MISSED" : "");
    s->ratio[s->answered - s->missed] = fmax(ratio, 1 / ratio) - 1;
    s->answered++;
    s->inside += inside;
    s->within2 += fmax(ratio, 1 / ratio) <= 2;
}

static void one(char **v, struct score *s)
{
    struct gn_workload w = workload(v);
    struct gn_device d = device(v);

    if (strcmp(v[METRIC], "unknown") == 0) {
        struct gn_duration t;

        gn_scale_time(&w, &d, &t);
        printf("%-4s %-36.36s %s%s\n", v[ID], v[DEVICE],
               t.known ? "WRONGLY ANSWERED" : "unknown: ", t.why);
        s->wrongly += t.known;
    } else if (strcmp(v[METRIC], "fit") == 0) {
        fit_case(v, &w, &d, s);
        s->missed++; /* it has no ratio */
    } else {
        time_case(v, &w, &d, s);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int judge(struct score *s)
{
    int times = s->answered - s->missed;
    double median, within = 100.0 * s->within2 / s->n, held = 100.0 * s->inside / times;

    qsort(s->ratio, (size_t)times, sizeof *s->ratio, by_size);
    median = 100 * s->ratio[times / 2];
    printf("\n%d cases: within 2x %.0f %% (bar 90), median error %.0f %% (bar 30), "
           "80 %% ranges hold %.0f %% (bar 70 to 90), wrongly answered %d (bar 0)\n",
           s->n, within, median, held, s->wrongly);
    return within >= 90 && median <= 30 && held >= 70 && held <= 90 && !s->wrongly ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct score s = {0};
    char line[1024];
    FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;

    if (!f) {
        fprintf(stderr, "usage: scale_cases CASES.csv\n");
        return 2;
    }
    while (s.n < MAX && fgets(line, sizeof line, f)) {
        char *v[COLUMNS], *at = line;
        int n = 0;

        if (*line == '#' || strncmp(line, "id,", 3) == 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (v[n++] = at; n < COLUMNS && (at = strchr(at, ',')); v[n++] = at)
            *at++ = '\0';
        if (n != COLUMNS) {
            fprintf(stderr, "'%s': %d columns instead of %d\n", line, n, COLUMNS);
            return 2;
        }
        one(v, &s);
    }
    fclose(f);
    return judge(&s);
}
