#include "folder.h"

static struct gn_manifest *m;
static struct gn_err err;

static int scan_as(const struct folder *f, const struct gn_scan_opts *base)
{
    struct gn_scan_opts opts = *base;

    if (!opts.root)
        opts.root = f->tree;
    gn_manifest_free(m);
    m = NULL;
    return gn_scan(&gn_ctx_none, &opts, &m, &err);
}

static int scan(const struct folder *f)
{
    return scan_as(f, &(struct gn_scan_opts){.root = NULL});
}

static bool has(const char *path)
{
    return gn_manifest_find(m, path) != NULL;
}

static int setup(void **state)
{
    m = NULL;
    return folder_setup(state);
}

static int teardown(void **state)
{
    gn_manifest_free(m);
    m = NULL;
    return folder_teardown(state);
}

static void the_built_in_list_keeps_clutter_out(void **state)
{
    const struct folder *f = *state;

    put(f, "train.py", "x");
    put(f, "__pycache__/train.pyc", "x");
    put(f, ".git/config", "x");
    put(f, "my env/pyvenv.cfg", "x");
    put(f, "my env/bin/python", "x");
    put(f, "conda/conda-meta/history", "x");
    put(f, "wandb/run", "x");
    put(f, "gnrrun-results/m-1/out", "x");
    put(f, "env/notes.txt", "no environment: only named like one");
    assert_int_equal(scan(f), GN_OK);
    assert_int_equal(m->n, 3);
    assert_true(has("train.py") && has("env") && has("env/notes.txt"));
}

static void the_user_can_ask_for_what_is_on_it(void **state)
{
    const struct folder *f = *state;

    put(f, ".gitignore", "*\n!*/\n!*.py\n!.gnrrunignore\n");
    put(f, "a.py", "x");
    put(f, ".git/hooks.py", "x");
    put(f, "wandb/run.py", "x");
    put(f, "my env/pyvenv.cfg", "x");
    put(f, "my env/x.py", "x");
    assert_int_equal(scan(f), GN_OK);
    assert_true(has("a.py") && !has(".git") && !has("wandb") && !has("my env"));
    put(f, ".gnrrunignore", "!*/\n!wandb/\n!my env\n");
    assert_int_equal(scan(f), GN_OK);
    assert_true(has("wandb/run.py") && has("my env/x.py") && !has(".git"));
}

static void ignore_and_skip_are_stronger_than_all(void **state)
{
    const struct folder *f = *state;
    struct gn_strs ignore = GN_STRS_INIT, skip = GN_STRS_INIT;
    struct gn_scan_opts opts = {.ignore = &ignore, .skip = &skip};

    put(f, ".gnrrunignore", "!a.ckpt\n");
    put(f, "a.ckpt", "x");
    put(f, "sub/a.ckpt", "x");
    put(f, "data/mnist/x", "x");
    put(f, "data/mnist2/x", "x");
    gn_strs_add(&ignore, "*.ckpt");
    gn_strs_add(&ignore, "!sub/a.ckpt");
    gn_strs_add(&skip, "./data/mnist/");
    assert_int_equal(scan_as(f, &opts), GN_OK);
    assert_true(!has("a.ckpt") && has("sub/a.ckpt"));
    assert_true(!has("data/mnist") && !has("data/mnist/x") && has("data/mnist2/x") && has("data"));
    gn_strs_clear(&ignore);
    gn_strs_clear(&skip);
}

static void rules_above_the_project_count(void **state)
{
    const struct folder *f = *state;
    char *root = gn_path_join(f->tree, "hw/one");
    struct gn_scan_opts opts = {.root = root};

    put(f, ".git/HEAD", "x");
    put(f, ".gitignore", "/hw/one/big\n*.tmp\n");
    put(f, "hw/one/big", "x");
    put(f, "hw/one/a.tmp", "x");
    put(f, "hw/one/a.py", "x");
    assert_int_equal(scan_as(f, &opts), GN_OK);
    assert_true(m->n == 1 && has("a.py"));
    /* A home folder under git that ignores all but its dot files says nothing about the project. */
    put(f, ".gitignore", "*\n");
    assert_int_equal(scan_as(f, &opts), GN_OK);
    assert_int_equal(m->n, 3);
    free(root);
}

