#include "folder.h"

#include "manifest.h"

static struct gn_manifest *scan(const struct folder *f)
{
    struct gn_scan_opts opts = {.root = f->tree, .everything = true};
    struct gn_manifest *m = NULL;
    struct gn_err err = GN_ERR_INIT;

    assert_int_equal(gn_scan(&gn_ctx_none, &opts, &m, &err), GN_OK);
    return m;
}

static void what_is_written_is_read(void **state)
{
    const struct folder *f = *state;
    struct gn_manifest *m, *back = NULL;
    struct gn_err err = GN_ERR_INIT;
    char id[GN_HASH_HEX];

    put(f, "a/b", "text");
    put(f, "a-b", "");
    put(f, "a\nb", "x");
    assert_int_equal(in_folder(f, "mkdir tree/e; ln -s nowhere tree/l"), 0);
    m = scan(f);
    assert_int_equal(m->n, 6);
    assert_int_equal(m->bytes, 5);
    assert_int_equal(gn_manifest_write(m, f->cache, &err), GN_OK);
    assert_int_equal(gn_manifest_read(f->cache, &back, &err), GN_OK);
    assert_string_equal(m->id, back->id);
    assert_int_equal(gn_manifest_read_id(f->cache, id, &err), GN_OK);
    assert_string_equal(m->id, id);
    assert_int_equal(back->n, m->n);
    assert_string_equal(gn_manifest_find(back, "l")->link, "nowhere");
    assert_int_equal(gn_manifest_find(back, "a/b")->size, 4);
    assert_int_equal(gn_manifest_find(back, "a/b")->mtime_ns, gn_manifest_find(m, "a/b")->mtime_ns);
    assert_null(gn_manifest_find(back, "a/c"));
    gn_manifest_free(m);
    gn_manifest_free(back);
}

static void a_manifest_of_many_pieces_is_read(void **state)
{
    const struct folder *f = *state;
    struct gn_manifest *m = gn_new(struct gn_manifest), *back = NULL;
    struct gn_err err = GN_ERR_INIT;
    char *names;

    m->n = 9000;
    m->v = gn_calloc(m->n, sizeof *m->v);
    names = gn_calloc(m->n, 1024);
    for (size_t i = 0; i < m->n; i++) {
        char *path = names + i * 1024;

        snprintf(path, 1024, "%05zu%0*d", i, (int)(i % 300) + 1, 0);
        m->v[i] = (struct gn_entry){.path = path, .size = i, .mtime_ns = (int64_t)i};
    }
    assert_int_equal(gn_manifest_write(m, f->cache, &err), GN_OK);
    assert_int_equal(gn_manifest_read(f->cache, &back, &err), GN_E_PROTO);
    gn_manifest_seal(m);
    assert_int_equal(gn_manifest_write(m, f->cache, &err), GN_OK);
    assert_int_equal(gn_manifest_read(f->cache, &back, &err), GN_OK);
    assert_int_equal(back->n, m->n);
    for (size_t i = 0; i < m->n; i++)
        assert_true(!strcmp(m->v[i].path, back->v[i].path) && back->v[i].size == i);
    free(names);
    gn_manifest_free(m);
    gn_manifest_free(back);
}

/* Every byte counts, and so does the length. */
static void a_damaged_file_is_refused(void **state)
{
    const struct folder *f = *state;
    struct gn_buf file = GN_BUF_INIT(GN_MAX_FILE);
    struct gn_manifest *m, *back = NULL;
    struct gn_err err = GN_ERR_INIT;

    put(f, "a", "text");
    m = scan(f);
    assert_int_equal(gn_manifest_write(m, f->cache, &err), GN_OK);
    assert_int_equal(gn_fs_read(f->cache, &file, &err), GN_OK);
    for (size_t i = 0; i < file.len; i += 3) {
        put(f, "../damaged", "");
        file.ptr[i] ^= 1;
        put_bytes(f, "../damaged", file.ptr, file.len);
        file.ptr[i] ^= 1;
        char *name = gn_path_join(f->root, "damaged");
        assert_int_equal(gn_manifest_read(name, &back, &err), GN_E_PROTO);
        put_bytes(f, "../damaged", file.ptr, i);
        assert_int_equal(gn_manifest_read(name, &back, &err), GN_E_PROTO);
        free(name);
    }
    assert_int_equal(gn_manifest_read("/nowhere/at/all", &back, &err), GN_E_NOTFOUND);
    gn_manifest_free(m);
    gn_buf_clear(&file);
}

static void note(enum gn_change what, const struct gn_entry *e, void *arg)
{
    gn_buf_addf(arg, "%c%s ", "-+="[what], e -> path);
}

static void a_difference_removes_first_and_children_before_parents(void **state)
{
    const struct folder *f = *state;
    struct gn_buf text = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_manifest *old, *cur;

    put(f, "a/b/c", "1");
    put(f, "keep", "1");
    put(f, "swap", "1");
    put(f, "edit", "1");
    old = scan(f);
    assert_int_equal(in_folder(f, "cd tree; rm -r a; echo 2 >edit; rm swap; ln -s keep swap;"
                                  "mkdir -p n; echo 1 >n/x; touch keep"),
                     0);
    cur = scan(f);
    gn_manifest_diff(old, cur, note, &text);
    assert_string_equal(text.ptr, "-a/b/c -a/b -a =edit +n +n/x =swap ");
    gn_buf_reset(&text);
    gn_manifest_diff(cur, cur, note, &text);
    assert_string_equal(text.ptr, "");
    gn_manifest_diff(NULL, cur, note, &text);
    assert_string_equal(text.ptr, "+edit +keep +n +n/x +swap ");
    assert_string_not_equal(old->id, cur->id);
    gn_manifest_free(old);
    gn_manifest_free(cur);
    gn_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(a_manifest_of_many_pieces_is_read, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_refused, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(a_difference_removes_first_and_children_before_parents,
                                        folder_setup, folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
