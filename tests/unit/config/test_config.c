/* test_config.c - keys and values of both files, without any file. */
#include "hostspec.h"
#include "kit.h"

static const char *name_of(bool user)
{
    return user ? "config.yaml" : "gnrrun.yaml";
}

static struct gn_config parse(bool user, const char *text)
{
    struct gn_config c = {0};
    struct gn_err err = GN_ERR_INIT;

    if (gn_config_parse(name_of(user), user, text, strlen(text), "/home/s1", &c, &err))
        fail_msg("%s (%s)", err.msg, err.hint);
    return c;
}

static void refused(bool user, const char *text, const char *msg, const char *hint)
{
    struct gn_config c = {0};
    struct gn_err err = GN_ERR_INIT;
    int rc = gn_config_parse(name_of(user), user, text, strlen(text), "/home/s1", &c, &err);

    gn_config_clear(&c);
    if (rc != GN_E_CONFIG || strcmp(err.msg, msg) != 0)
        fail_msg("'%s' gives %d '%s', not '%s'", text, rc, err.msg, msg);
    if (hint)
        assert_string_equal(err.hint, hint);
}

static void the_example_of_the_manual_is_read(void **state)
{
    struct gn_config c = parse(false, "name: mnist\n"
                                      "run: python train.py\n"
                                      "python: \">=3.9\"\n"
                                      "setup: pip install -r requirements.txt\n"
                                      "env: {PYTHONHASHSEED: 0, WANDB_API_KEY: null, EMPTY: ''}\n"
                                      "data: [data/imagenet, {path: ./data//cifar/, on: {ravan: "
                                      "/shared/cifar}}]\n"
                                      "results: [\"checkpoints/**\", \"!**/*.tmp\"]\n"
                                      "ignore: \"*.ckpt\"\n"
                                      "allow: [.env.example]\n"
                                      "needs: {gpus: 1, gpu_memory: 8GB, gpu_type: T4, cpus: 4, "
                                      "memory: 16GiB, nodes: 2, time: 2h}\n"
                                      "choose: {prefer: [local], max_cost: $0}\n");
    const struct gn_project *p = &c.project;

    (void)state;
    assert_string_equal(p->name, "mnist");
    assert_string_equal(p->run, "python train.py");
    assert_string_equal(p->python, ">=3.9");
    assert_string_equal(p->setup, "pip install -r requirements.txt");
    assert_int_equal(p->n_env, 3);
    assert_string_equal(p->env[0].value, "0");
    assert_null(p->env[1].value);
    assert_string_equal(p->env[2].value, "");
    assert_int_equal(p->n_data, 2);
    assert_string_equal(p->data[0].path, "data/imagenet");
    assert_string_equal(p->data[1].path, "data/cifar");
    assert_string_equal(p->data[1].on[0].target, "ravan");
    assert_string_equal(p->data[1].on[0].path, "/shared/cifar");
    assert_int_equal(p->results.n, 2);
    assert_string_equal(p->ignore.v[0], "*.ckpt");
    assert_string_equal(p->allow.v[0], ".env.example");
    assert_int_equal(p->needs.gpus, 1);
    assert_int_equal(p->needs.gpu_mem_bytes, 8000000000);
    assert_string_equal(p->needs.gpu_type, "T4");
    assert_int_equal(p->needs.memory_bytes, 16ULL << 30);
    assert_int_equal(p->needs.cpus, 4);
    assert_int_equal(p->needs.nodes, 2);
    assert_int_equal(p->needs.time_s, 7200);
    assert_int_equal(c.notes.n, 0);
    assert_string_equal(c.choose.prefer.v[0], "local");
    assert_true(c.choose.has_max_cost && c.choose.max_cost_microusd == 0);
    assert_false(c.users_choose.has_max_cost);
    gn_config_clear(&c);
}

