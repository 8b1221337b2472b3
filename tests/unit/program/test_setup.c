#include "tree.h"

static enum gn_setup_kind detect(struct tree *t, const char *command, char key[65])
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_setup s = {.kind = GN_SETUP_NONE};

    assert_int_equal(gn_setup_detect(&t->ctx, &t->project, command, &s, &err), GN_OK);
    enum gn_setup_kind kind = s.kind;
    memcpy(key, s.key, 65);
    gn_setup_clear(&s);
    return kind;
}

static void the_first_file_that_is_there_counts(void **state)
{
    struct tree *t = *state;
    char key[65], other[65];

    assert_int_equal(detect(t, NULL, key), GN_SETUP_NONE);
    tree_file(t, "environment.yml", "dependencies: [python]\n", 0644);
    assert_int_equal(detect(t, NULL, key), GN_SETUP_CONDA);
    tree_file(t, "pyproject.toml", "[tool.ruff]\nline-length = 100\n", 0644);
    assert_int_equal(detect(t, NULL, key), GN_SETUP_CONDA);
    tree_file(t, "pyproject.toml", "[project]\nname = 'x'\n", 0644);
    assert_int_equal(detect(t, NULL, key), GN_SETUP_PYPROJECT);
    tree_file(t, "requirements.txt", "six\n", 0644);
    assert_int_equal(detect(t, NULL, key), GN_SETUP_REQUIREMENTS);
    assert_int_equal(detect(t, "make", other), GN_SETUP_COMMAND);
    assert_string_not_equal(key, other);
    assert_int_equal(detect(t, " \n", other), GN_SETUP_NONE);
    t->project.setup = gn_strdup("make");
    assert_int_equal(detect(t, NULL, key), GN_SETUP_COMMAND);
    free(t->project.setup);
}

static void the_key_follows_what_is_named(void **state)
{
    struct tree *t = *state;
    char a[65], b[65];
    const char *command = "pip install -r reqs/base.txt && sh prepare.sh";

    tree_file(t, "reqs/base.txt", "-r more.txt\nsix # -r no.txt\n", 0644);
    tree_file(t, "reqs/more.txt", "-c ../lock.txt\n-r base.txt\n", 0644);
    tree_file(t, "lock.txt", "six==1\n", 0644);
    tree_file(t, "prepare.sh", "true\n", 0644);
    tree_file(t, "train.py", "1\n", 0644);
    detect(t, command, a);
    detect(t, command, b);
    assert_string_equal(a, b);
    tree_file(t, "train.py", "2\n", 0644);
    detect(t, command, b);
    assert_string_equal(a, b);
    tree_file(t, "lock.txt", "six==2\n", 0644);
    detect(t, command, b);
    assert_string_not_equal(a, b);
    tree_file(t, "prepare.sh", "false\n", 0644);
    detect(t, command, a);
    assert_string_not_equal(a, b);
    detect(t, "sh prepare.sh", b);
    assert_string_not_equal(a, b);
}

static void what_is_the_projects_own_is_local(void **state)
{
    struct tree *t = *state;
    struct gn_err err = GN_ERR_INIT;
    struct gn_setup s = {.kind = GN_SETUP_NONE};

    tree_file(t, "requirements.txt", "six\n-e ./lib[gpu]\n", 0644);
    tree_file(t, "lib/setup.py", "", 0644);
    tree_file(t, "pkg/setup.py", "", 0644);
    assert_int_equal(gn_setup_detect(&t->ctx, &t->project, NULL, &s, &err), GN_OK);
    assert_true(s.local && s.venv);
    assert_int_equal(s.paths.n, 1);
    assert_string_equal(s.paths.v[0], "lib");
    gn_setup_clear(&s);

    tree_file(t, "requirements.txt", "six\n/etc\n-r /etc/passwd\n-r ../../x\n", 0644);
    assert_int_equal(gn_setup_detect(&t->ctx, &t->project, NULL, &s, &err), GN_OK);
    assert_false(s.local);
    gn_setup_clear(&s);

    assert_int_equal(gn_setup_detect(&t->ctx, &t->project, "pip install -e .", &s, &err), GN_OK);
    assert_true(s.local && s.venv);
    assert_string_equal(s.paths.v[0], ".");
    gn_setup_clear(&s);

    assert_int_equal(gn_setup_detect(&t->ctx, &t->project, "pip install ./pkg", &s, &err), GN_OK);
    assert_true(s.local);
    assert_int_equal(s.paths.n, 0);
    gn_setup_clear(&s);

    assert_int_equal(gn_setup_detect(&t->ctx, &t->project, "make all", &s, &err), GN_OK);
    assert_false(s.local || s.venv);
    gn_setup_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tree_test(the_first_file_that_is_there_counts),
        tree_test(the_key_follows_what_is_named),
        tree_test(what_is_the_projects_own_is_local),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
