/*
 * archive.c - tar archives of others, read; the only file that knows libarchive.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/ship.h"
#include "tree.h"

#define READ_BLOCK ((size_t)256 << 10)
#define TAR_END    ((uint64_t)1024) /* zeros at the end of a whole archive */

struct unpack {
    struct archive *a;
    gn_source_fn read;
    void *arg;
    const struct gn_unpack_ops *ops;
    void *ops_arg;
    const struct gn_ctx *ctx;
    struct gn_err err; /* what the source said */
    uint64_t bytes;    /* read so far */
    uint64_t zeros;    /* at the end of them */
    char path[GN_UNPACK_PATH_MAX + 1];
    char block[READ_BLOCK];
};

static la_ssize_t receive_block(struct archive *a, void *arg, const void **data)
{
    struct unpack *u = arg;
    size_t n = 0, zeros = 0;

    *data = u->block;
    if (gn_interrupted(u->ctx))
        gn_err_set(&u->err, GN_E_CANCEL, "interrupted");
    if (u->err.code || u->read(u->arg, u->block, sizeof u->block, &n, &u->err)) {
        archive_set_error(a, EIO, "%s", u->err.msg);
        return -1;
    }
    while (zeros < n && !u->block[n - 1 - zeros])
        zeros++;
    u->zeros = zeros == n ? u->zeros + n : zeros;
    u->bytes += n;
    return (la_ssize_t)n;
}

static int unpack_error(struct unpack *u, struct gn_err *err)
{
    const char *what = archive_error_string(u->a);
    char shown[GN_SHOWN];

    if (u->err.code) {
        *err = u->err;
        return err->code;
    }
    return gn_err_set(err, GN_E_PROTO, "cannot read the archive: %s",
                      gn_shown(what ? what : "no reason given", shown));
}

static int open_reader(struct unpack *u, bool zstd, struct gn_err *err)
{
    int bad = archive_read_support_format_tar(u->a);

    bad |= archive_read_set_format_option(u->a, "tar", "read_concatenated_archives", "1");
    if (zstd)
        bad |= archive_read_support_filter_zstd(u->a);
    if (bad)
        return unpack_error(u, err);
    if (archive_read_open(u->a, u, NULL, receive_block, NULL) != ARCHIVE_OK)
        return unpack_error(u, err);
    if (zstd && u->bytes && archive_filter_code(u->a, 0) != ARCHIVE_FILTER_ZSTD)
        return gn_err_set(err, GN_E_PROTO,
                          "cannot read the archive: it is not compressed with zstd");
    return GN_OK;
}

static enum gn_unpack_kind kind_of(struct archive_entry *e)
{
    if (archive_entry_hardlink(e))
        return GN_UNPACK_HARD;
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
        return GN_UNPACK_FILE;
    case AE_IFDIR:
        return GN_UNPACK_DIR;
    case AE_IFLNK:
        return GN_UNPACK_LINK;
    default:
        return GN_UNPACK_OTHER;
    }
}

/* Copy the name into u->path, without a folder's slashes at the end. */
static int take_path(struct unpack *u, struct archive_entry *e, struct gn_err *err)
{
    const char *name = archive_entry_pathname(e);
    size_t n;

    if (!name)
        name = archive_entry_pathname_utf8(e);
    n = name ? strlen(name) : 0;
    while (n > 1 && name[n - 1] == '/')
        n--;
    if (!n)
        return gn_err_set(err, GN_E_PROTO, "cannot read the archive: an entry has no name");
    if (n > GN_UNPACK_PATH_MAX)
        return gn_err_set(err, GN_E_LIMIT, "a name in the archive is too long");
    memcpy(u->path, name, n);
    u->path[n] = '\0';
    return GN_OK;
}

static int describe(struct unpack *u, struct archive_entry *e, struct gn_unpack_entry *out,
                    struct gn_err *err)
{
    int rc = take_path(u, e, err);

