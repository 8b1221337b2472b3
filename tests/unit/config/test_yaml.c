/* test_yaml.c - the tree, and everything that is refused with its place. */
#include "gnrrun/yaml.h"
#include "kit.h"

static struct gn_yaml parse(const char *text)
{
    struct gn_yaml y = {0};
    struct gn_err err = GN_ERR_INIT;

    if (gn_yaml_parse("f.yaml", text, strlen(text), &y, &err))
        fail_msg("%s", err.msg);
    return y;
}

static void every_node_knows_its_place(void **state)
{
    struct gn_yaml y = parse("# c\na: 1\nb:\n  - x\n  - {c: 'null', d: }\n");
    const struct gn_yaml_node *b = gn_yaml_get(y.root, "b"), *m;

    (void)state;
    assert_int_equal(y.root->kind, GN_YAML_MAP);
    assert_int_equal(y.root->n, 2);
    assert_int_equal(gn_yaml_get(y.root, "a")->line, 2);
    assert_int_equal(gn_yaml_get(y.root, "a")->col, 4);
    assert_int_equal(b->kind, GN_YAML_LIST);
    assert_int_equal(b->key_line, 3);
    assert_int_equal(b->key_col, 1);
    m = b->child->next;
    assert_true(m->flow);
    assert_int_equal(m->line, 5);
    assert_int_equal(m->col, 5);
    assert_false(gn_yaml_is_null(gn_yaml_get(m, "c")));
    assert_true(gn_yaml_is_null(gn_yaml_get(m, "d")));
    assert_null(gn_yaml_get(m, "e"));
    assert_null(gn_yaml_get(b, "e"));
    gn_yaml_clear(&y);
}

static void nothing_is_no_root(void **state)
{
    const char *const none[] = {"", "\n\n", "# only a comment\n", "\xef\xbb\xbf"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct gn_yaml y = parse(none[i]);

        assert_null(y.root);
        gn_yaml_clear(&y);
    }
}

static void refused(const char *text, const char *want)
{
    struct gn_yaml y = {0};
    struct gn_err err = GN_ERR_INIT;

    assert_int_equal(gn_yaml_parse("f.yaml", text, strlen(text), &y, &err), GN_E_CONFIG);
    if (strncmp(err.msg, want, strlen(want)) != 0)
        fail_msg("'%s' gives '%s', not '%s'", text, err.msg, want);
    assert_null(strpbrk(err.msg, "\n\x1b"));
}

static void what_a_configuration_does_not_need_is_refused(void **state)
{
    (void)state;
    refused("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key 'a' stands here already: line 1");
    refused("a: {b: 1, b: 2}\n", "f.yaml:1:11: key 'b' stands here already");
    refused("a: &x 1\n", "f.yaml:1:4: anchors");
    refused("a: &x [1]\n", "f.yaml:1:4: anchors");
    refused("a: *x\n", "f.yaml:1:4: aliases");
    refused("a: !!str 1\n", "f.yaml:1:4: tags");
    refused("a: !x {}\n", "f.yaml:1:4: tags");
    refused("%TAG ! tag:x,2000:\n---\na: 1\n", "f.yaml:1:1: tags (%TAG)");
    refused("a: 1\n---\nb: 1\n", "f.yaml:2:1: a second document");
    refused("[a]: 1\n", "f.yaml:1:1: a key must be a word");
    refused("{{a: 1}: 1}\n", "f.yaml:1:2: a key must be a word");
    refused("'': 1\n", "f.yaml:1:1: a key is missing");
    refused(": 1\n", "f.yaml:1:1: ");
    refused("a: \"x\\0y\"\n", "f.yaml:1:4: a NUL character");
    refused("a: \xff\n", "f.yaml:1:4: not UTF-8");
    refused("\xc3\xa9: 1\nab: \xc0\x80\n", "f.yaml:2:5: not UTF-8");
    refused("a: \x01\n", "f.yaml:1:4: a control character");
    refused("a: [1, 2\n", "f.yaml:2:1: ");
    refused("a: 1\n b: 2\n", "f.yaml:2:3: mapping values are not allowed in this context");
    refused("a:\n\t- 1\n", "f.yaml:2:1: a value cannot begin with this character");
    refused("a: 'x\n", "f.yaml:2:1: ");
    refused("\"a\\x1b[2J\\n\": 1\n\"a\\x1b[2J\\n\": 1\n",
            "f.yaml:2:1: key 'a\\x1b[2J\\x0a' stands");
}

static void repeat(struct gn_buf *b, const char *s, int n)
{
    while (n-- > 0)
        gn_buf_adds(b, s);
}

static void size_depth_and_number_have_bounds(void **state)
{
    struct gn_buf b = GN_BUF_INIT((size_t)4 << 20);
    struct gn_yaml y = {0};

    (void)state;
    repeat(&b, "[", GN_YAML_MAX_DEPTH);
    repeat(&b, "]", GN_YAML_MAX_DEPTH);
    y = parse(b.ptr);
    gn_yaml_clear(&y);
    gn_buf_reset(&b);
    repeat(&b, "[", 100000);
    refused(b.ptr, "f.yaml:1:33: nested too deeply");
    gn_buf_reset(&b);
    repeat(&b, "{a: ", 100000);
    refused(b.ptr, "f.yaml:1:129: nested too deeply");
    gn_buf_reset(&b);
    repeat(&b, "- ", 100000);
    refused(b.ptr, "f.yaml:1:65: nested too deeply");
    gn_buf_reset(&b);
    repeat(&b, "- 1\n", GN_YAML_MAX_NODES + 1);
    refused(b.ptr, "f.yaml:100000:3: too many values");
    gn_buf_reset(&b);
    for (int i = 0; i <= GN_YAML_MAX_KEYS; i++)
        gn_buf_addf(&b, "k%d: 1\n", i);
    refused(b.ptr, "f.yaml:1001:1: more than 1000 keys");
    gn_buf_reset(&b);
    repeat(&b, "#", (1 << 20) + 1);
    refused(b.ptr, "f.yaml:1:1: larger than 1 MiB");
    gn_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_knows_its_place),
        cmocka_unit_test(nothing_is_no_root),
        cmocka_unit_test(what_a_configuration_does_not_need_is_refused),
        cmocka_unit_test(size_depth_and_number_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
