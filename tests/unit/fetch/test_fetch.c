/* test_fetch.c - results come home whole, to their place, whatever the far side sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakefar.h"
#include "gnrrun/fetch.h"
#include "gnrrun/fs.h"
#include "tree.h"

#define LARGE ((size_t)5 << 20)

struct fix {
    char *base, *dir, *out;
    struct gn_ctx ctx;
    struct gn_buf said; /* warnings */
    volatile sig_atomic_t presses;
    uint64_t press_after; /* bytes of progress; 0: never */
    struct gn_store store;
    struct fake_far far;
    bool names; /* the far side's tar takes names as they are, */
    int doubts; /* and this is how it ends */
    struct gn_run run;
    char token[16], name[16], none[1];
    struct gn_entry entry[8];
    struct gn_manifest shipped;
    struct gn_fetch_opts opts;
    struct gn_fetch_report rep;
    struct gn_err err;
};

static void event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    struct fix *x = ctx->event_arg;

    if (ev->kind == GN_EV_WARN) {
        gn_buf_adds(&x->said, ev->text);
        gn_buf_addc(&x->said, '\n');
    }
    if (ev->kind == GN_EV_PROGRESS && x->press_after && ev->done >= x->press_after)
        x->presses = 1;
    if (ev->kind == GN_EV_PROGRESS)
        assert_true(ev->done <= ev->total);
}

static void set_run(struct fix *x, int id)
{
    snprintf(x->token, sizeof x->token, "tok-%d", id);
    snprintf(x->name, sizeof x->name, "p-%d", id);
    x->run = (struct gn_run){.id = id, .name = x->name, .token = x->token, .workdir = x->none};
}

static int setup(void **state)
{
    struct fix *x = gn_new(struct fix);

    x->base = tree_new();
    x->dir = gn_path_join(x->base, "in");
    x->out = gn_path_join(x->base, "out");
    tree_put(x->out, "mine", "outside");
    x->ctx = gn_ctx_none;
    x->ctx.event = event;
    x->ctx.event_arg = x;
    x->said = (struct gn_buf)GN_BUF_INIT(1 << 20);
    x->shipped.v = x->entry;
    set_run(x, 7);
    x->opts = (struct gn_fetch_opts){.run = &x->run, .shipped = &x->shipped, .dest = x->dir};
    *state = x;
    return 0;
}

/* A tar that says that nothing changed: what stands nowhere here is asked for without a checksum. */
static int setup_trusting(void **state)
{
    setup(state);
    ((struct fix *)*state)->names = true;
    return 0;
}

/* One that says each time that something may have. */
static int setup_doubting(void **state)
{
    setup_trusting(state);
    ((struct fix *)*state)->doubts = 3;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;
    char *mine = tree_get(x->out, "mine");

    assert_string_equal(mine, "outside");
    assert_int_equal(tree_count(x->out), 1);
    free(mine);
    fake_store_clear(&x->store);
    gn_buf_clear(&x->said);
    free(x->dir);
    free(x->out);
    tree_free(x->base);
    free(x);
    return 0;
}

/* Sorted by the caller. */
static void ship(struct fix *x, const char *path, const char *text)
{
    struct gn_entry *e = &x->entry[x->shipped.n++];

    *e = (struct gn_entry){.path = path, .kind = GN_FILE, .size = strlen(text)};
    gn_hash_data(text, strlen(text), e->hash);
}

static int fetch(struct fix *x, struct fake_file *file, size_t n)
{
    fake_far_init(&x->far, file, n);
    x->far.names = x->names;
    x->far.get_status = x->doubts;
    gn_err_clear(&x->err);
    gn_buf_reset(&x->said);
    return gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err);
}
#define FETCH(x, files) fetch(x, files, sizeof files / sizeof *files)

static void ok(struct fix *x, int rc)
{
    if (rc)
        fail_msg("%d: %s", rc, x->err.msg);
}

static void check(struct fix *x, const char *path, const char *text)
{
    char *have = tree_get(x->dir, path);

    if (!have)
        fail_msg("no file '%s'", path);
    assert_string_equal(have, text);
    free(have);
}

static void check_large(struct fix *x, const char *path, const struct fake_file *file)
{
    char *have = tree_get(x->dir, path);
    size_t n = strlen(file->text);

    assert_non_null(have);
    for (size_t i = 0; i < file->size; i++)
        if (have[i] != (char)(file->text[i % n] + (char)(i / 65536 % 16)))
            fail_msg("'%s' differs at byte %zu", path, i);
    assert_int_equal(have[file->size], 0);
    free(have);
}

static void said(struct fix *x, const char *text)
{
    if (!strstr(x->said.ptr, text))
        fail_msg("'%s' was not said, but: %s", text, x->said.ptr);
}

