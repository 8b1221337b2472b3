/* project.c - the keys of gnrrun.yaml and of config.yaml. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "values.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MAX_NAME 64

static bool is_project_name(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n <= MAX_NAME && isalnum((unsigned char)*s) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static int read_name(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    if (n->kind != GN_YAML_SCALAR || !is_project_name(n->text))
        return gn_bad_value(in, n, "a short name of letters, digits, - and _", err);
    return gn_read_line(in, n, key, base, err);
}

/* Below the project, for it gets the same place over there: "a/b" without . and .. in it. */
static char *clean_path(const char *s)
{
    struct gn_buf b = GN_BUF_INIT(4096);

    if (*s == '/' || *s == '~')
        return NULL;
    while (*s) {
        size_t n = strcspn(s, "/");

        if (n == 2 && s[0] == '.' && s[1] == '.') {
            gn_buf_clear(&b);
            return NULL;
        }
        if (n > 0 && !(n == 1 && s[0] == '.')) {
            if (b.len)
                gn_buf_addc(&b, '/');
            gn_buf_add(&b, s, n);
        }
        s += n + (s[n] == '/');
    }
    if (!b.len || gn_buf_over(&b)) {
        gn_buf_clear(&b);
        return NULL;
    }
    return gn_buf_detach(&b);
}

static int read_path(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    const char *const want = "a folder or file below the project";
    const char *text = gn_plain_text(in, n, want, err);
    char *clean = text ? clean_path(text) : NULL;
    char **to = (char **)(void *)((char *)base + key->at);

    if (!text)
        return err->code;
    if (!clean) {
        gn_bad_value(in, n, want, err);
        return gn_err_hint(err, "a link there may point to where it really is");
    }
    free(*to);
    *to = clean;
    return GN_OK;
}

/* on: {target: path over there} */
static int read_on(const struct gn_reading *in, const struct gn_yaml_node *n,
                   const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_data *d = base;

    (void)key;
    if (n->kind != GN_YAML_MAP)
        return gn_bad_value(in, n, "a map of targets and paths there", err);
    d->on = gn_calloc(n->n ? n->n : 1, sizeof *d->on);
    for (const struct gn_yaml_node *e = n->child; e; e = e->next) {
        const char *path = gn_plain_text(in, e, "a path on that target", err);

        if (!path)
            return err->code;
        if (*path != '/' && strncmp(path, "~/", 2) != 0)
            return gn_bad_value(in, e, "a path that begins with / or ~/", err);
        d->on[d->n_on].target = gn_strdup(e->key);
        d->on[d->n_on++].path = gn_strdup(path);
    }
    return GN_OK;
}

static const struct gn_key data_keys[] = {
    {"path", read_path, offsetof(struct gn_data, path), 0},
    {"on", read_on, 0, 0},
};

static int read_one_data(const struct gn_reading *in, const struct gn_yaml_node *n,
                         struct gn_data *d, struct gn_err *err)
{
    if (n->kind == GN_YAML_SCALAR)
        return read_path(in, n, &data_keys[0], d, err);
    if (n->kind == GN_YAML_MAP) {
        int rc = gn_read_map(in, n, data_keys, COUNT(data_keys), d, err);

        if (!rc && !d->path)
            rc = gn_yaml_err(err, in->file, n->line, n->col, "'path' is missing");
        return rc;
    }
    return gn_bad_value(in, n, "a path or {path: ..., on: ...}", err);
}

static int read_data(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_project *p = base;
    const struct gn_yaml_node *e = n->kind == GN_YAML_LIST ? n->child : n;
    size_t max = n->kind == GN_YAML_LIST ? n->n : 1;

    (void)key;
    p->data = gn_calloc(max ? max : 1, sizeof *p->data);
    for (; e && p->n_data < max; e = e->next) {
        struct gn_data *d = &p->data[p->n_data++];
        int rc = read_one_data(in, e, d, err);

        if (rc)
            return rc;
        for (const struct gn_data *o = p->data; o < d; o++) {
            if (strcmp(o->path, d->path) == 0)
                return gn_bad_value(in, e, "named once", err);
        }
    }
    return GN_OK;
}

static const struct gn_key needs_keys[] = {
    {"gpus", gn_read_count, offsetof(struct gn_needs, gpus), 0},
    {"gpu_type", gn_read_line, offsetof(struct gn_needs, gpu_type), 0},
    {"gpu_memory", gn_read_bytes, offsetof(struct gn_needs, gpu_mem_bytes), 0},
    {"cpus", gn_read_count, offsetof(struct gn_needs, cpus), 0},
    {"memory", gn_read_bytes, offsetof(struct gn_needs, memory_bytes), 0},
    {"nodes", gn_read_count, offsetof(struct gn_needs, nodes), 0},
    {"time", gn_read_seconds, offsetof(struct gn_needs, time_s), 0},
};

static int read_needs(const struct gn_reading *in, const struct gn_yaml_node *n,
                      const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_project *p = base;

    (void)key;
    return gn_read_map(in, n, needs_keys, COUNT(needs_keys), &p->needs, err);
}

#define P(field) offsetof(struct gn_project, field)
static const struct gn_key project_keys[] = {
    {"name", read_name, P(name), 0},          {"run", gn_read_line, P(run), 0},
    {"python", gn_read_line, P(python), 0},   {"setup", gn_read_sh, P(setup), 0},
    {"env", gn_read_env, P(env), P(n_env)},   {"data", read_data, P(data), P(n_data)},
    {"results", gn_read_strs, P(results), 0}, {"ignore", gn_read_strs, P(ignore), 0},
    {"allow", gn_read_strs, P(allow), 0},     {"needs", read_needs, 0, 0},
    {"choose", gn_read_choose, 0, 0},         {"targets", gn_read_targets, 0, 0},
};

static const struct gn_key user_keys[] = {
    {"targets", gn_read_targets, 0, 0},
    {"keep", gn_read_keep, offsetof(struct gn_config, keep_s), 0},
    {"choose", gn_read_choose, 0, 0},
};

int gn_read_project(const struct gn_reading *in, const struct gn_yaml *y, struct gn_err *err)
{
    if (!y->root)
        return GN_OK;
    return gn_read_map(in, y->root, project_keys, COUNT(project_keys), &in->cfg->project, err);
}

int gn_read_user(const struct gn_reading *in, const struct gn_yaml *y, struct gn_err *err)
{
    if (!y->root)
        return GN_OK;
    return gn_read_map(in, y->root, user_keys, COUNT(user_keys), in->cfg, err);
}

char *gn_name_from_folder(const char *root)
{
    struct gn_buf b = GN_BUF_INIT(MAX_NAME);

    for (const char *s = gn_path_base(root); *s && b.len < MAX_NAME; s++) {
        /* A row of odd characters is one -, and none of them stands in front. */
        if (isalnum((unsigned char)*s) || (*s == '_' && b.len))
            gn_buf_addc(&b, *s);
        else if (b.len && b.ptr[b.len - 1] != '-')
            gn_buf_addc(&b, '-');
    }
    while (b.len && b.ptr[b.len - 1] == '-')
        b.ptr[--b.len] = '\0';
    if (!b.len)
        gn_buf_adds(&b, "project");
    return gn_buf_detach(&b);
}
