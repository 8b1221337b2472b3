/* test_target.c - from a word to a place. */
#include "hostspec.h"
#include "kit.h"

static struct gn_config config(const char *text)
{
    struct gn_config c = {0};
    struct gn_err err = GN_ERR_INIT;

    if (gn_config_parse("config.yaml", true, text, strlen(text), NULL, &c, &err))
        fail_msg("%s", err.msg);
    return c;
}

static void names_resolve_in_their_order(void **state)
{
    struct kit *k = *state;
    struct gn_config c = config("targets:\n  gpu3: {host: mine, tags: [a], env: {A: null}}\n");
    struct gn_target t = {0};

    ok(k, gn_target_resolve(&k->ctx, &c, "gpu3", &t, &k->err));
    assert_string_equal(t.host, "mine"); /* not the alias of the same name */
    assert_string_equal(t.where, "config.yaml:2:3");
    assert_int_equal(t.tags.n, 1);
    assert_null(t.env[0].value);
    gn_target_clear(&t);
    ok(k, gn_target_resolve(&k->ctx, &c, "local", &t, &k->err));
    assert_int_equal(t.type, GN_TARGET_LOCAL);
    gn_target_clear(&t);
    ok(k, gn_target_resolve(&k->ctx, &c, "ravan", &t, &k->err));
    assert_int_equal(t.type, GN_TARGET_SSH);
    assert_string_equal(t.host, "ravan");
    assert_string_equal(t.where, "~/.ssh/config");
    assert_null(t.user);
    assert_int_equal(t.nice, -1);
    gn_target_clear(&t);
    ok(k, gn_target_resolve(&k->ctx, &c, "s1@ravan.example:2222", &t, &k->err));
    assert_string_equal(t.host, "ravan.example");
    assert_string_equal(t.user, "s1");
    assert_int_equal(t.port, 2222);
    assert_string_equal(t.name, "s1@ravan.example:2222");
    gn_target_clear(&t);
    gn_config_clear(&c);
}

static void local_may_be_configured(void **state)
{
    struct kit *k = *state;
    struct gn_config c = config("targets: {local: {type: local, nice: 7}}");
    struct gn_target t = {0};

    ok(k, gn_target_resolve(&k->ctx, &c, "local", &t, &k->err));
    assert_int_equal(t.nice, 7);
    gn_target_clear(&t);
    gn_config_clear(&c);
}

static void refused(struct kit *k, const struct gn_config *c, const char *name, const char *msg,
                    const char *hint)
{
    struct gn_target t = {0};

    assert_int_equal(gn_target_resolve(&k->ctx, c, name, &t, &k->err), GN_E_CONFIG);
    assert_string_equal(k->err.msg, msg);
    if (hint)
        assert_string_equal(k->err.hint, hint);
}

static void an_unknown_or_odd_name_is_refused(void **state)
{
    struct kit *k = *state;
    struct gn_config c = config("targets: {cluster: {}}");
    char *big = calloc(1, 1 << 20);

    refused(k, &c, "ravn", "no target is called 'ravn'", "did you mean 'ravan'?");
    refused(k, &c, "clutser", "no target is called 'clutser'", "did you mean 'cluster'?");
    refused(k, &c, "colab", "no target is called 'colab'",
            "this version knows this machine and hosts that ssh can reach");
    refused(k, &c, "elsewhere.example", "no target is called 'elsewhere.example'",
            "'gnrrun targets' lists them; a host that is not among them: user@host");
    refused(k, &c, "-ravan", "'-ravan' cannot name a target", NULL);
    refused(k, &c, "", "'' cannot name a target", NULL);
    refused(k, &c, "a b", "'a b' cannot name a target", NULL);
    refused(k, &c, "a\x1b[2J", "'a\\x1b[2J' cannot name a target", NULL);
    refused(k, &c, "s1@-oProxyCommand=x", "'s1@-oProxyCommand=x' is not user@host[:port]", NULL);
    refused(k, &c, "odd$(x)", "no target is called 'odd$(x)'", NULL);
    memset(big, 'x', (1 << 20) - 1);
    assert_int_equal(gn_target_resolve(&k->ctx, &c, big, &(struct gn_target){0}, &k->err),
                     GN_E_CONFIG);
    free(big);
    gn_config_clear(&c);
}

static void all_names_are_listed_once(void **state)
{
    struct kit *k = *state;
    struct gn_config c = config("targets: {ravan: {}, b: {}}");
    struct gn_strs names = GN_STRS_INIT;

    ok(k, gn_target_names(&k->ctx, &c, &names, &k->err));
    assert_int_equal(names.n, 5);
    assert_string_equal(names.v[0], "ravan");
    assert_string_equal(names.v[1], "b");
    assert_string_equal(names.v[2], "local");
    assert_string_equal(names.v[3], "gpu3");
    gn_strs_clear(&names);
    gn_config_clear(&c);
}

static void hostspecs_are_read_or_refused(void **state)
{
    static const struct {
        const char *spec, *user, *host;
        int port;
    } good[] = {
        {"s1@h", "s1", "h", 0},
        {"h", NULL, "h", 0},
        {"s1@h:22", "s1", "h", 22},
        {"s1@dom.example@h", "s1@dom.example", "h", 0},
        {"s1@[fe80::1%eth0]:2222", "s1", "fe80::1%eth0", 2222},
        {"s1@[::1]", "s1", "::1", 0},
        {"s1@fe80::1", "s1", "fe80::1", 0},
        {"s1@10.0.0.1:65535", "s1", "10.0.0.1", 65535},
    };
    static const char *const bad[] = {
        "",       "@",          "@h",        "s1@",          "s1@:22", "s1@h:",    "s1@h:0",
        "s1@h:x", "s1@h:65536", "s1@h:-1",   "s1@h:999999",  "-s@h",   "s1@-h",    "s1@[::1",
        "s1@[]",  "s1@[::1]x",  "s1@[::1]:", "s 1@h",        "s1@h\n", "s1@`x`",   "s1@$HOME",
        "a;b@h",  "s1@h/x",     "s1@a,b",    "s1@h\xc3\xa9", "s1@*",   "s1@[-oX]", "a:b@h",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct gn_hostspec h = {0};

        assert_true(gn_hostspec_parse(good[i].spec, &h));
        assert_string_equal(h.host, good[i].host);
        assert_int_equal(h.port, good[i].port);
        assert_int_equal(h.user != NULL, good[i].user != NULL);
        if (h.user)
            assert_string_equal(h.user, good[i].user);
        gn_hostspec_clear(&h);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gn_hostspec h = {0};

        if (gn_hostspec_parse(bad[i], &h))
            fail_msg("'%s' was taken as host '%s'", bad[i], h.host);
    }
    assert_true(gn_is_jump("none"));
    assert_true(gn_is_jump("a,s1@b:22"));
    assert_false(gn_is_jump(""));
    assert_false(gn_is_jump("a,"));
    assert_false(gn_is_jump(",a"));
    assert_false(gn_is_jump("a, b"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(names_resolve_in_their_order),      T(local_may_be_configured),
        T(an_unknown_or_odd_name_is_refused), T(all_names_are_listed_once),
        T(hostspecs_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