/* --- what is a result ---------------------------------------------------------------------- */

static void what_the_run_made_or_changed_comes_home(void **state)
{
    struct fake_file files[] = {
        {.path = "train.py", .text = "code", .ctime = "1000"},
        {.path = "touched.py", .text = "same", .ctime = "2500"},
        {.path = "state.txt", .text = "after", .ctime = "2500"},
        {.path = "out", .type = 'd', .mode = 0755},
        {.path = "out/a b\nc'd", .text = "odd"},
        {.path = "out/-rf", .text = "dash"},
        {.path = "out/run.sh", .text = "x", .mode = 0755},
        {.path = "empty", .type = 'd', .mode = 0755},
        {.path = "nothing", .text = ""},
        {.path = "out/latest", .text = "run.sh", .type = 'l'},
        {.path = "moved/old", .text = "old", .ctime = "1000"},
        {.path = "__pycache__/a.pyc", .text = "junk"},
        {.path = "a.pyc", .text = "junk"},
        {.path = "env3/pyvenv.cfg", .text = "junk"},
        {.path = "env3/bin/python", .text = "junk"},
        {.path = ".git/hooks/post-checkout", .text = "evil"},
        {.path = "data/x", .text = "data"},
    };
    struct fix *x = *state;
    struct gn_strs skip = GN_STRS_INIT;
    struct stat st;
    char *path, target[64];
    ssize_t n;

    gn_strs_add(&skip, "data");
    x->opts.skip = &skip;
    ship(x, "state.txt", "before");
    ship(x, "touched.py", "same");
    ship(x, "train.py", "code");
    tree_put(x->dir, "state.txt", "before");
    tree_put(x->dir, "train.py", "code, edited since");
    ok(x, FETCH(x, files));
    check(x, "state.txt", "after");
    check(x, "train.py", "code, edited since");
    check(x, "out/a b\nc'd", "odd");
    check(x, "out/-rf", "dash");
    check(x, "nothing", "");
    check(x, "moved/old", "old");
    assert_true(tree_has(x->dir, "empty"));
    path = gn_path_join(x->dir, "out/run.sh");
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_mode & S_IXUSR);
    assert_int_equal(st.st_mtim.tv_sec, 1500);
    free(path);
    path = gn_path_join(x->dir, "out/latest");
    n = readlink(path, target, sizeof target);
    assert_true(n == 6 && memcmp(target, "run.sh", 6) == 0);
    free(path);
    assert_int_equal(tree_count(x->dir), 8);
    assert_int_equal(x->rep.files, 7);
    assert_int_equal(x->rep.refused, 0);
    assert_string_equal(x->said.ptr, "");
    gn_strs_clear(&skip);
}

static void patterns_choose(void **state)
{
    struct fake_file files[] = {{.path = "ck/a.pt", .text = "a"},
                                {.path = "ck/deep/b.pt", .text = "b"},
                                {.path = "ck/c.tmp", .text = "c"},
                                {.path = "log.txt", .text = "d"}};
    struct fix *x = *state;
    struct gn_strs p = GN_STRS_INIT;

    gn_strs_add(&p, "ck/**");
    gn_strs_add(&p, "!**/*.tmp");
    x->opts.patterns = &p;
    ok(x, FETCH(x, files));
    assert_int_equal(tree_count(x->dir), 2);
    check(x, "ck/deep/b.pt", "b");
    gn_strs_clear(&p);
    gn_strs_add(&p, "!ck");
    ok(x, FETCH(x, files));
    check(x, "log.txt", "d");
    assert_int_equal(tree_count(x->dir), 3);
    gn_strs_clear(&p);
}

static void without_a_manifest_all_is_a_result(void **state)
{
    struct fake_file files[] = {{.path = "old", .text = "a", .ctime = "1"}};
    struct fix *x = *state;

    x->opts.shipped = NULL;
    ok(x, FETCH(x, files));
    check(x, "old", "a");
}

static int fetch_after(struct fix *x, struct fake_file *file, size_t n, const char *setup)
{
    fake_far_init(&x->far, file, n);
    x->far.setup = setup;
    x->far.whole = !strchr(setup, '.');
    gn_buf_reset(&x->said);
    return gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err);
}

