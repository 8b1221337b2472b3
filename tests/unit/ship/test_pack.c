#include "folder.h"

struct stream {
    struct gn_buf bytes;
    size_t at;      /* read so far */
    size_t portion; /* handed out at once */
    struct gn_buf log;
};

static int collect(void *arg, const void *data, size_t len, struct gn_err *err)
{
    struct stream *s = arg;

    (void)err;
    gn_buf_add(&s->bytes, data, len);
    return GN_OK;
}

static int refuse(void *arg, const void *data, size_t len, struct gn_err *err)
{
    (void)arg, (void)data, (void)len;
    return gn_err_set(err, GN_E_NET, "gone");
}

static int supply(void *arg, void *buf, size_t cap, size_t *n, struct gn_err *err)
{
    struct stream *s = arg;
    size_t left = s->bytes.len - s->at;

    (void)err;
    *n = left < cap ? left : cap;
    if (*n > s->portion)
        *n = s->portion;
    memcpy(buf, s->bytes.ptr + s->at, *n);
    s->at += *n;
    return GN_OK;
}

static int begin(void *arg, const struct gn_unpack_entry *e, struct gn_err *err)
{
    struct stream *s = arg;

    (void)err;
    gn_buf_addf(&s->log, "%c %s %o %u%s%s", "fdlho"[e->kind], e -> path, (unsigned)e -> mode,
                (unsigned)e -> size, e -> link ? " -> " : "", e->link ? e->link : "");
    return GN_OK;
}

static int take(void *arg, uint64_t at, const void *data, size_t len, struct gn_err *err)
{
    struct stream *s = arg;

    (void)err;
    if (at == 0 && len < 64)
        gn_buf_addf(&s->log, " '%.*s'", (int)len, (const char *)data);
    return GN_OK;
}

static int end(void *arg, struct gn_err *err)
{
    struct stream *s = arg;

    (void)err;
    gn_buf_addc(&s->log, '\n');
    return GN_OK;
}

static const struct gn_unpack_ops ops = {begin, take, end};

static int setup(void **state)
{
    folder_setup(state);
    return 0;
}

#define STREAM                                                                                     \
    {                                                                                              \
        .bytes = GN_BUF_INIT((size_t)64 << 20), .log = GN_BUF_INIT(GN_MAX_FILE), .portion = 999    \
    }

static void stream_clear(struct stream *s)
{
    gn_buf_clear(&s->bytes);
    gn_buf_clear(&s->log);
}

/* All of the tree; *after gets the sh lines. */
static int pack(const struct folder *f, const struct gn_manifest *m, bool zstd, struct stream *s,
                struct gn_buf *after, struct gn_err *err)
{
    struct gn_pack *p = NULL;
    int rc = gn_pack_open(collect, s, zstd, &p, err);

    if (!rc)
        rc = gn_pack_dir(p, "tree", 0700, err);
    for (size_t i = 0; !rc && i < m->n; i++)
        rc = gn_pack_entry(p, f->tree, "tree", &m->v[i], after, NULL, NULL, &gn_ctx_none, err);
    if (rc)
        gn_pack_abort(p);
    else
        rc = gn_pack_close(p, err);
    return rc;
}

static struct gn_manifest *scan(const struct folder *f)
{
    struct gn_scan_opts opts = {.root = f->tree, .everything = true};
    struct gn_manifest *m = NULL;
    struct gn_err err = GN_ERR_INIT;

    assert_int_equal(gn_scan(&gn_ctx_none, &opts, &m, &err), GN_OK);
    return m;
}

