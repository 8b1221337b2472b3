#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "pack.h"
#include "scan.h"

/* So much must be saved before a file is taken apart. */
#define SAMPLE   ((size_t)64 << 10)
#define SAMPLES  4
#define WORTH_IT ((uint64_t)256 << 10)

static void pack_free(struct gn_pack *p)
{
    gn_tree_close(&p->tree);
    gn_reader_clear(&p->reader);
    free(p);
}

int gn_pack_open(gn_sink_fn sink, void *arg, unsigned how, struct gn_pack **out, struct gn_err *err)
{
    struct gn_pack *p = gn_new(struct gn_pack);
    int rc = gn_tar_open(sink, arg, how, &p->tar, err);

    if (rc) {
        free(p);
        return rc;
    }
    p->tree = (struct gn_tree)GN_TREE_INIT;
    gn_reader_init(&p->reader, NULL);
    *out = p;
    return GN_OK;
}

void gn_pack_abort(struct gn_pack *p)
{
    if (!p)
        return;
    gn_tar_abort(p->tar);
    pack_free(p);
}

int gn_pack_close(struct gn_pack *p, struct gn_err *err)
{
    int rc = gn_tar_close(p->tar, err);

    pack_free(p);
    return rc;
}

int gn_pack_mem(struct gn_pack *p, const char *path, mode_t mode, const void *data, size_t len,
                struct gn_err *err)
{
    struct gn_tar_entry e = {.path = path, .kind = GN_FILE, .mode = mode, .size = len};
    int rc = gn_tar_entry(p->tar, &e, err);

    return rc || !len ? rc : gn_tar_data(p->tar, data, len, err);
}

int gn_pack_dir(struct gn_pack *p, const char *path, mode_t mode, struct gn_err *err)
{
    struct gn_tar_entry e = {.path = path, .kind = GN_DIR, .mode = mode};

    return gn_tar_entry(p->tar, &e, err);
}

static int write_data(void *arg, uint64_t at, const uint8_t *data, size_t len, struct gn_err *err)
{
    struct gn_pack *p = arg;

    (void)at;
    return gn_tar_data(p->tar, data, len, err);
}

int gn_pack_places(struct gn_buf *after, unsigned n, const struct gn_entry *e, uint64_t unit,
                   const struct gn_extents *x, struct gn_err *err)
{
    uint64_t from = 0;

    gn_buf_addf(after, "dd if=/dev/null of=\"$f\" bs=1 count=0 seek=%llu 2>/dev/null",
                (unsigned long long)e->size);
    for (size_t i = 0; i < x->n; i++) {
        uint64_t count = (x->v[i].len + unit - 1) / unit;

        gn_buf_addf(after, " &&\ndd if=x/%u of=\"$f\" bs=%llu conv=notrunc", n,
                    (unsigned long long)unit);
        gn_buf_addf(after, " skip=%llu seek=%llu count=%llu 2>/dev/null", (unsigned long long)from,
                    (unsigned long long)(x->v[i].at / unit), (unsigned long long)count);
        from += count;
    }
    gn_buf_addf(after, " &&\nchmod %o \"$f\" && touch -r x/%u \"$f\"", (unsigned)e->mode, n);
    if (gn_buf_over(after))
        return gn_err_set(err, GN_E_LIMIT, "too many pieces of files");
    return GN_OK;
}

void gn_pack_name(struct gn_buf *after, const char *path)
{
    char *dotted = gn_printf("./%s", path);

    gn_buf_adds(after, "f=");
    gn_buf_addsh(after, dotted);
    gn_buf_addc(after, '\n');
    free(dotted);
}

/* A sparse file from its data.  The piece goes as soon as it is used: it may be large. */
static int add_assembly(struct gn_buf *after, unsigned n, const char *path,
                        const struct gn_entry *e, const struct gn_extents *x, struct gn_err *err)
{
    int rc;

    gn_pack_name(after, path);
    gn_buf_adds(after, "rm -f \"$f\" && ");
    rc = gn_pack_places(after, n, e, GN_BLOCK, x, err);
    gn_buf_addf(after, " && rm -f x/%u || exit 1\n", n);
    return rc;
}

int gn_pack_changed(const struct gn_entry *e, struct gn_err *err)
{
    char shown[GN_SHOWN];

    gn_err_set(err, GN_E_CHANGED, "'%s' was changed while it was being sent",
               gn_shown(e->path, shown));
    return gn_err_hint(err, "do the same again; nothing was started");
}

static int pack_content(struct gn_pack *p, int fd, const char *path, const struct gn_entry *e,
                        struct gn_buf *after, struct gn_err *err)
{
    struct gn_tar_entry t = {.path = path, .kind = GN_FILE, .mode = e->mode, .size = e->size};
    struct gn_extents x = GN_EXTENTS_INIT;
    uint8_t hash[GN_HASH_LEN];
    char piece[32];
    int rc;

