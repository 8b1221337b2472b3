/* places.c - what a target said of itself, as places where something can run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/choose.h"
#include "gnrrun/far.h"

#define MIB 1048576.0

static bool has_queue(const struct gn_target *t, const char *probe)
{
    char queue[32];

    if (t->direct)
        return false;
    return t->scheduler ||
           (gn_far_field(probe, "scheduler", queue, sizeof queue) && strcmp(queue, "-") != 0);
}

static double kib(const char *line, const char *key)
{
    int64_t n = gn_far_number(line, key, -1);

    return n < 0 ? -1 : (double)n * 1024;
}

static double load_of(const char *probe)
{
    char text[32], *end;
    double load;

    if (!gn_far_field(probe, "load", text, sizeof text))
        return -1;
    load = strtod(text, &end);
    return end == text || !isfinite(load) || load < 0 ? -1 : load;
}

static double free_of(const char *gpu)
{
    int64_t all = gn_far_number(gpu, "mem_mb", 0), used = gn_far_number(gpu, "used_mb", 0);

    return all > used && used >= 0 ? (double)(all - used) * MIB : 0;
}

static const char *best_gpu(const struct gn_strs *lines, int *n_free)
{
    const char *best = NULL;
    bool best_is_free = false;

    *n_free = 0;
    for (size_t i = 0; i < lines->n; i++) {
        const char *gpu = lines->v[i];
        bool is_free = gn_far_number(gpu, "free", 0) == 1;

        if (strncmp(gpu, "gpu ", 4) != 0)
            continue;
        *n_free += is_free;
        if (best &&
            (best_is_free > is_free || (best_is_free == is_free && free_of(best) >= free_of(gpu))))
            continue;
        best = gpu;
        best_is_free = is_free;
    }
    return best;
}

/* The far side writes blanks as _. */
static void name_gpu(const char *gpu, struct gn_device *out)
{
    char name[96];

    *out = (struct gn_device){0};
    if (!gn_far_field(gpu, "name", name, sizeof name))
        return;
    for (char *s = name; *s; s++) {
        if (*s == '_')
            *s = ' ';
    }
    if (!gn_device_gpu(name, out))
        memcpy(out->name, name, sizeof out->name);
}

size_t gn_places_of(const struct gn_target *t, const struct gn_strs *lines, double ship_bytes,
                    struct gn_place out[GN_PLACES_MAX])
{
    const char *probe = lines->n ? lines->v[0] : "", *gpu;
    bool local = t->type == GN_TARGET_LOCAL;
    int64_t cores = gn_far_number(probe, "cores", -1);
    int n_free;
    struct gn_place p = {.name = t->name,
                         .rung = local ? GN_RUNG_LOCAL_CPU : GN_RUNG_SHARED_CPU,
                         .shared = t->shared || (!local && gn_far_number(probe, "users", 0) > 1),
                         .cores = (double)cores,
                         .load = load_of(probe),
                         .free_mem_bytes = kib(probe, "mem_free_kb"),
                         .disk_free_bytes = kib(probe, "free_kb"),
                         .ship_bytes = local ? 0 : ship_bytes,
                         .price_microusd_h = -1};

    if (has_queue(t, probe)) {
        out[0] = (struct gn_place){.name = t->name,
                                   .rung = GN_RUNG_QUEUE,
                                   .load = -1,
                                   .cores = -1,
                                   .free_mem_bytes = -1,
                                   .disk_free_bytes = p.disk_free_bytes,
                                   .ship_bytes = ship_bytes,
                                   .wait_s = -1,
                                   .gpus = GN_GPUS_UNKNOWN,
                                   .price_microusd_h = -1};
        return 1;
    }
    gn_device_cores(cores > 0 && cores < 65536 ? (int)cores : 0, &p.device);
    out[0] = p;
    gpu = best_gpu(lines, &n_free);
    if (!gpu)
        return 1;
    p.rung = local ? GN_RUNG_LOCAL_GPU : GN_RUNG_SHARED_GPU;
    p.gpus = n_free > 0 ? n_free : 1;
    p.busy = n_free == 0;
    p.free_mem_bytes = free_of(gpu);
    name_gpu(gpu, &p.device);
    out[1] = p;
    return 2;
}
