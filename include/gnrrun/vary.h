/*
 * vary.h - the members of a sweep: every combination of the values that were given.
 *
 * "lr=0.1,0.01" and "depth=2..5" make eight members; the last name varies fastest.  "A..B" are whole
 * numbers, "A..B..S" every S-th.  {lr} in an argument or in a value of --env stands for lr's value; a
 * name that no argument and no such value mentions is added as "--lr VALUE".
 */
#ifndef GNRRUN_VARY_H
#define GNRRUN_VARY_H

#include "gnrrun/buf.h"
#include "gnrrun/err.h"
#include "gnrrun/mem.h"

#define GN_MEMBERS_MAX 1000 /* Slurm's own limit for an array, unless a site changed it */

struct gn_vary {
    struct gn_vary_name {
        char *name; /* letters, digits and _ */
        struct gn_strs values;
        bool added; /* nothing mentions it */
    } * v;
    size_t n;
    size_t members;
};

/* texts: "NAME=VALUE,VALUE" each.  GN_E_USAGE says which is wrong. */
GN_MUST int gn_vary_parse(const struct gn_strs *texts, struct gn_vary *out, struct gn_err *err);
void gn_vary_clear(struct gn_vary *v);

/* Does text hold {NAME} of any? */
bool gn_vary_in(const struct gn_vary *v, const char *text);

/* Find out which names words[first..] and texts (values of --env, NULL among them) leave out. */
void gn_vary_look(struct gn_vary *v, const struct gn_strs *words, size_t first,
                  const char *const *texts, size_t n);

/* Of member k, from 1 on: "lr=0.1 depth=2"; a text and words with its values; out's are appended to. */
void gn_vary_params(const struct gn_vary *v, size_t k, struct gn_buf *out);
void gn_vary_text(const struct gn_vary *v, size_t k, const char *text, struct gn_buf *out);
void gn_vary_words(const struct gn_vary *v, size_t k, const struct gn_strs *words, size_t first,
                   struct gn_strs *out);

#endif
