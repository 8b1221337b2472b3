#include <stdlib.h>
#include <string.h>

#include "cli/bills.h"
#include "cli/weigh.h"
#include "gnrrun/vary.h"

static const char *setup_name(const struct gn_setup *s)
{
    switch (s->kind) {
    case GN_SETUP_COMMAND:
        return s->command;
    case GN_SETUP_REQUIREMENTS:
    case GN_SETUP_PYPROJECT:
    case GN_SETUP_CONDA:
        return s->file;
    case GN_SETUP_NONE:
        break;
    }
    return NULL;
}

static struct gn_json *data_json(const struct gn_data_item *d)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_str(o, "name", d->name);
    gn_json_set_str(o, "path", d->path);
    gn_json_set_str(o, "there", d->there);
    if (d->tree) {
        gn_json_set_int(o, "files", (int64_t)d->tree->n);
        gn_json_set_int(o, "bytes", (int64_t)d->tree->bytes);
    }
    return o;
}

/* 0: no sweep.  What is wrong with one was said when it was read. */
static size_t count_members(const struct gn_spec *spec)
{
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_vary v;
    size_t n = 0;

    if (spec->sweep.n && gn_vary_parse(&spec->sweep, &v, &ignored) == GN_OK) {
        n = v.members;
        gn_vary_clear(&v);
    }
    return n;
}

static void show_json(struct gn_cli *c, const struct gn_asked *a, const struct gn_preview *p,
                      const char *command, const struct gn_weighed *w)
{
    struct gn_json *o = gn_json_object(), *data = gn_json_array();

    gn_json_set_str(o, "project", a->config.project.name);
    gn_json_set_str(o, "root", a->config.project.root);
    gn_json_set_str(o, "target", a->target.name);
    gn_json_set_str(o, "target_from", a->target.where);
    gn_json_set_str(o, "command", command);
    gn_json_set(o, "words", gn_json_strs(&p->program.words));
    gn_json_set_int(o, "runs", count_members(&a->spec) ? (int64_t)count_members(&a->spec) : 1);
    gn_json_set_str(o, "workdir", p->program.workdir);
    gn_json_set_str(o, "setup", setup_name(&p->setup));
    gn_json_set_str(o, "snapshot", p->tree->id);
    gn_json_set_int(o, "files", (int64_t)p->tree->n);
    gn_json_set_int(o, "bytes", (int64_t)p->tree->bytes);
    for (size_t i = 0; i < p->n_data; i++)
        gn_json_append(data, data_json(&p->data[i]));
    gn_json_set(o, "data", data);
    if (a->spec.time_s)
        gn_json_set_int(o, "time", a->spec.time_s);
    else
        gn_json_set_null(o, "time");
    if (w)
        gn_weighed_json(w, o);
    gn_ui_json(c->ui, o);
}

static void show_text(struct gn_cli *c, const struct gn_asked *a, const struct gn_preview *p,
                      const char *command, const struct gn_weighed *w)
{
    const char *setup = setup_name(&p->setup);
    char size[64];
    size_t members = count_members(&a->spec);

    gn_ui_outf(c->ui, "project  %s (%s)\n", a->config.project.name, a->config.project.root);
    gn_ui_outf(c->ui, "target   %s (%s)%s\n", a->target.name,
               a->target.where ? a->target.where : "-",
               gn_args_text(&c->args, "target") ? "" : ", since no --target is given");
    gn_ui_outf(c->ui, "program  %s\n", command);
    if (members)
        gn_ui_outf(c->ui, "sweep    %zu runs\n", members);
    if (*p->program.workdir)
        gn_ui_outf(c->ui, "folder   %s\n", p->program.workdir);
    if (setup)
        gn_ui_outf(c->ui, "setup    %s\n", setup);
    gn_ui_outf(c->ui, "ship     %s, less what is there already\n",
               gn_fmt_files(gn_manifest_files(p->tree), p->tree->bytes, size));
    for (size_t i = 0; i < p->n_data; i++) {
        const struct gn_data_item *d = &p->data[i];

        if (d->there)
            gn_ui_outf(c->ui, "data     %s: %s over there\n", d->name, d->there);
        else
            gn_ui_outf(c->ui, "data     %s: %s, once per host\n", d->name,
                       gn_fmt_files(gn_manifest_files(d->tree), d->tree->bytes, size));
    }
    if (a->spec.time_s)
        gn_ui_outf(c->ui, "limit    %s\n", gn_fmt_seconds(a->spec.time_s, size));
    gn_ui_outf(c->ui, "results  %s\n",
               a->spec.no_fetch ? "stay over there"
               : a->spec.dest   ? a->spec.dest
                                : a->config.project.root);
    if (w)
        gn_weighed_text(c, w);
    else
        gn_ui_outf(c->ui, "duration unknown\n");
}

static uint64_t bytes_to_ship(const struct gn_preview *p)
{
    uint64_t n = p->tree->bytes;

    for (size_t i = 0; i < p->n_data; i++)
        n += p->data[i].tree ? p->data[i].tree->bytes : 0;
    return n;
}

/* weigh: look at targets too. */
static int preview(struct gn_cli *c, const struct gn_asked *a, bool weigh, struct gn_err *err)
{
    struct gn_preview p;
    struct gn_weighed w = {0};
    char *command;
    int rc = gn_preview_make(c->ctx, &a->config, &a->target, &a->spec, NULL, &p, err);

    if (rc)
        return rc;
    if (weigh)
        rc = gn_cli_weigh(c, a, bytes_to_ship(&p), &w, err);
    if (rc)
        goto out;
    command = gn_program_text(&p.program);
    if (c->json)
        show_json(c, a, &p, command, weigh ? &w : NULL);
    else
        show_text(c, a, &p, command, weigh ? &w : NULL);
    free(command);
out:
    gn_weighed_clear(&w);
    gn_preview_clear(&p);
    if (rc)
        return rc;
    if (a->target.type == GN_TARGET_CLOUD && !c->json)
        return gn_cli_show_offer(c, a, err);
    return GN_EXIT_OK;
}

int gn_cli_preview(struct gn_cli *c, const struct gn_asked *a, struct gn_err *err)
{
    return preview(c, a, false, err);
}

int cmd_plan(struct gn_cli *c, struct gn_err *err)
{
    struct gn_asked a;
    int rc = gn_cli_asked(c, true, &a, err);

    if (rc)
        return rc;
    rc = preview(c, &a, true, err);
    gn_asked_clear(&a);
    return rc;
}