static void targets_of_every_kind_are_read(void **state)
{
    struct gn_config c = parse(
        true, "targets:\n"
              "  ravan: {type: ssh, host: ravan.example.ac.in, user: s1, port: 2222, jump: "
              "g@gate:22, identity: ~/.ssh/k, workdir: /scratch/s1, shared: true, nice: 5,\n"
              "    python: python3.11, setup: [module load cuda, ulimit -c 0], tags: [campus, "
              "gpu], env: {A: b}}\n"
              "  here: {type: local, nice: 0}\n"
              "  alias:\n"
              "  pclab:   {type: ssh, hosts: [\"pc[01-40].example.ac.in\"], tags: [campus]}\n"
              "  one: {hosts: [only.example]}\n"
              "  cluster: {host: login, scheduler: slurm, partition: gpu, account: a1, modules: "
              "[cuda/12.2, gcc], setup: ulimit -c 0, submit: [--constraint=v100]}\n"
              "  plain: {host: h, scheduler: direct}\n"
              "  aws: {type: colab, region: ap-south-1, odd: [1, {a: b}]}\n");
    const struct gn_target *t = c.targets;

    (void)state;
    assert_int_equal(c.n_targets, 8);
    assert_int_equal(t->type, GN_TARGET_SSH);
    assert_string_equal(t->where, "config.yaml:2:3");
    assert_string_equal(t->host, "ravan.example.ac.in");
    assert_string_equal(t->user, "s1");
    assert_int_equal(t->port, 2222);
    assert_string_equal(t->jump, "g@gate:22");
    assert_string_equal(t->identity, "/home/s1/.ssh/k");
    assert_string_equal(t->workdir, "/scratch/s1");
    assert_true(t->shared);
    assert_int_equal(t->nice, 5);
    assert_string_equal(t->python, "python3.11");
    assert_string_equal(t->setup, "module load cuda\nulimit -c 0");
    assert_int_equal(t->tags.n, 2);
    assert_string_equal(t->env[0].value, "b");
    assert_int_equal(t[1].type, GN_TARGET_LOCAL);
    assert_null(t[1].host);
    assert_int_equal(t[1].nice, 0);
    assert_int_equal(t[2].type, GN_TARGET_SSH);
    assert_string_equal(t[2].host, "alias");
    assert_int_equal(t[2].nice, -1);
    assert_int_equal(t[3].type, GN_TARGET_SSH);
    assert_null(t[3].host);
    assert_int_equal(t[3].hosts.n, 40);
    assert_string_equal(t[3].hosts.v[0], "pc01.example.ac.in");
    assert_string_equal(t[3].hosts.v[39], "pc40.example.ac.in");
    assert_int_equal(t[4].type, GN_TARGET_SSH);
    assert_string_equal(t[4].host, "only.example");
    assert_int_equal(t[5].type, GN_TARGET_SSH);
    assert_string_equal(t[5].scheduler, "slurm");
    assert_string_equal(t[5].partition, "gpu");
    assert_string_equal(t[5].account, "a1");
    assert_null(t[5].qos);
    assert_string_equal(t[5].submit.v[0], "--constraint=v100");
    assert_non_null(strstr(t[5].setup, "\nmodule load cuda/12.2 gcc\nulimit -c 0"));
    assert_null(t[6].scheduler);
    assert_int_equal(t[6].type, GN_TARGET_SSH);
    assert_int_equal(t[7].type, GN_TARGET_LATER);
    assert_string_equal(t[7].type_name, "colab");
    assert_int_equal(c.notes.n, 1);
    gn_config_clear(&c);
}

static void nothing_given_is_nothing_set(void **state)
{
    struct gn_config c = parse(false, "setup:\nenv: ~\ntargets: {}\ndata: []\n");

    (void)state;
    assert_null(c.project.setup);
    assert_int_equal(c.project.n_env + c.project.n_data + c.n_targets, 0);
    gn_config_clear(&c);
    c = parse(true, "");
    gn_config_clear(&c);
    c = parse(true, "null");
    gn_config_clear(&c);
}

