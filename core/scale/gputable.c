/* gputable.c - devices by the names that drivers give them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gnrrun/scale.h"
#include "gputable.h"

#define CORE_FLOPS 40e9 /* a logical core at 2.5 GHz, half of a physical one's 32 FLOP a cycle */
#define CORE_BYTES 8e9  /* of memory it alone can move a second; */
#define CPU_BYTES  60e9 /* a socket's channels end there */
#define FIELDS     8    /* before date and source */

static const char *const makers[] = {"NVIDIA ", "GeForce ", "Tesla "};

/* "NVIDIA GeForce RTX 3090" -> "RTX 3090" */
static const char *bare(const char *name)
{
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        if (strncasecmp(name, makers[i], strlen(makers[i])) == 0)
            name += strlen(makers[i]);
    }
    return name;
}

/* One row; the name stays as long as the table. */
struct row {
    const char *name, *cls;
    size_t name_len, cls_len;
    double v[FIELDS - 2]; /* fp32 tf32 fp16 mem_gib bw_gbs share */
};

static const char *read_row(const char *at, struct row *r)
{
    const char *comma = strchr(at, ',');

    *r = (struct row){.name = at, .name_len = (size_t)(comma - at), .cls = comma + 1};
    r->cls_len = strcspn(r->cls, ",");
    comma = r->cls + r->cls_len;
    for (size_t i = 0; i < FIELDS - 2; i++) {
        char *end;

        r->v[i] = strtod(comma + 1, &end);
        comma = end;
    }
    at = strchr(comma, '\n');
    return at ? at + 1 : "";
}

/* What may follow a name: nothing, its memory, a remark in brackets, a MIG slice.  *share of the whole. */
static bool is_same(const char *rest, double *share)
{
    int slices, gb, n = 0;

    *share = 1;
    rest += strspn(rest, " -");
    if (strncasecmp(rest, "MIG ", 4) == 0) {
        if (sscanf(rest + 4, "%1dg.%3dgb%n", &slices, &gb, &n) != 2 || slices < 1 || slices > 7)
            return false;
        *share = slices / 7.0;
        return true;
    }
    n = (int)strspn(rest, "0123456789");
    if (n) {
        rest += n;
        rest += *rest == ' ';
        if (strncasecmp(rest, "GB", 2) != 0)
            return false;
        rest += 2;
        rest += strspn(rest, " ");
    }
    return !*rest || *rest == '(';
}

static bool find(const char *name, bool cpu, struct row *best, double *share)
{
    const char *at = strchr(gn_scale_gpus, '\n'); /* the first line is the head */
    bool found = false;

    for (at = at ? at + 1 : ""; *at;) {
        struct row r;
        const char *key;
        size_t len;
        double s;

        at = read_row(at, &r);
        key = bare(r.name);
        len = r.name_len - (size_t)(key - r.name);
        if (cpu != (r.cls_len == 3 && strncmp(r.cls, "cpu", 3) == 0) ||
            strncasecmp(name, key, len) != 0 || (found && len <= best->name_len))
            continue;
        if (!is_same(name + len, &s))
            continue;
        *best = r;
        best->name = key;
        best->name_len = len;
        *share = s;
        found = true;
    }
    return found;
}

bool gn_device_gpu(const char *name, struct gn_device *out)
{
    struct row r;
    double share;

    if (!find(bare(name), false, &r, &share))
        return false;
    share *= r.v[5];
    *out = (struct gn_device){.cls = GN_DEVICE_GPU,
                              .kepler = r.cls_len == 6 && strncmp(r.cls, "kepler", 6) == 0,
                              .fp32 = r.v[0] * 1e12 * share,
                              .tf32 = r.v[1] * 1e12 * share,
                              .fp16 = r.v[2] * 1e12 * share,
                              .bytes_s = r.v[4] * 1e9 * share,
                              .mem_bytes = r.v[3] * 1024 * 1024 * 1024 * share / r.v[5]};
    snprintf(out->name, sizeof out->name, "%s", name);
    return true;
}

bool gn_device_cpu(const char *model, int sockets, struct gn_device *out)
{
    struct row r;
    double share;

    if (sockets < 1 || !find(model, true, &r, &share))
        return false;
    *out = (struct gn_device){
        .cls = GN_DEVICE_CPU, .fp32 = r.v[0] * 1e12 * sockets, .bytes_s = CPU_BYTES * sockets};
    snprintf(out->name, sizeof out->name, "%s", model);
    return true;
}

void gn_device_cores(int cores, struct gn_device *out)
{
    double bytes = CORE_BYTES * cores;

    *out = (struct gn_device){.cls = cores > 0 ? GN_DEVICE_CPU : GN_DEVICE_UNKNOWN,
                              .fp32 = CORE_FLOPS * cores,
                              .bytes_s = bytes < CPU_BYTES ? bytes : CPU_BYTES};
    if (cores > 0)
        snprintf(out->name, sizeof out->name, "%d core%s", cores, cores == 1 ? "" : "s");
}
