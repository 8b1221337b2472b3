#include <stdlib.h>
#include <string.h>

#include "cli/bills.h"
#include "gnrrun/fs.h"

/* The first word is a run if there is one of that name; otherwise all words are patterns. */
static int find_run(struct gn_cli *c, struct gn_store *s, struct gn_run *run,
                    struct gn_strs *patterns, struct gn_err *err)
{
    const struct gn_strs *w = &c->args.words;
    size_t first = 0;
    int rc = GN_E_NOTFOUND;

    if (w->n)
        rc = gn_cli_run(c, s, 0, run, err);
    if (!rc)
        first = 1;
    else if (w->n && (rc != GN_E_NOTFOUND || !strpbrk(w->v[0], "*?[]/.")))
        return rc;
    else
        rc = gn_cli_run(c, s, w->n, run, err);
    for (size_t i = first; !rc && i < w->n; i++)
        gn_strs_add(patterns, w->v[i]);
    return rc;
}

static void report_json(struct gn_cli *c, const struct gn_run *run, const struct gn_fetch_report *r)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_str(o, "run", run->name);
    gn_json_set_int(o, "files", (int64_t)r->files);
    gn_json_set_int(o, "bytes", (int64_t)r->bytes);
    gn_json_set_int(o, "same", (int64_t)r->same);
    gn_json_set_int(o, "beside", (int64_t)r->beside);
    gn_json_set_int(o, "refused", (int64_t)r->refused);
    gn_json_set_int(o, "later", (int64_t)r->later);
    gn_ui_json(c->ui, o);
}

int cmd_fetch(struct gn_cli *c, struct gn_err *err)
{
    const char *into = gn_args_text(&c->args, "into");
    char *dest = into ? gn_path_join(c->ctx->cwd, into) : NULL;
    struct gn_fetch_report report = {0};
    struct gn_strs patterns = GN_STRS_INIT;
    struct gn_engine e;
    struct gn_run run;
    int rc = gn_cli_engine(c, &e, err);

    if (rc) {
        free(dest);
        return rc;
    }
    rc = find_run(c, e.store, &run, &patterns, err);
    if (!rc) {
        /* how it is now decides whether all is there to be fetched */
        if (!gn_state_over(run.state)) {
            struct gn_run *one = &run;

            rc = gn_engine_refresh(&e, &one, 1, err);
        }
        if (!rc)
            rc = gn_engine_fetch(&e, &run, &patterns, dest, &report, err);
        rc = gn_cli_unless_bills(c, e.store, run.id, rc, err);
        if (!rc && c->json)
            report_json(c, &run, &report);
        if (!rc && !gn_state_over(run.state))
            gn_event_text(c->ctx, GN_EV_NOTE, "%s goes on: fetch again when it is over", run.name);
        gn_run_clear(&run);
    }
    gn_store_close(e.store);
    gn_strs_clear(&patterns);
    free(dest);
    return rc;
}