static void what_the_setup_made_stays_there(void **state)
{
    struct fake_file files[] = {
        {.path = "lock", .text = "by setup", .ctime = "2100"},
        {.path = "notes", .text = "by program", .ctime = "2300"},
        {.path = "old.txt", .text = "moved", .ctime = "1000"},
        {.path = "build", .type = 'd', .ctime = "2300"},
        {.path = "build/lib", .type = 'd', .ctime = "2300"},
        {.path = "build/lib/x.so", .text = "x", .ctime = "2199.999999999"},
        {.path = "build/log", .type = 'd', .ctime = "2300"},
        {.path = "egg", .type = 'd', .ctime = "2100"},
        {.path = "egg/top", .text = "t", .ctime = "2100"},
        {.path = "ln", .text = "egg", .type = 'l', .ctime = "2100"},
        {.path = "touched", .text = "made by setup, changed since", .ctime = "2200.0"},
    };
    struct fix *x = *state;
    size_t n = sizeof files / sizeof *files;

    ship(x, "lock", "shipped");
    ship(x, "notes", "shipped");
    tree_put(x->dir, "lock", "shipped");
    tree_put(x->dir, "notes", "shipped");
    ok(x, fetch_after(x, files, n, "2200.0"));
    check(x, "lock", "shipped");
    check(x, "notes", "by program");
    check(x, "old.txt", "moved");
    check(x, "touched", "made by setup, changed since");
    assert_false(tree_has(x->dir, "build/lib"));
    assert_false(tree_has(x->dir, "egg"));
    assert_true(tree_has(x->dir, "build/log"));
    assert_int_equal(tree_count(x->dir), 4);
    assert_int_equal(x->rep.files, 3);
    /* in whole seconds: that of the mark is the program's */
    files[5].ctime = "2200";
    ok(x, fetch_after(x, files, n, "2200"));
    check(x, "build/lib/x.so", "x");
    assert_int_equal(x->rep.files, 1);
}

static void a_setup_that_goes_on_or_failed_has_no_results(void **state)
{
    struct fake_file files[] = {{.path = "half", .text = "h"}, {.path = "out", .type = 'd'}};
    struct fix *x = *state;

    ok(x, fetch_after(x, files, 2, "-"));
    assert_int_equal(tree_count(x->dir), 0);
    assert_false(tree_has(x->dir, "out"));
    x->opts.shipped = NULL;
    ok(x, fetch_after(x, files, 2, "-"));
    assert_int_equal(tree_count(x->dir), 0);
    ok(x, fetch_after(x, files, 2, "0"));
    assert_int_equal(tree_count(x->dir), 1);
    assert_int_equal(fetch_after(x, files, 2, "soon"), GN_E_PROTO);
}

/* --- where it goes ------------------------------------------------------------------------- */

static void a_second_fetch_brings_nothing(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "one"},
                                {.path = "l", .text = "a", .type = 'l'},
                                {.path = "big", .text = "abcdef", .size = LARGE}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.files, 3);
    check_large(x, "big", &files[2]);
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.files, 0);
    assert_int_equal(x->rep.same, 3);
    assert_int_equal(x->far.gets + x->far.cats, 0);
    /* what is here already by its bytes is not brought either */
    fake_store_clear(&x->store);
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.files, 0);
    assert_int_equal(x->rep.same, 3);
    assert_int_equal(x->far.cats, 0);
    assert_int_equal(tree_count(x->dir), 3);
}

static void a_later_fetch_replaces_its_own(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "one"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    files[0].text = "two";
    files[0].ctime = files[0].mtime = "2600";
    ok(x, FETCH(x, files));
    check(x, "a", "two");
    assert_int_equal(tree_count(x->dir), 1);
    assert_int_equal(x->rep.beside, 0);
}

static void what_was_changed_here_is_left_alone(void **state)
{
    struct fake_file files[] = {{.path = "state", .text = "far"}, {.path = "a", .text = "one"}};
    struct fix *x = *state;

    ship(x, "state", "shipped");
    tree_put(x->dir, "state", "edited here");
    ok(x, FETCH(x, files));
    check(x, "state", "edited here");
    check(x, "gnrrun-results/p-7/state", "far");
    assert_int_equal(x->rep.beside, 1);
    said(x, "'state' was changed here");
    said(x, "gnrrun-results/p-7/state");
    /* fetched, then edited: the same */
    tree_put(x->dir, "a", "notes of mine");
    ok(x, FETCH(x, files));
    check(x, "a", "notes of mine");
    check(x, "gnrrun-results/p-7/a", "one");
    /* and then all is known */
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.same, 2);
    assert_int_equal(x->far.gets, 0);
    /* what is beside is the user's too once it was edited */
    tree_put(x->dir, "gnrrun-results/p-7/a", "more notes");
    ok(x, FETCH(x, files));
    check(x, "gnrrun-results/p-7/a", "more notes");
    check(x, "gnrrun-results/p-7/a.1", "one");
}

