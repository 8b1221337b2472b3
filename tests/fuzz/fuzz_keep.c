/* fuzz_keep.c - what a keeper and its clients say to each other: a frame is read whole, in pieces, and written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/remote/keep/wire.h"

/* What was read is all that there was: written again it is the same bytes. */
static void check(const struct gn_wire *w, const char *data, size_t used)
{
    struct gn_buf again = GN_BUF_INIT(GN_WIRE_MAX + GN_WIRE_HEAD);

    gn_wire_add(&again, w);
    if (gn_buf_over(&again) || again.len != used || memcmp(again.ptr, data, used) != 0)
        abort();
    gn_buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gn_err err = GN_ERR_INIT;
    char *copy = malloc(size ? size : 1);
    size_t at = 0, used = 1;

    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    while (used) {
        struct gn_wire w, half;
        size_t none = 1;

        if (gn_wire_read(copy + at, size - at, &w, &used, &err) || !used)
            break;
        if (used > size - at || used > GN_WIRE_MAX + GN_WIRE_HEAD)
            abort();
        check(&w, copy + at, used);
        /* a byte less is no frame, and no mistake either */
        if (gn_wire_read(copy + at, used - 1, &half, &none, &err) || none)
            abort();
        at += used;
    }
    free(copy);
    return 0;
}
