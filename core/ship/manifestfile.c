/*
 * manifestfile.c - a manifest on disk, written and read piece by piece: it may have a hundred megabytes.
 *
 * A magic line, the number of entries, the id, the entries in order, the SHA-256 of all that.  Version 1
 * had no id.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "manifest.h"
#include "tree.h"
#include "wire.h"

#define MAGIC          "gnrrun manifest 2\n"
#define MAGIC_1        "gnrrun manifest 1\n" /* as long */
#define MAGIC_LEN      (sizeof MAGIC - 1)
#define MIN_ENTRY      62                  /* bytes of an entry in the file, */
#define MAX_ENTRY      ((size_t)132 << 10) /* and the most it could have */
#define PIECE          ((size_t)256 << 10)
#define MAX_FILE_BYTES ((uint64_t)1 << 60)

/* --- writing ------------------------------------------------------------------------------------- */

struct out {
    struct gn_draft *draft;
    struct gn_hash *hash;
    struct gn_buf b;
    uint64_t bytes;
};

static void flush(struct out *o)
{
    gn_hash_add(o->hash, o->b.ptr, o->b.len);
    gn_draft_add(o->draft, o->b.ptr, o->b.len);
    o->bytes += o->b.len;
    gn_buf_reset(&o->b);
}

static void put_all(struct out *o, const struct gn_manifest *m)
{
    uint8_t id[GN_HASH_LEN] = {0}, sum[GN_HASH_LEN];

    (void)gn_unhex(m->id, id, sizeof id);
    gn_buf_adds(&o->b, MAGIC);
    gn_wire_put(&o->b, m->n, 8);
    gn_buf_add(&o->b, id, sizeof id);
    for (size_t i = 0; i < m->n; i++) {
        gn_manifest_put_identity(&o->b, &m->v[i]);
        gn_wire_put(&o->b, (uint64_t)m->v[i].mtime_ns, 8);
        gn_wire_put(&o->b, m->v[i].blocks, 8);
        if (o->b.len >= PIECE)
            flush(o);
    }
    flush(o);
    gn_hash_end(o->hash, sum);
    gn_draft_add(o->draft, sum, sizeof sum);
}

int gn_manifest_write(const struct gn_manifest *m, const char *path, struct gn_err *err)
{
    struct out o = {.b = GN_BUF_INIT(PIECE + MAX_ENTRY)};
    int rc = gn_draft_open(path, 0600, &o.draft, err);

    if (rc)
        return rc;
    o.hash = gn_hash_new();
    put_all(&o, m);
    if (o.bytes > GN_MAX_LISTING - GN_HASH_LEN) {
        rc = gn_err_set(err, GN_E_LIMIT, "too many files: %zu", m->n);
        gn_draft_drop(o.draft);
    } else {
        rc = gn_draft_end(o.draft, true, err);
    }
    gn_hash_free(o.hash);
    gn_buf_clear(&o.b);
    return rc;
}

/* --- reading ------------------------------------------------------------------------------------- */

struct in {
    int fd;
    uint64_t left; /* in the file, before its checksum */
    struct gn_hash *hash;
    uint8_t *buf; /* PIECE + MAX_ENTRY */
    struct gn_wire w;
};