static void an_earlier_runs_result_moves_aside(void **state)
{
    struct fake_file files[] = {{.path = "d/a", .text = "one"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    set_run(x, 8);
    files[0].text = "two";
    ok(x, FETCH(x, files));
    check(x, "d/a", "two");
    check(x, "gnrrun-results/p-7/d/a", "one");
    assert_string_equal(x->said.ptr, "");
    /* run 7's record has moved with it: its fetch brings nothing and moves nothing */
    set_run(x, 7);
    files[0].text = "one";
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.same, 1);
    check(x, "d/a", "two");
    assert_int_equal(tree_count(x->dir), 2);
}

static void what_is_in_the_way_stays(void **state)
{
    struct fake_file files[] = {{.path = "file/a", .text = "1"},
                                {.path = "folder", .text = "2"},
                                {.path = "link/a", .text = "3"},
                                {.path = "dangling", .text = "4"}};
    struct fix *x = *state;

    tree_put(x->dir, "file", "a file here");
    tree_put(x->dir, "folder/x", "x");
    tree_link(x->dir, "link", "../out");
    tree_link(x->dir, "dangling", "../out/new");
    ok(x, FETCH(x, files));
    check(x, "file", "a file here");
    check(x, "folder/x", "x");
    check(x, "gnrrun-results/p-7/file/a", "1");
    check(x, "gnrrun-results/p-7/folder", "2");
    check(x, "gnrrun-results/p-7/link/a", "3");
    check(x, "gnrrun-results/p-7/dangling", "4");
    assert_int_equal(x->rep.beside, 4);
}

/* --- a far side that lies ------------------------------------------------------------------ */

static void links_that_leave_are_refused(void **state)
{
    struct fake_file files[] = {{.path = "abs", .text = "/etc/passwd", .type = 'l'},
                                {.path = "up", .text = "../out", .type = 'l'},
                                {.path = "up/mine", .text = "evil"},
                                {.path = "ok", .text = "up", .type = 'l'},
                                {.path = "dir", .text = "../out", .type = 'l'},
                                {.path = "dir/x", .text = "evil"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    assert_false(tree_has(x->dir, "abs"));
    check(x, "up/mine", "evil"); /* a folder of ours: the link came second and was refused */
    assert_true(x->rep.refused + x->rep.beside >= 2);
}

static void odd_names_in_the_tar_are_not_obeyed(void **state)
{
    struct fake_file files[] = {
        {.path = "a", .text = "a"},
        {.path = "h1", .text = "evil", .hidden = true, .tar_name = "/etc/x"},
        {.path = "h2", .text = "evil", .hidden = true, .tar_name = "../out/mine"},
        {.path = "h3", .text = "evil", .hidden = true, .tar_name = "sub/../../out/mine"},
        {.path = "h4", .text = "../out", .hidden = true, .type = 'l', .tar_name = "a2"},
        {.path = "h5", .text = "evil", .hidden = true, .tar_name = "a2/mine"},
        {.path = "h6", .text = "evil", .hidden = true, .tar_name = "unasked"},
        {.path = "h7", .hidden = true, .tar_type = '3', .tar_name = "device"},
        {.path = "h8", .text = "evil", .hidden = true, .tar_name = ".git/hooks/x"},
    };
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    check(x, "a", "a");
    assert_int_equal(tree_count(x->dir), 1);
    assert_int_equal(x->rep.refused, 8);
    said(x, "it was not asked for");
}

static void odd_names_in_the_list_are_refused(void **state)
{
    struct fake_file files[] = {{.path = "../out/mine", .text = "evil"},
                                {.path = "/etc/x", .text = "evil"},
                                {.path = "a/../../out/x", .text = "evil"},
                                {.path = "a//b", .text = "evil"},
                                {.path = ".gnrrun-part-1", .text = "evil"},
                                {.path = "sock", .type = 'o'},
                                {.path = "fine", .text = "fine"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    assert_int_equal(tree_count(x->dir), 1);
    assert_int_equal(x->rep.refused, 6);
}

static void an_endless_path_is_refused_alone(void **state)
{
    size_t len = 200 << 10;
    char *name = gn_calloc(1, len + 1);
    struct fake_file files[] = {{.path = "a", .text = "a"},
                                {.path = name, .text = "evil", .ctime = "2600"},
                                {.path = "b", .text = "b"}};
    struct fix *x = *state;

    for (size_t i = 0, cut = len; i < 3; i++, cut = i == 1 ? 20 << 10 : 6000) {
        memset(name, 'n', cut);
        name[cut] = 0;
        ok(x, FETCH(x, files));
        assert_int_equal(x->rep.refused, 1);
        assert_int_equal(tree_count(x->dir), 2);
        said(x, "its path is too long");
    }
    free(name);
}

static void warnings_are_safe_and_few(void **state)
{
    struct fake_file files[60];
    struct fix *x = *state;
    char names[60][32];

    for (size_t i = 0; i < 60; i++) {
        snprintf(names[i], sizeof names[i], "\x1b]0;%zu\a//x", i);
        files[i] = (struct fake_file){.path = names[i], .text = "x"};
    }
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.refused, 60);
    assert_null(strchr(x->said.ptr, '\x1b'));
    said(x, "40 more names");
}

static void other_kinds_than_listed_are_refused(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "../out", .tar_type = '2'},
                                {.path = "b", .text = "b", .tar_type = '3'},
                                {.path = "c", .text = "c"}};
    struct fix *x = *state;

    assert_int_equal(FETCH(x, files), GN_E_CHANGED);
    assert_non_null(strstr(x->err.msg, "'a'"));
    assert_int_equal(tree_count(x->dir), 1);
}

static void setuid_does_not_arrive(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a", .mode = 06755}};
    struct fix *x = *state;
    char *path = gn_path_join(x->dir, "a");
    struct stat st;

    ok(x, FETCH(x, files));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07000, 0);
    free(path);
}

static void wrong_bytes_are_asked_for_once_more(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "good", .wrong_once = "evil"},
                                {.path = "b", .text = "b"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    check(x, "a", "good");
    assert_int_equal(x->far.lists, 2);
    assert_int_equal(x->rep.files, 2);
    assert_int_equal(x->rep.same, 0);
}

static void wrong_bytes_twice_are_an_error_that_names_the_file(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "good", .tar_text = "evil"},
                                {.path = "b", .text = "b"}};
    struct fix *x = *state;

    assert_int_equal(FETCH(x, files), GN_E_CHANGED);
    assert_non_null(strstr(x->err.msg, "'a'"));
    assert_false(tree_has(x->dir, "a"));
    check(x, "b", "b");
    assert_int_equal(tree_count(x->dir), 1);
}

