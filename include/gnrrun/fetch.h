/*
 * fetch.h - results come home: what the run created or changed, each file whole or not at all.
 *
 * Foreign input at its worst: the far side may name any path and send any bytes.
 * Nothing is written outside dest (folders are walked by descriptor, no symlink is
 * followed, no absolute path, no "..", no device, no setuid bit), nothing that is
 * here is lost (see gn_fetch), everything has a ceiling.
 */
#ifndef GNRRUN_FETCH_H
#define GNRRUN_FETCH_H

#include "gnrrun/ship.h"
#include "gnrrun/store.h"
#include "gnrrun/transport.h"

struct gn_fetch_opts {
    const struct gn_run *run;
    const struct gn_manifest
        *shipped;                   /* what the run started from; NULL: unknown (all is a result) */
    const char *dest;               /* absolute folder: the project, or --into / --results */
    const struct gn_strs *patterns; /* of results: or of the command line; empty: all */
    const struct gn_strs *skip;     /* paths that are links to data: */
    bool while_running; /* files may be half written: one that changes is left for later */
};

struct gn_fetch_report {
    uint64_t files, bytes; /* brought here now */
    uint64_t same;         /* were here already */
    uint64_t beside;       /* put beside because a file here was changed: see GN_EV_WARN lines */
    uint64_t refused;      /* names or kinds that cannot be written here */
    uint64_t later;        /* still changing over there */
};

/*
 * A result is what the program made or changed.  What is as old as the setup is the setup's, be
 * it new, be it a file that was shipped and then changed (a lock file): it stays over there,
 * whether the setup ran or what it made was put back from an earlier run, and its folders come
 * only with results in them.  Neither does anything of a setup that failed or goes on come.
 *
 * Refused, with a GN_EV_WARN and counted: what cannot be a name below dest, what is neither a
 * file nor a folder nor a link, a link that leads out of dest, .ssh, .gnupg, and .git in
 * every spelling that some file system takes for it (hooks would run by themselves).  gnrrun.yaml
 * and the ignore files come as others do: like a program that came back changed they are the
 * user's to look at.
 *
 * For each result, by what stands at dest/path here:
 *   nothing, or the same bytes         it is put there
 *   as it was shipped with this run, or as this run's earlier fetch left it
 *                                      it is replaced
 *   as an earlier run's fetch left it  that one moves to dest/gnrrun-results/THATRUN/path first
 *   anything else                      it is left alone; the result goes to
 *                                      dest/gnrrun-results/THISRUN/path, with a GN_EV_WARN
 * Resumes large files; verified by SHA-256 (cksum where the far side has nothing better).  What
 * stands nowhere here, of a run that is over, needs no second reading over there for that: SSH
 * vouches for the way, and the far side tells when a file could not be read to its end or was
 * written to meanwhile; only then are the sums compared.
 */
GN_MUST int gn_fetch(const struct gn_ctx *ctx, struct gn_transport *t, struct gn_store *store,
                     const struct gn_fetch_opts *opts, struct gn_fetch_report *report,
                     struct gn_err *err);

/* Name of the folder for results that found their place taken; ignored when shipping. */
#define GN_RESULTS_DIR "gnrrun-results"

#endif
