/*
 * fuzz_manifest.c - a manifest from a file: refused, or such that writing and reading it again changes
 * nothing.  The checksum is put right first, or nothing would ever get behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/ship.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    uint8_t hash[GN_HASH_LEN];
    FILE *f = fopen(path, "wb");

    if (!f)
        abort();
    gn_hash_data(data, size, hash);
    fwrite(data, 1, size, f);
    fwrite(hash, 1, sizeof hash, f);
    fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gn_manifest *m = NULL, *again = NULL;
    struct gn_err err = GN_ERR_INIT;
    char path[64];

    snprintf(path, sizeof path, "/tmp/gnrrun-fuzz-manifest-%ld", (long)getpid());
    write_file(path, data, size);
    if (gn_manifest_read(path, &m, &err) == GN_OK) {
        for (size_t i = 0; i < m->n; i++)
            if (gn_manifest_find(m, m->v[i].path) != &m->v[i] || strstr(m->v[i].path, "//"))
                abort();
        if (gn_manifest_write(m, path, &err) || gn_manifest_read(path, &again, &err) ||
            strcmp(m->id, again->id) != 0)
            abort();
    }
    unlink(path);
    gn_manifest_free(m);
    gn_manifest_free(again);
    return 0;
}