static void a_file_that_changes_while_running_is_left_for_later(void **state)
{
    struct fake_file files[] = {
        {.path = "a", .text = "good", .wrong_once = "half"},
        {.path = "b", .text = "b", .tar_text = "bb"},
        {.path = "big", .text = "abc", .size = LARGE, .list_size = LARGE - 1},
        {.path = "c", .text = "c"}};
    struct fix *x = *state;

    x->opts.while_running = true;
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.later, 3);
    assert_int_equal(x->far.lists, 1);
    assert_int_equal(tree_count(x->dir), 1);
    check(x, "c", "c");
}

static void twice_the_same_name_is_taken_once(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a", .twice = true},
                                {.path = "b", .text = "b"},
                                {.path = "b", .text = "b"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.files, 2);
    assert_int_equal(x->rep.refused, 1);
}

static void huge_sizes_are_not_believed(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a", .tar_size = (uint64_t)1 << 32},
                                {.path = "b", .text = "b"}};
    struct fake_file cat[] = {{.path = "a", .text = "a", .list_size = INT64_MAX}};
    struct fix *x = *state;

    assert_int_equal(FETCH(x, files), GN_E_PROTO);
    assert_int_equal(tree_count(x->dir), 0);
    assert_int_equal(FETCH(x, cat), GN_E_CHANGED);
    assert_int_equal(tree_count(x->dir), 0);
}

static int to_buf(void *arg, const void *data, size_t len, struct gn_err *err)
{
    (void)err;
    gn_buf_add(arg, data, len);
    return GN_OK;
}

static void a_bomb_is_stopped(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a"}};
    size_t len = (size_t)100 << 20;
    char *zeros = gn_calloc(1, len);
    struct gn_buf tar = GN_BUF_INIT(1 << 20);
    struct fix *x = *state;
    struct gn_pack *p;

    ok(x, gn_pack_open(to_buf, &tar, true, &p, &x->err));
    ok(x, gn_pack_mem(p, "./a", 0644, zeros, len, &x->err));
    ok(x, gn_pack_close(p, &x->err));
    free(zeros);
    assert_false(gn_buf_over(&tar)); /* 100 MB in less than one */
    fake_far_init(&x->far, files, 1);
    x->far.tar = &tar;
    x->far.tar_zstd = true;
    assert_int_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err),
                     GN_E_PROTO);
    assert_int_equal(tree_count(x->dir), 0);
    gn_buf_clear(&tar);
}

static void hard_links_come_by_themselves(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a"},
                                {.path = "b", .text = "a", .tar_type = '1'}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    check(x, "b", "a");
    assert_int_equal(x->far.cats, 1);
}

