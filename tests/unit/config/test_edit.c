/* test_edit.c - config.yaml is changed as text: what a person wrote stays. */
#include "kit.h"

#define NEW_BLOCK "  new:\n    type: ssh\n    host: h.example\n"

static struct gn_target new_target(void)
{
    struct gn_target t = {.type = GN_TARGET_SSH, .nice = -1};

    t.name = gn_strdup("new");
    t.type_name = gn_strdup("ssh");
    t.host = gn_strdup("h.example");
    return t;
}

static void add_gives(struct kit *k, const char *before, const char *after)
{
    struct gn_target t = new_target();
    char *got;

    kit_write(k, ".config/gnrrun/config.yaml", before);
    ok(k, gn_config_add_target(&k->ctx, &t, &k->err));
    got = kit_read(k->config);
    assert_string_equal(got, after);
    free(got);
    gn_target_clear(&t);
}

static void add_refuses(struct kit *k, const char *before, const char *msg)
{
    struct gn_target t = new_target();
    char *got;

    kit_write(k, ".config/gnrrun/config.yaml", before);
    assert_int_equal(gn_config_add_target(&k->ctx, &t, &k->err), GN_E_CONFIG);
    if (!strstr(k->err.msg, msg))
        fail_msg("'%s' gives '%s'", before, k->err.msg);
    got = kit_read(k->config);
    assert_string_equal(got, before);
    free(got);
    gn_target_clear(&t);
}

