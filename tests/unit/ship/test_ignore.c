#include "folder.h"

static bool ignored(const char *rules, const char *path, bool is_dir)
{
    struct gn_ignore *ig = gn_ignore_new();
    struct gn_verdict v;

    gn_ignore_add(ig, "", "rules", rules, strlen(rules));
    gn_ignore_match(ig, path, is_dir, &v);
    gn_ignore_free(ig);
    return v.ignored;
}

static void the_last_matching_line_wins(void **state)
{
    (void)state;
    assert_true(ignored("*.o\n!a.o\n", "b.o", false));
    assert_false(ignored("*.o\n!a.o\n", "a.o", false));
    assert_true(ignored("!a.o\n*.o\n", "a.o", false));
    assert_false(ignored("", "a.o", false));
    assert_false(ignored("#a\n\n", "#a", false));
    assert_true(ignored("\\#a", "#a", false));
}

static void slashes_anchor_a_pattern(void **state)
{
    (void)state;
    assert_true(ignored("x", "a/b/x", false));
    assert_false(ignored("/x", "a/x", false));
    assert_false(ignored("a/x", "b/a/x", false));
    assert_true(ignored("**/a/x", "b/a/x", false));
    assert_true(ignored("a/**/x", "a/x", false));
    assert_true(ignored("a/**", "a/b/c", false));
    assert_false(ignored("a/**", "a", true));
    assert_false(ignored("a/*", "a/b/c", false));
    assert_false(ignored("d/", "d", false));
    assert_true(ignored("d/", "d", true));
}

static void blanks_at_the_end_do_not_count(void **state)
{
    (void)state;
    assert_true(ignored("a  ", "a", false));
    assert_true(ignored("a\\ ", "a ", false));
    assert_true(ignored("a\r\n", "a", false));
    assert_true(ignored("\xef\xbb\xbf"
                        "a",
                        "a", false));
}

static void a_rule_counts_in_its_folder_and_below(void **state)
{
    struct gn_ignore *top = gn_ignore_new(), *ig;
    struct gn_verdict v;

    (void)state;
    gn_ignore_add(top, "", ".gitignore", "*.log\n", 6);
    ig = gn_ignore_below(top);
    gn_ignore_add(ig, "sub", "sub/.gitignore", "# x\n!keep.log\n/only\n", 20);
    gn_ignore_match(ig, "sub/keep.log", false, &v);
    assert_false(v.ignored);
    assert_string_equal(v.source, "sub/.gitignore");
    assert_string_equal(v.pattern, "!keep.log");
    assert_int_equal(v.line, 2);
    gn_ignore_match(ig, "subway/keep.log", false, &v);
    assert_true(v.ignored);
    gn_ignore_match(ig, "sub/only", false, &v);
    assert_true(v.ignored);
    gn_ignore_free(ig);
    gn_ignore_match(top, "sub/keep.log", false, &v);
    assert_true(v.ignored);
    gn_ignore_match(top, "sub/only", false, &v);
    assert_null(v.source);
    gn_ignore_free(top);
}

static void a_hostile_pattern_takes_no_time(void **state)
{
    char pattern[400] = "", path[4001];

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        memcpy(pattern + 6 * i, "**/*a*", 7);
    memset(path, 'a', 4000);
    for (unsigned i = 5; i < 4000; i += 7)
        path[i] = '/';
    path[4000] = '\0';
    pattern[360] = 'b';
    assert_false(gn_glob_match(pattern, path, false));
}

static void patterns_of_results_match_alone(void **state)
{
    (void)state;
    assert_true(gn_glob_match("checkpoints/**", "checkpoints/a/b.pt", false));
    assert_true(gn_glob_match("*.pt", "checkpoints/a/b.pt", false));
    assert_false(gn_glob_match("*.pt", "checkpoints/a/b.ptx", false));
    assert_true(gn_glob_match("!**/*.tmp", "a/b.tmp", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_matching_line_wins),
        cmocka_unit_test(slashes_anchor_a_pattern),
        cmocka_unit_test(blanks_at_the_end_do_not_count),
        cmocka_unit_test(a_rule_counts_in_its_folder_and_below),
        cmocka_unit_test(a_hostile_pattern_takes_no_time),
        cmocka_unit_test(patterns_of_results_match_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