static void cksum_serves_where_there_is_nothing_better(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "good"},
                                {.path = "b", .text = "b", .tar_text = "x"}};
    struct fix *x = *state;

    fake_far_init(&x->far, files, 1);
    x->far.cksum = true;
    ok(x, gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err));
    check(x, "a", "good");
    assert_int_equal(x->store.n, 1);
    files[0].ctime = "3000"; /* touched: looked at by its sum, not brought */
    ok(x, gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err));
    assert_int_equal(x->rep.same, 1);
    x->far.n = 2;
    assert_int_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err),
                     GN_E_CHANGED);
}

static void what_cannot_be_read_there_is_named(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a", .mode = 01}, {.path = "b", .text = "b"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.refused, 1);
    said(x, "cannot be read over there");
}

/* --- cuts ---------------------------------------------------------------------------------- */

/* A line cut after any byte: an error or all, no half file under its name, and the next goes on. */
static void a_cut_anywhere_leaves_whole_files(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "text of a"},
                                {.path = "d", .type = 'd'},
                                {.path = "d/b", .text = "text of b"},
                                {.path = "l", .text = "a", .type = 'l'}};
    struct fix *x = *state;
    uint64_t all;

    ok(x, FETCH(x, files));
    all = x->far.sent;
    assert_true(all > 2048 && all < 20000);
    /* every byte of the talk and of the first tar header; of the rest every 61st */
    for (uint64_t cut = 0; cut < all; cut += cut < 900 ? 1 : 61) {
        char *dir = gn_printf("%s/cut-%d", x->base, (int)cut);
        bool soft = cut % 2;
        int rc;

        fake_store_clear(&x->store);
        x->opts.dest = dir;
        fake_far_init(&x->far, files, sizeof files / sizeof *files);
        x->far.cut_after = (int64_t)cut;
        x->far.cut_softly = soft;
        rc = gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err);
        if (rc != GN_OK && rc != GN_E_NET)
            fail_msg("cut after %d bytes: %d %s", (int)cut, rc, x->err.msg);
        for (size_t i = 0; i < 3; i += 2) {
            char *have = tree_get(dir, files[i].path);
            if (have)
                assert_string_equal(have, files[i].text);
            free(have);
        }
        assert_true(tree_count(dir) <= 3);
        ok(x, FETCH(x, files));
        assert_int_equal(tree_count(dir), 3);
        tree_free(dir);
    }
    x->opts.dest = x->dir;
}

static void a_large_file_goes_on_where_it_was_cut(void **state)
{
    struct fake_file files[] = {{.path = "d/big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;

    for (int i = 1; i <= 3; i++) {
        fake_far_init(&x->far, files, 1);
        x->far.cut_after = 1500000;
        assert_int_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err),
                         GN_E_NET);
        assert_false(tree_has(x->dir, "d/big"));
        assert_int_equal(tree_count(x->dir), 1);
    }
    ok(x, FETCH(x, files));
    assert_true(x->far.cat_offset > 4000000);
    check_large(x, "d/big", &files[0]);
    assert_int_equal(tree_count(x->dir), 1);
}

/* The only file in dir/d, a partial one: other bytes into it. */
static void spoil(struct fix *x)
{
    char *cmd = gn_printf("cd '%s/d' && for f in .gnrrun-part-*; do printf XXXX | "
                          "dd of=\"$f\" conv=notrunc bs=1 seek=1000 2>/dev/null; done",
                          x->dir);

    assert_int_equal(system(cmd), 0);
    free(cmd);
}

static void a_spoilt_partial_is_thrown_away(void **state)
{
    struct fake_file files[] = {{.path = "d/big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;

    fake_far_init(&x->far, files, 1);
    x->far.cut_after = 3000000;
    assert_int_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err),
                     GN_E_NET);
    spoil(x);
    ok(x, FETCH(x, files));
    assert_int_equal(x->far.cats, 2);
    assert_int_equal(x->far.cat_offset, 0);
    check_large(x, "d/big", &files[0]);
    assert_int_equal(tree_count(x->dir), 1);
}

static void another_version_begins_anew(void **state)
{
    struct fake_file files[] = {{.path = "d/big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;

    fake_far_init(&x->far, files, 1);
    x->far.cut_after = 3000000;
    assert_int_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err),
                     GN_E_NET);
    files[0].text = "other";
    files[0].mtime = files[0].ctime = "2700";
    ok(x, FETCH(x, files));
    assert_int_equal(x->far.cats, 1);
    assert_int_equal(x->far.cat_offset, 0);
    check_large(x, "d/big", &files[0]);
    assert_int_equal(tree_count(x->dir), 1);
}

static void cat_may_send_no_more_than_it_said(void **state)
{
    struct fake_file files[] = {{.path = "big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;

    fake_far_init(&x->far, files, 1);
    x->far.cat_more = true;
    assert_int_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err),
                     GN_E_PROTO);
    fake_far_init(&x->far, files, 1);
    x->far.cat_less = true; /* less than a "d" line says: the bytes after it are no line of ours */
    assert_int_not_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err), 0);
    assert_false(tree_has(x->dir, "big"));
}