static void a_missing_file_is_made_for_its_owner_alone(void **state)
{
    struct kit *k = *state;
    struct gn_target t = new_target();
    mode_t old = umask(0);
    struct stat sb;
    char *got;

    ok(k, gn_config_add_target(&k->ctx, &t, &k->err));
    umask(old);
    got = kit_read(k->config);
    assert_string_equal(got, "targets:\n" NEW_BLOCK);
    free(got);
    assert_int_equal(stat(k->config, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0600);
    assert_int_equal(stat(k->config_dir, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0700);
    assert_int_equal(gn_config_add_target(&k->ctx, &t, &k->err), GN_E_EXISTS);
    assert_string_equal(k->err.msg, "target 'new' is there already: config.yaml:2:3");
    gn_target_clear(&t);
}

static void a_target_is_put_behind_the_others(void **state)
{
    struct kit *k = *state;

    add_gives(k, "", "targets:\n" NEW_BLOCK);
    add_gives(k, "# mine\n", "# mine\ntargets:\n" NEW_BLOCK);
    add_gives(k, "choose: {max_cost: 0}", "choose: {max_cost: 0}\ntargets:\n" NEW_BLOCK);
    add_gives(k, "targets:\n", "targets:\n" NEW_BLOCK);
    add_gives(k, "targets: # mine\nchoose: {}\n", "targets: # mine\n" NEW_BLOCK "choose: {}\n");
    add_gives(k, "targets: {}\n", "targets:\n" NEW_BLOCK);
    add_gives(k, "targets: {}   # none yet\n", "targets: # none yet\n" NEW_BLOCK);
    add_gives(k, "targets: null", "targets:\n" NEW_BLOCK);
    add_gives(k,
              "targets:\n  # first\n  a: {host: b} # c\n\n  # second\n  d:\n    host: e\n\n"
              "# choice\nchoose: {}\n",
              "targets:\n  # first\n  a: {host: b} # c\n\n  # second\n  d:\n    host: "
              "e\n" NEW_BLOCK "\n# choice\nchoose: {}\n");
    add_gives(k, "targets:\n  a:\n    setup: |\n      x\n      # y\n",
              "targets:\n  a:\n    setup: |\n      x\n      # y\n" NEW_BLOCK);
    add_gives(k, "targets:\n  a: {}\n  # the end", "targets:\n  a: {}\n  # the end\n" NEW_BLOCK);
    add_gives(k, "---\ntargets:\n  a: {}\n...\n", "---\ntargets:\n  a: {}\n" NEW_BLOCK "...\n");
    add_gives(k, "targets:\n    a:\n        host: b\n",
              "targets:\n    a:\n        host: b\n    new:\n      type: ssh\n      host: "
              "h.example\n");
}

static void what_cannot_be_edited_safely_is_left_alone(void **state)
{
    struct kit *k = *state;

    add_refuses(k, "targets: {a: {host: b}}\n", "config.yaml:1:10: targets are written in { }");
    add_refuses(k, "targets: {\n}\n", "config.yaml:1:10: targets are written in { }");
    add_refuses(k, "{targets: {a: {}}}\n", "config.yaml:1:1: targets are written in { }");
    add_refuses(k, "{choose: {}}\n", "written in { }");
    add_refuses(k, "tragets: {}\n", "config.yaml:1:1: unknown key 'tragets'");
    add_refuses(k, "targets:\n  a: {host: [}\n", "config.yaml:2:");
    add_refuses(k, "{}\n", "");
}

static void odd_values_come_back_as_they_were(void **state)
{
    struct kit *k = *state;
    struct gn_env_var env[] = {{0}, {0}, {0}};
    struct gn_target t = new_target(), got = {0};
    struct gn_config c = {0};

    env[0] = (struct gn_env_var){gn_strdup("A"), gn_strdup("x: y # \"z\\\" 'q' \xc3\xa9\t")};
    env[1] = (struct gn_env_var){gn_strdup("TRUE"), gn_strdup("null")};
    env[2] = (struct gn_env_var){gn_strdup("SECRET"), NULL};
    t.env = gn_calloc(3, sizeof *t.env);
    memcpy(t.env, env, sizeof env);
    t.n_env = 3;
    t.user = gn_strdup("s1@dom");
    t.port = 2222;
    t.jump = gn_strdup("g@gate:22,h2");
    t.identity = gn_strdup("/k/my key");
    t.workdir = gn_strdup("~/#x");
    t.shared = true;
    t.nice = 0;
    t.python = gn_strdup("yes");
    t.setup = gn_strdup("module load cuda\nexport A=\"$B\"\n");
    gn_strs_add(&t.tags, "campus");
    gn_strs_add(&t.tags, "no");
    ok(k, gn_config_add_target(&k->ctx, &t, &k->err));
    ok(k, gn_config_load(&k->ctx, k->home, &c, &k->err));
    ok(k, gn_target_resolve(&k->ctx, &c, "new", &got, &k->err));
    assert_string_equal(got.user, t.user);
    assert_int_equal(got.port, 2222);
    assert_string_equal(got.jump, t.jump);
    assert_string_equal(got.identity, t.identity);
    assert_string_equal(got.workdir, t.workdir);
    assert_true(got.shared);
    assert_int_equal(got.nice, 0);
    assert_string_equal(got.python, "yes");
    assert_string_equal(got.setup, t.setup);
    assert_int_equal(got.tags.n, 2);
    assert_string_equal(got.tags.v[1], "no");
    assert_int_equal(got.n_env, 3);
    assert_string_equal(got.env[0].value, t.env[0].value);
    assert_string_equal(got.env[1].name, "TRUE");
    assert_string_equal(got.env[1].value, "null");
    assert_null(got.env[2].value);
    gn_target_clear(&got);
    gn_config_clear(&c);
    gn_target_clear(&t);
}

static void a_wrong_target_is_not_written(void **state)
{
    struct kit *k = *state;
    struct gn_target t = new_target();

    free(t.host);
    t.host = gn_strdup("-oProxyCommand=x");
    assert_int_equal(gn_config_add_target(&k->ctx, &t, &k->err), GN_E_CONFIG);
    assert_false(gn_fs_is_file(k->config));
    free(t.host);
    t.host = gn_strdup("h\xff");
    assert_int_equal(gn_config_add_target(&k->ctx, &t, &k->err), GN_E_CONFIG);
    free(t.name);
    t.name = gn_strdup("a: b");
    assert_int_equal(gn_config_add_target(&k->ctx, &t, &k->err), GN_E_CONFIG);
    assert_false(gn_fs_is_file(k->config));
    gn_target_clear(&t);
}

static void rm_gives(struct kit *k, const char *before, const char *name, const char *after)
{
    char *got;

    kit_write(k, ".config/gnrrun/config.yaml", before);
    ok(k, gn_config_rm_target(&k->ctx, name, &k->err));
    got = kit_read(k->config);
    assert_string_equal(got, after);
    free(got);
}

static void a_target_is_taken_out_and_the_rest_stays(void **state)
{
    struct kit *k = *state;
    const char *const three = "# top\ntargets:\n  # of a\n  a: {host: x}\n\n  # of b\n  b:\n    "
                              "# in b\n    host: y\n    # end of b\n\n  # of c\n  c:\n    host: "
                              "z\n# below\nchoose: {}\n";

    rm_gives(k, three, "b",
             "# top\ntargets:\n  # of a\n  a: {host: x}\n\n  # of b\n\n  # of c\n  c:\n    host: "
             "z\n# below\nchoose: {}\n");
    rm_gives(k, three, "c",
             "# top\ntargets:\n  # of a\n  a: {host: x}\n\n  # of b\n  b:\n    # in b\n    host: "
             "y\n    # end of b\n\n  # of c\n# below\nchoose: {}\n");
    rm_gives(k, "targets:\n  ? a\n  : host: b\n  c: {}\n", "a", "targets:\n  c: {}\n");
    rm_gives(k, "targets:\n  a: {host: x}\n", "a", "targets:\n");
    rm_gives(k, "targets:\n  a: {host: x,\n    user: y}\n  b: {}", "a", "targets:\n  b: {}");
    rm_gives(k, "targets:\n  a: {}\n  b:\n    setup: |\n      x\n      # y", "b",
             "targets:\n  a: {}\n");
}

static void only_what_is_there_can_be_taken_out(void **state)
{
    struct kit *k = *state;

    assert_int_equal(gn_config_rm_target(&k->ctx, "a", &k->err), GN_E_NOTFOUND);
    kit_write(k, ".config/gnrrun/config.yaml", "targets: {a: {}, b: {}}\n");
    assert_int_equal(gn_config_rm_target(&k->ctx, "a", &k->err), GN_E_CONFIG);
    assert_int_equal(gn_config_rm_target(&k->ctx, "c\n", &k->err), GN_E_NOTFOUND);
    assert_null(strchr(k->err.msg, '\n'));
    assert_int_equal(gn_config_rm_target(&k->ctx, "", &k->err), GN_E_NOTFOUND);
}

static void a_linked_file_stays_a_link_and_keeps_its_mode(void **state)
{
    struct kit *k = *state;
    struct gn_target t = new_target();
    char real[128];
    struct stat sb;

    kit_write(k, "dotfiles/config.yaml", "targets:\n");
    snprintf(real, sizeof real, "%s/dotfiles/config.yaml", k->home);
    assert_int_equal(chmod(real, 0640), 0);
    assert_int_equal(gn_fs_mkdirs(k->config_dir, 0700, &k->err), 0);
    assert_int_equal(symlink(real, k->config), 0);
    ok(k, gn_config_add_target(&k->ctx, &t, &k->err));
    assert_int_equal(lstat(k->config, &sb), 0);
    assert_true(S_ISLNK(sb.st_mode));
    assert_int_equal(stat(real, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0640);
    gn_target_clear(&t);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(a_missing_file_is_made_for_its_owner_alone),
        T(a_target_is_put_behind_the_others),
        T(what_cannot_be_edited_safely_is_left_alone),
        T(odd_values_come_back_as_they_were),
        T(a_wrong_target_is_not_written),
        T(a_target_is_taken_out_and_the_rest_stays),
        T(only_what_is_there_can_be_taken_out),
        T(a_linked_file_stays_a_link_and_keeps_its_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
