/*
 * patch.c - parts of large files: the blocks that changed, and what a cut left missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "gnrrun/fs.h"
#include "pack.h"

struct patch {
    struct gn_extents x; /* of it, in whole blocks */
    struct gn_blocks now;
};

static void patch_clear(struct patch *c)
{
    gn_extents_clear(&c->x);
    gn_blocks_clear(&c->now);
}

/* False: it must travel whole. */
static bool find_patch(const struct gn_ctx *ctx, const struct gn_entry *was,
                       const struct gn_entry *now, struct patch *out)
{
    struct gn_blocks old = GN_BLOCKS_INIT;
    bool known;

    *out = (struct patch){.x = GN_EXTENTS_INIT};
    known = gn_entry_is_large(was) && gn_entry_is_large(now) &&
            gn_blocks_load(ctx, was->hash, was->size, &old) &&
            gn_blocks_load(ctx, now->hash, now->size, &out->now) &&
            gn_blocks_diff(&old, &out->now, &out->x) && out->x.bytes < now->size / 4 * 3;
    gn_blocks_clear(&old);
    if (!known)
        patch_clear(out);
    return known;
}

bool gn_patch_bytes(const struct gn_ctx *ctx, const struct gn_entry *was,
                    const struct gn_entry *now, uint64_t *bytes)
{
    struct patch c;
    bool known = find_patch(ctx, was, now, &c);

    *bytes = c.x.bytes;
    patch_clear(&c);
    return known;
}

/* One block, which must be what the list says: the rest is there, so all is what was scanned. */
static int pack_block(struct gn_pack *p, int fd, const struct gn_entry *e,
                      const struct gn_blocks *b, uint64_t at, uint64_t len, struct gn_err *err)
{
    uint8_t hash[GN_HASH_LEN];
    uint64_t i = at / b->block;
    int rc = GN_OK;

    gn_hash_reset(p->reader.hash);
    while (len && !rc) {
        size_t n = len < GN_READ_CHUNK ? (size_t)len : GN_READ_CHUNK;

        rc = gn_read_at(fd, e->path, at, p->reader.buf, n, err);
        if (rc)
            return rc;
        gn_hash_add(p->reader.hash, p->reader.buf, n);
        rc = gn_tar_data(p->tar, p->reader.buf, n, err);
        if (p->reader.progress)
            p->reader.progress(p->reader.progress_arg, n);
        at += n;
        len -= n;
    }
    gn_hash_end(p->reader.hash, hash);
    if (!rc && memcmp(hash, b->hash + i * GN_HASH_LEN, sizeof hash) != 0)
        rc = gn_pack_changed(e, err);
    return rc;
}

static int pack_blocks(struct gn_pack *p, int fd, const struct gn_entry *e, const struct patch *c,
                       const struct gn_ctx *ctx, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = 0; i < c->x.n && !rc; i++) {
        uint64_t at = c->x.v[i].at, end = at + c->x.v[i].len;

        for (; at < end && !rc; at += c->now.block) {
            if (gn_interrupted(ctx))
                return gn_err_set(err, GN_E_CANCEL, "interrupted");
            rc = pack_block(p, fd, e, &c->now, at,
                            end - at < c->now.block ? end - at : c->now.block, err);
        }
    }
    return rc;
}

static int pack_piece(struct gn_pack *p, const char *root, const char *piece,
                      const struct gn_entry *e, const struct patch *c, const struct gn_ctx *ctx,
                      struct gn_err *err)
{
    struct gn_tar_entry t = {
        .path = piece, .kind = GN_FILE, .mode = 0600, .mtime_ns = e->mtime_ns, .size = c->x.bytes};
    int fd = -1, rc = gn_pack_file(p, root, e, &fd, err);

    if (!rc)
        rc = gn_tar_entry(p->tar, &t, err);
    if (!rc)
        rc = pack_blocks(p, fd, e, c, ctx, err);
    gn_fs_close(fd);
    return rc;
}

int gn_pack_patch(struct gn_pack *p, const char *root, const char *prefix,
                  const struct gn_entry *was, const struct gn_entry *now, bool copies,
                  struct gn_buf *after, void (*progress)(void *arg, uint64_t bytes),
                  void *progress_arg, const struct gn_ctx *ctx, struct gn_err *err)
{
    char *path = gn_path_join(prefix, now->path);
    char piece[32], shown[GN_SHOWN];
    struct patch c;
    int rc;

    p->reader.progress = progress;
    p->reader.progress_arg = progress_arg;
    snprintf(piece, sizeof piece, "x/%u", p->n_pieces);
    if (find_patch(ctx, was, now, &c)) {
        gn_pack_name(after, path);
        if (copies)
            gn_buf_adds(after, "cp -p \"$f\" x/c && mv -f x/c \"$f\" && ");
        gn_buf_adds(after, "chmod u+w \"$f\" && ");
        rc = gn_pack_places(after, p->n_pieces++, now, c.now.block, &c.x, err);
        gn_buf_adds(after, " || exit 1\n");
        if (!rc)
            rc = pack_piece(p, root, piece, now, &c, ctx, err);
    } else { /* somebody has tidied the cache meanwhile */
        rc = gn_err_set(err, GN_E_CHANGED, "what changed in '%s' is known no more",
                        gn_shown(now->path, shown));
        gn_err_hint(err, "do the same again; nothing was started");
    }
    patch_clear(&c);
    free(path);
    return rc;
}

/* The lines of x/where. */
static void write_where(struct gn_buf *where, const char *path, uint64_t at)
{
    gn_pack_name(where, path);
    gn_buf_addf(where,
                "chmod u+w \"$f\"\n"
                "dd if=/dev/null of=\"$f\" bs=1 count=0 seek=%llu 2>/dev/null\n"
                "cat x/rest >>\"$f\"\n",
                (unsigned long long)at);
}

int gn_pack_rest(struct gn_pack *p, const char *root, const char *prefix, const struct gn_entry *e,
                 uint64_t there, struct gn_buf *after, void (*progress)(void *arg, uint64_t bytes),
                 void *progress_arg, const struct gn_ctx *ctx, bool *done, struct gn_err *err)
{
    struct gn_buf where = GN_BUF_INIT(GN_MAX_PROGRAM);
    char *path = gn_path_join(prefix, e->path);
    struct patch c = {.x = GN_EXTENTS_INIT};
    int rc = GN_OK;

    p->reader.progress = progress;
    p->reader.progress_arg = progress_arg;
    *done = gn_entry_is_large(e) && gn_blocks_load(ctx, e->hash, e->size, &c.now);
    if (*done) {
        uint64_t at = there / c.now.block * c.now.block;

        gn_extents_add(&c.x, at, e->size - at);
        gn_extents_join(&c.x);
        if (progress)
            progress(progress_arg, at);
        write_where(&where, path, at);
        gn_pack_name(after, path);
        gn_buf_addf(after, "sh -e x/where && chmod %o \"$f\" && touch -r x/rest \"$f\" || exit 1\n",
                    (unsigned)e->mode);
        rc = gn_pack_mem(p, "x/where", 0600, where.ptr, where.len, err);
        if (!rc)
            rc = pack_piece(p, root, "x/rest", e, &c, ctx, err);
    }
    gn_buf_clear(&where);
    patch_clear(&c);
    free(path);
    return rc;
}
