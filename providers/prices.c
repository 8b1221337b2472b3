#include "prices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offers.h"

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

void gn_prices_offer(const char *provider, const char *machine, const char *region,
                     const struct gn_needs *needs, struct gn_offers *out)
{
    const char *text = gn_table_prices;
    size_t from = out->n;
    struct gn_offer o;
    struct row r;

    while (next_row(&text, &r)) {
        if (strcmp(r.v[PROVIDER], provider) != 0)
            continue;
        fill(&r, region, &o);
        if (!gn_offer_fits(&o, machine, needs))
            continue;
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = o;
    }
    if (machine && out->n == from) {
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n] = (struct gn_offer){.price_microusd_h = GN_PRICE_UNKNOWN};
        snprintf(out->v[out->n].machine, sizeof out->v[0].machine, "%.63s", machine);
        snprintf(out->v[out->n++].region, sizeof out->v[0].region, "%.63s", region);
    }
    gn_offers_sort(out, from);
}