static void the_users_git_ignore_file_counts(void **state)
{
    const struct folder *f = *state;
    struct gn_scan_opts opts = {.root = f->tree};
    struct gn_ctx ctx = gn_ctx_none;

    ctx.home = f->root;
    put(f, "../.config/git/ignore", "*.bak\n");
    put(f, "a.bak", "x");
    put(f, "sub/b.bak", "x");
    put(f, "sub/.gitignore", "!b.bak\n");
    assert_int_equal(gn_scan(&ctx, &opts, &m, &err), GN_OK);
    assert_true(!has("a.bak") && has("sub/b.bak"));
}

static void a_path_of_4000_bytes_survives(void **state)
{
    const struct folder *f = *state;
    struct gn_scan_opts opts = {.root = f->tree};

    assert_int_equal(in_folder(f, "cd tree; i=0; while [ $i -lt 19 ]; do d=$(printf %0200d 7);"
                                  "mkdir $d; cd -P ./$d; i=$((i + 1)); done; echo x >deep"),
                     0);
    assert_int_equal(scan(f), GN_OK);
    assert_int_equal(m->n, 20);
    assert_int_equal(strlen(m->v[19].path), 19 * 201 + 4);
    assert_int_equal(m->v[19].size, 2);
    assert_int_equal(
        in_folder(f, "cd tree; while [ -d 0* ]; do cd -P ./0*; done; d=$(printf %0240d 8);"
                     "mkdir $d; cd -P ./$d; mkdir $d; cd -P ./$d; echo x >deep"),
        0);
    gn_manifest_free(m);
    m = NULL;
    assert_int_equal(gn_scan(&gn_ctx_none, &opts, &m, &err), GN_E_LIMIT);
}

static void secrets_stop_everything(void **state)
{
    static const struct {
        const char *path, *text;
        bool secret;
    } cases[] = {
        {".env", "A=1", true},
        {"sub/.env.local", "A=1", true},
        {".env.example", "A=", false},
        {"id_ed25519", "x", true},
        {"id_ed25519.pub", "x", false},
        {"server.pem", "# mine\n-----BEGIN RSA PRIVATE KEY-----\n", true},
        {"ca.pem", "-----BEGIN CERTIFICATE-----\n", false},
        {"k", "\n-----BEGIN OPENSSH PRIVATE KEY-----\n", true},
        {"doc.md", "a key begins with\n-----BEGIN RSA PRIVATE KEY-----\n", false},
        {"gcp.json",
         "{\"type\":\"service_account\",\"private_key\":\"-----BEGIN PRIVATE KEY-----\\n", true},
        {"a.json", "{\"private_key\": null}", false},
        {"kaggle.json", "{}", true},
        {"x/.aws/credentials", "", true},
        {".ssh/config", "", true},
        {"a.key", "1", false},
    };
    const struct folder *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gn_strs allow = GN_STRS_INIT;
        struct gn_scan_opts opts = {.allow = &allow, .cache_file = f->cache};

        put(f, cases[i].path, cases[i].text);
        assert_int_equal(scan_as(f, &opts), cases[i].secret ? GN_E_CONFIG : GN_OK);
        gn_strs_add(&allow, cases[i].path);
        assert_int_equal(scan_as(f, &opts), GN_OK);
        assert_int_equal(in_folder(f, "rm -rf tree; mkdir tree"), 0);
        gn_strs_clear(&allow);
    }
    put(f, ".env", "A=1");
    put(f, ".gitignore", ".env\n");
    assert_int_equal(scan(f), GN_OK);
}