static void what_is_packed_is_unpacked(void **state)
{
    const struct folder *f = *state;

    put(f, "a\nb", "odd");
    put(f, "d/e/f", "");
    assert_int_equal(in_folder(f, "cd tree; ln -s nowhere l; chmod 500 d/e; chmod 444 d/e/f"), 0);
    for (int zstd = 0; zstd < 2; zstd++) {
        struct gn_buf after = GN_BUF_INIT(GN_MAX_LINE);
        struct gn_manifest *m = scan(f);
        struct gn_err err = GN_ERR_INIT;
        struct stream s = STREAM;

        assert_int_equal(pack(f, m, zstd, &s, &after, &err), GN_OK);
        /* One archive after the other, uncompressed; compressed it is one stream. */
        if (!zstd)
            assert_int_equal(pack(f, m, zstd, &s, &after, &err), GN_OK);
        assert_int_equal(gn_unpack(supply, &s, zstd, &ops, &s, &gn_ctx_none, &err), GN_OK);
        const char *once =
            "d tree 700 0\nf tree/a\nb 644 3 'odd'\nd tree/d 755 0\nd tree/d/e 700 0\n"
            "f tree/d/e/f 444 0\nl tree/l 777 0 -> nowhere\n";
        char *want = gn_printf("%s%s", once, zstd ? "" : once);
        assert_string_equal(s.log.ptr, want);
        assert_int_equal(after.len, 0);
        free(want);
        gn_manifest_free(m);
        stream_clear(&s);
    }
    /* an ordinary user could not clean up otherwise */
    assert_int_equal(in_folder(f, "chmod 700 tree/d/e"), 0);
}

static void a_change_since_the_scan_is_noticed(void **state)
{
    const struct folder *f = *state;
    static const char *const changes[] = {"printf two >tree/a",
                                          "printf longer >tree/a",
                                          "rm tree/a",
                                          "rm tree/a; ln -s ../script tree/a",
                                          "rm tree/a; mkdir tree/a",
                                          "mv tree t; mkdir tree"};

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct gn_buf after = GN_BUF_INIT(GN_MAX_LINE);
        struct gn_err err = GN_ERR_INIT;
        struct stream s = STREAM;
        struct gn_manifest *m;

        assert_int_equal(in_folder(f, "rm -rf tree; mkdir tree"), 0);
        put(f, "a", "one");
        m = scan(f);
        assert_int_equal(in_folder(f, changes[i]), 0);
        assert_int_equal(pack(f, m, false, &s, &after, &err), GN_E_CHANGED);
        assert_non_null(strstr(err.msg, "'a'"));
        gn_manifest_free(m);
        stream_clear(&s);
    }
}

static void a_sink_that_fails_ends_it(void **state)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_pack *p = NULL;
    char *big = gn_calloc(1, 1 << 20);

    (void)state;
    assert_int_equal(gn_pack_open(refuse, NULL, false, &p, &err), GN_OK);
    assert_int_equal(gn_pack_mem(p, "x", 0600, big, 1 << 20, &err), GN_E_NET);
    gn_pack_abort(p);
    assert_int_equal(gn_pack_open(refuse, NULL, true, &p, &err), GN_OK);
    assert_int_equal(gn_pack_close(p, &err), GN_E_NET);
    free(big);
}

/* Unpacked by the system's tar and put together by its sh. */
static void a_sparse_file_travels_as_its_data(void **state)
{
    const struct folder *f = *state;
    struct gn_buf after = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_err err = GN_ERR_INIT;
    struct stream s = STREAM;
    struct gn_manifest *m;
    char *name = gn_path_join(f->root, "t.tar");

    assert_int_equal(
        in_folder(
            f, "cd tree; printf end | dd of=\"a'b\" bs=1 seek=30000000 2>/dev/null;"
               "printf abc | dd of=\"a'b\" bs=1 seek=5000001 conv=notrunc 2>/dev/null;"
               "chmod 640 \"a'b\"; dd if=/dev/null of=holes bs=1 count=0 seek=9999999 2>/dev/null"),
        0);
    m = scan(f);
    assert_int_equal(pack(f, m, false, &s, &after, &err), GN_OK);
    if (after.len == 0) {
        gn_manifest_free(m);
        print_message("skipped: this file system keeps no holes\n");
        skip();
    }
    assert_true(s.bytes.len < 1000000);
    assert_int_equal(gn_fs_replace(name, s.bytes.ptr, s.bytes.len, 0600, &err), GN_OK);
    put_bytes(f, "../after", after.ptr, after.len);
    for (int i = 0; i < 2; i++) {
        const char *sh = i ? "busybox sh" : "sh";
        char *script =
            gn_printf("%s -c : 2>/dev/null || exit 0; rm -rf o; mkdir o; cd o;"
                      "tar xf ../t.tar && %s ../after && cmp \"tree/a'b\" \"../tree/a'b\" &&"
                      "cmp tree/holes ../tree/holes && test -z \"$(ls x)\" && "
                      "test -n \"$(find \"tree/a'b\" -perm 640)\" && "
                      "test -z \"$(find \"tree/a'b\" -newer \"../tree/a'b\")\"",
                      sh, sh);
        assert_int_equal(in_folder(f, script), 0);
        free(script);
    }
    free(name);
    gn_manifest_free(m);
    gn_buf_clear(&after);
    stream_clear(&s);
}

