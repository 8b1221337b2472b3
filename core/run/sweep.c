/* sweep.c - what a sweep is made of: a row for each member here, a line for each over there. */
#include "sweep.h"

#include <stdlib.h>

#include "gnrrun/vary.h"

/* Names that the command line and --env leave out. */
static void look(const struct gn_spec *spec, const struct gn_strs *words, size_t first,
                 struct gn_vary *v)
{
    const char **values = gn_calloc(spec->n_env + 1, sizeof *values);

    for (size_t i = 0; i < spec->n_env; i++)
        values[i] = spec->env[i].value;
    gn_vary_look(v, words, first, values, spec->n_env);
    free(values);
}

static void make_member(const struct gn_run *sweep, const struct gn_spec *spec,
                        const struct gn_vary *v, size_t k, struct gn_run *m)
{
    struct gn_buf params = GN_BUF_INIT(GN_MAX_LINE), json = GN_BUF_INIT(GN_MAX_PROGRAM);
    struct gn_strs words = GN_STRS_INIT;
    struct gn_spec own = *spec; /* borrows, but for the words */
    struct gn_program program = {0};

    gn_run_copy(m, sweep);
    m->members = 0;
    gn_vary_words(v, k, &spec->words, 1, &words);
    program.words = own.words = words;
    own.sweep = (struct gn_strs)GN_STRS_INIT;
    own.parallel = 0;
    own.sync_s = 0;
    gn_spec_format(&own, &json);
    free(m->spec);
    m->spec = gn_buf_detach(&json);
    free(m->command);
    m->command = gn_program_text(&program);
    gn_vary_params(v, k, &params);
    free(m->params);
    m->params = gn_buf_detach(&params);
    gn_strs_clear(&words);
}

int gn_sweep_create(struct gn_engine *e, struct gn_run *sweep, const struct gn_spec *spec,
                    struct gn_err *err)
{
    struct gn_run *m;
    struct gn_vary v;
    int rc = gn_vary_parse(&spec->sweep, &v, err);

    if (rc)
        return rc;
    look(spec, &spec->words, 1, &v);
    sweep->members = (int64_t)v.members;
    m = gn_calloc(v.members, sizeof *m);
    for (size_t k = 1; k <= v.members; k++)
        make_member(sweep, spec, &v, k, &m[k - 1]);
    rc = gn_store_create_sweep(e->store, sweep, m, v.members, err);
    for (size_t k = 0; k < v.members; k++)
        gn_run_clear(&m[k]);
    free(m);
    gn_vary_clear(&v);
    return rc;
}

/* What of --env is another for each. */
static void add_env(const struct gn_vary *v, size_t k, const struct gn_spec *spec,
                    struct gn_buf *out)
{
    for (size_t i = 0; i < spec->n_env; i++) {
        struct gn_buf value = GN_BUF_INIT(GN_MAX_PROGRAM);

        if (!spec->env[i].value || !gn_vary_in(v, spec->env[i].value))
            continue;
        gn_vary_text(v, k, spec->env[i].value, &value);
        gn_buf_addf(out, " %s=", spec->env[i].name);
        gn_buf_addshline(out, value.ptr);
        gn_buf_clear(&value);
    }
}

int gn_sweep_lines(const struct gn_road *road, const struct gn_program *program, struct gn_buf *out,
                   struct gn_err *err)
{
    const struct gn_spec *spec = &road->spec;
    struct gn_vary v;
    int rc = gn_vary_parse(&spec->sweep, &v, err);

    if (rc)
        return rc;
    look(spec, &program->words, program->first_arg, &v);
    for (size_t k = 1; k <= v.members; k++) {
        struct gn_strs words = GN_STRS_INIT;

        gn_vary_words(&v, k, &program->words, program->first_arg, &words);
        gn_buf_addf(out, "%zu set --", k);
        for (size_t i = program->first_arg; i < words.n; i++) {
            gn_buf_addc(out, ' ');
            gn_buf_addshline(out, words.v[i]);
        }
        gn_buf_addf(out, "; gnj_run='%s.%zu'; export GNRRUN_MEMBER=%zu", road->run->name, k, k);
        add_env(&v, k, spec, out);
        gn_buf_addc(out, '\n');
        gn_strs_clear(&words);
    }
    gn_vary_clear(&v);
    return GN_OK;
}
