/*
 * parcel.h - what a far side lacks of a tree, as one stream.
 */
#ifndef GNRRUN_PARCEL_H
#define GNRRUN_PARCEL_H

#include <stdatomic.h>

#include "lanes.h"

/* A file that is only here in memory. */
struct gn_far_file {
    const char *path;
    const void *data;
    size_t len;
};

struct gn_parcel {
    struct gn_road *road;
    struct gn_far *far; /* closed by gn_parcel_clear() */
    struct gn_pack *pack;
    const char *root; /* of the tree, here */
    const char *what; /* for the progress bar */
    const struct gn_manifest *base, *tree;
    const struct gn_entry *largest; /* of the difference */
    struct gn_buf before, after;    /* sh lines */
    size_t rm_len;                  /* of the line of `before` that is being written */
    uint64_t files, total, entries; /* of the difference; total in bytes */
    uint64_t parts;                 /* entries of a whole tree that are there already, */
    uint64_t there;                 /* and bytes of the last of them, if it is large */
    uint64_t packed, wire;
    _Atomic uint64_t done; /* of total: packed */
    unsigned how;
    struct gn_pipe *pipe; /* while another thread packs */
    unsigned lanes_there; /* that the far side can take, in its folder dir */
    char dir[GN_HASH_HEX + 16];
    struct gn_lanes *lanes; /* NULL: all goes over far */
    const struct gn_far_file *run_files;
    size_t n_run_files;
    bool is_shared;   /* files over there have other names too: none is written in place */
    bool told_before; /* `before` went with the question */
    bool complete;    /* its last part may have arrived: then it may have been started */
    int rc;           /* first failure while the difference is walked */
    struct gn_err *err;
};

struct gn_parcel gn_parcel_new(struct gn_road *road, const char *root, const char *what);
void gn_parcel_clear(struct gn_parcel *p);

/* What turns base (NULL: nothing) into tree (NULL: nothing is to be sent): counted, not sent. */
void gn_parcel_plan(struct gn_parcel *p, const struct gn_manifest *base,
                    const struct gn_manifest *tree);

/* Is it worth going on with after a cut?  Sparse files are put together at the end only. */
bool gn_parcel_resumes(const struct gn_manifest *tree);

/* The far side's answer: how it can take it. */
void gn_parcel_hear(struct gn_parcel *p, const char *line);

/* parts entries of the whole tree that was planned are there: learn how much of the last. */
GN_MUST int gn_parcel_resume(struct gn_parcel *p, int64_t parts, struct gn_err *err);

/* Send what was planned, and the run's own n files ("run/..."), to the end of the stream. */
GN_MUST int gn_parcel_send(struct gn_parcel *p, const struct gn_far_file *files, size_t n,
                           bool zstd, struct gn_err *err);

/* What shall come to lie over there. */
struct gn_cargo {
    const struct gn_manifest *tree; /* of the road's project */
    const char *token;              /* the run; "": the tree alone */
    const char *links;              /* sh lines: `link TARGET PATH` */
    const struct gn_far_file *files;
    size_t n;
    /* and what became of it */
    bool may_run; /* something of it may have been started, whatever is returned */
    uint64_t wire;
};

/* Ship the tree, and start the run if there is one; its status is noted in the road's row. */
GN_MUST int gn_tree_ship(struct gn_road *road, struct gn_cargo *cargo, struct gn_err *err);

/* Ship one data: item unless the notes say that it is there (doubt: ask). */
GN_MUST int gn_data_ship(struct gn_road *road, const struct gn_data_item *d, bool doubt,
                         uint64_t *wire, struct gn_err *err);
/* The sh line that puts it into the run's folder. */
void gn_data_link(struct gn_buf *links, const struct gn_data_item *d);

#endif
