/*
 * batch.h - what the files about one `get` share: bring.c asks, untar.c takes, doubt.c looks again.
 */
#ifndef GN_FETCH_BATCH_H
#define GN_FETCH_BATCH_H

#include "gnrrun/far.h"
#include "room.h"

struct gn_batch {
    struct gn_fetch *f;
    struct gn_far *far;
    size_t from, to;
    uint64_t asked, names;  /* bytes and entries that were asked for */
    uint64_t came, entries; /* that were announced in the tar */
    uint64_t raw;           /* bytes of the stream */
    bool sent;              /* all is asked for, and nothing else will be */
    bool cksum;             /* some sums are no SHA-256 */
    bool ended;             /* the stream is at its end */
    _Atomic bool flood;     /* far more came than was asked for */
    struct gn_cand *cur;    /* whose bytes are coming; NULL: they are dropped */
    struct gn_part part;
    uint64_t got;
};

typedef bool (*gn_pick_fn)(const struct gn_cand *c);

/* --- bring.c ------------------------------------------------------------------------------ */

/* Ask for the checksums of those that are picked. */
GN_MUST int gn_batch_ask_sums(struct gn_batch *b, gn_pick_fn pick, struct gn_err *err);
/* Read the answers: c->known and c->sums. */
GN_MUST int gn_batch_read_sums(struct gn_batch *b, gn_pick_fn pick, struct gn_err *err);

/* --- untar.c: from "tar" on to the end; b->far is closed ------------------------------------ */

/* *clean: the far side says that each file stood still while it was read, to its end. */
GN_MUST int gn_batch_untar(struct gn_batch *b, bool *clean, struct gn_err *err);

/* --- doubt.c ------------------------------------------------------------------------------ */

/*
 * What was put without a checksum is looked at again: what is not as the far side has it goes from
 * here, and counts as changed.
 */
GN_MUST int gn_batch_doubt(struct gn_batch *b, struct gn_err *err);

#endif