    t.mtime_ns = e->mtime_ns;
    gn_extents_find(fd, e->size, e->blocks, &x);
    if (x.bytes + WORTH_IT <= e->size) {
        snprintf(piece, sizeof piece, "x/%u", p->n_pieces);
        t.path = piece;
        t.mode = 0600;
        t.size = x.bytes;
        rc = add_assembly(after, p->n_pieces++, path, e, &x, err);
    } else {
        gn_extents_find(fd, e->size, UINT64_MAX, &x); /* the holes travel too */
        rc = GN_OK;
    }
    if (!rc)
        rc = gn_tar_entry(p->tar, &t, err);
    p->reader.data = write_data;
    p->reader.data_arg = p;
    if (!rc)
        rc = gn_reader_run(&p->reader, fd, e->path, e->size, &x, hash, err);
    if (!rc && p->reader.how != GN_HASH_NONE && memcmp(hash, e->hash, sizeof hash) != 0)
        rc = gn_pack_changed(e, err);
    gn_extents_clear(&x);
    return rc;
}

/* Do the file's times say that it holds what was hashed? */
static bool is_known(const struct gn_entry *e, int fd, struct stat *st)
{
    return fstat(fd, st) == 0 && e->stamp && gn_stamp(st) == e->stamp &&
           (uint64_t)st->st_size == e->size;
}

int gn_pack_file(struct gn_pack *p, const char *root, const struct gn_entry *e, int *fd,
                 struct gn_err *err)
{
    int rc = GN_OK;

    if (p->tree.name && strcmp(p->tree.name, root) != 0)
        gn_tree_close(&p->tree);
    if (!p->tree.name)
        rc = gn_tree_open(&p->tree, root, err);
    return rc ? rc : gn_tree_file(&p->tree, e->path, fd, err);
}

static int pack_file(struct gn_pack *p, const char *root, const char *path,
                     const struct gn_entry *e, struct gn_buf *after, struct gn_err *err)
{
    struct stat st = {0};
    int fd = -1;
    int rc = gn_pack_file(p, root, e, &fd, err);

    if (rc)
        return rc;
    p->reader.how = is_known(e, fd, &st) ? GN_HASH_NONE : gn_entry_hashing(e);
    /* Said before the header with its size is out; a change behind this is seen at the end. */
    if ((uint64_t)st.st_size != e->size)
        rc = gn_pack_changed(e, err);
    else
        rc = pack_content(p, fd, path, e, after, err);
    if (!rc && p->reader.how == GN_HASH_NONE && !is_known(e, fd, &st))
        rc = gn_pack_changed(e, err);
    gn_fs_close(fd);
    return rc;
}

/* As it was hashed: whatever became of the file since. */
static int pack_kept(struct gn_pack *p, const struct gn_tar_entry *t, const struct gn_entry *e,
                     struct gn_err *err)
{
    int rc = gn_tar_entry(p->tar, t, err);

    if (!rc && e->size)
        rc = gn_tar_data(p->tar, e->content, (size_t)e->size, err);
    if (!rc && p->reader.progress)
        p->reader.progress(p->reader.progress_arg, e->size);
    return rc;
}

int gn_pack_entry(struct gn_pack *p, const char *root, const char *prefix, const struct gn_entry *e,
                  struct gn_buf *after, void (*progress)(void *arg, uint64_t bytes),
                  void *progress_arg, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_tar_entry t = {.kind = (enum gn_kind)e->kind, .mode = e->mode, .link = e->link};
    char *path = gn_path_join(prefix, e->path);
    int rc;

    p->reader.ctx = ctx;
    p->reader.progress = progress;
    p->reader.progress_arg = progress_arg;
    t.path = path;
    t.mtime_ns = e->mtime_ns;
    t.size = e->size;
    if (e->kind == GN_FILE && e->content)
        rc = pack_kept(p, &t, e, err);
    else
        rc = e->kind == GN_FILE ? pack_file(p, root, path, e, after, err)
                                : gn_tar_entry(p->tar, &t, err);
    free(path);
    return rc;
}

bool gn_pack_would_shrink(const char *root, const struct gn_entry *e)
{
    struct gn_tree tree = GN_TREE_INIT;
    struct gn_err ignored = GN_ERR_INIT;
    uint8_t *buf = gn_realloc(NULL, SAMPLE, 1);
    bool shrinks = false;
    int fd = -1;

    if (!gn_tree_open(&tree, root, &ignored) && !gn_tree_file(&tree, e->path, &fd, &ignored))
        for (uint64_t i = 0; i < SAMPLES && !shrinks; i++) {
            ssize_t n = pread(fd, buf, SAMPLE, (off_t)(e->size / SAMPLES * i));

            shrinks = n > 0 && gn_tar_would_shrink(buf, (size_t)n);
        }
    gn_fs_close(fd);
    gn_tree_close(&tree);
    free(buf);
    return shrinks;
}
