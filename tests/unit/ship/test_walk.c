/* test_walk.c - what several threads find is what one finds that looks at one name after the other. */
#include "folder.h"

#include <dirent.h>

static uint64_t seed;

static unsigned chance(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static int64_t later(const struct gn_ctx *ctx)
{
    return gn_ctx_none.wall_s(ctx) + 100;
}

/* Names around "/" in the order of bytes, prefixes of each other, and what is no text. */
static const char *odd_name(char out[64])
{
    static const char *const parts[] = {"a",    "b",    "-",  ".", "0",
                                        "\xff", "\x01", "ab", " ", "abcdefgh"};
    unsigned n = 1 + chance(4);

    out[0] = '\0';
    while (n--)
        strcat(out, parts[chance(sizeof parts / sizeof *parts)]);
    if (!strcmp(out, ".") || !strcmp(out, ".."))
        strcat(out, "x");
    return out;
}

/* One change of the tree at the current folder, or below it. */
static void grow(int dir, unsigned depth)
{
    char name[64];
    int fd;

    odd_name(name);
    switch (chance(depth ? 8 : 3)) {
    case 0:
        if (symlinkat("a-b", dir, name) < 0)
            unlinkat(dir, name, 0);
        return;
    case 1:
        unlinkat(dir, name, chance(2) ? AT_REMOVEDIR : 0);
        return;
    case 2:
        fd =
            openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600 + chance(2) * 044);
        if (fd >= 0) {
            assert_true(ftruncate(fd, 0) == 0 && write(fd, name, chance(9)) >= 0);
            close(fd);
        }
        return;
    default:
        (void)mkdirat(dir, name, 0755);
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd >= 0) {
            grow(fd, depth - 1);
            close(fd);
        }
    }
}

static void grow_much(const struct folder *f, unsigned n)
{
    int dir = open(f->tree, O_RDONLY | O_DIRECTORY);

    assert_true(dir >= 0);
    while (n--)
        grow(dir, 6);
    close(dir);
}

/* --- the naive walk ---------------------------------------------------------------------------- */

