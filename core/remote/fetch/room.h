/*
 * room.h - what the files of this folder share: one fetch, and the results it is about.
 */
#ifndef GN_FETCH_ROOM_H
#define GN_FETCH_ROOM_H

#include "confine.h"
#include "gnrrun/fetch.h"

/* From here on a file is brought by itself and can be resumed. */
#define GN_LARGE_FILE ((uint64_t)4 << 20)

/* Where a result goes here. */
struct gn_place {
    char *path;                  /* below dest */
    char *keep;                  /* what stands at path gets this name first, or NULL */
    struct gn_fetched_file kept; /* keep: what the store says of it */
    bool replace;                /* `was` stands there */
    struct stat was;
    bool same; /* the very bytes are there: nothing to bring */
    bool beside;
};

/* One thing over there that may be a result. */
struct gn_cand {
    char *path;
    uint64_t size;
    int64_t mtime_ns, ctime_ns;
    const struct gn_entry *shipped; /* what the run started from at this path, or NULL */
    struct gn_sums sums;            /* as the far side says; sha or crc and len */
    char *target;                   /* of a symlink, once it came */
    struct gn_place *place;         /* where it is to go, once that is known; ours */
    uint16_t mode;
    char type; /* f d l */
    enum {
        GN_FAR_UNKNOWN,
        GN_FAR_SHA,
        GN_FAR_CKSUM,
        GN_FAR_UNREADABLE,
    } known;
    bool unsure; /* taken without a checksum: as good as the far side's word that it stood still */
    enum {
        GN_CAND_NEW,
        GN_CAND_ALONE,   /* to be brought by itself */
        GN_CAND_ASKED,   /* in the tar that is coming */
        GN_CAND_LINK,    /* a symlink, its target came: made when all files are there */
        GN_CAND_DONE,    /* nothing is left to do */
        GN_CAND_CHANGED, /* not what was announced: later, or once more */
    } state;
};

struct gn_fetch {
    const struct gn_ctx *ctx;
    struct gn_transport *t;
    struct gn_store *store;
    const struct gn_fetch_opts *opts;
    struct gn_fetch_report *report;
    struct gn_confine *here;

    struct gn_cand *cand; /* sorted as the far side listed them */
    size_t n, cap;

    /* Records that are not yet in the store: written some at a time. */
    struct gn_fetched_file *rec;
    size_t n_rec, cap_rec;
    bool holds;    /* records wait */
    size_t n_held; /* those before may go */
    int64_t rec_ms;

    uint64_t done, total;    /* bytes, for the progress */
    uint64_t small;          /* files that were put and are not large */
    bool unsynced;           /* some small file was left to the one sync at the end */
    unsigned warned, silent; /* about names that are refused; those that were not shown */
    bool again;              /* second and last pass */
    bool fine;               /* far times have parts of a second */
    bool far_cksum;          /* the far side has nothing better than cksum */
    bool takes_names; /* its tar takes names as they are, and tells what did not stand still */
    bool trusts;      /* that is enough */
    int64_t clock_s;  /* far clock as the listing began */
    char *first_changed;
};

/* --- select.c: is it a result, by its name? ----------------------------------------------- */

/* Made by tools, of use to nobody: byte code, virtual environments, .git, our own files. */
bool gn_select_junk(const char *path, bool is_dir);

/* patterns: later ones win, "!" excludes, a folder that matches brings what is below. */
bool gn_select_wanted(const struct gn_strs *patterns, const char *path, bool is_dir);

/* path is one of these, or below one. */
bool gn_select_below(const struct gn_strs *paths, const char *path);

/* --- results.c: is it one, by all that the list says? -------------------------------------- */

/* f->cand: sorted, each once. */
GN_MUST int gn_results_list(struct gn_fetch *f, struct gn_err *err);

void gn_cand_clear(struct gn_cand *c);