    if (rc)
        return rc;
    *out = (struct gn_unpack_entry){.path = u->path, .kind = kind_of(e)};
    out->mode = archive_entry_perm(e) & 07777;
    if (archive_entry_mtime_is_set(e)) {
        int64_t s = archive_entry_mtime(e);
        if (s > INT64_MAX / 2000000000 || s < INT64_MIN / 2000000000)
            s = 0;
        out->mtime_ns = s * 1000000000 + archive_entry_mtime_nsec(e);
    }
    if (out->kind == GN_UNPACK_FILE) {
        if (archive_entry_size(e) < 0)
            return gn_err_set(err, GN_E_PROTO, "cannot read the archive: a size below zero");
        out->size = (uint64_t)archive_entry_size(e);
    }
    if (out->kind == GN_UNPACK_LINK || out->kind == GN_UNPACK_HARD) {
        out->link =
            out->kind == GN_UNPACK_LINK ? archive_entry_symlink(e) : archive_entry_hardlink(e);
        if (!out->link || !*out->link)
            return gn_err_set(err, GN_E_PROTO, "cannot read the archive: a link to nowhere");
        if (strlen(out->link) > GN_UNPACK_PATH_MAX)
            return gn_err_set(err, GN_E_LIMIT, "a link in the archive is too long");
    }
    return GN_OK;
}

static int unpack_data(struct unpack *u, uint64_t size, struct gn_err *err)
{
    uint64_t at = 0;

    for (;;) {
        const void *data;
        size_t len;
        la_int64_t offset;
        int got = archive_read_data_block(u->a, &data, &len, &offset);
        int rc;

        if (got == ARCHIVE_EOF)
            return GN_OK;
        if (got != ARCHIVE_OK)
            return unpack_error(u, err);
        if (offset < 0 || (uint64_t)offset < at || (uint64_t)offset > size ||
            len > size - (uint64_t)offset)
            return gn_err_set(err, GN_E_PROTO, "cannot read the archive: data beyond its file");
        at = (uint64_t)offset + len;
        rc = len ? u->ops->data(u->ops_arg, (uint64_t)offset, data, len, err) : GN_OK;
        if (rc)
            return rc;
    }
}

static int unpack_all(struct unpack *u, bool zstd, struct gn_err *err)
{
    for (;;) {
        struct gn_unpack_entry entry;
        struct archive_entry *e;
        int got = archive_read_next_header(u->a, &e);
        int rc;

        if (got == ARCHIVE_EOF)
            break;
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            return unpack_error(u, err);
        rc = describe(u, e, &entry, err);
        if (!rc)
            rc = u->ops->begin(u->ops_arg, &entry, err);
        if (!rc && entry.kind == GN_UNPACK_FILE)
            rc = unpack_data(u, entry.size, err);
        if (!rc)
            rc = u->ops->end(u->ops_arg, err);
        if (rc)
            return rc;
    }
    /* The library takes any end between two entries for the end.  (zstd knows its own.) */
    if (!zstd && u->zeros < TAR_END)
        return gn_err_set(err, GN_E_PROTO, "cannot read the archive: it is cut off");
    return GN_OK;
}

int gn_unpack(gn_source_fn read, void *arg, bool zstd, const struct gn_unpack_ops *ops,
              void *ops_arg, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct unpack *u = gn_new(struct unpack);
    int rc;

    u->read = read;
    u->arg = arg;
    u->ops = ops;
    u->ops_arg = ops_arg;
    u->ctx = ctx;
    u->a = archive_read_new();
    if (!u->a) {
        rc = gn_err_set(err, GN_E_FAIL, "cannot read an archive");
    } else {
        rc = open_reader(u, zstd, err);
        if (!rc)
            rc = unpack_all(u, zstd, err);
        /* No input is no archive, which the library does not know. */
        if (rc == GN_E_PROTO && !u->bytes)
            rc = GN_OK;
        archive_read_free(u->a);
    }
    free(u);
    return rc;
}
