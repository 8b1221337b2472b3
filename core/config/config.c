/* config.c - both files, read into one struct. */
#include "gnrrun/config.h"

#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "values.h"

void gn_target_clear(struct gn_target *t)
{
    if (!t)
        return;
    free(t->name);
    free(t->type_name);
    free(t->where);
    free(t->host);
    free(t->user);
    free(t->jump);
    free(t->identity);
    free(t->known_hosts);
    free(t->workdir);
    free(t->python);
    free(t->setup);
    free(t->scheduler);
    gn_strs_clear(&t->hosts);
    free(t->partition);
    free(t->pe);
    free(t->memory_resource);
    free(t->gpu_resource);
    free(t->account);
    free(t->qos);
    gn_strs_clear(&t->submit);
    gn_strs_clear(&t->tags);
    gn_env_clear(&t->env, &t->n_env);
    for (size_t i = 0; i < t->n_settings; i++) {
        free(t->settings[i].key);
        free(t->settings[i].value);
    }
    free(t->settings);
    memset(t, 0, sizeof *t);
}

static void clear_project(struct gn_project *p)
{
    free(p->root);
    free(p->file);
    free(p->name);
    free(p->run);
    free(p->python);
    free(p->setup);
    gn_env_clear(&p->env, &p->n_env);
    for (size_t i = 0; i < p->n_data; i++) {
        free(p->data[i].path);
        for (size_t k = 0; k < p->data[i].n_on; k++) {
            free(p->data[i].on[k].target);
            free(p->data[i].on[k].path);
        }
        free(p->data[i].on);
    }
    free(p->data);
    gn_strs_clear(&p->results);
    gn_strs_clear(&p->ignore);
    gn_strs_clear(&p->allow);
    free(p->needs.gpu_type);
}

void gn_config_clear(struct gn_config *c)
{
    if (!c)
        return;
    clear_project(&c->project);
    for (size_t i = 0; i < c->n_targets; i++)
        gn_target_clear(&c->targets[i]);
    free(c->targets);
    gn_strs_clear(&c->choose.prefer);
    gn_strs_clear(&c->users_choose.prefer);
    free(c->user_file);
    gn_strs_clear(&c->notes);
    memset(c, 0, sizeof *c);
}

int gn_config_parse(const char *name, bool user_file, const char *text, size_t len,
                    const char *home, struct gn_config *cfg, struct gn_err *err)
{
    struct gn_reading in = {.file = name, .home = home, .cfg = cfg, .is_users = user_file};
    struct gn_yaml y = {0};
    int rc = gn_yaml_parse(name, text, len, &y, err);

    if (!rc)
        rc = user_file ? gn_read_user(&in, &y, err) : gn_read_project(&in, &y, err);
    gn_yaml_clear(&y);
    return rc;
}

static int read_file(const struct gn_ctx *ctx, const char *path, bool user_file,
                     struct gn_config *cfg, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    int rc = gn_fs_read(path, &text, err);

    if (!rc)
        rc =
            gn_config_parse(gn_path_base(path), user_file, text.ptr, text.len, ctx->home, cfg, err);
    else if (rc == GN_E_LIMIT)
        rc = gn_err_set(err, GN_E_CONFIG, "%s:1:1: larger than 1 MiB", gn_path_base(path));
    gn_buf_clear(&text);
    return rc;
}

int gn_config_load(const struct gn_ctx *ctx, const char *start, struct gn_config *out,
                   struct gn_err *err)
{
    struct gn_config c = {0};
    int rc;

    c.user_file = gn_path_join(ctx->config_dir ? ctx->config_dir : "", "config.yaml");
    rc = gn_find_root(ctx, start, &c.project.root, &c.project.file, err);
    if (!rc && c.project.file)
        rc = read_file(ctx, c.project.file, false, &c, err);
    if (!rc && ctx->config_dir) {
        rc = read_file(ctx, c.user_file, true, &c, err);
        if (rc == GN_E_NOTFOUND) {
            gn_err_clear(err);
            rc = GN_OK;
        }
    }
    if (rc) {
        gn_config_clear(&c);
        return rc;
    }
    if (!c.project.name)
        c.project.name = gn_name_from_folder(c.project.root);
    *out = c;
    return GN_OK;
}