static void the_size_gate_names_the_culprit(void **state)
{
    const struct folder *f = *state;
    struct gn_scan_opts opts = {.max_bytes = 5000};
    char *text = gn_calloc(1, 4001);

    memset(text, 'x', 4000);
    put(f, "src/a.py", "x");
    put(f, "data/raw/a", text);
    put(f, "data/raw/b", text);
    put(f, "data/small", "x");
    assert_int_equal(scan_as(f, &opts), GN_E_LIMIT);
    assert_non_null(strstr(err.msg, "'data/raw'"));
    assert_non_null(strstr(err.hint, "data: [data/raw]"));
    opts.max_bytes = 9000;
    assert_int_equal(scan_as(f, &opts), GN_OK);
    free(text);
}

static int64_t later(const struct gn_ctx *ctx)
{
    return gn_ctx_none.wall_s(ctx) + 100;
}

/* The cache is trusted when the file's times say so, and only then: its hash is changed to see which. */
static void the_cache_spares_reading_and_is_never_wrong(void **state)
{
    const struct folder *f = *state;
    struct gn_scan_opts opts = {.root = f->tree, .cache_file = f->cache};
    struct gn_ctx ctx = gn_ctx_none;
    char id[GN_HASH_HEX];

    put(f, "a", "one");
    assert_int_equal(scan_as(f, &opts), GN_OK);
    /* Touched just now: racy, so not recorded. */
    assert_false(gn_fs_is_file(f->cache) && in_folder(f, "grep -q a cache") == 0);
    memcpy(id, m->id, sizeof id);
    ctx.wall_s = later;
    gn_manifest_free(m);
    assert_int_equal(gn_scan(&ctx, &opts, &m, &err), GN_OK);
    assert_true(gn_fs_is_file(f->cache));
    assert_string_equal(m->id, id);
    /* Same size and mtime, other content: ctime tells. */
    assert_int_equal(in_folder(f, "cp -p tree/a ref; printf two >tree/a; touch -r ref tree/a"), 0);
    gn_manifest_free(m);
    assert_int_equal(gn_scan(&ctx, &opts, &m, &err), GN_OK);
    assert_string_not_equal(m->id, id);
    memcpy(id, m->id, sizeof id);
    /* Without the right to read it only the cache can know the hash; root needs another proof. */
    if (geteuid() != 0) {
        assert_int_equal(in_folder(f, "chmod 0 tree/a"), 0);
        assert_int_equal(scan_as(f, &opts), GN_E_SYS);
        assert_int_equal(in_folder(f, "chmod 644 tree/a"), 0);
    }
    put(f, "../cache", "rubbish");
    assert_int_equal(scan_as(f, &opts), GN_OK);
    assert_string_equal(m->id, id);
}

static void odd_names_and_kinds_survive(void **state)
{
    const struct folder *f = *state;
    char name[256];

    memset(name, 'n', 255);
    name[255] = '\0';
    put(f, name, "x");
    put(f, "-rf", "x");
    put(f, "a\nb c", "x");
    put(f, "\xff\xfe", "x");
    assert_int_equal(in_folder(f, "cd tree; mkdir e; ln -s . loop; ln -s /nowhere abs; mkfifo fifo;"
                                  "ln ./-rf hard; chmod 700 hard"),
                     0);
    assert_int_equal(scan(f), GN_OK);
    assert_int_equal(m->n, 8);
    assert_true(has(name) && has("-rf") && has("a\nb c") && has("\xff\xfe") && has("e") &&
                has("hard"));
    assert_int_equal(gn_manifest_find(m, "loop")->kind, GN_LINK);
    assert_int_equal(gn_manifest_find(m, "hard")->mode, 0700);
    assert_false(has("fifo"));
}