static void look_all(const char *top, const char *rel, struct gn_strs *out)
{
    char *full = gn_path_join(top, *rel ? rel : ".");
    DIR *dir = opendir(full);
    struct dirent *d;

    assert_non_null(dir);
    while ((d = readdir(dir))) {
        char *path, target[64] = "";
        struct stat st;

        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        path = gn_path_join(rel, d->d_name);
        assert_int_equal(fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
        if (S_ISLNK(st.st_mode))
            assert_true(readlinkat(dirfd(dir), d->d_name, target, sizeof target - 1) > 0);
        gn_strs_take(out, gn_printf("%s\n%c %o %lld %lld.%09ld %s", path,
                                    S_ISDIR(st.st_mode)   ? 'd'
                                    : S_ISREG(st.st_mode) ? 'f'
                                                          : 'l',
                                    S_ISLNK(st.st_mode) ? 0777U : (unsigned)st.st_mode & 0777U,
                                    S_ISREG(st.st_mode) ? (long long)st.st_size : 0LL,
                                    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, target));
        if (S_ISDIR(st.st_mode))
            look_all(top, path, out);
        free(path);
    }
    closedir(dir);
    free(full);
}

/* By path alone: what stands behind the newline does not count. */
static int by_path(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;

    while (*x != '\n' && *x == *y)
        x++, y++;
    return (*x == '\n' ? 0 : (unsigned char)*x) - (*y == '\n' ? 0 : (unsigned char)*y);
}

static struct gn_strs naive(const struct folder *f)
{
    struct gn_strs all = GN_STRS_INIT;

    look_all(f->tree, "", &all);
    qsort(all.v, all.n, sizeof *all.v, by_path);
    return all;
}

static char *describe(const struct gn_entry *e)
{
    return gn_printf("%s\n%c %o %lld %lld.%09ld %s", e->path, "fdl"[e->kind], (unsigned)e -> mode,
                     (long long)e -> size, (long long)(e->mtime_ns / 1000000000),
                     (long)(e->mtime_ns % 1000000000), e -> link ? e -> link : "");
}

static struct gn_manifest *scan(const struct folder *f, const char *cache)
{
    struct gn_scan_opts opts = {.root = f->tree, .everything = true, .cache_file = cache};
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_manifest *m = NULL;
    struct gn_err err = GN_ERR_INIT;

    ctx.wall_s = later;
    if (gn_scan(&ctx, &opts, &m, &err))
        fail_msg("%s", err.msg);
    return m;
}

static void compare(const struct folder *f, const struct gn_manifest *m)
{
    struct gn_strs all = naive(f);

    assert_int_equal(m->n, all.n);
    for (size_t i = 0; i < m->n; i++) {
        char *said = describe(&m->v[i]);

        assert_string_equal(said, all.v[i]);
        free(said);
    }
    gn_strs_clear(&all);
}

/* With the cache of the scan before, and without any. */
static void scan_both(const struct folder *f)
{
    struct gn_manifest *plain = scan(f, NULL);
    struct gn_manifest *cached = scan(f, f->cache);

    compare(f, plain);
    assert_int_equal(plain->n, cached->n);
    assert_string_equal(plain->id, cached->id);
    for (size_t i = 0; i < plain->n; i++) {
        assert_string_equal(plain->v[i].path, cached->v[i].path);
        assert_memory_equal(plain->v[i].hash, cached->v[i].hash, GN_HASH_LEN);
        assert_int_equal(plain->v[i].stamp != 0, plain->v[i].kind == GN_FILE);
        assert_int_equal(plain->v[i].stamp, cached->v[i].stamp);
    }
    gn_manifest_free(plain);
    gn_manifest_free(cached);
}

static void random_trees_are_seen_as_they_are(void **state)
{
    const struct folder *f = *state;

    for (seed = 1; seed < 3; seed++) {
        uint64_t was = seed;

        grow_much(f, 2500);
        for (unsigned k = 0; k < 3; k++) {
            scan_both(f);
            scan_both(f);
            grow_much(f, k * k * 40);
        }
        assert_int_equal(in_folder(f, "rm -rf tree; mkdir tree"), 0);
        seed = was;
    }
}

static void many_files_in_one_folder_are_shared_out(void **state)
{
    const struct folder *f = *state;
    int dir;

    assert_int_equal(in_folder(f, "mkdir tree/d"), 0);
    dir = open(f->tree, O_RDONLY | O_DIRECTORY);
    for (unsigned i = 0; i < 3000; i++) {
        char name[32];
        int fd;

        snprintf(name, sizeof name, "d/f%u", i * 7919 % 3000);
        fd = openat(dir, name, O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0 && write(fd, name, 5) == 5);
        close(fd);
    }
    close(dir);
    scan_both(f);
    scan_both(f);
}

/* More folders are begun than may be held open, so they are found again from the root. */
static void a_deep_and_wide_tree_needs_few_descriptors(void **state)
{
    const struct folder *f = *state;

    assert_int_equal(in_folder(f, "cd tree; i=0; while [ $i -lt 120 ]; do mkdir a b c; echo x >c/f;"
                                  "cd b; i=$((i + 1)); done"),
                     0);
    scan_both(f);
    scan_both(f);
}

static void ctrl_c_ends_the_walk(void **state)
{
    const struct folder *f = *state;
    struct gn_scan_opts opts = {.root = f->tree};
    volatile sig_atomic_t pressed = 1;
    struct gn_manifest *m = NULL;
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_err err = GN_ERR_INIT;

    put(f, "a/b", "x");
    ctx.interrupts = &pressed;
    assert_int_equal(gn_scan(&ctx, &opts, &m, &err), GN_E_CANCEL);
}

/* One damaged byte anywhere costs time, never truth. */
static void a_damaged_cache_is_no_cache(void **state)
{
    const struct folder *f = *state;
    struct gn_buf file = GN_BUF_INIT(GN_MAX_FILE);
    struct gn_err err = GN_ERR_INIT;
    char id[GN_HASH_HEX];
    struct gn_manifest *m;

    put(f, "a/b", "text");
    put(f, "c", "x");
    assert_int_equal(in_folder(f, "ln -s c tree/l"), 0);
    m = scan(f, f->cache);
    memcpy(id, m->id, sizeof id);
    gn_manifest_free(m);
    assert_int_equal(gn_fs_read(f->cache, &file, &err), GN_OK);
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 0x10;
        put_bytes(f, "../cache", file.ptr, file.len);
        file.ptr[i] ^= 0x10;
        m = scan(f, f->cache);
        assert_string_equal(m->id, id);
        gn_manifest_free(m);
        put_bytes(f, "../cache", file.ptr, i);
        m = scan(f, f->cache);
        assert_string_equal(m->id, id);
        gn_manifest_free(m);
    }
    gn_buf_clear(&file);
}

/* Its inode tells. */
static void a_cache_of_the_same_is_not_written_again(void **state)
{
    const struct folder *f = *state;
    struct stat was, is;

    put(f, "a/b", "text");
    put(f, "c", "x");
    gn_manifest_free(scan(f, f->cache));
    assert_int_equal(stat(f->cache, &was), 0);
    gn_manifest_free(scan(f, f->cache));
    assert_int_equal(stat(f->cache, &is), 0);
    assert_true(was.st_ino == is.st_ino && was.st_ctim.tv_nsec == is.st_ctim.tv_nsec);
    assert_int_equal(in_folder(f, "rm tree/c"), 0);
    gn_manifest_free(scan(f, f->cache));
    assert_int_equal(stat(f->cache, &is), 0);
    assert_true(was.st_size != is.st_size);
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(random_trees_are_seen_as_they_are),
        T(many_files_in_one_folder_are_shared_out),
        T(a_deep_and_wide_tree_needs_few_descriptors),
        T(ctrl_c_ends_the_walk),
        T(a_damaged_cache_is_no_cache),
        T(a_cache_of_the_same_is_not_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
