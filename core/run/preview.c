/* preview.c - what would travel and be started, worked out here without a network. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "run_private.h"

#define KEEP_BYTES ((uint64_t)448 << 20) /* of what was read to be hashed, until it is sent: */
#define KEEP_PART  16                    /* at most such a part of the memory */

/* A file name that stands for a folder here: its cache of hashes, its record of ships. */
static char *cache_path(const struct gn_ctx *ctx, const char *root, const char *leaf)
{
    uint8_t hash[GN_HASH_LEN];
    char hex[GN_HASH_HEX];

    gn_hash_data(root, strlen(root), hash);
    gn_hex(hash, 12, hex);
    return gn_printf("%s/%s-%s", ctx->cache_dir, leaf, hex);
}

static int scan(const struct gn_ctx *ctx, struct gn_scan_opts *opts, struct gn_manifest **out,
                struct gn_err *err)
{
    char *cache = cache_path(ctx, opts->root, "scan");
    struct gn_err ignored = GN_ERR_INIT;
    int rc;

    if (gn_fs_mkdirs(ctx->cache_dir, 0700, &ignored))
        gn_event_text(ctx, GN_EV_DEBUG, "%s", ignored.msg);
    opts->cache_file = cache;
    rc = gn_scan(ctx, opts, out, err);
    opts->cache_file = NULL;
    free(cache);
    return rc;
}

static const char *already_there(const struct gn_data *d, const struct gn_target *target)
{
    for (size_t i = 0; i < d->n_on; i++)
        if (strcmp(d->on[i].target, target->name) == 0)
            return d->on[i].path;
    return NULL;
}

static int add_data(const struct gn_ctx *ctx, const struct gn_project *project,
                    const struct gn_target *target, const struct gn_data *d, struct gn_preview *p,
                    struct gn_err *err)
{
    const char *there = already_there(d, target);
    struct gn_data_item *item;
    char *path = gn_path_join(project->root, d->path);
    size_t root_len = strlen(project->root);
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    p->data = gn_realloc(p->data, p->n_data + 1, sizeof *p->data);
    item = &p->data[p->n_data++];
    *item = (struct gn_data_item){.path = path};
    /* what lies outside of the project appears under its own name */
    if (strncmp(path, project->root, root_len) == 0 && path[root_len] == '/' &&
        !strstr(path, "/../"))
        item->name = gn_strdup(path + root_len + 1);
    else
        item->name = gn_strdup(gn_path_base(path));
    if (strcmp(item->name, "..") == 0 || strcmp(item->name, ".") == 0 || !*item->name)
        return gn_err_set(err, GN_E_CONFIG, "data '%s': give a folder or file by its name",
                          d->path);
    if (there || target->type == GN_TARGET_LOCAL) {
        item->there = gn_strdup(there ? there : path);
        return GN_OK;
    }
    if (!gn_fs_is_dir(path) && !gn_fs_is_file(path))
        return gn_err_set(err, GN_E_NOTFOUND, "data '%s': no such folder or file", d->path);
    struct gn_scan_opts opts = {.root = path, .everything = true};
    int rc = scan(ctx, &opts, &item->tree, err);

    return rc ? gn_err_prefix(err, "data '%s': ", d->path) : GN_OK;
}

static int add_all_data(const struct gn_ctx *ctx, const struct gn_config *config,
                        const struct gn_target *target, const struct gn_spec *spec,
                        struct gn_preview *p, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = 0; i < config->project.n_data && !rc; i++)
        rc = add_data(ctx, &config->project, target, &config->project.data[i], p, err);
    for (size_t i = 0; i < spec->data.n && !rc; i++) {
        struct gn_data d = {.path = gn_path_join(spec->cwd, spec->data.v[i])};

        rc = add_data(ctx, &config->project, target, &d, p, err);
        free(d.path);
    }
    return rc;
}

static uint64_t keep_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t part = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / KEEP_PART : 0;

    return part < KEEP_BYTES ? part : KEEP_BYTES;
}

