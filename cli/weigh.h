/*
 * weigh.h - how large a program is, how long it would take at each place, and which one is best.
 */
#ifndef CLI_WEIGH_H
#define CLI_WEIGH_H

#include "cli/runs.h"
#include "gnrrun/choose.h"
#include "gnrrun/pool.h"

struct gn_weighed {
    struct gn_workload workload;
    struct gn_place *places;
    struct gn_judgement *verdicts; /* of as many */
    size_t n;
    struct gn_choice choice;
    struct gn_looked *looked; /* the places' names are its targets' */
    size_t n_looked;
};

/*
 * Read the program, and if its size is known look at this machine and the target that was named, or
 * all that are configured.  Nothing is sent.  ship_bytes: of the project and its data.
 */
GN_MUST int gn_cli_weigh(struct gn_cli *c, const struct gn_asked *a, uint64_t ship_bytes,
                         struct gn_weighed *out, struct gn_err *err);
void gn_weighed_clear(struct gn_weighed *w);

void gn_weighed_text(struct gn_cli *c, const struct gn_weighed *w);
/* Into plan's object: "scale", "places", "choice". */
void gn_weighed_json(const struct gn_weighed *w, struct gn_json *out);

#endif
