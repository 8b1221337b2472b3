/* doubt.c - what came without a checksum, and perhaps not as it stands over there: looked at again. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"

static bool is_doubted(const struct gn_cand *c)
{
    return c->unsure && c->state == GN_CAND_DONE;
}

/* Ask for the checksums; those of what was put are in sha meanwhile. */
static int ask(struct gn_batch *b, struct gn_err *err)
{
    const struct gn_far_arg args[] = {{"root", b->f->opts->run->workdir},
                                      {"token", b->f->opts->run->token},
                                      {"zstd", "0"},
                                      {NULL, NULL}};
    int rc = gn_far_open(b->f->t, "get", args, &b->far, b->f->ctx, err);

    if (!rc)
        rc = gn_batch_ask_sums(b, is_doubted, err);
    if (!rc)
        rc = gn_far_write(b->far, ".\n", 2, b->f->ctx, err);
    if (!rc)
        rc = gn_far_eof(b->far, b->f->ctx, err);
    if (!rc)
        rc = gn_batch_read_sums(b, is_doubted, err);
    gn_far_close(b->far);
    b->far = NULL;
    return rc;
}

static int withdraw(struct gn_fetch *f, struct gn_cand *c, const uint8_t *sha, struct gn_err *err)
{
    int rc = gn_place_withdraw(f, c, sha, err);

    if (c->known == GN_FAR_UNREADABLE)
        gn_fetch_refuse(f, c->path, strlen(c->path), "it cannot be read over there");
    else
        gn_fetch_changed(f, c);
    return rc;
}

int gn_batch_doubt(struct gn_batch *b, struct gn_err *err)
{
    struct gn_fetch *f = b->f;
    uint8_t(*sha)[GN_HASH_LEN];
    size_t n = 0;
    int rc;

    for (size_t i = b->from; i < b->to; i++)
        n += is_doubted(&f->cand[i]);
    if (!n)
        return GN_OK;
    gn_event_text(f->ctx, GN_EV_DEBUG, "some files changed while they were read: looking again");
    sha = gn_calloc(n, sizeof *sha);
    n = 0;
    for (size_t i = b->from; i < b->to; i++)
        if (is_doubted(&f->cand[i]))
            memcpy(sha[n++], f->cand[i].sums.sha, sizeof *sha);
    rc = ask(b, err);
    n = 0;
    for (size_t i = b->from; !rc && i < b->to; i++) {
        struct gn_cand *c = &f->cand[i];

        if (!is_doubted(c))
            continue;
        if (c->known != GN_FAR_SHA || memcmp(c->sums.sha, sha[n], sizeof *sha) != 0)
            rc = withdraw(f, c, sha[n], err);
        n++;
    }
    free(sha);
    return rc;
}
