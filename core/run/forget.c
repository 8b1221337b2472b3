/* forget.c - what lies here of a run that is forgotten: its log, and what was shipped. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_private.h"

/* The folder holds files of ours, no others and no folders; what cannot be removed stays. */
static void remove_files(const struct gn_ctx *ctx, const char *name)
{
    struct gn_run run = {.name = gn_strdup(name)};
    char *dir = gn_store_path(ctx, &run, "");
    DIR *d = opendir(dir);

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)!unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    (void)!rmdir(dir);
    free(dir);
    free(run.name);
}

static int add_name(const struct gn_run *r, void *arg, struct gn_err *err)
{
    (void)err;
    gn_strs_add(arg, r->name);
    return GN_OK;
}

int gn_run_forget(struct gn_engine *e, const struct gn_run *run, struct gn_err *err)
{
    struct gn_strs names = GN_STRS_INIT;
    int rc = run->members ? gn_store_members(e->store, run->id, add_name, &names, err) : GN_OK;

    gn_strs_add(&names, run->name);
    if (!rc)
        rc = gn_store_forget(e->store, run->id, err);
    for (size_t i = 0; i < names.n && !rc; i++)
        remove_files(e->ctx, names.v[i]);
    gn_strs_clear(&names);
    return rc;
}