/* --- place.c: where it goes here, and putting it there ------------------------------------- */

void gn_place_free(struct gn_place *p);

/* c->place by the rules of fetch.h, for a file or symlink whose checksum is known. */
GN_MUST int gn_place_choose(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err);

/* Does nothing stand at c's own path?  Then c->place is that. */
GN_MUST int gn_place_vacant(struct gn_fetch *f, struct gn_cand *c, bool *vacant,
                            struct gn_err *err);

/* Is what the far side has of c here already by our own records, and untouched since? */
GN_MUST int gn_place_known(struct gn_fetch *f, const struct gn_cand *c, bool *known,
                           struct gn_err *err);

/* A temporary for c at its place, and from there to its name: recorded and reported. */
GN_MUST int gn_place_open(struct gn_fetch *f, struct gn_cand *c, bool resume, struct gn_part *part,
                          struct gn_err *err);
GN_MUST int gn_place_commit(struct gn_fetch *f, struct gn_cand *c, struct gn_part *part,
                            struct gn_err *err);
GN_MUST int gn_place_link(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err);
GN_MUST int gn_place_dir(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err);

/* What was put for c has the sum sha, and that is not what c is: it goes. */
GN_MUST int gn_place_withdraw(struct gn_fetch *f, struct gn_cand *c, const uint8_t *sha,
                              struct gn_err *err);

/* What a symlink counts as where files count by their content. */
void gn_place_link_sum(const char *target, struct gn_sums *out);

/* c->place says that it is here already: write that down. */
GN_MUST int gn_place_same(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err);

/* --- fetch.c ------------------------------------------------------------------------------ */

/* Records go to the store now, or only when it is time. */
GN_MUST int gn_fetch_flush(struct gn_fetch *f, bool now, struct gn_err *err);

/*
 * From here on records wait until it is known whether the bytes are right; released, they are either
 * good or as if they had never been: the next fetch looks at what stands here.
 */
void gn_fetch_hold(struct gn_fetch *f);
void gn_fetch_release(struct gn_fetch *f, bool good);

/* Errors and warnings that name a path of the far side: made safe to print. */
int gn_fetch_err(struct gn_err *err, int code, const char *path, const char *what);
int gn_fetch_err_sys(struct gn_err *err, int sys_errno, const char *what, const char *path);

/* What a line "h ..." says: c->known and c->sums. */
int gn_fetch_read_sum(struct gn_cand *c, const char *line, struct gn_err *err);

/* A warning about path, safe to print; after some they are only counted. */
void gn_fetch_refuse(struct gn_fetch *f, const char *path, size_t len, const char *why);

/* Are these the sums of the bytes that the far side spoke of?  Then c->sums.sha is sha. */
bool gn_fetch_verify(struct gn_cand *c, const uint8_t *sha, const struct gn_cksum *sum);

/* c is not what was announced. */
void gn_fetch_changed(struct gn_fetch *f, struct gn_cand *c);

void gn_fetch_progress(struct gn_fetch *f, uint64_t bytes);

/* An error that condemns this one name, not the fetch: counted as refused, GN_OK. */
int gn_fetch_forgive(struct gn_fetch *f, struct gn_cand *c, int rc, struct gn_err *err);

/* --- bring.c, large.c --------------------------------------------------------------------- */

/*
 * Candidates from..to: asked for their checksums, which the far side makes while another batch is
 * brought; then placed, the small ones brought.  GN_E_LIMIT: no more programs at a time.
 */
struct gn_batch;
GN_MUST int gn_batch_open(struct gn_fetch *f, size_t from, size_t to, struct gn_batch **out,
                          struct gn_err *err);
GN_MUST int gn_batch_bring(struct gn_batch *b, struct gn_err *err);
void gn_batch_close(struct gn_batch *b); /* NULL is fine */

/* One file by itself, going on where an earlier try ended. */
GN_MUST int gn_bring_large(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err);

#endif