static int scan_project(const struct gn_ctx *ctx, const struct gn_project *project,
                        const struct gn_spec *spec, struct gn_preview *p, struct gn_err *err)
{
    struct gn_strs skip = GN_STRS_INIT, ignore = GN_STRS_INIT, allow = GN_STRS_INIT;
    size_t n = strlen(project->root);
    struct gn_scan_opts opts = {.root = project->root,
                                .ignore = &ignore,
                                .skip = &skip,
                                .allow = &allow,
                                .keep_bytes = keep_bytes(),
                                .max_bytes = spec->max_bytes};
    int rc;

    gn_strs_copy(&ignore, &project->ignore);
    gn_strs_copy(&ignore, &spec->ignore);
    gn_strs_copy(&allow, &project->allow);
    gn_strs_copy(&allow, &spec->allow);
    for (size_t i = 0; i < p->n_data; i++)
        gn_strs_add(&skip, p->data[i].name);
    /* results that go to a folder of the project are no part of the next run */
    if (spec->dest && strncmp(spec->dest, project->root, n) == 0 && spec->dest[n] == '/')
        gn_strs_add(&skip, spec->dest + n + 1);
    rc = scan(ctx, &opts, &p->tree, err);
    gn_strs_clear(&skip);
    gn_strs_clear(&ignore);
    gn_strs_clear(&allow);
    return rc;
}

/* A program that stays here would only fail over there. */
static int check_shipped(const struct gn_preview *p, struct gn_err *err)
{
    if (!p->program.file || gn_manifest_find(p->tree, p->program.file))
        return GN_OK;
    gn_err_set(err, GN_E_CONFIG, "'%s' would not be shipped: a rule leaves it out",
               p->program.file);
    return gn_err_hint(err, "gnrrun files --why %s says which", p->program.file);
}

static int check_nodes(const struct gn_target *target, const struct gn_spec *spec,
                       struct gn_err *err)
{
    if (target->scheduler)
        return GN_OK;
    gn_err_set(err, GN_E_CAPACITY, "target '%s' is one machine, and %d were asked for",
               target->name, spec->needs.nodes);
    return gn_err_hint(err, "--nodes is for clusters: give the target 'scheduler: slurm'");
}

int gn_preview_make(const struct gn_ctx *ctx, const struct gn_config *config,
                    const struct gn_target *target, const struct gn_spec *spec, const char *run,
                    struct gn_preview *out, struct gn_err *err)
{
    struct gn_preview p = {.job = GN_BUF_INIT(GN_MAX_PROGRAM), .env = GN_BUF_INIT(GN_MAX_PROGRAM)};
    struct gn_ctx there = *ctx;
    struct gn_job_opts job = {
        .project = &config->project,
        .target = target,
        .program = &p.program,
        .setup = &p.setup,
        .env = spec->env,
        .n_env = spec->n_env,
        .python = spec->python,
        .run = run,
        .nodes = spec->needs.nodes,
        .gpus = spec->needs.gpus,
    };
    int rc = GN_OK;

    if (spec->needs.nodes > 1 && spec->words.n)
        rc = check_nodes(target, spec, err);
    there.cwd = spec->cwd;
    if (!rc && spec->words.n)
        rc = gn_program_resolve(&there, &config->project, &spec->words, &p.program, err);
    if (!rc && spec->words.n)
        rc = gn_setup_detect(ctx, &config->project, spec->setup, &p.setup, err);
    if (!rc)
        rc = add_all_data(ctx, config, target, spec, &p, err);
    if (!rc)
        rc = scan_project(ctx, &config->project, spec, &p, err);
    if (!rc)
        rc = check_shipped(&p, err);
    if (!rc && spec->words.n) {
        job.snapshot = p.tree->id;
        rc = gn_job_write(ctx, &job, &p.job, &p.env, err);
    }
    if (!rc && (gn_buf_over(&p.job) || gn_buf_over(&p.env)))
        rc = gn_err_set(err, GN_E_LIMIT, "program and environment are over %zu bytes",
                        GN_MAX_PROGRAM);
    if (rc) {
        gn_preview_clear(&p);
        return rc;
    }
    *out = p;
    return GN_OK;
}

void gn_preview_clear(struct gn_preview *p)
{
    gn_program_clear(&p->program);
    gn_setup_clear(&p->setup);
    gn_manifest_free(p->tree);
    gn_buf_clear(&p->job);
    gn_buf_wipe(&p->env);
    for (size_t i = 0; i < p->n_data; i++) {
        free(p->data[i].path);
        free(p->data[i].name);
        free(p->data[i].there);
        gn_manifest_free(p->data[i].tree);
    }
    free(p->data);
    p->data = NULL;
    p->n_data = 0;
    p->tree = NULL;
}
