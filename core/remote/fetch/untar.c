/*
 * untar.c - small files come as a tar, deciphered in a thread of its own.
 *
 * The tar is read, not obeyed: an entry counts only when its name was asked for, comes for
 * the first time and is of the kind and size that the listing announced, and its bytes only
 * when their checksum is the one that was said before, or when the far side's tar says that
 * they stood still.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "gnrrun/fs.h"

#define SLACK     ((uint64_t)64 << 20) /* files that grow meanwhile */
#define DISTURBED 3                    /* status of get.sh when something did not stand still */

static int by_path(const void *key, const void *elem)
{
    return strcmp(key, ((const struct gn_cand *)elem)->path);
}

static struct gn_cand *asked_for(struct gn_batch *b, const char *path)
{
    struct gn_cand *c;

    while (path[0] == '.' && path[1] == '/')
        path += 2;
    c = bsearch(path, b->f->cand + b->from, b->to - b->from, sizeof *c, by_path);
    return c && c->state == GN_CAND_ASKED ? c : NULL;
}

/* Open the temporary that c's bytes go to; they are dropped when that cannot be. */
static int begin_file(struct gn_batch *b, struct gn_cand *c, struct gn_err *err)
{
    int rc = gn_place_open(b->f, c, false, &b->part, err);

    if (rc)
        return gn_fetch_forgive(b->f, c, rc, err);
    b->cur = c;
    b->got = 0;
    b->cksum = (struct gn_cksum){0};
    gn_hash_reset(b->hash);
    return GN_OK;
}

/* Where no checksum is known the time has to do. */
static bool is_as_old(const struct gn_cand *c, const struct gn_unpack_entry *e)
{
    return !c->unsure || e->mtime_ns / 1000000000 == c->mtime_ns / 1000000000;
}

static int on_begin(void *arg, const struct gn_unpack_entry *e, struct gn_err *err)
{
    struct gn_batch *b = arg;
    struct gn_cand *c = asked_for(b, e->path);

    b->cur = NULL;
    b->came += e->size;
    b->entries++;
    if (b->came > 2 * b->asked + SLACK || b->entries > 2 * b->names + 100) {
        b->flood = true;
        return gn_err_set(err, GN_E_PROTO, "the far side sends far more than it was asked for");
    }
    if (!c) {
        gn_fetch_refuse(b->f, e->path, strlen(e->path), "it was not asked for");
        return GN_OK;
    }
    if (e->kind == GN_UNPACK_FILE && c->type == 'f' && e->size == c->size && is_as_old(c, e))
        return begin_file(b, c, err);
    if (e->kind == GN_UNPACK_LINK && c->type == 'l') {
        c->target = gn_strdup(e->link);
        c->known = GN_FAR_SHA;
        gn_place_link_sum(c->target, &c->sums);
        c->state = GN_CAND_LINK;
    } else if (e->kind == GN_UNPACK_HARD && c->type == 'f') {
        c->state = GN_CAND_ALONE; /* its bytes stand under another name in this tar */
    } else {
        gn_fetch_changed(b->f, c);
    }
    return GN_OK;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t len, struct gn_err *err)
{
    struct gn_batch *b = arg;

    if (!b->cur)
        return GN_OK;
    if (offset != b->got || len > b->cur->size - b->got)
        return gn_err_set(err, GN_E_PROTO, "the far side's tar holds more than it announced");
    if (gn_fs_write_all(b->part.fd, data, len) < 0)
        return gn_fetch_err_sys(err, errno, "write", b->cur->path);
    gn_hash_add(b->hash, data, len);
    if (b->cur->known == GN_FAR_CKSUM)
        gn_cksum_add(&b->cksum, data, len);
    b->got += len;
    gn_fetch_progress(b->f, len);
    return GN_OK;
}