static bool read_all(int fd, uint8_t *to, size_t n)
{
    while (n) {
        ssize_t got = read(fd, to, n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

/* At least one whole entry is in the window, if the file has one. */
static bool fill(struct in *in)
{
    size_t have = (size_t)(in->w.end - in->w.p), n = PIECE;

    if (have >= MAX_ENTRY || !in->left)
        return true;
    if (have)
        memmove(in->buf, in->w.p, have);
    if (n > in->left)
        n = (size_t)in->left;
    if (!read_all(in->fd, in->buf + have, n))
        return false;
    gn_hash_add(in->hash, in->buf + have, n);
    in->left -= n;
    in->w.p = in->buf;
    in->w.end = in->buf + have + n;
    return true;
}

/* Relative, and made of real names only. */
static bool is_plain_path(const char *s, size_t len)
{
    if (!len || len >= GN_PATH_LIMIT || memchr(s, '\0', len))
        return false;
    for (size_t at = 0; at <= len;) {
        const char *slash = at < len ? memchr(s + at, '/', len - at) : NULL;
        size_t n = slash ? (size_t)(slash - (s + at)) : len - at;

        if (!n || (n == 1 && s[at] == '.') || (n == 2 && s[at] == '.' && s[at + 1] == '.'))
            return false;
        at += n + 1;
    }
    return true;
}

static bool fits_kind(const struct gn_entry *e, size_t link_len)
{
    static const uint8_t zeros[GN_HASH_LEN];

    if (e->mode > 0777 || e->kind > GN_LINK || e->size > MAX_FILE_BYTES)
        return false;
    if (e->kind != GN_FILE && (e->size || memcmp(e->hash, zeros, sizeof zeros) != 0))
        return false;
    return (e->kind == GN_LINK) == (link_len > 0);
}

/* The next entry, which must come after the one before. */
static bool get_entry(struct gn_wire *w, struct gn_manifest *m)
{
    struct gn_entry *e = &m->v[m->n];
    size_t path_len, link_len;
    const char *path, *link;

    e->kind = (uint8_t)gn_wire_get(w, 1);
    e->mode = (uint16_t)gn_wire_get(w, 2);
    e->size = gn_wire_get(w, 8);
    gn_wire_copy(w, e->hash, sizeof e->hash);
    path = gn_wire_gets(w, &path_len);
    link = gn_wire_gets(w, &link_len);
    e->mtime_ns = (int64_t)gn_wire_get(w, 8);
    e->blocks = gn_wire_get(w, 8);
    if (w->bad || !is_plain_path(path, path_len) || !fits_kind(e, link_len) ||
        link_len >= GN_PATH_LIMIT || memchr(link, '\0', link_len))
        return false;
    e->path = gn_arena_add(m->arena, path, path_len);
    e->link = e->kind == GN_LINK ? gn_arena_add(m->arena, link, link_len) : NULL;
    return !m->n || strcmp(m->v[m->n - 1].path, e->path) < 0;
}

/* Magic line, number of entries and id; "" where there is none. */
static bool get_head(struct in *in, uint64_t *n, char id[GN_HASH_HEX])
{
    uint8_t magic[MAGIC_LEN], raw[GN_HASH_LEN];

    if (!fill(in))
        return false;
    gn_wire_copy(&in->w, magic, sizeof magic);
    *n = gn_wire_get(&in->w, 8);
    id[0] = '\0';
    if (!memcmp(magic, MAGIC, sizeof magic)) {
        gn_wire_copy(&in->w, raw, sizeof raw);
        gn_hex(raw, sizeof raw, id);
    } else if (memcmp(magic, MAGIC_1, sizeof magic) != 0) {
        return false;
    }
    return !in->w.bad;
}

static bool get_all(struct in *in, struct gn_manifest *m)
{
    uint8_t sum[GN_HASH_LEN], said[GN_HASH_LEN];
    char id[GN_HASH_HEX];
    uint64_t n;

    if (!get_head(in, &n, id) || n > (in->left + (uint64_t)(in->w.end - in->w.p)) / MIN_ENTRY)
        return false;
    m->v = gn_calloc((size_t)n + 1, sizeof *m->v);
    for (; m->n < n; m->n++)
        if (!fill(in) || !get_entry(&in->w, m))
            return false;
    if (in->left || in->w.p != in->w.end || !read_all(in->fd, said, sizeof said))
        return false;
    gn_hash_end(in->hash, sum);
    if (memcmp(sum, said, sizeof sum) != 0)
        return false;
    gn_manifest_seal(m);
    return !*id || !strcmp(id, m->id);
}

static int in_open(struct in *in, const char *path, struct gn_err *err)
{
    struct stat st;

    *in = (struct in){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    if (in->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return gn_err_set(err, GN_E_NOTFOUND, "no file '%s'", path);
    if (in->fd < 0 || fstat(in->fd, &st) < 0)
        return gn_err_sys(err, errno, "cannot read '%s'", path);
    if (!S_ISREG(st.st_mode) || st.st_size < GN_HASH_LEN)
        return gn_err_set(err, GN_E_PROTO, "'%s' is damaged or no manifest", path);
    if ((uint64_t)st.st_size > GN_MAX_LISTING)
        return gn_err_set(err, GN_E_LIMIT, "'%s' is too large for a manifest", path);
    in->left = (uint64_t)st.st_size - GN_HASH_LEN;
    in->hash = gn_hash_new();
    in->buf = gn_realloc(NULL, PIECE + MAX_ENTRY, 1);
    in->w.p = in->w.end = in->buf;
    return GN_OK;
}

static void in_close(struct in *in)
{
    gn_fs_close(in->fd);
    gn_hash_free(in->hash);
    free(in->buf);
}

int gn_manifest_read(const char *path, struct gn_manifest **out, struct gn_err *err)
{
    struct gn_manifest *m;
    struct in in;
    int rc = in_open(&in, path, err);

    if (!rc) {
        m = gn_new(struct gn_manifest);
        m->arena = gn_arena_new();
        if (get_all(&in, m)) {
            *out = m;
        } else {
            rc = gn_err_set(err, GN_E_PROTO, "'%s' is damaged or no manifest", path);
            gn_manifest_free(m);
        }
    }
    in_close(&in);
    return rc;
}

int gn_manifest_read_id(const char *path, char id[GN_HASH_HEX], struct gn_err *err)
{
    char found[GN_HASH_HEX];
    struct in in;
    uint64_t n;
    int rc = in_open(&in, path, err);

    if (!rc && (!get_head(&in, &n, found) || !*found))
        rc = gn_err_set(err, GN_E_PROTO, "'%s' is damaged or no manifest", path);
    if (!rc)
        memcpy(id, found, sizeof found);
    in_close(&in);
    return rc;
}