/* Zeros, an island, zeros to the end; cut in a hole, then whole: the same bytes, few blocks. */
static void holes_stay_holes(void **state)
{
    struct fake_file files[] = {{.path = "d/big", .text = "island", .size = LARGE, .sparse = true}};
    struct fix *x = *state;
    char *path = gn_path_join(x->dir, "d/big"), *have;
    struct stat st;

    fake_far_init(&x->far, files, 1);
    x->far.cut_after = 3000000;
    assert_int_equal(gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err),
                     GN_E_NET);
    ok(x, FETCH(x, files));
    assert_int_equal(x->far.cats, 1);
    assert_true(x->far.cat_offset > 2900000);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, LARGE);
    assert_true(st.st_blocks < 2048);
    have = tree_get(x->dir, "d/big");
    assert_memory_equal(have + (1 << 20), "island", 6);
    memset(have + (1 << 20), 0, 6);
    assert_true(have[0] == 0 && memcmp(have, have + 1, LARGE - 1) == 0);
    assert_int_equal(tree_count(x->dir), 1);
    free(have);
    free(path);
}

static void an_interrupt_leaves_whole_files_and_a_beginning(void **state)
{
    struct fake_file files[] = {{.path = "d/a", .text = "small"},
                                {.path = "d/big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;

    x->ctx.interrupts = &x->presses;
    x->press_after = 2000000;
    assert_int_equal(FETCH(x, files), GN_E_CANCEL);
    check(x, "d/a", "small");
    assert_false(tree_has(x->dir, "d/big"));
    x->presses = 0;
    x->press_after = 0;
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.same, 1);
    assert_true(x->far.cat_offset >= 1900000);
    check_large(x, "d/big", &files[1]);
    assert_int_equal(tree_count(x->dir), 2);
}

/* A file may be no longer than this: the end of a write as on a full disk, and no root needed. */
static void no_room_leaves_whole_files_and_a_beginning(void **state)
{
    struct fake_file files[] = {{.path = "d/a", .text = "small"},
                                {.path = "d/big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;
    struct rlimit was, less;
    int rc;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    less = was;
    less.rlim_cur = 3000000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
    rc = FETCH(x, files);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_not_equal(rc, GN_OK);
    assert_int_equal(x->err.sys_errno, EFBIG);
    check(x, "d/a", "small");
    assert_false(tree_has(x->dir, "d/big"));
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.same, 1);
    assert_int_equal(x->far.cat_offset, 3000000);
    check_large(x, "d/big", &files[1]);
    assert_int_equal(tree_count(x->dir), 2);
}

static void a_full_disk_leaves_whole_files_and_a_beginning(void **state)
{
    struct fake_file files[] = {{.path = "d/a", .text = "small"},
                                {.path = "d/big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;
    int rc, rc2;

    tree_put(x->dir, "d/x", "under the mount");
    if (mount("tmpfs", x->dir, "tmpfs", 0, "size=3m") < 0) {
        print_message("skipped: no file system can be mounted here: %s\n", strerror(errno));
        skip();
    }
    rc = FETCH(x, files);
    rc2 = mount("tmpfs", x->dir, "tmpfs", MS_REMOUNT, "size=16m");
    if (rc != GN_E_CAPACITY || rc2) {
        umount(x->dir);
        fail_msg("%d: %s; %d", rc, x->err.msg, rc2);
    }
    check(x, "d/a", "small");
    assert_false(tree_has(x->dir, "d/big"));
    ok(x, FETCH(x, files));
    assert_true(x->far.cat_offset > 2000000);
    check_large(x, "d/big", &files[1]);
    assert_int_equal(tree_count(x->dir), 2);
    assert_int_equal(umount(x->dir), 0);
}

static void a_tar_that_stood_still_is_not_asked_for_sums(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a"},
                                {.path = "b", .text = "other"},
                                {.path = "d/big", .text = "0123456", .size = LARGE},
                                {.path = "l", .type = 'l', .text = "a"}};
    struct fix *x = *state;

    tree_put(x->dir, "b", "mine");
    ok(x, FETCH(x, files));
    check(x, "a", "a");
    check(x, "b", "mine");
    check_large(x, "d/big", &files[2]);
    assert_int_equal(x->far.sums, 1); /* what stands here is looked at */
    assert_int_equal(x->rep.files, 4);
    ok(x, FETCH(x, files));
    assert_int_equal(x->far.gets + x->far.cats, 0);
    assert_int_equal(x->rep.same, 4);
}

static void torn_bytes_go_again_and_come_once_more(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "good", .wrong_once = "evil"},
                                {.path = "b", .text = "b"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    check(x, "a", "good");
    check(x, "b", "b");
    assert_int_equal(x->far.lists, 2);
    assert_int_equal(x->rep.files, 2);
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.files, 0);
    assert_int_equal(x->rep.same, 2);
}

static void what_tar_filled_with_zeros_does_not_stay(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "unreadable", .mode = 01},
                                {.path = "b", .text = "b"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    assert_false(tree_has(x->dir, "a"));
    check(x, "b", "b");
    assert_int_equal(x->rep.refused, 1);
    assert_int_equal(tree_count(x->dir), 1);
}

static void another_time_than_listed_is_no_result(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "a", .mtime = "1400.25"},
                                {.path = "b", .text = "b"}};
    struct fix *x = *state;

    ok(x, FETCH(x, files));
    check(x, "a", "a");
    check(x, "b", "b");
    assert_int_equal(x->far.lists, 2); /* the tar's time is 1500 for all: looked at again */
}

