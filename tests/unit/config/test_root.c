/* test_root.c - which folder is the project, what it is called, and both files together. */
#include "kit.h"

static void expect(struct kit *k, const char *start, const char *root, const char *file)
{
    char s[512], want[512], *got = NULL, *yaml = NULL;

    snprintf(s, sizeof s, "%s/%s", k->home, start);
    snprintf(want, sizeof want, "%s%s%s", k->home, *root ? "/" : "", root);
    ok(k, gn_find_root(&k->ctx, s, &got, &yaml, &k->err));
    assert_string_equal(got, want);
    if (file) {
        snprintf(want, sizeof want, "%s/%s", k->home, file);
        assert_non_null(yaml);
        assert_string_equal(yaml, want);
    } else {
        assert_null(yaml);
    }
    free(got);
    free(yaml);
}

static void the_nearest_gnrrun_yaml_wins_then_git_then_the_folder(void **state)
{
    struct kit *k = *state;

    kit_write(k, "p/src/deep/train.py", "");
    expect(k, "p/src/deep/train.py", "p/src/deep", NULL);
    expect(k, "p/src/deep", "p/src/deep", NULL);
    expect(k, "p/src/deep/missing.py", "p/src/deep", NULL);
    kit_write(k, "p/.git/HEAD", "");
    expect(k, "p/src/deep/train.py", "p", NULL);
    kit_write(k, "p/src/.git", "gitdir: ...");
    expect(k, "p/src/deep/train.py", "p/src", NULL);
    kit_write(k, "p/gnrrun.yaml", "");
    expect(k, "p/src/deep/train.py", "p", "p/gnrrun.yaml");
    kit_write(k, "p/src/gnrrun.yaml", "");
    expect(k, "p/src/deep/train.py", "p/src", "p/src/gnrrun.yaml");
    kit_write(k, "p/src/deep/gnrrun.yaml/x", ""); /* a folder of that name is no such file */
    expect(k, "p/src/deep/train.py", "p/src", "p/src/gnrrun.yaml");
}

static void it_is_never_above_home(void **state)
{
    struct kit *k = *state;
    char home[128];

    kit_write(k, "gnrrun.yaml", "");
    kit_write(k, ".git/HEAD", "");
    snprintf(home, sizeof home, "%s/me", k->home);
    kit_write(k, "me/p/train.py", "");
    k->ctx.home = home;
    expect(k, "me/p/train.py", "me/p", NULL);
    kit_write(k, "me/.git/HEAD", ""); /* settings under git */
    expect(k, "me/p/train.py", "me/p", NULL);
    expect(k, "me", "me", NULL);
    kit_write(k, "me/gnrrun.yaml", "");
    expect(k, "me/p/train.py", "me", "me/gnrrun.yaml");
    kit_write(k, "other/train.py", ""); /* outside of home: all the way up */
    expect(k, "other/train.py", "", "gnrrun.yaml");
    kit_write(k, "mean/train.py", ""); /* begins like home but is not below it */
    expect(k, "mean/train.py", "", "gnrrun.yaml");
    k->ctx.home = NULL;
    expect(k, "me/p/train.py", "me", "me/gnrrun.yaml");
}

static void a_link_leads_to_the_same_project(void **state)
{
    struct kit *k = *state;
    char link[128], to[128];

    kit_write(k, "p/gnrrun.yaml", "");
    kit_write(k, "p/src/x", "");
    snprintf(to, sizeof to, "%s/p/src", k->home);
    snprintf(link, sizeof link, "%s/l", k->home);
    assert_int_equal(symlink(to, link), 0);
    expect(k, "l", "p", "p/gnrrun.yaml");
    expect(k, "l/../src/x", "p", "p/gnrrun.yaml");
}

static void a_start_that_is_nowhere_is_an_error(void **state)
{
    struct kit *k = *state;
    char *root = NULL, *file = NULL;

    assert_int_equal(gn_find_root(&k->ctx, "rel", &root, &file, &k->err), GN_E_BUG);
    assert_int_equal(gn_find_root(&k->ctx, "/no-such-folder/a\nb/c", &root, &file, &k->err),
                     GN_E_NOTFOUND);
    assert_string_equal(k->err.msg, "no folder '/no-such-folder/a\\x0ab'");
    ok(k, gn_find_root(&k->ctx, "/no-such-file", &root, &file, &k->err));
    assert_string_equal(root, "/");
    free(root);
    free(file);
}

static void a_folder_gives_a_name(void **state)
{
    static const char *const cases[][2] = {
        {"/home/s1/mnist", "mnist"},
        {"/home/s1/My Project (v2)", "My-Project-v2"},
        {"/x/.hidden", "hidden"},
        {"/x/a_b-c", "a_b-c"},
        {"/x/\xd0\xbf\xd1\x80", "project"},
        {"/", "project"},
        {"/x/--", "project"},
        {"/x/caf\xc3\xa9-net", "caf-net"},
        {"/x/_a", "a"},
        {"/x/2024", "2024"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *name = gn_name_from_folder(cases[i][0]);

        assert_string_equal(name, cases[i][1]);
        free(name);
    }
    char *name = gn_name_from_folder("/aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb"
                                     "aaaaaaaaaabbbbbbbbbb");
    assert_int_equal(strlen(name), 64);
    free(name);
}

static void both_files_are_read_and_the_projects_targets_come_first(void **state)
{
    struct kit *k = *state;
    struct gn_config c = {0};
    struct gn_target t = {0};
    char start[128];

    kit_write(k, "p/gnrrun.yaml", "targets: {a: {host: from-project}}\n");
    kit_write(k, ".config/gnrrun/config.yaml", "targets: {a: {host: from-user}, b: {}}\n");
    snprintf(start, sizeof start, "%s/p", k->home);
    ok(k, gn_config_load(&k->ctx, start, &c, &k->err));
    assert_string_equal(c.project.name, "p");
    assert_int_equal(c.n_targets, 3);
    assert_string_equal(c.user_file, k->config);
    ok(k, gn_target_resolve(&k->ctx, &c, "a", &t, &k->err));
    assert_string_equal(t.host, "from-project");
    gn_target_clear(&t);
    gn_config_clear(&c);

    kit_write(k, ".config/gnrrun/config.yaml", "tragets: {}\n");
    assert_int_equal(gn_config_load(&k->ctx, start, &c, &k->err), GN_E_CONFIG);
    assert_string_equal(k->err.msg, "config.yaml:1:1: unknown key 'tragets'");
    assert_string_equal(k->err.hint, "did you mean 'targets'?");
    unlink(k->config);
    ok(k, gn_config_load(&k->ctx, start, &c, &k->err));
    gn_config_clear(&c);
}

static void a_file_that_is_too_large_is_an_error(void **state)
{
    struct kit *k = *state;
    struct gn_config c = {0};
    char *big = calloc(1, GN_MAX_FILE + 2), start[128];

    memset(big, '#', GN_MAX_FILE + 1);
    kit_write(k, "p/gnrrun.yaml", big);
    free(big);
    snprintf(start, sizeof start, "%s/p", k->home);
    assert_int_equal(gn_config_load(&k->ctx, start, &c, &k->err), GN_E_CONFIG);
    assert_string_equal(k->err.msg, "gnrrun.yaml:1:1: larger than 1 MiB");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(the_nearest_gnrrun_yaml_wins_then_git_then_the_folder),
        T(it_is_never_above_home),
        T(a_link_leads_to_the_same_project),
        T(a_start_that_is_nowhere_is_an_error),
        T(a_folder_gives_a_name),
        T(both_files_are_read_and_the_projects_targets_come_first),
        T(a_file_that_is_too_large_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