static int on_end(void *arg, struct gn_err *err)
{
    struct gn_batch *b = arg;
    struct gn_cand *c = b->cur;
    int rc;

    if (!c)
        return GN_OK;
    b->cur = NULL;
    if (!gn_fetch_verify(c, b->hash, &b->cksum) || b->got != c->size) {
        gn_part_close(&b->part, true);
        gn_fetch_changed(b->f, c);
        return GN_OK;
    }
    rc = gn_place_commit(b->f, c, &b->part, err);
    gn_part_close(&b->part, true);
    return rc ? gn_fetch_forgive(b->f, c, rc, err) : GN_OK;
}

/* The thread. */
static int take_in(void *arg, struct gn_pipe *p, struct gn_err *err)
{
    struct gn_batch *b = arg;
    size_t n = 1;
    int rc = GN_OK;

    while (n && !rc) {
        size_t room;
        void *to = gn_pipe_room(p, &room);

        if (!to || gn_interrupted(&b->quiet))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        rc = gn_far_read(b->far, to, room, &n, &b->quiet, err);
        if (!rc)
            gn_pipe_filled(p, n);
    }
    b->ended = !rc;
    return rc;
}

static int source(void *arg, void *buf, size_t cap, size_t *n, struct gn_err *err)
{
    struct gn_batch *b = arg;

    *n = gn_pipe_get(b->pipe, buf, cap);
    b->raw += *n;
    /* A name may take three blocks of 512 bytes more than its text, the end of a tar 10 KiB. */
    if (b->raw > 2 * b->asked + SLACK + b->names * 16384) {
        b->flood = true;
        return gn_err_set(err, GN_E_PROTO, "the far side sends far more than it was asked for");
    }
    return GN_OK;
}

/* Why the tar ended as it did: our error, or what the far side's end says about a cut one. */
static int close_stream(struct gn_batch *b, int rc, bool *clean, struct gn_err *err)
{
    struct gn_err end = GN_ERR_INIT;
    int end_rc = GN_OK, status = -1;

    if (b->flood && b->f->opts->while_running)
        rc = GN_OK; /* something grows quickly: what has not come is for later */
    if (b->ended)
        end_rc = gn_far_finish(b->far, &status, b->f->ctx, &end);
    else
        gn_far_close(b->far);
    b->far = NULL;
    *clean = !rc && b->ended && !end_rc;
    if (status == DISTURBED)
        end_rc = GN_OK;
    if (rc == GN_E_PROTO && end_rc) {
        *err = end;
        return end_rc;
    }
    /* A tar that complains has still sent what it could read; what is missing will be seen. */
    if (!rc && end_rc && end_rc != GN_E_FAIL) {
        *err = end;
        return end_rc;
    }
    if (!rc)
        gn_err_clear(err);
    return rc;
}

int gn_batch_untar(struct gn_batch *b, bool *clean, struct gn_err *err)
{
    static const struct gn_unpack_ops ops = {.begin = on_begin, .data = on_data, .end = on_end};
    const char *line;
    int rc = gn_far_expect(b->far, "tar", &line, b->f->ctx, err);
    struct gn_err why = GN_ERR_INIT;

    *clean = false;
    if (rc)
        return rc;
    b->quiet = *b->f->ctx;
    b->quiet.stop = &b->stop;
    rc = gn_pipe_open(take_in, b, &b->pipe, err);
    if (rc)
        return rc;
    b->hash = gn_hash_new();
    rc = gn_unpack(source, b, gn_far_number(line, "zstd", 0) == 1, &ops, b, b->f->ctx, err);
    gn_part_close(&b->part, true);
    gn_hash_free(b->hash);
    atomic_store(&b->stop, rc != GN_OK);
    /* that the stream was cut is why the tar is */
    if (gn_pipe_close(b->pipe, GN_OK, &why) && (!rc || rc == GN_E_PROTO) && !b->flood) {
        *err = why;
        rc = why.code;
    }
    return close_stream(b, rc, clean, err);
}
