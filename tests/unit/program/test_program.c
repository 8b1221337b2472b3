#include "tree.h"

/* Words up to a NULL. */
static int resolve(struct tree *t, struct gn_program *out, struct gn_err *err, ...)
{
    struct gn_strs words = GN_STRS_INIT;
    va_list ap;
    const char *word;

    va_start(ap, err);
    while ((word = va_arg(ap, const char *)))
        gn_strs_add(&words, word);
    va_end(ap);
    int rc = gn_program_resolve(&t->ctx, &t->project, &words, out, err);
    gn_strs_clear(&words);
    return rc;
}

static void check(struct tree *t, const char *word, enum gn_program_kind kind, const char *file,
                  const char *workdir, const char *start)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_program p = {0};

    assert_int_equal(resolve(t, &p, &err, word, "-x", NULL), GN_OK);
    assert_int_equal(p.kind, kind);
    if (file)
        assert_string_equal(p.file, file);
    else
        assert_null(p.file);
    assert_string_equal(p.workdir, workdir);
    assert_string_equal(p.start, start);
    assert_int_equal(p.first_arg, 1);
    gn_program_clear(&p);
}

static void the_ending_says_the_kind(void **state)
{
    struct tree *t = *state;

    tree_file(t, "train.py", "", 0644);
    tree_file(t, "-odd.py", "", 0644);
    tree_file(t, "n.ipynb", "{}", 0644);
    tree_file(t, "solver.prototxt", "", 0644);
    tree_file(t, "run", "\177ELF", 0755);
    tree_file(t, "pkg/__main__.py", "", 0644);
    check(t, "train.py", GN_PROG_PYTHON, "train.py", "", "train.py");
    check(t, "./train.py", GN_PROG_PYTHON, "train.py", "", "train.py");
    check(t, "./-odd.py", GN_PROG_PYTHON, "-odd.py", "", "./-odd.py");
    check(t, "n.ipynb", GN_PROG_NOTEBOOK, "n.ipynb", "", "n.ipynb");
    check(t, "solver.prototxt", GN_PROG_CAFFE, "solver.prototxt", "", "solver.prototxt");
    check(t, "run", GN_PROG_EXEC, "run", "", "./run");
    check(t, "pkg", GN_PROG_PYTHON, "pkg", "", "pkg");
    check(t, "make", GN_PROG_COMMAND, NULL, "", "make");
}

static void a_script_goes_to_the_shell_it_names(void **state)
{
    struct tree *t = *state;
    struct gn_err err = GN_ERR_INIT;
    struct gn_program p = {0};

    tree_file(t, "a.sh", "#!/usr/bin/env bash\n", 0644);
    tree_file(t, "b.sh", "echo\n", 0755);
    tree_file(t, "c.sh", "#!/bin/sh\n", 0755);
    assert_int_equal(resolve(t, &p, &err, "a.sh", NULL), GN_OK);
    assert_int_equal(p.kind, GN_PROG_SHELL);
    assert_string_equal(p.interp, "bash");
    gn_program_clear(&p);
    assert_int_equal(resolve(t, &p, &err, "b.sh", NULL), GN_OK);
    assert_string_equal(p.interp, "sh");
    gn_program_clear(&p);
    check(t, "c.sh", GN_PROG_EXEC, "c.sh", "", "./c.sh");
}

static void it_starts_where_the_user_stands(void **state)
{
    struct tree *t = *state;
    char *sub = gn_path_join(t->root, "a/b");
    char *abs = gn_path_join(t->root, "a/b/x.py");

    tree_file(t, "train.py", "", 0644);
    tree_file(t, "a/bc.py", "", 0644);
    tree_file(t, "a/b/x.py", "", 0644);
    tree_file(t, "a/b/c/y.py", "", 0644);
    t->ctx.cwd = sub;
    check(t, "x.py", GN_PROG_PYTHON, "a/b/x.py", "a/b", "x.py");
    check(t, "c/y.py", GN_PROG_PYTHON, "a/b/c/y.py", "a/b", "c/y.py");
    check(t, "../bc.py", GN_PROG_PYTHON, "a/bc.py", "a/b", "../bc.py");
    check(t, "../../train.py", GN_PROG_PYTHON, "train.py", "a/b", "../../train.py");
    t->ctx.cwd = "/";
    check(t, abs, GN_PROG_PYTHON, "a/b/x.py", "", "a/b/x.py");
    free(sub);
    free(abs);
}

static void python_in_front_is_understood(void **state)
{
    struct tree *t = *state;
    struct gn_err err = GN_ERR_INIT;
    struct gn_program p = {0};

    tree_file(t, "train", "", 0644);
    assert_int_equal(resolve(t, &p, &err, "python3", "-u", "train", "--lr", "1", NULL), GN_OK);
    assert_int_equal(p.kind, GN_PROG_PYTHON);
    assert_string_equal(p.start, "train");
    assert_int_equal(p.first_arg, 3);
    gn_program_clear(&p);
    assert_int_equal(resolve(t, &p, &err, "python", "-m", "a.b", "-m", NULL), GN_OK);
    assert_int_equal(p.kind, GN_PROG_MODULE);
    assert_string_equal(p.start, "a.b");
    assert_int_equal(p.first_arg, 3);
    gn_program_clear(&p);
    assert_int_equal(resolve(t, &p, &err, "-m", "a", NULL), GN_OK);
    assert_int_equal(p.kind, GN_PROG_MODULE);
    gn_program_clear(&p);
    assert_int_equal(resolve(t, &p, &err, "python", "-c", "print()", NULL), GN_OK);
    assert_int_equal(p.kind, GN_PROG_COMMAND);
    assert_int_equal(p.first_arg, 1);
    gn_program_clear(&p);
    assert_int_equal(resolve(t, &p, &err, "python", "nothing", NULL), GN_E_NOTFOUND);
}

