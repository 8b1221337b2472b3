/* sweeptable.c - the members of a sweep, a row each: what each was given and what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/metrics.h"
#include "cli/runs.h"
#include "cli/runtext.h"
#include "gnrrun/fs.h"

#define TAIL 16384
/* RUN, PARAMS, STATE, TOOK */
#define FIXED 4

struct member {
    char *name, *params, *state, *took;
    struct gn_metric metric[GN_METRICS_MAX];
    size_t n;
};

struct members {
    struct gn_cli *c;
    struct member *v;
    size_t n, cap;
};

static size_t read_metrics(const struct gn_ctx *ctx, const struct gn_run *r, struct gn_metric *out)
{
    char *path = gn_store_path(ctx, r, "log"), text[TAIL];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t n = 0;

    if (size > 0)
        n = pread(fd, text, sizeof text, size > TAIL ? size - TAIL : 0);
    gn_fs_close(fd);
    free(path);
    return n > 0 ? gn_metrics_last(text, (size_t)n, out) : 0;
}

static int add_row(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct members *all = arg;
    int64_t took_s = gn_run_took_s(r, all->c->ctx->wall_s(all->c->ctx));
    char state[96], took[32] = "-";
    struct member *m;

    (void)err;
    if (took_s >= 0)
        gn_fmt_seconds(took_s, took);
    GN_GROW(all->v, all->n, all->cap);
    m = &all->v[all->n++];
    *m = (struct member){.name = gn_strdup(r->name),
                         .params = gn_strdup(r->params),
                         .state = gn_strdup(gn_run_state_text(r, state)),
                         .took = gn_strdup(took)};
    m->n = read_metrics(all->c->ctx, r, m->metric);
    return GN_OK;
}

static const char *metric_of(const struct member *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->metric[i].name, name) == 0)
            return m->metric[i].value;
    return NULL;
}

/* The columns are those of the first that printed any. */
static void print(struct gn_cli *c, const struct members *all)
{
    const char *head[FIXED + GN_METRICS_MAX] = {"RUN", "PARAMS", "STATE", "TOOK"};
    struct gn_table table = {.head = head, .n = FIXED, .right = 1u << 3};
    const struct member *first = NULL;

    for (size_t i = 0; i < all->n && !first; i++)
        first = all->v[i].n ? &all->v[i] : NULL;
    for (size_t i = 0; first && i < first->n; i++) {
        table.right |= 1u << table.n;
        head[table.n++] = first->metric[i].name;
    }
    for (size_t i = 0; i < all->n; i++) {
        const struct member *m = &all->v[i];
        const char *row[FIXED + GN_METRICS_MAX] = {m->name, m->params, m->state, m->took};

        for (size_t k = FIXED; k < table.n; k++)
            row[k] = metric_of(m, head[k]);
        gn_table_row(&table, row);
    }
    gn_table_print(c->ui, &table);
    gn_table_clear(&table);
}

int gn_cli_sweep_table(struct gn_cli *c, struct gn_store *s, const struct gn_run *run,
                       struct gn_err *err)
{
    struct members all = {.c = c};
    int rc = gn_store_members(s, run->id, add_row, &all, err);

    if (!rc)
        print(c, &all);
    for (size_t i = 0; i < all.n; i++) {
        free(all.v[i].name);
        free(all.v[i].params);
        free(all.v[i].state);
        free(all.v[i].took);
    }
    free(all.v);
    return rc;
}

/* --- for programs ------------------------------------------------------------------------------ */

struct objects {
    struct gn_cli *c;
    struct gn_json *list;
};

static int add_object(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct objects *o = arg;
    struct gn_json *j = gn_run_json(o->c->ctx, r, false), *m = gn_json_object();
    struct gn_metric metric[GN_METRICS_MAX];
    size_t n = read_metrics(o->c->ctx, r, metric);

    (void)err;
    for (size_t i = 0; i < n; i++)
        gn_json_set_str(m, metric[i].name, metric[i].value);
    gn_json_set(j, "metrics", m);
    gn_json_append(o->list, j);
    return GN_OK;
}

int gn_cli_sweep_json(struct gn_cli *c, struct gn_store *s, const struct gn_run *run,
                      struct gn_json *out, struct gn_err *err)
{
    struct objects o = {.c = c, .list = gn_json_array()};
    int rc = gn_store_members(s, run->id, add_object, &o, err);

    gn_json_set(out, "members", o.list);
    return rc;
}