static void one_file_is_a_tree_of_one(void **state)
{
    const struct folder *f = *state;
    char *root = gn_path_join(f->tree, "x/data.csv");
    struct gn_scan_opts opts = {.root = root, .everything = true};

    put(f, "x/data.csv", "1,2");
    assert_int_equal(scan_as(f, &opts), GN_OK);
    assert_true(m->n == 1 && has("data.csv"));
    free(root);
    opts.root = "/nowhere/at/all";
    assert_int_equal(scan_as(f, &opts), GN_E_NOTFOUND);
}

static void why_names_the_rule(void **state)
{
    const struct folder *f = *state;
    struct gn_scan_opts opts = {.root = f->tree};
    struct gn_buf text = GN_BUF_INIT(GN_MAX_LINE);
    bool shipped = true;

    put(f, ".gitignore", "# big\nout/\n");
    put(f, "out/x", "x");
    put(f, "a.pyc", "x");
    assert_int_equal(gn_scan_why(&gn_ctx_none, &opts, "./out/x", &shipped, &text, &err), GN_OK);
    assert_false(shipped);
    assert_string_equal(text.ptr, "'out/x' is left out: 'out' is left out by .gitignore:2: out/");
    gn_buf_reset(&text);
    assert_int_equal(gn_scan_why(&gn_ctx_none, &opts, "a.pyc", &shipped, &text, &err), GN_OK);
    assert_string_equal(text.ptr, "'a.pyc' is left out: built in: *.py[cod]");
    assert_int_equal(gn_scan_why(&gn_ctx_none, &opts, "no", &shipped, &text, &err), GN_E_NOTFOUND);
    assert_int_equal(gn_scan_why(&gn_ctx_none, &opts, "../x", &shipped, &text, &err), GN_E_USAGE);
    gn_buf_clear(&text);
}

struct writer {
    char *path;
    int changes; /* so many times from now on */
};

/* While the file is read its progress is told: a moment to change it. */
static void change_it(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    struct writer *w = ctx->event_arg;

    if (ev->kind == GN_EV_PROGRESS && w->changes > 0) {
        FILE *file = fopen(w->path, "a");
        w->changes--;
        fputc('x', file);
        fclose(file);
    }
}

static void a_file_that_changes_while_it_is_read_is_read_again_or_refused(void **state)
{
    const struct folder *f = *state;
    struct gn_scan_opts opts = {.root = f->tree};
    struct writer w = {.path = gn_path_join(f->tree, "log"), .changes = 1};
    struct gn_ctx ctx = gn_ctx_none;
    char id[GN_HASH_HEX];

    ctx.event = change_it;
    ctx.event_arg = &w;
    assert_int_equal(
        in_folder(f, "dd if=/dev/null of=tree/log bs=1 count=0 seek=140000000 2>/dev/null"), 0);
    assert_int_equal(gn_scan(&ctx, &opts, &m, &err), GN_OK);
    assert_int_equal(w.changes, 0);
    assert_int_equal(m->bytes, 140000001);
    memcpy(id, m->id, sizeof id);
    assert_int_equal(scan(f), GN_OK);
    assert_string_equal(m->id, id);
    w.changes = 1000;
    gn_manifest_free(m);
    m = NULL;
    assert_int_equal(gn_scan(&ctx, &opts, &m, &err), GN_E_CHANGED);
    assert_non_null(strstr(err.msg, "'log'"));
    free(w.path);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_built_in_list_keeps_clutter_out),
        T(the_user_can_ask_for_what_is_on_it),
        T(ignore_and_skip_are_stronger_than_all),
        T(rules_above_the_project_count),
        T(the_users_git_ignore_file_counts),
        T(a_path_of_4000_bytes_survives),
        T(secrets_stop_everything),
        T(the_size_gate_names_the_culprit),
        T(the_cache_spares_reading_and_is_never_wrong),
        T(odd_names_and_kinds_survive),
        T(one_file_is_a_tree_of_one),
        T(why_names_the_rule),
        T(a_file_that_changes_while_it_is_read_is_read_again_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
