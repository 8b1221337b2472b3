/*
 * fuzz_unpack.c - an archive from the far side; the first byte says zstd or not.  Whatever it is, the
 * calls come in order and within the announced sizes.
 */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/ship.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_DATA ((uint64_t)64 << 20) /* a bomb is the receiver's to stop, as here */

struct input {
    const uint8_t *p;
    size_t left;
    uint64_t at, size, total;
    bool open, file;
    uint8_t seen;
};

static int supply(void *arg, void *buf, size_t cap, size_t *n, struct gn_err *err)
{
    struct input *in = arg;

    (void)err;
    *n = in->left < cap ? in->left : cap;
    memcpy(buf, in->p, *n);
    in->p += *n;
    in->left -= *n;
    return GN_OK;
}

static int begin(void *arg, const struct gn_unpack_entry *e, struct gn_err *err)
{
    struct input *in = arg;
    bool link = e->kind == GN_UNPACK_LINK || e->kind == GN_UNPACK_HARD;

    (void)err;
    if (in->open || !*e->path || strlen(e->path) > GN_UNPACK_PATH_MAX || (e->link != NULL) != link)
        abort();
    if ((link && (!*e->link || strlen(e->link) > GN_UNPACK_PATH_MAX)) || e->mode > 07777)
        abort();
    in->open = true;
    in->file = e->kind == GN_UNPACK_FILE;
    in->size = e->size;
    in->at = 0;
    return GN_OK;
}

static int take(void *arg, uint64_t at, const void *data, size_t len, struct gn_err *err)
{
    struct input *in = arg;
    const uint8_t *p = data;

    if (!in->open || !in->file || !len || at < in->at || at > in->size || len > in->size - at)
        abort();
    for (size_t i = 0; i < len; i += 512)
        in->seen ^= p[i]; /* the whole of it must be readable */
    in->at = at + len;
    in->total += len;
    return in->total > MAX_DATA ? gn_err_set(err, GN_E_LIMIT, "too much") : GN_OK;
}

static int end(void *arg, struct gn_err *err)
{
    struct input *in = arg;

    (void)err;
    if (!in->open)
        abort();
    in->open = false;
    return GN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gn_unpack_ops ops = {begin, take, end};
    struct gn_err err = GN_ERR_INIT;
    struct input in = {.left = 0};
    int rc;

    if (!size)
        return 0;
    in.p = data + 1;
    in.left = size - 1;
    rc = gn_unpack(supply, &in, data[0] & 1, &ops, &in, &gn_ctx_none, &err);
    if (rc && rc != GN_E_PROTO && rc != GN_E_LIMIT)
        abort();
    return 0;
}