static void what_is_wrong_is_named(void **state)
{
    struct tree *t = *state;
    struct gn_err err = GN_ERR_INIT;
    struct gn_program p = {0};

    tree_file(t, "train.py", "", 0644);
    tree_file(t, "deep/er/model.py", "", 0644);
    tree_file(t, "notes.txt", "hello", 0644);
    assert_int_equal(resolve(t, &p, &err, "trian.py", NULL), GN_E_NOTFOUND);
    assert_string_equal(err.msg, "there is no 'trian.py' here");
    assert_string_equal(err.hint, "did you mean 'train.py'?");
    assert_int_equal(resolve(t, &p, &err, "train", NULL), GN_E_NOTFOUND);
    assert_string_equal(err.hint, "did you mean 'train.py'?");
    assert_int_equal(resolve(t, &p, &err, "model.py", NULL), GN_E_NOTFOUND);
    assert_string_equal(err.hint, "did you mean 'deep/er/model.py'?");
    assert_int_equal(resolve(t, &p, &err, "./zzzzzzzz\033[31m", NULL), GN_E_NOTFOUND);
    assert_string_equal(err.hint, "");
    assert_null(strchr(err.msg, 033));
    assert_int_equal(resolve(t, &p, &err, "notes.txt", NULL), GN_E_USAGE);
    assert_int_equal(resolve(t, &p, &err, "deep", NULL), GN_E_USAGE);
    assert_int_equal(resolve(t, &p, &err, "/bin/sh", NULL), GN_E_USAGE);
    assert_int_equal(resolve(t, &p, &err, "", NULL), GN_E_USAGE);
    assert_int_equal(resolve(t, &p, &err, "-x", NULL), GN_E_USAGE);
    assert_int_equal(resolve(t, &p, &err, "-m", NULL), GN_E_USAGE);
    assert_int_equal(resolve(t, &p, &err, "-m", "../x", NULL), GN_E_USAGE);
    assert_int_equal(resolve(t, &p, &err, NULL), GN_E_USAGE);
    assert_null(p.start);
}

static void check_split(const char *line, size_t n, const char *first, const char *last)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_strs words = GN_STRS_INIT;

    assert_int_equal(gn_words_split(line, &words, &err), GN_OK);
    assert_int_equal(words.n, n);
    if (n) {
        assert_string_equal(words.v[0], first);
        assert_string_equal(words.v[n - 1], last);
    }
    gn_strs_clear(&words);
}

static void a_line_is_split_as_in_sh(void **state)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_strs words = GN_STRS_INIT;

    (void)state;
    check_split("  ", 0, "", "");
    check_split(" a  b\tc\n", 3, "a", "c");
    check_split("a 'b c'\"d e\" ''", 3, "a", "");
    check_split("a\\ b \"x\\\"y\\z\"", 2, "a b", "x\"y\\z");
    check_split("'a\\' $HOME", 2, "a\\", "$HOME");
    assert_int_equal(gn_words_split("a 'b", &words, &err), GN_E_CONFIG);
    assert_int_equal(words.n, 0);
}

static void text_is_one_line_for_people(void **state)
{
    struct gn_program p = {0};

    (void)state;
    gn_strs_add(&p.words, "train.py");
    gn_strs_add(&p.words, "");
    gn_strs_add(&p.words, "a b");
    gn_strs_add(&p.words, "x\ny\033");
    char *text = gn_program_text(&p);
    assert_non_null(strstr(text, "train.py '' 'a b'"));
    assert_null(strpbrk(text, "\n\033"));
    free(text);
    gn_program_clear(&p);
}

static void expr(const char *constraint, const char *want)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_buf b = GN_BUF_INIT(4096);
    int rc = gn_python_expr(constraint, &b, &err);

    if (want) {
        assert_int_equal(rc, GN_OK);
        assert_string_equal(b.ptr, want);
    } else {
        assert_int_equal(rc, GN_E_CONFIG);
    }
    gn_buf_clear(&b);
}

static void ranges_of_versions_are_read(void **state)
{
    (void)state;
    expr(">=3.9", "v[:2] >= (3, 9, )");
    expr(" >= 3.9 , <3.13 ", "v[:2] >= (3, 9, ) and v[:2] < (3, 13, )");
    expr("3.11", "v[:2] == (3, 11, )");
    expr("==3.*", "v[:1] == (3, )");
    expr("^3.9", "v[:2] >= (3, 9, ) and v[:1] == (3, )");
    expr("~=3.9.1", "v[:3] >= (3, 9, 1, ) and v[:2] == (3, 9, )");
    expr("!=3.9.1", "v[:3] != (3, 9, 1, )");
    expr("", NULL);
    expr(">=", NULL);
    expr("3.", NULL);
    expr(">=3.9,", NULL);
    expr("3.9)or(1", NULL);
    expr("1.2.3.4", NULL);
    expr("99999999999999", NULL);
    expr("__import__('os')", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tree_test(the_ending_says_the_kind),
        tree_test(a_script_goes_to_the_shell_it_names),
        tree_test(it_starts_where_the_user_stands),
        tree_test(python_in_front_is_understood),
        tree_test(what_is_wrong_is_named),
        cmocka_unit_test(a_line_is_split_as_in_sh),
        cmocka_unit_test(text_is_one_line_for_people),
        cmocka_unit_test(ranges_of_versions_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
