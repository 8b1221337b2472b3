/* ship.c - project and data come there, nothing is run. */
#include <string.h>

#include "parcel.h"

#define TRIALS 6

static int ship_once(struct gn_road *road, struct gn_ship_report *report, struct gn_err *err)
{
    struct gn_cargo cargo = {.token = "", .links = ""};
    struct gn_preview view;
    int rc = gn_road_prepare(road, &view, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < view.n_data && !rc; i++)
        rc = gn_data_ship(road, &view.data[i], false, &cargo.wire, err);
    cargo.tree = road->tree = view.tree;
    if (!rc)
        rc = gn_tree_ship(road, &cargo, err);
    road->tree = NULL;
    memcpy(report->snapshot, view.tree->id, sizeof report->snapshot);
    report->entries = view.tree->n;
    report->files = gn_manifest_files(view.tree);
    report->bytes = view.tree->bytes;
    report->sent_bytes += cargo.wire;
    gn_preview_clear(&view);
    return rc;
}

int gn_engine_ship(struct gn_engine *e, const struct gn_config *config,
                   const struct gn_target *target, const struct gn_spec *spec,
                   struct gn_transport *line, struct gn_ship_report *report, struct gn_err *err)
{
    struct gn_run nobody = {0};
    struct gn_road road;
    int rc;

    gn_road_lend(&road, e, &nobody, config, target, spec);
    road.line = line;
    road.is_kept = line != NULL;
    if (line)
        gn_road_connected(&road);
    *report = (struct gn_ship_report){0};
    for (unsigned n = 0;; n++) {
        rc = ship_once(&road, report, err);
        if (!(rc == GN_E_CHANGED && n < 3) &&
            !(gn_is_line_error(rc) && road.connected_once && !line))
            break;
        if (n + 1 == TRIALS)
            break;
        gn_event_text(e->ctx, GN_EV_NOTE, "%s; trying again", err->msg);
        if (rc != GN_E_CHANGED)
            gn_road_hang_up(&road);
        gn_err_clear(err);
        rc = gn_road_wait(&road, n, err);
        if (rc)
            break;
    }
    if (!line)
        gn_road_hang_up(&road);
    else if (!rc) /* who keeps a line ships again */
        gn_far_prepare(line, "launch", e->ctx);
    return rc;
}
