#include "prices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char gn_table_prices[];

#define COLUMNS   12
#define ELSEWHERE 125 /* percent */

enum column { PROVIDER, MACHINE, GPU, GPUS, GPU_GIB, CPUS, GIB, PRICE, SPOT, REGION, DATE, SOURCE };

struct row {
    char v[COLUMNS][48];
};

/* The next line as its fields; false at the end. */
static bool next_row(const char **text, struct row *r)
{
    const char *p = *text;

    if (!*p)
        return false;
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < COLUMNS; i++) {
        size_t n = strcspn(p, ",\n");

        memcpy(r->v[i], p, n < sizeof r->v[i] ? n : sizeof r->v[i] - 1);
        p += n + (p[n] == ',');
    }
    p += strcspn(p, "\n");
    *text = p + (*p == '\n');
    return true;
}

/* "V100" of "v100-16gb": as people write it. */
static bool is_kind(const char *gpu, const char *wanted)
{
    size_t n = strlen(gpu);

    for (size_t i = 0; i < n; i++) {
        char a = gpu[i], b = wanted[i];

        if ((a >= 'A' && a <= 'Z' ? a + 32 : a) != (b >= 'A' && b <= 'Z' ? b + 32 : b))
            return false;
    }
    return n > 0;
}

static bool would_do(const struct row *r, const struct gn_needs *n)
{
    double gib = 1073741824.0;

    if (!n)
        return true;
    /* a GPU that nobody asked for is not paid for */
    if (strtol(r->v[GPUS], NULL, 10) < n->gpus || (n->gpus == 0 && !n->gpu_type && *r->v[GPU]))
        return false;
    return strtol(r->v[CPUS], NULL, 10) >= n->cpus &&
           strtod(r->v[GIB], NULL) * gib * 1.08 >= (double)n->memory_bytes &&
           strtod(r->v[GPU_GIB], NULL) * gib >= (double)n->gpu_mem_bytes &&
           (!n->gpu_type || is_kind(r->v[GPU], n->gpu_type));
}

static void fill(const struct row *r, const char *region, struct gn_offer *o)
{
    bool here = strcmp(region, r->v[REGION]) == 0;

    memset(o, 0, sizeof *o);
    snprintf(o->machine, sizeof o->machine, "%s", r->v[MACHINE]);
    snprintf(o->region, sizeof o->region, "%.63s", region);
    snprintf(o->gpu, sizeof o->gpu, "%s", r->v[GPU]);
    o->gpus = (int)strtol(r->v[GPUS], NULL, 10);
    o->cpus = (int)strtol(r->v[CPUS], NULL, 10);
    o->memory_bytes = (uint64_t)(strtod(r->v[GIB], NULL) * 1073741824.0);
    o->gpu_mem_bytes = (uint64_t)(strtod(r->v[GPU_GIB], NULL) * 1073741824.0);
    o->price_microusd_h = GN_PRICE_UNKNOWN;
    if (gn_parse_money(r->v[PRICE], &o->price_microusd_h) && !here)
        o->price_microusd_h = o->price_microusd_h * ELSEWHERE / 100;
    snprintf(o->price_date, sizeof o->price_date, "%.10s%s%s", r->v[DATE],
             strcmp(r->v[SOURCE], "recalled") == 0 ? " recalled" : "", here ? "" : ", +25 %");
}

static int by_price(const void *a, const void *b)
{
    const struct gn_offer *x = a, *y = b;
    /* what nobody knows may be anything */
    uint64_t p = (uint64_t)x->price_microusd_h, q = (uint64_t)y->price_microusd_h;

    return p < q ? -1 : p > q;
}

void gn_prices_offer(const char *provider, const char *machine, const char *region,
                     const struct gn_needs *needs, struct gn_offers *out)
{
    const char *text = gn_table_prices;
    size_t from = out->n;
    struct row r;

    while (next_row(&text, &r)) {
        if (strcmp(r.v[PROVIDER], provider) != 0 ||
            (machine ? strcmp(r.v[MACHINE], machine) != 0 : !would_do(&r, needs)))
            continue;
        GN_GROW(out->v, out->n, out->cap);
        fill(&r, region, &out->v[out->n++]);
    }
    if (machine && out->n == from) {
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n] = (struct gn_offer){.price_microusd_h = GN_PRICE_UNKNOWN};
        snprintf(out->v[out->n].machine, sizeof out->v[0].machine, "%.63s", machine);
        snprintf(out->v[out->n++].region, sizeof out->v[0].region, "%.63s", region);
    }
    if (out->n > from)
        qsort(out->v + from, out->n - from, sizeof *out->v, by_price);
}
