/*
 * untar.c - small files come as a tar, and are put where they belong.
 *
 * The tar is read, not obeyed: an entry counts only when its name was asked for, comes for
 * the first time and is of the kind and size that the listing announced, and its bytes only
 * when their checksum is the one that was said before, or when the far side's tar says that
 * they stood still.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "entries.h"
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
    return GN_OK;
}

/* Where no checksum is known the time has to do. */
static bool is_as_old(const struct gn_cand *c, const struct gn_unpack_entry *e)
{
    return !c->unsure || e->mtime_ns / 1000000000 == c->mtime_ns / 1000000000;
}

static int on_begin(struct gn_batch *b, const struct gn_unpack_entry *e, struct gn_err *err)
{
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

static int on_data(struct gn_batch *b, const struct gn_item *d, struct gn_err *err)
{
    if (!b->cur)
        return GN_OK;
    if (d->offset != b->got || d->len > b->cur->size - b->got)
        return gn_err_set(err, GN_E_PROTO, "the far side's tar holds more than it announced");
    if (gn_fs_write_all(b->part.fd, d->data, d->len) < 0)
        return gn_fetch_err_sys(err, errno, "write", b->cur->path);
    b->got += d->len;
    gn_fetch_progress(b->f, d->len);
    return GN_OK;
}

static int on_end(struct gn_batch *b, const struct gn_item *end, struct gn_err *err)
{
    struct gn_cand *c = b->cur;
    int rc;

    if (!c)
        return GN_OK;
    b->cur = NULL;
    if (!gn_fetch_verify(c, end->sha, &end->cksum) || b->got != c->size) {
        gn_part_close(&b->part, true);
        gn_fetch_changed(b->f, c);
        return GN_OK;
    }
    rc = gn_place_commit(b->f, c, &b->part, err);
    gn_part_close(&b->part, true);
    return rc ? gn_fetch_forgive(b->f, c, rc, err) : GN_OK;
}

/* In the thread that reads the tar. */
static int take_in(void *arg, void *buf, size_t cap, size_t *n, const struct gn_ctx *ctx,
                   struct gn_err *err)
{
    struct gn_batch *b = arg;
    int rc;

    if (gn_interrupted(ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    rc = gn_far_read(b->far, buf, cap, n, ctx, err);
    if (rc)
        return rc;
    b->ended = *n == 0;
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

static int put_all(struct gn_batch *b, struct gn_entries *from, struct gn_err *err)
{
    struct gn_item item;
    int rc;

    for (;;) {
        rc = gn_entries_next(from, &item, err);
        if (rc || item.what == GN_ITEM_NONE)
            return rc;
        if (item.what == GN_ITEM_BEGIN)
            rc = on_begin(b, &item.entry, err);
        else if (item.what == GN_ITEM_DATA)
            rc = on_data(b, &item, err);
        else
            rc = on_end(b, &item, err);
        if (rc)
            return rc;
    }
}

int gn_batch_untar(struct gn_batch *b, bool *clean, struct gn_err *err)
{
    struct gn_entries *entries;
    const char *line;
    int rc = gn_far_expect(b->far, "tar", &line, b->f->ctx, err);

    *clean = false;
    if (!rc)
        rc = gn_entries_open(take_in, b, gn_far_number(line, "zstd", 0) == 1, b->cksum, b->f->ctx,
                             &entries, err);
    if (rc)
        return rc;
    rc = gn_entries_close(entries, put_all(b, entries, err), err);
    gn_part_close(&b->part, true);
    return close_stream(b, rc, clean, err);
}
