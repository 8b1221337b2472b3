/* spec.c - what was asked for with `run`, as JSON in the store. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/engine.h"
#include "gnrrun/json.h"

void gn_spec_clear(struct gn_spec *s)
{
    gn_strs_clear(&s->words);
    gn_strs_clear(&s->data);
    gn_strs_clear(&s->allow);
    gn_strs_clear(&s->ignore);
    gn_strs_clear(&s->sweep);
    for (size_t i = 0; i < s->n_env; i++) {
        free(s->env[i].name);
        free(s->env[i].value);
    }
    free(s->env);
    free(s->cwd);
    free(s->setup);
    free(s->python);
    free(s->dest);
    free(s->pool);
    free(s->needs.gpu_type);
    memset(s, 0, sizeof *s);
}

static struct gn_json *needs_json(const struct gn_needs *n)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_int(o, "gpus", n->gpus);
    gn_json_set_int(o, "cpus", n->cpus);
    gn_json_set_int(o, "nodes", n->nodes);
    gn_json_set_int(o, "memory", (int64_t)n->memory_bytes);
    gn_json_set_int(o, "gpu_memory", (int64_t)n->gpu_mem_bytes);
    gn_json_set_str(o, "gpu_type", n->gpu_type);
    return o;
}

void gn_spec_format(const struct gn_spec *s, struct gn_buf *out)
{
    struct gn_json *o = gn_json_object(), *env = gn_json_array();

    gn_json_set(o, "words", gn_json_strs(&s->words));
    gn_json_set_str(o, "cwd", s->cwd);
    gn_json_set_str(o, "setup", s->setup);
    gn_json_set_str(o, "python", s->python);
    for (size_t i = 0; i < s->n_env; i++) {
        struct gn_json *v = gn_json_object();

        gn_json_set_str(v, "name", s->env[i].name);
        gn_json_set_str(v, "value", s->env[i].value);
        gn_json_append(env, v);
    }
    gn_json_set(o, "env", env);
    gn_json_set(o, "data", gn_json_strs(&s->data));
    gn_json_set(o, "allow", gn_json_strs(&s->allow));
    gn_json_set(o, "ignore", gn_json_strs(&s->ignore));
    gn_json_set_int(o, "time", s->time_s);
    gn_json_set_int(o, "grace", s->grace_s);
    gn_json_set_int(o, "nice", s->nice);
    gn_json_set_int(o, "max_bytes", (int64_t)s->max_bytes);
    gn_json_set_str(o, "dest", s->dest);
    gn_json_set_bool(o, "no_fetch", s->no_fetch);
    gn_json_set_int(o, "sync", s->sync_s);
    gn_json_set(o, "needs", needs_json(&s->needs));
    gn_json_set_int(o, "max_microusd", s->max_microusd);
    if (s->pool)
        gn_json_set_str(o, "pool", s->pool);
    if (s->sweep.n) {
        gn_json_set(o, "sweep", gn_json_strs(&s->sweep));
        gn_json_set_int(o, "parallel", s->parallel);
    }
    gn_json_dump(o, out);
    gn_json_free(o);
}

int gn_spec_parse(const char *text, struct gn_spec *out, struct gn_err *err)
{
    struct gn_json *o = NULL;
    const struct gn_json *env, *needs;
    struct gn_spec s = {0};
    int rc = gn_json_parse(text, strlen(text), &o, err);

    if (rc)
        return gn_err_prefix(err, "the record of this run: ");
    if (!gn_json_get_str(o, "cwd")) {
        gn_json_free(o);
        return gn_err_set(err, GN_E_PROTO, "the record of this run is not one of ours");
    }
    gn_json_get_strs(o, "words", &s.words);
    s.cwd = gn_strdup(gn_json_get_str(o, "cwd"));
    s.setup = gn_strdup(gn_json_get_str(o, "setup"));
    s.python = gn_strdup(gn_json_get_str(o, "python"));
    env = gn_json_get(o, "env");
    s.env = gn_calloc(gn_json_len(env), sizeof *s.env);
    for (size_t i = 0; i < gn_json_len(env); i++) {
        const struct gn_json *v = gn_json_at(env, i);
        const char *name = gn_json_get_str(v, "name");

        if (!name)
            continue;
        s.env[s.n_env].name = gn_strdup(name);
        s.env[s.n_env++].value = gn_strdup(gn_json_get_str(v, "value"));
    }
    gn_json_get_strs(o, "data", &s.data);
    gn_json_get_strs(o, "allow", &s.allow);
    gn_json_get_strs(o, "ignore", &s.ignore);
    s.time_s = gn_json_get_int(o, "time");
    s.grace_s = gn_json_get_int(o, "grace");
    s.nice = (int)gn_json_get_int(o, "nice");
    s.max_bytes = (uint64_t)gn_json_get_int(o, "max_bytes");
    s.dest = gn_strdup(gn_json_get_str(o, "dest"));
    s.no_fetch = gn_json_get_bool(o, "no_fetch");
    s.sync_s = gn_json_get_int(o, "sync");
    gn_json_get_strs(o, "sweep", &s.sweep);
    s.parallel = (int)gn_json_get_int(o, "parallel");
    s.max_microusd = gn_json_get_int(o, "max_microusd");
    s.pool = gn_strdup(gn_json_get_str(o, "pool"));
    needs = gn_json_get(o, "needs");
    s.needs.gpus = (int)gn_json_get_int(needs, "gpus");
    s.needs.cpus = (int)gn_json_get_int(needs, "cpus");
    s.needs.nodes = (int)gn_json_get_int(needs, "nodes");
    s.needs.memory_bytes = (uint64_t)gn_json_get_int(needs, "memory");
    s.needs.gpu_mem_bytes = (uint64_t)gn_json_get_int(needs, "gpu_memory");
    s.needs.gpu_type = gn_strdup(gn_json_get_str(needs, "gpu_type"));
    gn_json_free(o);
    *out = s;
    return GN_OK;
}
