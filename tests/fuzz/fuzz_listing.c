/* fuzz_listing.c - the far side's list, whole and in pieces: the same records, and no crash. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/remote/fetch/listing.h"

static int on_record(const struct gn_listed *e, void *arg, struct gn_err *err)
{
    uint64_t *sum = arg;

    (void)err;
    if (!e->len || memchr(e->path, 0, e->len) || (e->mode & ~07777))
        abort();
    *sum = *sum * 31 + e->len + e->size + (uint64_t)e->mtime_ns;
    return GN_OK;
}

static int read_all(const uint8_t *data, size_t size, size_t step, uint64_t *sum)
{
    struct gn_listing *l = gn_listing_new(on_record, sum);
    struct gn_err err = GN_ERR_INIT;
    int rc = GN_OK;

    for (size_t i = 0; !rc && i < size; i += step)
        rc = gn_listing_feed(l, data + i, size - i < step ? size - i : step, &err);
    if (!rc)
        rc = gn_listing_end(l, &err);
    gn_listing_free(l);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = 0, pieces = 0;
    struct gn_listing_head head;
    struct gn_err err = GN_ERR_INIT;
    char *line;
    int rc;

    rc = read_all(data, size, size ? size : 1, &whole);
    if (read_all(data, size, 7, &pieces) == GN_OK && (rc != GN_OK || whole != pieces))
        abort();
    line = malloc(size + 1);
    if (!line)
        return 0;
    if (size)
        memcpy(line, data, size);
    line[size] = 0;
    (void)!gn_listing_head(line, &head, &err);
    free(line);
    return 0;
}
