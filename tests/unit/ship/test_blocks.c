#include "folder.h"

#include "blocks.h"

#define MB ((size_t)1 << 20)

static int64_t later(const struct gn_ctx *ctx)
{
    return gn_ctx_none.wall_s(ctx) + 10;
}

/* A cache in the test's folder, and a clock that finds everything old. */
static struct gn_ctx make_ctx(const struct folder *f)
{
    struct gn_ctx ctx = gn_ctx_none;

    ctx.cache_dir = f->root;
    ctx.wall_s = later;
    return ctx;
}

static char *noise(size_t len)
{
    char *p = gn_realloc(NULL, len, 1);
    uint64_t x = 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        p[i] = (char)(x >> 56);
    }
    return p;
}

static struct gn_blocks read_blocks(const struct folder *f, const char *path, uint64_t size)
{
    char *full = gn_path_join(f->tree, path);
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    struct gn_err err = GN_ERR_INIT;
    struct gn_blocks b = GN_BLOCKS_INIT;

    assert_true(fd >= 0);
    assert_int_equal(gn_blocks_read(fd, path, size, &gn_ctx_none, NULL, NULL, &b, &err), GN_OK);
    close(fd);
    free(full);
    return b;
}

static void many_threads_say_what_one_says_in_any_pieces(void **state)
{
    static const size_t lens[] = {16 * MB, 16 * MB + 1, 17 * MB - 5};
    const struct folder *f = *state;
    char *p = noise(17 * MB);

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct gn_block_hash *h = gn_block_hash_new(lens[i]);
        uint8_t one[GN_HASH_LEN], many[GN_HASH_LEN];
        struct gn_blocks b;
        size_t piece = 1 + 77777 * i;

        put_bytes(f, "big", p, lens[i]);
        b = read_blocks(f, "big", lens[i]);
        assert_int_equal(b.n, (lens[i] + b.block - 1) / b.block);
        gn_blocks_root(&b, many);
        for (size_t at = 0; at < lens[i]; at += piece)
            gn_block_hash_add(h, p + at, lens[i] - at < piece ? lens[i] - at : piece);
        gn_block_hash_end(h, one);
        assert_memory_equal(one, many, sizeof one);
        gn_block_hash_free(h);
        gn_blocks_clear(&b);
    }
    free(p);
}

static void a_file_that_ends_early_has_changed(void **state)
{
    const struct folder *f = *state;
    struct gn_err err = GN_ERR_INIT;
    struct gn_blocks b = GN_BLOCKS_INIT;
    char *full = gn_path_join(f->tree, "short");
    int fd;

    put(f, "short", "x");
    fd = open(full, O_RDONLY | O_CLOEXEC);
    assert_int_equal(gn_blocks_read(fd, "short", 16 * MB, &gn_ctx_none, NULL, NULL, &b, &err),
                     GN_E_CHANGED);
    assert_null(b.hash);
    close(fd);
    free(full);
}

static void a_list_that_is_not_what_was_kept_is_none(void **state)
{
    const struct folder *f = *state;
    const struct gn_ctx ctx = make_ctx(f);
    char *p = noise(16 * MB);
    struct gn_blocks b, again;
    uint8_t root[GN_HASH_LEN];

    put_bytes(f, "big", p, 16 * MB);
    b = read_blocks(f, "big", 16 * MB);
    gn_blocks_root(&b, root);
    assert_false(gn_blocks_load(&ctx, root, 16 * MB, &again));
    gn_blocks_save(&b, &ctx);
    assert_true(gn_blocks_load(&ctx, root, 16 * MB, &again));
    assert_memory_equal(again.hash, b.hash, b.n * GN_HASH_LEN);
    gn_blocks_clear(&again);
    assert_false(gn_blocks_load(&ctx, root, 16 * MB + 1, &again));
    assert_int_equal(in_folder(f, "printf x | dd of=\"$(echo blocks/*)\" conv=notrunc 2>&1"), 0);
    assert_false(gn_blocks_load(&ctx, root, 16 * MB, &again));
    assert_int_equal(in_folder(f, ": >\"$(echo blocks/*)\""), 0);
    assert_false(gn_blocks_load(&ctx, root, 16 * MB, &again));
    gn_blocks_clear(&b);
    free(p);
}

/* --- through tar and sh, as over there ------------------------------------------------------ */

struct sent {
    int fd; /* of the archive */
    uint64_t bytes;
};

