#include "cli/engine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bills.h"
#include "gnrrun/far.h"
#include "gnrrun/pool.h"
#include "gnrrun/provider.h"

#define CHECK_MS 20000 /* for all hosts together */

struct open_runs {
    struct gn_run *v;
    size_t n, cap;
};

static int collect(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct open_runs *all = arg;

    (void)err;
    if (gn_state_over(r->state))
        return GN_OK;
    GN_GROW(all->v, all->n, all->cap);
    gn_run_copy(&all->v[all->n++], r);
    return GN_OK;
}

int cmd_refresh(struct gn_cli *c, struct gn_store *s, struct gn_err *err)
{
    struct gn_engine e = {.ctx = c->ctx,
                          .store = s,
                          .ssh = {.accept_new = gn_args_has(&c->args, "accept-new-host-key")},
                          .connect = gn_transport_open,
                          .provider = gn_provider_open,
                          .scheduler = gn_scheduler_find};
    struct open_runs all = {0};
    struct gn_run **list;
    int rc = gn_store_each(s, NULL, 0, collect, &all, err);

    list = gn_calloc(all.n, sizeof *list);
    for (size_t i = 0; i < all.n; i++)
        list[i] = &all.v[i];
    if (!rc)
        rc = gn_lease_refresh(&(struct gn_leasing){c->ctx, s, gn_provider_open}, err);
    if (!rc)
        rc = gn_engine_refresh(&e, list, all.n, err);
    for (size_t i = 0; i < all.n; i++)
        gn_run_clear(&all.v[i]);
    free(list);
    free(all.v);
    return rc;
}

/* --- targets --check ------------------------------------------------------------------------ */

static void add_fields(struct gn_json *o, const char *line)
{
    for (const char *p = strchr(line, ' '); p; p = strchr(p, ' ')) {
        size_t k, v;

        p++;
        k = strcspn(p, "= ");
        if (p[k] != '=' || k == 0 || k > 40)
            continue;
        v = strcspn(p + k + 1, " ");
        char *key = gn_strndup(p, k), *text = gn_strndup(p + k + 1, v), *end;
        long long n = strtoll(text, &end, 10);

        if (v && !*end)
            gn_json_set_int(o, key, n);
        else
            gn_json_set_str(o, key, text);
        free(text);
        free(key);
    }
}

static void check_json(struct gn_cli *c, const char *name, const struct gn_strs *lines,
                       const struct gn_err *why)
{
    struct gn_json *o = gn_json_object(), *gpus = gn_json_array(), *uses = gn_json_array(),
                   *who = gn_json_array();

    gn_json_set_str(o, "target", name);
    gn_json_set_bool(o, "reached", !why);
    if (why)
        gn_json_set_str(o, "error", why->msg);
    for (size_t i = 0; i < lines->n; i++) {
        const char *line = lines->v[i];
        struct gn_json *sub = o;

        if (strncmp(line, "probe ", 6) != 0) {
            sub = gn_json_object();
            gn_json_append(strncmp(line, "gpu ", 4) == 0   ? gpus
                           : strncmp(line, "use ", 4) == 0 ? uses
                                                           : who,
                           sub);
        }
        add_fields(sub, line);
    }
    gn_json_set(o, "gpus", gpus);
    gn_json_set(o, "gpu_users", uses);
    gn_json_set(o, "users_now", who);
    gn_ui_json(c->ui, o);
}

/* Foreign text in a table: safe, or "-". */
static char *cell(const char *line, const char *key)
{
    struct gn_buf safe = GN_BUF_INIT(200);
    char text[128];

    if (!gn_far_field(line, key, text, sizeof text) || !*text)
        return gn_strdup("-");
    gn_buf_addsafe(&safe, text, strlen(text), 60);
    return gn_buf_detach(&safe);
}

static char *size_cell(const char *line, const char *key, uint64_t unit)
{
    int64_t n = gn_far_number(line, key, -1);
    char text[32];

    return gn_strdup(n < 0 ? "-" : gn_fmt_bytes((uint64_t)n * unit, text));
}

static char *gpu_cell(const struct gn_strs *lines)
{
    int all = 0, idle = 0;

    for (size_t i = 0; i < lines->n; i++) {
        if (strncmp(lines->v[i], "gpu ", 4) != 0)
            continue;
        all++;
        idle += gn_far_number(lines->v[i], "free", 0) == 1;
    }
    return all ? gn_printf("%d of %d", idle, all) : gn_strdup("-");
}

