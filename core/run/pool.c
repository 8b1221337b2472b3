/* pool.c - which of many hosts a run goes to. */
#include "gnrrun/pool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/far.h"

#define LIMIT_MS 10000                /* for all of them together */
#define MIN_FREE ((int64_t)256 << 10) /* KiB of disk without which nothing can be shipped */
#define WHY_MAX  200
#define SAID_MAX 6 /* reasons in an error */

struct member {
    struct gn_looked look;
    char why[WHY_MAX];       /* it is left out; "": it is not */
    double free;             /* processors */
    int64_t memory_kb, runs; /* runs: of ours, that are not over */
};

struct pool {
    struct gn_engine *e;
    const char *avoid;
    const struct gn_needs *needs;
    struct member *v;
    size_t n;
};

static void leave_out(struct member *m, const char *fmt, ...) GN_PRINTF(2, 3);
static void leave_out(struct member *m, const char *fmt, ...)
{
    struct gn_buf b = GN_BUF_INIT(1000);
    va_list ap;

    va_start(ap, fmt);
    gn_buf_vaddf(&b, fmt, ap);
    va_end(ap);
    m->why[0] = '\0';
    strncat(m->why, b.ptr, sizeof m->why - 1);
    gn_buf_clear(&b);
}

/* GPUs that nobody uses, of those that would do. */
static int free_gpus(const struct member *m, const struct gn_needs *needs)
{
    const struct gn_strs *lines = &m->look.lines;
    int64_t want_mb = (int64_t)(needs->gpu_mem_bytes / 1048576);
    int n = 0;

    for (size_t i = 0; i < lines->n; i++) {
        const char *line = lines->v[i];

        n += strncmp(line, "gpu ", 4) == 0 && gn_far_number(line, "free", 0) == 1 &&
             gn_far_number(line, "mem_mb", 0) >= want_mb;
    }
    return n;
}

static double load_of(const char *line)
{
    char text[32];

    return gn_far_field(line, "load", text, sizeof text) ? strtod(text, NULL) : 0;
}

/* What one said: can it take the run, and how well? */
static void weigh(struct member *m, const struct gn_needs *needs)
{
    const char *line = m->look.lines.n ? m->look.lines.v[0] : "";
    int64_t cores = gn_far_number(line, "cores", 1), disk = gn_far_number(line, "free_kb", -1);
    char os[32] = "";

    m->memory_kb = gn_far_number(line, "mem_free_kb", -1);
    m->free = (double)cores - load_of(line);
    if (!gn_far_field(line, "os", os, sizeof os) || (strcmp(os, "Linux") && strcmp(os, "Darwin")))
        leave_out(m, "another operating system (%.20s)", *os ? os : "unknown");
    else if (gn_far_number(line, "writable", 1) == 0)
        leave_out(m, "its folder cannot be written");
    else if (disk >= 0 && disk < MIN_FREE)
        leave_out(m, "its disk is full");
    else if (cores < needs->cpus)
        leave_out(m, "%" PRId64 " processors, %d are needed", cores, needs->cpus);
    else if (m->memory_kb >= 0 && (uint64_t)m->memory_kb * 1024 < needs->memory_bytes)
        leave_out(m, "not so much free memory");
    else if (needs->gpus && free_gpus(m, needs) < needs->gpus)
        leave_out(m, "%d free GPUs, %d are needed", free_gpus(m, needs), needs->gpus);
    else if (m->free < 0.5)
        leave_out(m, "busy");
}

static int count_run(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct pool *p = arg;

    (void)err;
    if (gn_state_over(r->state))
        return GN_OK;
    for (size_t i = 0; i < p->n; i++)
        p->v[i].runs += strcmp(p->v[i].look.target.name, r->target) == 0;
    return GN_OK;
}

static bool is_better(const struct member *a, const struct member *b)
{
    if (a->runs != b->runs)
        return a->runs < b->runs;
    if (a->free > b->free + 0.5 || b->free > a->free + 0.5)
        return a->free > b->free;
    return a->memory_kb > b->memory_kb;
}

static struct member *best_of(struct pool *p)
{
    struct member *best = NULL;

    for (size_t i = 0; i < p->n; i++) {
        struct member *m = &p->v[i];

        if (m->look.rc)
            leave_out(m, "%s", m->look.err.msg);
        else if (p->avoid && strcmp(m->look.target.name, p->avoid) == 0)
            leave_out(m, "it was there that the run was lost");
        else
            weigh(m, p->needs);
        if (*m->why)
            gn_event_text(p->e->ctx, GN_EV_DEBUG, "not on '%s': %s", m->look.target.name, m->why);
        else if (!best || is_better(m, best))
            best = m;
    }
    return best;
}

static int nobody_fits(const struct pool *p, const char *name, struct gn_err *err)
{
    struct gn_buf b = GN_BUF_INIT(2000);
    size_t said = 0;

    for (size_t i = 0; i < p->n && said < SAID_MAX; i++) {
        bool again = false;

        for (size_t k = 0; k < i && !again; k++)
            again = strcmp(p->v[k].why, p->v[i].why) == 0;
        if (again)
            continue;
        gn_buf_addf(&b, "%s%s: %s", said++ ? "; " : "", p->v[i].look.target.host, p->v[i].why);
    }
    gn_err_set(err, GN_E_CAPACITY, "none of the %zu hosts of '%s' can take it (%s)", p->n, name,
               b.ptr);
    gn_buf_clear(&b);
    return gn_err_hint(err, "gnrrun targets %s --check shows each", name);
}

static int pick(struct pool *p, const struct gn_target *pool, struct gn_target *out,
                struct gn_err *err)
{
    struct gn_looked *v = gn_calloc(p->n, sizeof *v);
    struct member *best;
    int rc;

    for (size_t i = 0; i < p->n; i++)
        gn_target_member(pool, i, &v[i].target);
    rc = gn_look(p->e, v, p->n, LIMIT_MS, true, true, err);
    for (size_t i = 0; i < p->n; i++)
        p->v[i].look = v[i];
    free(v);
    if (!rc)
        rc = gn_store_each(p->e->store, NULL, 0, count_run, p, err);
    if (rc)
        return rc;
    best = best_of(p);
    if (!best)
        return nobody_fits(p, pool->name, err);
    gn_event_text(p->e->ctx, GN_EV_NOTE, "'%s' is the freest of the %zu hosts of '%s'",
                  best->look.target.host, p->n, pool->name);
    *out = best->look.target;
    best->look.target = (struct gn_target){0};
    gn_transport_close(p->e->ready);
    free(p->e->ready_for);
    p->e->ready = best->look.line;
    p->e->ready_for = gn_strdup(out->name);
    best->look.line = NULL;
    return GN_OK;
}

int gn_pool_pick(struct gn_engine *e, const struct gn_target *pool, const char *avoid,
                 const struct gn_needs *needs, struct gn_target *out, struct gn_err *err)
{
    struct pool p = {.e = e, .avoid = avoid, .needs = needs, .n = pool->hosts.n};
    int rc;

    p.v = gn_calloc(p.n, sizeof *p.v);
    rc = pick(&p, pool, out, err);
    for (size_t i = 0; i < p.n; i++) {
        gn_looked_clear(&p.v[i].look);
        gn_target_clear(&p.v[i].look.target);
    }
    free(p.v);
    return rc;
}