static int collect(void *arg, const void *data, size_t len, struct gn_err *err)
{
    struct sent *s = arg;

    (void)err;
    s->bytes += len;
    assert_int_equal(gn_fs_write_all(s->fd, data, len), 0);
    return GN_OK;
}

static struct gn_manifest *scan(const struct folder *f, const struct gn_ctx *ctx)
{
    struct gn_scan_opts opts = {.root = f->tree, .everything = true, .cache_file = f->cache};
    struct gn_manifest *m = NULL;
    struct gn_err err = GN_ERR_INIT;

    assert_int_equal(gn_scan(ctx, &opts, &m, &err), GN_OK);
    assert_int_equal(m->n, 1);
    return m;
}

/* was NULL: what is missing behind `there` bytes.  The archive is root/t.tar. */
static int pack(const struct folder *f, const struct gn_ctx *ctx, const struct gn_entry *was,
                const struct gn_entry *now, uint64_t there, uint64_t *sent, struct gn_err *err)
{
    char *tar = gn_path_join(f->root, "t.tar");
    struct sent s = {.fd = open(tar, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    struct gn_buf after = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_pack *p = NULL;
    bool done = true;
    int rc = gn_pack_open(collect, &s, GN_PACK_PLAIN, &p, err);

    assert_int_equal(rc, GN_OK);
    rc = gn_pack_dir(p, "x", 0700, err);
    if (was)
        rc = gn_pack_patch(p, f->tree, "far", was, now, false, &after, NULL, NULL, ctx, err);
    else
        rc = gn_pack_rest(p, f->tree, "far", now, there, &after, NULL, NULL, ctx, &done, err);
    assert_true(done);
    if (!rc)
        rc = gn_pack_mem(p, "after", 0600, after.ptr, after.len, err);
    if (rc)
        gn_pack_abort(p);
    else
        rc = gn_pack_close(p, err);
    close(s.fd);
    *sent = s.bytes;
    gn_buf_clear(&after);
    free(tar);
    return rc;
}

#define UNPACK "rm -rf x; tar -xf t.tar && "
#define PUT_UP UNPACK "sh -e ./after </dev/null && "
#define COMPARE                                                                                    \
    "cmp tree/* far/* && [ \"$(stat -c '%a %Y' tree/*)\" = \"$(stat -c '%a %Y' far/*)\" ]"

static void changed_blocks_make_the_new_file_of_the_old_one(void **state)
{
    static const char *const changes[] = {
        "printf new | dd of=\"$1\" bs=1 seek=7000000 conv=notrunc 2>&1",
        "printf a | dd of=\"$1\" conv=notrunc 2>&1; printf grown >>\"$1\"",
        "dd if=/dev/null of=\"$1\" bs=1 seek=16777217 count=0 2>&1",
        "chmod 444 tree/*; touch -d '2001-01-01' tree/*",
        "chmod 640 tree/*; head -c 2000000 /dev/urandom >>\"$1\"; chmod 440 tree/*",
    };
    const struct folder *f = *state;
    const struct gn_ctx ctx = make_ctx(f);
    char *p = noise(18 * MB);
    struct gn_manifest *was, *now;

    put_bytes(f, "an 'odd' $name", p, 18 * MB);
    assert_int_equal(in_folder(f, "mkdir far; cp -p tree/* far/"), 0);
    was = scan(f, &ctx);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct gn_err err = GN_ERR_INIT;
        uint64_t bytes, sent;
        char *script;

        script = gn_printf("set -- tree/*; %s", changes[i]);
        assert_int_equal(in_folder(f, script), 0);
        free(script);
        now = scan(f, &ctx);
        assert_true(gn_patch_bytes(&ctx, &was->v[0], &now->v[0], &bytes));
        assert_true(bytes < 3 * MB);
        assert_int_equal(pack(f, &ctx, &was->v[0], &now->v[0], 0, &sent, &err), GN_OK);
        assert_true(sent < bytes + 16 * 1024);
        assert_int_equal(in_folder(f, PUT_UP COMPARE), 0);
        /* once more over what is half done already is the same */
        if (i == 0)
            assert_int_equal(in_folder(f,
                                       "set -- far/*; printf half | dd of=\"$1\" bs=1 conv=notrunc "
                                       "seek=7000001 2>&1; " PUT_UP COMPARE),
                             0);
        assert_int_equal(in_folder(f, "rm -rf far; mkdir far; cp -p tree/* far/"), 0);
        gn_manifest_free(was);
        was = now;
    }
    gn_manifest_free(was);
    free(p);
}

static void what_a_cut_left_is_completed(void **state)
{
    static const char *const lefts[] = {"head -c 5000000 tree/* >far/big", "cp tree/* far/big",
                                        "head -c 12 tree/* >far/big"};
    static const uint64_t there[] = {5000000, 18 * MB, 12};
    const struct folder *f = *state;
    const struct gn_ctx ctx = make_ctx(f);
    char *p = noise(18 * MB);
    struct gn_manifest *m;

    put_bytes(f, "big", p, 18 * MB);
    m = scan(f, &ctx);
    for (size_t i = 0; i < sizeof lefts / sizeof *lefts; i++) {
        struct gn_err err = GN_ERR_INIT;
        uint64_t sent;

        assert_int_equal(in_folder(f, "rm -rf far; mkdir far"), 0);
        assert_int_equal(in_folder(f, lefts[i]), 0);
        assert_int_equal(pack(f, &ctx, NULL, &m->v[0], there[i], &sent, &err), GN_OK);
        assert_true(sent < 18 * MB - there[i] + 256 * 1024);
        /* cut off again in the middle of the rest: put behind, what came is not lost */
        assert_int_equal(in_folder(f,
                                   UNPACK "head -c 1000 x/rest >r; mv r x/rest; sh -e x/where; sh "
                                          "-e x/where; s=$(stat -c %s far/big); cmp -n $s tree/big "
                                          "far/big"),
                         0);
        assert_int_equal(in_folder(f, PUT_UP COMPARE), 0);
    }
    gn_manifest_free(m);
    free(p);
}

static void a_change_after_the_scan_is_noticed_in_what_travels(void **state)
{
    const struct folder *f = *state;
    const struct gn_ctx ctx = make_ctx(f);
    char *p = noise(18 * MB);
    struct gn_manifest *was, *now;
    struct gn_err err = GN_ERR_INIT;
    uint64_t sent;

    put_bytes(f, "big", p, 18 * MB);
    was = scan(f, &ctx);
    assert_int_equal(in_folder(f, "printf new | dd of=tree/big seek=7000 conv=notrunc 2>&1"), 0);
    now = scan(f, &ctx);
    assert_int_equal(in_folder(f, "printf New | dd of=tree/big seek=7000 conv=notrunc 2>&1"), 0);
    assert_int_equal(pack(f, &ctx, &was->v[0], &now->v[0], 0, &sent, &err), GN_E_CHANGED);
    assert_non_null(strstr(err.msg, "'big'"));
    gn_manifest_free(was);
    gn_manifest_free(now);
    free(p);
}

static void a_known_file_is_not_hashed_again_and_a_changed_one_is_not_known(void **state)
{
    const struct folder *f = *state;
    const struct gn_ctx ctx = make_ctx(f);
    struct gn_buf after = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_err err = GN_ERR_INIT;
    struct sent s = {.fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    struct gn_manifest *m;
    struct gn_pack *p;

    put(f, "a", "one");
    m = scan(f, &ctx);
    assert_true(m->v[0].stamp != 0);
    /* trusted: a hash that is wrong goes unseen while the times say that nothing happened */
    m->v[0].hash[0] ^= 1;
    assert_int_equal(gn_pack_open(collect, &s, GN_PACK_PLAIN, &p, &err), GN_OK);
    assert_int_equal(gn_pack_entry(p, f->tree, "t", &m->v[0], &after, NULL, NULL, &ctx, &err),
                     GN_OK);
    /* the time of the last change cannot be put back */
    assert_int_equal(in_folder(f, "touch -r tree/a r; printf two >tree/a; touch -r r tree/a"), 0);
    assert_int_equal(gn_pack_entry(p, f->tree, "t", &m->v[0], &after, NULL, NULL, &ctx, &err),
                     GN_E_CHANGED);
    gn_pack_abort(p);
    gn_manifest_free(m);
    close(s.fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(many_threads_say_what_one_says_in_any_pieces),
        T(a_file_that_ends_early_has_changed),
        T(a_list_that_is_not_what_was_kept_is_none),
        T(changed_blocks_make_the_new_file_of_the_old_one),
        T(what_a_cut_left_is_completed),
        T(a_change_after_the_scan_is_noticed_in_what_travels),
        T(a_known_file_is_not_hashed_again_and_a_changed_one_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
