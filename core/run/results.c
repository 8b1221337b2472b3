/* results.c - which results, and where to. */
#include <stdlib.h>
#include <string.h>

#include "run_private.h"

/* Where results come to lie: each member of a sweep has a folder of its own. */
static char *home_of(const struct gn_road *road, const char *dest)
{
    const struct gn_run *run = road->run;
    const char *dot = run->member ? strrchr(run->name, '.') : NULL;

    if (!dest)
        dest = road->spec.dest;
    if (!dot)
        return gn_strdup(dest ? dest : run->root);
    if (dest)
        return gn_printf("%s/%s", dest, dot + 1);
    return gn_printf("%s/gnrrun-results/%.*s/%s", run->root, (int)(dot - run->name), run->name,
                     dot + 1);
}

/* Of what was shipped; the members of a sweep share one. */
static char *manifest_of(const struct gn_road *road)
{
    struct gn_run whole = {
        .name = road->run->member
                    ? gn_strndup(road->run->name,
                                 (size_t)(strrchr(road->run->name, '.') - road->run->name))
                    : gn_strdup(road->run->name)};
    char *path = gn_store_path(road->e->ctx, &whole, "manifest");

    free(whole.name);
    return path;
}

int gn_road_fetch(struct gn_road *road, const struct gn_strs *patterns, const char *dest,
                  bool while_running, struct gn_fetch_report *report, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    struct gn_run *run = road->run;
    struct gn_strs skip = GN_STRS_INIT;
    struct gn_manifest *shipped = NULL;
    struct gn_err ignored = GN_ERR_INIT;
    char *path = manifest_of(road), *home = home_of(road, dest);
    struct gn_fetch_opts opts = {
        .run = run,
        .dest = home,
        .patterns = patterns && patterns->n ? patterns : &road->config.project.results,
        .skip = &skip,
        .while_running = while_running,
    };
    int rc;

    for (size_t i = 0; i < road->config.project.n_data; i++)
        gn_strs_add(&skip, road->config.project.data[i].path);
    for (size_t i = 0; i < road->spec.data.n; i++)
        gn_strs_add(&skip, road->spec.data.v[i]);
    if (gn_manifest_read(path, &shipped, &ignored))
        gn_event_text(ctx, GN_EV_WARN, "%s: every file of the run counts as a result", ignored.msg);
    opts.shipped = shipped;
    rc = gn_fetch(ctx, road->line, road->e->store, &opts, report, err);
    run->fetched_files += (int64_t)report->files; /* also of a trial that was cut */
    run->fetched_bytes += (int64_t)report->bytes;
    if (!rc) {
        run->fetched = while_running || (patterns && patterns->n) || report->later ? GN_FETCH_SOME
                                                                                   : GN_FETCH_ALL;
        rc = gn_store_update(road->e->store, run, !while_running, err);
    }
    gn_manifest_free(shipped);
    gn_strs_clear(&skip);
    free(home);
    free(path);
    return rc;
}