static void an_unknown_key_is_an_error_with_the_nearest_one(void **state)
{
    (void)state;
    refused(false, "name: a\n\nreslts: x\n", "gnrrun.yaml:3:1: unknown key 'reslts'",
            "did you mean 'results'?");
    refused(false, "needs:\n  gpu: 1\n", "gnrrun.yaml:2:3: unknown key 'gpu'",
            "did you mean 'gpus'?");
    refused(false, "zzzzzz: 1\n", "gnrrun.yaml:1:1: unknown key 'zzzzzz'",
            "valid keys: name, run, python, setup, env, data, results, ignore, allow, needs, "
            "choose, targets");
    refused(true, "name: a\n", "config.yaml:1:1: unknown key 'name'",
            "valid keys: targets, keep, choose");
    refused(true, "targets: {a: {hots: b}}", "config.yaml:1:15: unknown key 'hots'", NULL);
    refused(true, "targets: {a: {<<: b}}", "config.yaml:1:15: unknown key '<<'", NULL);
    refused(true, "choose: {max_costs: 1}", "config.yaml:1:10: unknown key 'max_costs'",
            "did you mean 'max_cost'?");
    refused(true, "choose: {max_cost: -1}",
            "config.yaml:1:20: 'max_cost' must be an amount such as $2.50 or 0, not '-1'", NULL);
    refused(true, "choose: {prefer: [local, moon]}",
            "config.yaml:1:18: 'prefer' must be a list of local, campus, free and paid, each once",
            NULL);
    refused(true, "choose: {prefer: [paid, paid]}",
            "config.yaml:1:18: 'prefer' must be a list of local, campus, free and paid, each once",
            NULL);
    refused(false, "data: [{pth: a}]", "gnrrun.yaml:1:9: unknown key 'pth'",
            "did you mean 'path'?");
    refused(false, "\"a\\e[2J\\n\": 1\n", "gnrrun.yaml:1:1: unknown key 'a\\x1b[2J\\x0a'", NULL);
}

static void how_long_a_connection_is_kept(void **state)
{
    struct gn_config c =
        parse(true, "keep: 8h\ntargets: {a: {keep: no}, b: {keep: 0}, c: {keep: 30m}, "
                    "d: {keep: yes}, e: {}}\n");
    const int64_t want[] = {-1, -1, 1800, GN_KEEP_S, 0};

    (void)state;
    assert_int_equal(c.keep_s, 8 * 3600);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(c.targets[i].keep_s, want[i]);
    gn_config_clear(&c);
    refused(
        true, "keep: 40d",
        "config.yaml:1:7: 'keep' must be a time of at most 30 days such as 8h, or no, not '40d'",
        NULL);
    refused(
        true, "keep: [1h]",
        "config.yaml:1:7: 'keep' must be a time of at most 30 days such as 8h, or no, not a list",
        NULL);
}

static void a_wrong_value_is_an_error_that_says_what_would_do(void **state)
{
    (void)state;
    refused(false, "- a\n", "gnrrun.yaml:1:1: 'the file' must be a map (key: value), not a list",
            NULL);
    refused(false, "name: a b",
            "gnrrun.yaml:1:7: 'name' must be a short name of letters, digits, "
            "- and _, not 'a b'",
            NULL);
    refused(false, "name: ../x",
            "gnrrun.yaml:1:7: 'name' must be a short name of letters, "
            "digits, - and _, not '../x'",
            NULL);
    refused(false, "run: [a]", "gnrrun.yaml:1:6: 'run' must be one line of text, not a list", NULL);
    refused(false, "run: ''", "gnrrun.yaml:1:6: 'run' must be one line of text, not empty", NULL);
    refused(false, "python: \"a\\nb\"",
            "gnrrun.yaml:1:9: 'python' must be one line of text, not 'a\\x0ab'", NULL);
    refused(false, "setup: {a: b}",
            "gnrrun.yaml:1:8: 'setup' must be lines of sh, or a list of them, not a map", NULL);
    refused(false, "env: [A=b]",
            "gnrrun.yaml:1:6: 'env' must be a map of names and values, not a list", NULL);
    refused(false, "env: {A-B: c}", "gnrrun.yaml:1:7: 'A-B' cannot name an environment variable",
            NULL);
    refused(false, "env: {1A: c}", "gnrrun.yaml:1:7: '1A' cannot name an environment variable",
            NULL);
    refused(false, "env: {A: [c]}",
            "gnrrun.yaml:1:10: 'A' must be a text, or null to take it from the environment here, "
            "not a list",
            NULL);
    refused(false, "data: /abs",
            "gnrrun.yaml:1:7: 'data' must be a folder or file below the project, not '/abs'", NULL);
    refused(false, "data: [a/../../b]",
            "gnrrun.yaml:1:8: 'data' must be a folder or file below the project, not "
            "'a/../../b'",
            NULL);
    refused(false, "data: [.]",
            "gnrrun.yaml:1:8: 'data' must be a folder or file below the project, not '.'", NULL);
    refused(false, "data: [a, ./a/]", "gnrrun.yaml:1:11: 'data' must be named once, not './a/'",
            NULL);
    refused(false, "data: [{on: {a: /b}}]", "gnrrun.yaml:1:8: 'path' is missing", NULL);
    refused(false, "data: [{path: a, on: {r: rel}}]",
            "gnrrun.yaml:1:26: 'r' must be a path that begins with / or ~/, not 'rel'", NULL);
    refused(false, "results: [[a]]",
            "gnrrun.yaml:1:11: 'results' must be a text or a list of texts, not a list", NULL);
    refused(false, "needs: {gpus: -1}",
            "gnrrun.yaml:1:15: 'gpus' must be a number from 0 to 1000000, not '-1'", NULL);
    refused(false, "needs: {gpus: 1.5}",
            "gnrrun.yaml:1:15: 'gpus' must be a number from 0 to 1000000, not '1.5'", NULL);
    refused(false, "needs: {cpus: 99999999999999999999}",
            "gnrrun.yaml:1:15: 'cpus' must be a number from 0 to 1000000, not "
            "'99999999999999999999'",
            NULL);
    refused(false, "needs: {memory: much}",
            "gnrrun.yaml:1:17: 'memory' must be a size such as 8GB or 512M, not 'much'", NULL);
    refused(false, "needs: {time: 0}",
            "gnrrun.yaml:1:15: 'time' must be a time such as 90s, 10m, 2h or 1-12:00:00, not '0'",
            NULL);
    refused(false, "needs: 3", "gnrrun.yaml:1:8: 'needs' must be a map (key: value), not '3'",
            NULL);
}