static void a_huge_sparse_file_is_quick(void **state)
{
    const struct folder *f = *state;
    struct gn_buf after = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_err err = GN_ERR_INIT;
    struct stream s = STREAM;
    struct gn_manifest *m;
    char first[GN_HASH_HEX];

    if (in_folder(f, "dd if=/dev/null of=tree/big bs=1 count=0 seek=100000000000 2>/dev/null")) {
        print_message("skipped: no file of 100 GB can be made here\n");
        skip();
    }
    assert_int_equal(
        in_folder(f, "printf x | dd of=tree/big bs=1 seek=70000000000 conv=notrunc 2>/dev/null"),
        0);
    m = scan(f);
    assert_true(gn_entry_is_huge_sparse(&m->v[0]));
    assert_int_equal(pack(f, m, true, &s, &after, &err), GN_OK);
    assert_true(s.bytes.len < 100000);
    memcpy(first, m->id, sizeof first);
    gn_manifest_free(m);
    assert_int_equal(
        in_folder(f, "printf y | dd of=tree/big bs=1 seek=70000000000 conv=notrunc 2>/dev/null"),
        0);
    m = scan(f);
    assert_string_not_equal(m->id, first);
    gn_manifest_free(m);
    gn_buf_clear(&after);
    stream_clear(&s);
}

static int unpack_bytes(const struct gn_buf *bytes, size_t len, bool zstd, struct gn_err *err)
{
    struct stream s = STREAM;
    int rc;

    gn_buf_add(&s.bytes, bytes->ptr, len);
    rc = gn_unpack(supply, &s, zstd, &ops, &s, &gn_ctx_none, err);
    stream_clear(&s);
    return rc;
}

static void a_stream_that_is_cut_is_refused(void **state)
{
    const struct folder *f = *state;

    put(f, "a", "some text");
    put(f, "b", "more text");
    for (int zstd = 0; zstd < 2; zstd++) {
        struct gn_buf after = GN_BUF_INIT(GN_MAX_LINE);
        struct gn_manifest *m = scan(f);
        struct gn_err err = GN_ERR_INIT;
        struct stream s = STREAM;

        assert_int_equal(pack(f, m, zstd, &s, &after, &err), GN_OK);
        assert_int_equal(unpack_bytes(&s.bytes, s.bytes.len, zstd, &err), GN_OK);
        assert_int_equal(unpack_bytes(&s.bytes, 0, zstd, &err), GN_OK);
        for (size_t n = 1; n < s.bytes.len; n += zstd ? 7 : 128)
            assert_int_not_equal(unpack_bytes(&s.bytes, n, zstd, &err), GN_OK);
        assert_int_equal(unpack_bytes(&s.bytes, s.bytes.len, !zstd, &err), GN_E_PROTO);
        gn_manifest_free(m);
        stream_clear(&s);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_packed_is_unpacked),  T(a_change_since_the_scan_is_noticed),
        T(a_sink_that_fails_ends_it),   T(a_sparse_file_travels_as_its_data),
        T(a_huge_sparse_file_is_quick), T(a_stream_that_is_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