static void a_large_file_that_does_not_stand_still_comes_once_more(void **state)
{
    struct fake_file files[] = {{.path = "big", .text = "0123456", .size = LARGE}};
    struct fix *x = *state;
    int rc;

    fake_far_init(&x->far, files, 1);
    x->far.names = x->far.restless = true;
    rc = gn_fetch(&x->ctx, &x->far.base, &x->store, &x->opts, &x->rep, &x->err);
    ok(x, rc);
    check_large(x, "big", &files[0]);
    assert_int_equal(x->far.cats, 2);
    assert_int_equal(tree_count(x->dir), 1);
}

static void while_it_runs_nothing_comes_without_a_sum(void **state)
{
    struct fake_file files[] = {{.path = "a", .text = "good", .wrong_once = "half"}};
    struct fix *x = *state;

    x->opts.while_running = true;
    ok(x, FETCH(x, files));
    assert_int_equal(x->rep.later, 1);
    assert_int_equal(tree_count(x->dir), 0);
}

#define T(f)                                                                                       \
    cmocka_unit_test_setup_teardown(f, setup, teardown),                                           \
        cmocka_unit_test_setup_teardown(f, setup_doubting, teardown)
#define TRUSTING(f) cmocka_unit_test_setup_teardown(f, setup_trusting, teardown)
#define DOUBTING(f) cmocka_unit_test_setup_teardown(f, setup_doubting, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_the_run_made_or_changed_comes_home),
        T(patterns_choose),
        T(without_a_manifest_all_is_a_result),
        T(what_the_setup_made_stays_there),
        T(a_setup_that_goes_on_or_failed_has_no_results),
        T(an_endless_path_is_refused_alone),
        T(a_second_fetch_brings_nothing),
        T(a_later_fetch_replaces_its_own),
        T(what_was_changed_here_is_left_alone),
        T(an_earlier_runs_result_moves_aside),
        T(what_is_in_the_way_stays),
        T(links_that_leave_are_refused),
        T(odd_names_in_the_tar_are_not_obeyed),
        T(odd_names_in_the_list_are_refused),
        T(warnings_are_safe_and_few),
        T(other_kinds_than_listed_are_refused),
        T(setuid_does_not_arrive),
        T(wrong_bytes_are_asked_for_once_more),
        T(wrong_bytes_twice_are_an_error_that_names_the_file),
        T(a_file_that_changes_while_running_is_left_for_later),
        T(twice_the_same_name_is_taken_once),
        T(huge_sizes_are_not_believed),
        T(a_bomb_is_stopped),
        T(hard_links_come_by_themselves),
        T(cksum_serves_where_there_is_nothing_better),
        T(what_cannot_be_read_there_is_named),
        T(a_cut_anywhere_leaves_whole_files),
        T(a_large_file_goes_on_where_it_was_cut),
        T(a_spoilt_partial_is_thrown_away),
        T(another_version_begins_anew),
        T(cat_may_send_no_more_than_it_said),
        T(holes_stay_holes),
        T(an_interrupt_leaves_whole_files_and_a_beginning),
        T(no_room_leaves_whole_files_and_a_beginning),
        T(a_full_disk_leaves_whole_files_and_a_beginning),
        TRUSTING(a_tar_that_stood_still_is_not_asked_for_sums),
        DOUBTING(torn_bytes_go_again_and_come_once_more),
        DOUBTING(what_tar_filled_with_zeros_does_not_stay),
        TRUSTING(another_time_than_listed_is_no_result),
        TRUSTING(a_large_file_that_does_not_stand_still_comes_once_more),
        TRUSTING(while_it_runs_nothing_comes_without_a_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
