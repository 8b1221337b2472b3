/*
 * data.c - data: folders and files, shipped once a host and shared by all runs there, read-only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "parcel.h"

/* Name of its notes (base.c). */
static char *data_key(const struct gn_data_item *d)
{
    uint8_t hash[GN_HASH_LEN];
    char hex[17];

    gn_hash_data(d->path, strlen(d->path), hash);
    gn_hex(hash, 8, hex);
    return gn_printf("data-%s", hex);
}

static const struct gn_manifest *find_base(const struct gn_base_notes *n, const char *line)
{
    char id[GN_HASH_HEX];

    if (!gn_far_field(line, "base", id, sizeof id))
        return NULL;
    if (n->sure && strcmp(n->sure->id, id) == 0)
        return n->sure;
    return n->intended && strcmp(n->intended->id, id) == 0 ? n->intended : NULL;
}

/* The far side has said what it lacks. */
static int send_data(struct gn_parcel *p, const struct gn_data_item *d,
                     const struct gn_base_notes *notes, const char *line, struct gn_err *err)
{
    const struct gn_ctx *ctx = p->road->e->ctx;
    bool zstd = gn_far_number(line, "zstd", 0) == 1;
    int64_t parts = gn_far_number(line, "parts", 0);
    char size[32];
    int rc;

    gn_parcel_plan(p, find_base(notes, line), d->tree);
    gn_event_text(ctx, GN_EV_STEP, "shipping data '%s', %s, to '%s' (once per host)", d->name,
                  gn_fmt_bytes(p->total, size), p->road->target.name);
    rc = gn_parcel_resume(p, parts, err);
    if (!rc)
        rc = gn_parcel_send(p, NULL, 0, zstd, err);
    return rc ? rc : gn_far_expect(p->far, "ok", &line, ctx, err);
}

static int put(struct gn_road *road, const struct gn_data_item *d, const char *key,
               const struct gn_base_notes *notes, uint64_t *wire, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    bool remote = road->target.type != GN_TARGET_LOCAL;
    char *bases = gn_printf("%s %s", notes->sure ? notes->sure->id : "",
                            notes->intended ? notes->intended->id : "");
    char what[256], lanes[12];
    struct gn_far_arg args[] = {{"root", gn_road_root(road)},
                                {"id", d->tree->id},
                                {"base", bases},
                                {"zstd", remote ? "1" : "0"},
                                {"resume", gn_parcel_resumes(d->tree) ? "1" : "0"},
                                {"lanes", lanes},
                                {"client", road->client},
                                {NULL, NULL}};
    struct gn_parcel p;
    const char *line;
    int rc;

    snprintf(lanes, sizeof lanes, "%d",
             gn_lanes_help(road->line, d->tree->bytes) ? GN_LANES_MAX : 0);
    snprintf(what, sizeof what, "data '%.200s'", d->name);
    p = gn_parcel_new(road, d->path, what);
    p.is_shared = true;
    gn_base_intend(road, key, notes, d->tree);
    rc = gn_far_open(road->line, "put", args, &p.far, ctx, err);
    if (!rc)
        rc = gn_far_expect(p.far, "put", &line, ctx, err);
    if (!rc)
        gn_parcel_hear(&p, line);
    if (!rc && gn_far_number(line, "have", 0) != 1)
        rc = send_data(&p, d, notes, line, err);
    if (!rc)
        gn_base_settle(road, key, notes, d->tree);
    *wire += p.wire;
    gn_parcel_clear(&p);
    free(bases);
    return rc;
}

int gn_data_ship(struct gn_road *road, const struct gn_data_item *d, bool doubt, uint64_t *wire,
                 struct gn_err *err)
{
    struct gn_base_notes notes;
    char *key;
    int rc = GN_OK;

    if (d->there)
        return GN_OK;
    key = data_key(d);
    road->tree = d->tree;
    gn_base_load(road, key, &notes);
    /* what the note says is there costs no question; the launch looks at it anyway */
    if (doubt || !notes.sure || strcmp(notes.sure->id, d->tree->id) != 0)
        rc = put(road, d, key, &notes, wire, err);
    gn_base_notes_clear(&notes);
    road->tree = NULL;
    free(key);
    return rc ? gn_err_prefix(err, "data '%s': ", d->name) : GN_OK;
}

void gn_data_link(struct gn_buf *links, const struct gn_data_item *d)
{
    char *target = d->there ? gn_strdup(d->there) : NULL;

    if (!target && d->tree->n == 1 && gn_fs_is_file(d->path))
        target = gn_printf("data/%s/%s", d->tree->id, d->tree->v[0].path);
    else if (!target)
        target = gn_printf("data/%s", d->tree->id);
    gn_buf_adds(links, "link ");
    gn_buf_addsh(links, target);
    gn_buf_addc(links, ' ');
    gn_buf_addsh(links, d->name);
    gn_buf_addc(links, '\n');
    free(target);
}