static char *who_cell(const struct gn_strs *lines)
{
    struct gn_buf text = GN_BUF_INIT(1000);

    for (size_t i = 0; i < lines->n; i++) {
        if (strncmp(lines->v[i], "who ", 4) != 0)
            continue;
        char *user = cell(lines->v[i], "user");

        gn_buf_addf(&text, "%s%s", text.len ? " " : "", user);
        free(user);
    }
    if (!text.len)
        gn_buf_adds(&text, "-");
    return gn_buf_detach(&text);
}

static void check_row(struct gn_table *table, const char *name, const struct gn_strs *lines,
                      const struct gn_err *why)
{
    const char *probe = lines->n ? lines->v[0] : "";
    char *cells[8];

    if (why) {
        const char *row[8] = {name, "-", "-", "-", "-", "-", "-", why->msg};

        gn_table_row(table, row);
        return;
    }
    cells[0] = gn_strdup(name);
    cells[1] = cell(probe, "cores");
    cells[2] = cell(probe, "load");
    cells[3] = size_cell(probe, "mem_free_kb", 1024);
    cells[4] = size_cell(probe, "free_kb", 1024);
    cells[5] = gpu_cell(lines);
    cells[6] = cell(probe, "pyver");
    cells[7] = who_cell(lines);
    gn_table_row(table, (const char *const *)cells);
    for (size_t i = 0; i < 8; i++)
        free(cells[i]);
}

/* --- who has which GPU --- */

static void gpu_row(struct gn_table *table, const char *name, const char *gpu, const char *use)
{
    int64_t busy = gn_far_number(gpu, "util", -1);
    char *cells[9] = {gn_strdup(name),
                      cell(gpu, "index"),
                      cell(gpu, "name"),
                      busy < 0 ? gn_strdup("-") : gn_printf("%" PRId64 " %%", busy),
                      size_cell(gpu, "mem_mb", 1048576),
                      gn_strdup("-"),
                      gn_strdup("-"),
                      size_cell(gpu, "used_mb", 1048576),
                      gn_strdup(gn_far_number(gpu, "free", 0) == 1 ? "free" : "-")};

    if (use) {
        for (size_t i = 5; i < 9; i++)
            free(cells[i]);
        cells[5] = cell(use, "user");
        cells[6] = cell(use, "procs");
        cells[7] = size_cell(use, "mem_mb", 1048576);
        cells[8] = gn_strdup(gn_far_number(use, "claim", 0) == 1 ? "a run" : "-");
    }
    gn_table_row(table, (const char *const *)cells);
    for (size_t i = 0; i < 9; i++)
        free(cells[i]);
}

/* A row for each user of each, and one for those that nobody uses. */
static void gpu_rows(struct gn_table *table, const char *name, const struct gn_strs *lines)
{
    for (size_t i = 0; i < lines->n; i++) {
        const char *gpu = lines->v[i];
        bool used = false;

        if (strncmp(gpu, "gpu ", 4) != 0)
            continue;
        for (size_t k = 0; k < lines->n; k++) {
            const char *use = lines->v[k];

            if (strncmp(use, "use ", 4) != 0 ||
                gn_far_number(use, "gpu", -1) != gn_far_number(gpu, "index", -2))
                continue;
            gpu_row(table, name, gpu, use);
            used = true;
        }
        if (!used)
            gpu_row(table, name, gpu, NULL);
    }
}

static bool has_queue(const struct gn_strs *lines)
{
    char queue[32];

    return lines->n && gn_far_field(lines->v[0], "scheduler", queue, sizeof queue) &&
           strcmp(queue, "-") != 0;
}

/* Those first that one can have without a queue. */
static void print_gpus(struct gn_cli *c, const struct gn_looked *v, size_t n)
{
    static const char *const head[] = {"TARGET", "GPU",       "KIND", "BUSY",    "MEMORY",
                                       "USER",   "PROCESSES", "USED", "TAKEN BY"};
    struct gn_table table = {.head = head, .n = 9, .right = 1u << 3 | 1u << 4 | 1u << 6 | 1u << 7};

    for (int queued = 0; queued < 2; queued++)
        for (size_t i = 0; i < n; i++)
            if (!v[i].rc && has_queue(&v[i].lines) == queued)
                gpu_rows(&table, v[i].target.name, &v[i].lines);
    if (table.cells) {
        gn_ui_outf(c->ui, "\n");
        gn_table_print(c->ui, &table);
    }
    gn_table_clear(&table);
}