static void a_wrong_target_is_an_error(void **state)
{
    (void)state;
    refused(true, "targets: [a]",
            "config.yaml:1:10: 'targets' must be a map of names and targets, not a list", NULL);
    refused(true, "targets: {-a: {}}", "config.yaml:1:11: '-a' cannot name a target", NULL);
    refused(true, "targets: {a b: {}}", "config.yaml:1:11: 'a b' cannot name a target", NULL);
    refused(true, "targets: {a: s1@h}",
            "config.yaml:1:14: 'a' must be a map (key: value), not 's1@h'", NULL);
    refused(true, "targets: {a: {type: shs}}",
            "config.yaml:1:21: 'type' must be the type of a target, not 'shs'",
            "did you mean 'ssh'?");
    refused(true, "targets: {a: {type: [x]}}",
            "config.yaml:1:21: 'type' must be one line of text, not a list", NULL);
    refused(true, "targets: {a: {host: -oProxyCommand=x}}",
            "config.yaml:1:21: 'host' must be the name, alias or address of a host, not "
            "'-oProxyCommand=x'",
            NULL);
    refused(true, "targets: {a: {host: \"h;rm\"}}",
            "config.yaml:1:21: 'host' must be the name, alias or address of a host, not 'h;rm'",
            NULL);
    refused(true, "targets: {a: {user: \"$(x)\"}}",
            "config.yaml:1:21: 'user' must be a user's name, not '$(x)'", NULL);
    refused(true, "targets: {a: {port: 0}}",
            "config.yaml:1:21: 'port' must be a number from 1 to 65535, not '0'", NULL);
    refused(true, "targets: {a: {nice: 20}}",
            "config.yaml:1:21: 'nice' must be a number from 0 to 19, not '20'", NULL);
    refused(true, "targets: {a: {shared: 'true'}}",
            "config.yaml:1:23: 'shared' must be true or false, not 'true'", NULL);
    refused(true, "targets: {a: {workdir: rel}}",
            "config.yaml:1:24: 'workdir' must be a path there that begins with / or ~/, not 'rel'",
            NULL);
    refused(true, "targets: {a: {jump: \"a,,b\"}}",
            "config.yaml:1:21: 'jump' must be hosts as user@host:port, with commas between, not "
            "'a,,b'",
            NULL);
    refused(true, "targets: {a: {tags: [a b]}}",
            "config.yaml:1:22: 'tags' must be words of letters, digits, . _ and -, not 'a b'",
            NULL);
    refused(true, "targets: {a: {host: b, hosts: [c]}}",
            "config.yaml:1:24: 'host' and 'hosts' exclude each other", NULL);
    refused(true, "targets: {a: {hosts: [-x]}}",
            "config.yaml:1:23: 'hosts' must be names or addresses of hosts, each once, at most "
            "1000: pc[01-40], not '-x'",
            NULL);
    refused(true, "targets: {a: {scheduler: slrum}}",
            "config.yaml:1:26: 'scheduler' must be direct, slurm, pbs or sge, not 'slrum'",
            "did you mean 'slurm'?");
    refused(true, "targets: {a: {type: local, host: b}}",
            "config.yaml:1:28: 'host' has no meaning for a target of type 'local'", NULL);
}

