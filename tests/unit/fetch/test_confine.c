/* test_confine.c - nothing that is written through a confined folder leaves it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../core/remote/fetch/confine.h"
#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "tree.h"

struct fix {
    char *base, *dir, *out; /* dir: the confined folder; out: what must stay as it is */
    struct gn_confine *c;
    struct gn_err err;
};

static int setup(void **state)
{
    struct fix *x = gn_new(struct fix);

    x->base = tree_new();
    x->dir = gn_path_join(x->base, "in");
    x->out = gn_path_join(x->base, "out");
    tree_put(x->out, "mine", "outside");
    assert_int_equal(gn_confine_open(x->dir, &x->c, &x->err), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    /* the property behind every test here */
    char *mine = tree_get(x->out, "mine");
    assert_string_equal(mine, "outside");
    assert_int_equal(tree_count(x->out), 1);
    free(mine);
    gn_confine_free(x->c);
    free(x->dir);
    free(x->out);
    tree_free(x->base);
    free(x);
    return 0;
}

static int put(struct fix *x, const char *path, const char *text, const struct stat *was)
{
    struct gn_part p = GN_PART_INIT;
    int rc = gn_part_open(x->c, path, path, NULL, 0644, &p, &x->err);

    if (rc)
        return rc;
    assert_int_equal(gn_fs_write_all(p.fd, text, strlen(text)), 0);
    rc = gn_part_commit(x->c, &p, path, was, &x->err);
    gn_part_close(&p, true);
    return rc;
}

static void check(struct fix *x, const char *path, const char *text)
{
    char *have = tree_get(x->dir, path);

    assert_non_null(have);
    assert_string_equal(have, text);
    free(have);
}

static void foreign_paths_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/..",
        "a/../b",
        ".",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        ".git/hooks",
        "a/.git",
        "a/.GIT/x",
        "a/.Git",
        ".g\xe2\x80\x8cit/hooks/x",
        "\xef\xbb\xbf.git",
        "a/.git. ./x",
        "GIT~1/hooks",
        ".git::$INDEX_ALLOCATION/x",
        ".ssh/authorized_keys",
        "a/.GnuPG/x",
        "x/../../y",
        "//a",
        ".gnrrun-part-0123",
        "a/.gnrrun-part-x",
        ".GNRRUN-PART-y/z",
    };
    static const char *const good[] = {
        "a",     "a/b",   "...",       "..a",         "a..",      ".gitignore",       "-rf",
        "a\nb",  "a b/c", ".github/x", ".gnrrun-par", "\xff\xfe", ".g\xe2\x80\x9cit", "git",
        ".sshx", "a:b",   "git~2",     ".git\xe2"};
    char *lengthy = gn_calloc(1, 5000);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!gn_confine_refuses(bad[i], strlen(bad[i])))
            fail_msg("not refused: '%s'", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (gn_confine_refuses(good[i], strlen(good[i])))
            fail_msg("refused: '%s'", good[i]);
    assert_non_null(gn_confine_refuses("a\0b", 3));
    memset(lengthy, 'a', 4097);
    assert_non_null(gn_confine_refuses(lengthy, 4097));
    assert_null(gn_confine_refuses(lengthy, 4096));
    free(lengthy);
}

static void a_bad_path_is_not_even_walked(void **state)
{
    struct fix *x = *state;

    assert_int_equal(put(x, "../out/mine", "gone", NULL), GN_E_BUG);
    assert_int_equal(put(x, "a/../../out/new", "gone", NULL), GN_E_BUG);
}

static void files_and_their_folders_are_made(void **state)
{
    struct fix *x = *state;

    assert_int_equal(put(x, "a/b/c", "text", NULL), 0);
    check(x, "a/b/c", "text");
    assert_int_equal(tree_count(x->dir), 1);
}