struct checks {
    struct gn_looked *v;
    size_t n, cap;
};

/* Clouds have accounts and no machines; *worst: what went wrong first. */
static void check_cloud(struct gn_cli *c, const struct gn_target *t, int *worst)
{
    struct gn_account who = {0};
    struct gn_err err = GN_ERR_INIT;
    struct gn_json *o;
    int rc = gn_cli_cloud_account(c, t, &who, &err);

    if (rc && *worst == GN_EXIT_OK)
        *worst = gn_exit_of(rc);
    if (!c->json) {
        gn_ui_outf(c->ui, "%s (%s): %s%s%s%s%s\n", t->name, t->type_name, rc ? err.msg : who.who,
                   *who.where ? ", " : "", who.where, *who.note ? "; " : "", who.note);
        return;
    }
    o = gn_json_object();
    gn_json_set_str(o, "target", t->name);
    gn_json_set_str(o, "type", t->type_name);
    gn_json_set_bool(o, "reached", !rc);
    gn_json_set_str(o, "error", rc ? err.msg : NULL);
    gn_json_set_str(o, "account", *who.who ? who.who : NULL);
    gn_json_set_str(o, "region", *who.where ? who.where : NULL);
    gn_json_set_str(o, "note", *who.note ? who.note : NULL);
    gn_ui_json(c->ui, o);
}

static void add_check(struct checks *all, const struct gn_target *t)
{
    GN_GROW(all->v, all->n, all->cap);
    all->v[all->n++] = (struct gn_looked){.target = *t};
}

/* What each name stands for: of a pool each host. */
static int resolve_all(struct gn_cli *c, const struct gn_config *cfg, const struct gn_strs *names,
                       struct checks *all, int *worst, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = 0; !rc && i < names->n; i++) {
        struct gn_target t = {0}, member;

        rc = gn_target_resolve(c->ctx, cfg, names->v[i], &t, err);
        if (rc)
            break;
        for (size_t k = 0; k < t.hosts.n; k++) {
            gn_target_member(&t, k, &member);
            add_check(all, &member);
        }
        if (t.type == GN_TARGET_CLOUD)
            check_cloud(c, &t, worst);
        if (t.hosts.n || t.type == GN_TARGET_CLOUD)
            gn_target_clear(&t);
        else
            add_check(all, &t);
    }
    return rc;
}

static bool wants_person(const struct gn_looked *l)
{
    return (l->rc == GN_E_AUTH || l->rc == GN_E_HOSTKEY) && !strchr(l->target.name, '/');
}

int cmd_targets_check(struct gn_cli *c, const struct gn_config *cfg, const struct gn_strs *names,
                      struct gn_err *err)
{
    static const char *const head[] = {"TARGET",    "CORES",     "LOAD",   "MEMORY FREE",
                                       "DISK FREE", "GPUS FREE", "PYTHON", "USERS"};
    struct gn_engine e = gn_cli_road(c);
    struct gn_table table = {.head = head, .n = 8};
    struct checks all = {0};
    int worst = GN_EXIT_OK, rc = resolve_all(c, cfg, names, &all, &worst, err);

    if (!rc)
        rc = gn_look(&e, all.v, all.n, CHECK_MS, false, false, err);
    for (size_t i = 0; i < all.n; i++) {
        struct gn_looked *l = &all.v[i];

        /* whom a person must let us in, one after the other */
        if (!rc && wants_person(l)) {
            gn_err_clear(&l->err);
            l->rc = gn_engine_probe(&e, &l->target, &l->lines, &l->err);
        }
        if (!rc && c->json)
            check_json(c, l->target.name, &l->lines, l->rc ? &l->err : NULL);
        else if (!rc)
            check_row(&table, l->target.name, &l->lines, l->rc ? &l->err : NULL);
        if (l->rc)
            worst = gn_exit_of(l->rc);
    }
    if (!rc && !c->json && all.n) {
        gn_table_print(c->ui, &table);
        print_gpus(c, all.v, all.n);
    }
    for (size_t i = 0; i < all.n; i++) {
        gn_looked_clear(&all.v[i]);
        gn_target_clear(&all.v[i].target);
    }
    free(all.v);
    gn_table_clear(&table);
    return rc ? rc : worst;
}