static void ranges_of_hosts(void **state)
{
    static const struct {
        const char *text, *first, *last;
        size_t n;
    } good[] = {{"a", "a", "a", 1},
                {"pc[01-03].x", "pc01.x", "pc03.x", 3},
                {"pc[8-11]", "pc8", "pc11", 4},
                {"pc[1-2,7,9]", "pc1", "pc9", 4},
                {"r[1-2]n[1-3]", "r1n1", "r2n3", 6},
                {"[001-1000]", "001", "1000", 1000}};
    static const char *const bad[] = {
        "",       "-x",         "a b",       "pc[]",      "pc[1-2",
        "pc1-2]", "pc[2-1]",    "pc[a-b]",   "pc[1-2]x[", "pc[1,1]",
        "[1-]",   "pc[0-1000]", "[0000001]", "pc[1;2]",   "a[1-999]b[1-999]"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct gn_strs out = GN_STRS_INIT;

        assert_true(gn_hostlist_expand(good[i].text, &out));
        assert_int_equal(out.n, good[i].n);
        assert_string_equal(out.v[0], good[i].first);
        assert_string_equal(out.v[out.n - 1], good[i].last);
        gn_strs_clear(&out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gn_strs out = GN_STRS_INIT;

        assert_false(gn_hostlist_expand(bad[i], &out));
        gn_strs_clear(&out);
    }
}

static void a_member_of_a_pool_is_a_target(void **state)
{
    struct gn_config c = parse(true, "targets:\n  lab: {hosts: [\"pc[1-3].x.org\", pc2.y.org], "
                                     "user: s1, shared: true}\n");
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_err err = GN_ERR_INIT;
    struct gn_target t;

    (void)state;
    ctx.home = "/nonexistent";
    assert_int_equal(gn_target_resolve(&ctx, &c, "lab/pc3.x.org", &t, &err), GN_OK);
    assert_string_equal(t.name, "lab/pc3.x.org");
    assert_string_equal(t.host, "pc3.x.org");
    assert_string_equal(t.user, "s1");
    assert_true(t.shared && t.hosts.n == 0);
    gn_target_clear(&t);
    assert_int_equal(gn_target_resolve(&ctx, &c, "lab/pc1", &t, &err), GN_OK);
    assert_string_equal(t.name, "lab/pc1.x.org");
    gn_target_clear(&t);
    assert_int_equal(gn_target_resolve(&ctx, &c, "lab", &t, &err), GN_OK);
    assert_int_equal(t.hosts.n, 4);
    gn_target_clear(&t);
    /* two of that name, a part of a name, none */
    assert_int_equal(gn_target_resolve(&ctx, &c, "lab/pc2", &t, &err), GN_E_CONFIG);
    assert_int_equal(gn_target_resolve(&ctx, &c, "lab/pc", &t, &err), GN_E_CONFIG);
    assert_int_equal(gn_target_resolve(&ctx, &c, "lab/", &t, &err), GN_E_CONFIG);
    assert_int_equal(gn_target_resolve(&ctx, &c, "la/pc1", &t, &err), GN_E_CONFIG);
    gn_config_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_manual_is_read),
        cmocka_unit_test(targets_of_every_kind_are_read),
        cmocka_unit_test(nothing_given_is_nothing_set),
        cmocka_unit_test(an_unknown_key_is_an_error_with_the_nearest_one),
        cmocka_unit_test(how_long_a_connection_is_kept),
        cmocka_unit_test(a_wrong_value_is_an_error_that_says_what_would_do),
        cmocka_unit_test(a_wrong_target_is_an_error),
        cmocka_unit_test(ranges_of_hosts),
        cmocka_unit_test(a_member_of_a_pool_is_a_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