static void nothing_is_written_through_a_symlink(void **state)
{
    struct fix *x = *state;
    struct gn_spot spot;

    tree_link(x->dir, "folder", "../out");
    tree_link(x->dir, "deep/er", "../../out");
    tree_link(x->dir, "file", "../out/mine");
    assert_int_equal(put(x, "folder/new", "evil", NULL), GN_E_EXISTS);
    assert_int_equal(put(x, "folder/mine", "evil", NULL), GN_E_EXISTS);
    assert_int_equal(put(x, "deep/er/new", "evil", NULL), GN_E_EXISTS);
    assert_int_equal(put(x, "file", "evil", NULL), GN_E_EXISTS);
    assert_int_equal(gn_confine_mkdirs(x->c, "folder/sub", &x->err), GN_E_EXISTS);
    assert_int_equal(gn_confine_link(x->c, "folder/l", "x", NULL, &x->err), GN_E_EXISTS);
    assert_int_equal(gn_confine_look(x->c, "folder/mine", &spot, &x->err), 0);
    assert_int_equal(spot.kind, GN_SPOT_BLOCKED);
    assert_int_equal(gn_confine_look(x->c, "file", &spot, &x->err), 0);
    assert_int_equal(spot.kind, GN_SPOT_LINK);
}

static void a_symlink_is_replaced_not_followed(void **state)
{
    struct fix *x = *state;
    struct gn_spot spot;

    tree_link(x->dir, "file", "../out/mine");
    assert_int_equal(gn_confine_look(x->c, "file", &spot, &x->err), 0);
    assert_int_equal(put(x, "file", "new", &spot.st), 0);
    check(x, "file", "new");
}

static void what_came_meanwhile_is_not_overwritten(void **state)
{
    struct fix *x = *state;
    struct gn_part p = GN_PART_INIT;

    assert_int_equal(gn_part_open(x->c, "f", "k", NULL, 0644, &p, &x->err), 0);
    tree_put(x->dir, "f", "the user's");
    assert_int_equal(gn_part_commit(x->c, &p, "f", NULL, &x->err), GN_E_EXISTS);
    gn_part_close(&p, true);
    check(x, "f", "the user's");
    assert_int_equal(tree_count(x->dir), 1);
}

static void what_changed_meanwhile_is_not_overwritten(void **state)
{
    struct fix *x = *state;
    struct gn_spot spot;

    tree_put(x->dir, "f", "as looked at");
    assert_int_equal(gn_confine_look(x->c, "f", &spot, &x->err), 0);
    tree_put(x->dir, "f", "the user's, longer");
    assert_int_equal(put(x, "f", "new", &spot.st), GN_E_CHANGED);
    check(x, "f", "the user's, longer");
    assert_int_equal(gn_confine_look(x->c, "f", &spot, &x->err), 0);
    assert_int_equal(put(x, "f", "new", &spot.st), 0);
    check(x, "f", "new");
}

static void setuid_is_stripped(void **state)
{
    struct fix *x = *state;
    struct gn_part p = GN_PART_INIT;
    struct gn_spot spot;

    assert_int_equal(gn_part_open(x->c, "f", "k", NULL, 07755, &p, &x->err), 0);
    assert_int_equal(gn_part_commit(x->c, &p, "f", NULL, &x->err), 0);
    assert_int_equal(gn_confine_look(x->c, "f", &spot, &x->err), 0);
    assert_int_equal(spot.st.st_mode & 07000, 0);
    assert_int_equal(spot.st.st_mode & 0700, 0700);
}

static void a_partial_is_kept_for_its_version_only(void **state)
{
    struct fix *x = *state;
    struct gn_part p = GN_PART_INIT;

    assert_int_equal(gn_part_open(x->c, "f", "k", "v1", 0644, &p, &x->err), 0);
    assert_int_equal(p.have, 0);
    assert_int_equal(gn_fs_write_all(p.fd, "half", 4), 0);
    gn_part_close(&p, false);
    assert_int_equal(gn_part_open(x->c, "f", "k", "v1", 0644, &p, &x->err), 0);
    assert_int_equal(p.have, 4);
    gn_part_close(&p, false);
    assert_int_equal(gn_part_open(x->c, "f", "k", "v2", 0644, &p, &x->err), 0);
    assert_int_equal(p.have, 0);
    assert_int_equal(tree_count(x->dir), 1); /* v1's is gone */
    gn_part_close(&p, true);
    assert_int_equal(tree_count(x->dir), 0);
}

