#include "tree.h"

/* A string that may stand where one is owned. */
#define S(text) ((char[]){text})

static const char *fake_env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "TOKEN") ? NULL : "s3cret'x";
}

struct written {
    struct gn_buf job, env;
    struct gn_err err;
    int rc;
};

static struct written write_job(struct tree *t, struct gn_target *target,
                                const struct gn_env_var *env, size_t n)
{
    struct written w = {.job = GN_BUF_INIT(GN_MAX_PROGRAM), .env = GN_BUF_INIT(GN_MAX_FILE)};
    struct gn_program p = {.kind = GN_PROG_PYTHON, .start = gn_strdup("t.py"), .first_arg = 1};
    struct gn_setup s = {.kind = GN_SETUP_NONE};
    struct gn_job_opts o = {.project = &t->project,
                            .target = target,
                            .program = &p,
                            .setup = &s,
                            .env = env,
                            .n_env = n};

    t->ctx.env = fake_env;
    gn_strs_add(&p.words, "t.py");
    gn_strs_add(&p.words, "it's\n$x");
    w.rc = gn_job_write(&t->ctx, &o, &w.job, &w.env, &w.err);
    gn_program_clear(&p);
    return w;
}

static void written_clear(struct written *w)
{
    gn_buf_clear(&w->job);
    gn_buf_clear(&w->env);
}

static void the_strongest_env_wins(void **state)
{
    struct tree *t = *state;
    struct gn_env_var project[] = {
        {S("A"), S("project")}, {S("B"), S("project")}, {S("GONE"), NULL}};
    struct gn_env_var on_target[] = {{S("B"), S("target")}, {S("C"), S("target")}};
    struct gn_env_var opts[] = {{S("C"), S("it's")}, {S("GONE"), S("here")}};
    struct gn_target target = {.env = on_target, .n_env = 2};

    t->project.env = project;
    t->project.n_env = 3;
    struct written w = write_job(t, &target, opts, 2);
    assert_int_equal(w.rc, GN_OK);
    assert_non_null(strstr(w.env.ptr, "export A='project'\n"));
    assert_non_null(strstr(w.env.ptr, "export B='target'\n"));
    assert_non_null(strstr(w.env.ptr, "export C='it'\\''s'\n"));
    assert_non_null(strstr(w.env.ptr, "export GONE='here'\n"));
    assert_non_null(strstr(w.job.ptr, "gnj_secret=''\n"));
    written_clear(&w);
}

static void a_secret_is_in_env_alone(void **state)
{
    struct tree *t = *state;
    struct gn_env_var opts[] = {{S("TOKEN"), NULL}};

    struct written w = write_job(t, NULL, opts, 1);
    assert_int_equal(w.rc, GN_OK);
    assert_non_null(strstr(w.env.ptr, "s3cret"));
    assert_null(strstr(w.job.ptr, "s3cret"));
    assert_non_null(strstr(w.job.ptr, "gnj_secret='1'\n"));
    written_clear(&w);

    opts[0].name = S("UNSET");
    w = write_job(t, NULL, opts, 1);
    assert_int_equal(w.rc, GN_E_CONFIG);
    assert_string_not_equal(w.err.hint, "");
    written_clear(&w);
}

static void names_that_would_do_harm_are_refused(void **state)
{
    struct tree *t = *state;
    static const char *const bad[] = {"",         "1A",   "A B",   "A=B", "A;id",        "A\n",
                                      "\303\244", "PPID", "gnj_x", "UID", "GNRRUN_ROOT", "IFS"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gn_env_var opts[] = {{gn_strdup(bad[i]), gn_strdup("x")}};
        struct written w = write_job(t, NULL, opts, 1);

        assert_int_equal(w.rc, GN_E_CONFIG);
        assert_int_equal(w.job.len, 0);
        written_clear(&w);
        free(opts[0].name);
        free(opts[0].value);
    }
}

static void python_is_a_name_a_path_or_a_version(void **state)
{
    struct tree *t = *state;
    struct gn_target target = {.python = gn_strdup("3.11")};

    struct written w = write_job(t, &target, NULL, 0);
    assert_non_null(strstr(w.job.ptr, "gnj_python='python3.11'\n"));
    written_clear(&w);
    strcpy(target.python, "-x");
    w = write_job(t, &target, NULL, 0);
    assert_int_equal(w.rc, GN_E_CONFIG);
    written_clear(&w);
    free(target.python);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tree_test(the_strongest_env_wins),
        tree_test(a_secret_is_in_env_alone),
        tree_test(names_that_would_do_harm_are_refused),
        tree_test(python_is_a_name_a_path_or_a_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
