/* fill.c - fill N ROOT: N runs in the store, as runs leave them; every fiftieth still goes on. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/world.h"
#include "gnrrun/store.h"

static int add(struct gn_store *s, const char *root, int i, struct gn_err *err)
{
    struct gn_run r = {
        .project = gn_strdup("proj"),
        .root = gn_strdup(root),
        .target = gn_strdup("ravan"),
        .token = NULL,
        .workdir = gn_strdup("/home/me/.gnrrun"),
        .command = gn_strdup("python train.py --epochs 10"),
        .spec = gn_strdup("{\"words\":[\"train.py\"]}"),
        .snapshot = gn_strdup("abc"),
        .note = gn_strdup(""),
        .sig = gn_strdup(""),
        .reason = gn_strdup("exit"),
        .host = gn_strdup("ravan"),
        .state = GN_SUCCEEDED,
    };
    int rc = gn_store_create(s, &r, err);

    r.state = i % 50 ? GN_SUCCEEDED : GN_RUNNING;
    r.started_s = r.created_s;
    r.ended_s = i % 50 ? r.created_s + 60 : 0;
    if (!rc)
        rc = gn_store_update(s, &r, false, err);
    gn_run_clear(&r);
    return rc;
}

int main(int argc, char **argv)
{
    struct gn_ui_opts o = {.mono_ms = gn_ctx_none.mono_ms};
    struct gn_ui *ui = gn_ui_new(1, 2, &o);
    struct gn_world world = {0};
    struct gn_store *s = NULL;
    struct gn_err err = GN_ERR_INIT;
    int n = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    int rc = gn_world_open(&world, ui, &err);

    if (!rc)
        rc = gn_store_open(&world.ctx, &s, &err);
    if (!rc)
        rc = gn_store_begin(s, &err);
    for (int i = 1; !rc && i <= n; i++)
        rc = add(s, argv[2], i, &err);
    if (!rc)
        rc = gn_store_end(s, &err);
    if (rc)
        fprintf(stderr, "fill: %s\n", err.msg);
    gn_store_close(s);
    gn_ui_free(ui);
    gn_world_close(&world);
    return rc != 0;
}