static void a_planted_partial_is_not_written_to(void **state)
{
    struct fix *x = *state;
    struct gn_part p = GN_PART_INIT;
    char name[80];

    assert_int_equal(gn_part_open(x->c, "f", "k", "v", 0644, &p, &x->err), 0);
    strcpy(name, p.name);
    gn_part_close(&p, true);
    tree_link(x->dir, name, "../out/mine");
    assert_int_equal(gn_part_open(x->c, "f", "k", "v", 0644, &p, &x->err), 0);
    assert_string_not_equal(p.name, name);
    assert_int_equal(gn_fs_write_all(p.fd, "evil", 4), 0);
    gn_part_close(&p, true);
    assert_int_equal(tree_count(x->dir), 1);
}

static void a_hard_linked_partial_is_not_written_to(void **state)
{
    struct fix *x = *state;
    struct gn_part p = GN_PART_INIT;
    char *from = gn_path_join(x->out, "mine"), *to;

    assert_int_equal(gn_part_open(x->c, "f", "k", "v", 0644, &p, &x->err), 0);
    to = gn_path_join(x->dir, p.name);
    gn_part_close(&p, true);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(gn_part_open(x->c, "f", "k", "v", 0644, &p, &x->err), 0);
    assert_int_equal(gn_fs_write_all(p.fd, "evil", 4), 0);
    gn_part_close(&p, true);
    free(from);
    free(to);
}

static void links_must_stay_inside(void **state)
{
    static const struct {
        const char *path, *target;
        bool ok;
    } t[] = {
        {"l", "a", true},
        {"l", "a/b", true},
        {"d/l", "../a", true},
        {"d/e/l", "../../a", true},
        {"l", "./a", true},
        {"l", ".", true},
        {"d/l", "..", true},
        {"l", "/etc", false},
        {"l", "..", false},
        {"l", "../out", false},
        {"d/l", "../../x", false},
        {"l", "a/../../x", false},
        {"l", "a/..", false},
        {"l", "", false},
        {"l", "here/mine", false},
        {"l", "here", false},
        {"l", ".git/config", false},
        {"d/l", "../here/x", false},
        {"l", "a//b", false},
        {"l", "a/", true},
    };
    struct fix *x = *state;

    tree_link(x->dir, "here", "../out");
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        if (t[i].ok != !gn_confine_link_refuses(x->c, t[i].path, t[i].target))
            fail_msg("'%s' -> '%s' should be %s", t[i].path, t[i].target,
                     t[i].ok ? "allowed" : "refused");
}

static void an_earlier_file_keeps_its_bytes_under_another_name(void **state)
{
    struct fix *x = *state;
    struct gn_spot spot;

    tree_put(x->dir, "f", "first");
    tree_put(x->dir, "taken", "mine");
    assert_int_equal(gn_confine_look(x->c, "f", &spot, &x->err), 0);
    assert_int_equal(gn_confine_keep(x->c, "f", "taken", &spot.st, &x->err), GN_E_EXISTS);
    assert_int_equal(gn_confine_keep(x->c, "f", "r/run-1/f", &spot.st, &x->err), 0);
    assert_int_equal(put(x, "f", "second", &spot.st), 0);
    check(x, "f", "second");
    check(x, "r/run-1/f", "first");
    check(x, "taken", "mine");
}

static void fifos_are_not_waited_for(void **state)
{
    struct fix *x = *state;
    char *path = gn_path_join(x->dir, "pipe");
    struct gn_sums sums;
    struct stat st;

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(gn_confine_sums(x->c, "pipe", &sums, &st, &gn_ctx_none, &x->err), GN_E_EXISTS);
    free(path);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_paths_are_refused),
        T(a_bad_path_is_not_even_walked),
        T(files_and_their_folders_are_made),
        T(nothing_is_written_through_a_symlink),
        T(a_symlink_is_replaced_not_followed),
        T(what_came_meanwhile_is_not_overwritten),
        T(what_changed_meanwhile_is_not_overwritten),
        T(setuid_is_stripped),
        T(a_partial_is_kept_for_its_version_only),
        T(a_planted_partial_is_not_written_to),
        T(a_hard_linked_partial_is_not_written_to),
        T(links_must_stay_inside),
        T(an_earlier_file_keeps_its_bytes_under_another_name),
        T(fifos_are_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
