/*
 * scan.c - one scan as a program: nothing but gn_scan() is between its start and its end.
 *
 * scan ROOT CACHE [SECONDS]    prints entries, bytes and id; SECONDS: what the clock is ahead, so
 * that a tree which was just made is old.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gnrrun/ship.h"

static int64_t ahead;

static int64_t wall_s(const struct gn_ctx *ctx)
{
    (void)ctx;
    return gn_ctx_none.wall_s(&gn_ctx_none) + ahead;
}

int main(int argc, char **argv)
{
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_err err = GN_ERR_INIT;
    struct gn_manifest *m = NULL;

    if (argc < 3)
        return 2;
    struct gn_scan_opts opts = {.root = argv[1], .cache_file = argv[2]};

    if (argc > 3)
        ahead = strtoll(argv[3], NULL, 10);
    ctx.wall_s = wall_s;
    if (gn_scan(&ctx, &opts, &m, &err)) {
        fprintf(stderr, "scan: %s\n", err.msg);
        return 1;
    }
    printf("%zu entries, %llu bytes, %s\n", m->n, (unsigned long long)m->bytes, m->id);
    /* as the program does at its end: the kernel takes it all */
    return 0;
}
