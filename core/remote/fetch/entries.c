/* entries.c - see entries.h: what the thread reads goes through a pipe as messages. */
#include "entries.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"
#include "gnrrun/pipe.h"

#define TEXT_MAX (GN_UNPACK_PATH_MAX + 1)
#define HOLD     ((size_t)64 << 10)

/* In front of what belongs to it: two texts and their NULs, or len bytes, or nothing. */
struct message {
    struct gn_item item;
    size_t path, link; /* lengths; link 0: none */
};

struct gn_entries {
    gn_entries_read_fn read;
    void *arg;
    bool zstd, cksum;
    struct gn_ctx ctx; /* the thread's */
    _Atomic bool stop;
    /* the thread's */
    struct gn_pipe *out;
    char *
        held; /* HOLD bytes, to go into the pipe together: to wake somebody costs more than a file */
    size_t n_held;
    struct gn_hash *hash;
    struct gn_cksum sum;
    bool is_file;
    /* ours */
    struct gn_pipe *in;
    char *buf; /* what belongs to the last message */
    size_t cap;
};

static int flush(struct gn_entries *e, struct gn_err *err)
{
    size_t n = e->n_held;

    e->n_held = 0;
    return n ? gn_pipe_put(e->out, e->held, n, err) : GN_OK;
}

static int put_bytes(struct gn_entries *e, const void *data, size_t len, struct gn_err *err)
{
    int rc = len > HOLD - e->n_held ? flush(e, err) : GN_OK;

    if (rc || len > HOLD)
        return rc ? rc : gn_pipe_put(e->out, data, len, err);
    if (len)
        memcpy(e->held + e->n_held, data, len);
    e->n_held += len;
    return GN_OK;
}

static int put(struct gn_entries *e, const struct message *m, const void *data, size_t len,
               struct gn_err *err)
{
    int rc = put_bytes(e, m, sizeof *m, err);

    return rc ? rc : put_bytes(e, data, len, err);
}

static int on_begin(void *arg, const struct gn_unpack_entry *entry, struct gn_err *err)
{
    struct gn_entries *e = arg;
    struct message m = {.item = {.what = GN_ITEM_BEGIN, .entry = *entry}};
    int rc;

    m.path = strlen(entry->path);
    m.link = entry->link ? strlen(entry->link) : 0;
    e->is_file = entry->kind == GN_UNPACK_FILE;
    e->sum = (struct gn_cksum){0};
    if (e->is_file)
        gn_hash_reset(e->hash);
    rc = put(e, &m, entry->path, m.path + 1, err);
    return rc || !m.link ? rc : put_bytes(e, entry->link, m.link + 1, err);
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t len, struct gn_err *err)
{
    struct gn_entries *e = arg;
    struct message m = {.item = {.what = GN_ITEM_DATA, .offset = offset, .len = len}};

    gn_hash_add(e->hash, data, len);
    if (e->cksum)
        gn_cksum_add(&e->sum, data, len);
    return put(e, &m, data, len, err);
}

static int on_end(void *arg, struct gn_err *err)
{
    struct gn_entries *e = arg;
    struct message m = {.item = {.what = GN_ITEM_END, .cksum = e->sum}};

    if (e->is_file)
        gn_hash_end(e->hash, m.item.sha);
    return put(e, &m, NULL, 0, err);
}

static int source(void *arg, void *buf, size_t cap, size_t *n, struct gn_err *err)
{
    struct gn_entries *e = arg;
    int rc = flush(e, err); /* what comes next may let us wait */

    return rc ? rc : e->read(e->arg, buf, cap, n, &e->ctx, err);
}

static int read_tar(void *arg, struct gn_pipe *pipe, struct gn_err *err)
{
    static const struct gn_unpack_ops ops = {.begin = on_begin, .data = on_data, .end = on_end};
    struct gn_entries *e = arg;
    struct gn_err nobody = GN_ERR_INIT;
    int rc;

    e->out = pipe;
    rc = gn_unpack(source, e, e->zstd, &ops, e, &e->ctx, err);
    if (!rc)
        return flush(e, err);
    (void)flush(e, &nobody); /* what came whole before is good */
    return rc;
}

static void forget(struct gn_entries *e)
{
    gn_hash_free(e->hash);
    free(e->held);
    free(e->buf);
    free(e);
}

int gn_entries_open(gn_entries_read_fn read, void *arg, bool zstd, bool cksum,
                    const struct gn_ctx *ctx, struct gn_entries **out, struct gn_err *err)
{
    struct gn_entries *e = gn_new(struct gn_entries);
    int rc;

    e->read = read;
    e->arg = arg;
    e->zstd = zstd;
    e->cksum = cksum;
    e->ctx = *ctx;
    e->ctx.stop = &e->stop;
    e->hash = gn_hash_new();
    e->held = gn_calloc(HOLD, 1);
    e->cap = 2 * TEXT_MAX;
    e->buf = gn_calloc(e->cap, 1);
    rc = gn_pipe_open(read_tar, e, &e->in, err);
    if (rc)
        forget(e);
    else
        *out = e;
    return rc;
}

/* All of it, or false: the thread has ended. */
static bool get(struct gn_entries *e, void *to, size_t len)
{
    char *p = to;

    while (len) {
        size_t n = gn_pipe_get(e->in, p, len);

        if (!n)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

int gn_entries_next(struct gn_entries *e, struct gn_item *out, struct gn_err *err)
{
    struct message m;
    size_t len;

    *out = (struct gn_item){.what = GN_ITEM_NONE};
    if (gn_interrupted(&e->ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    if (!get(e, &m, sizeof m))
        return GN_OK;
    len = m.item.what == GN_ITEM_BEGIN ? m.path + 1 + (m.link ? m.link + 1 : 0) : m.item.len;
    if (len > e->cap) {
        e->buf = gn_realloc(e->buf, len, 1);
        e->cap = len;
    }
    if (!get(e, e->buf, len))
        return GN_OK;
    *out = m.item;
    out->data = e->buf;
    out->entry.path = e->buf;
    out->entry.link = m.link ? e->buf + m.path + 1 : NULL;
    return GN_OK;
}

int gn_entries_close(struct gn_entries *e, int rc, struct gn_err *err)
{
    atomic_store(&e->stop, true);
    rc = gn_pipe_close(e->in, rc, err);
    forget(e);
    return rc;
}
