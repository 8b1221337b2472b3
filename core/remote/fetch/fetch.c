/*
 * fetch.c - the road of one fetch: list, ask for checksums, bring, place, write down.
 *
 * Bytes move under temporary names; a file has its name here only when all of it is here and
 * verified.  So an end at any instant leaves nothing half done, and the next fetch goes on.
 */
#define _XOPEN_SOURCE 700 /* sync() */
#include "gnrrun/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "room.h"

#define BATCH_NAMES      8000  /* of one `get`: its answers fit into what may wait for us */
#define BATCH_TRUSTED    24000 /* when it does not answer for each */
#define BATCH_NAME_BYTES ((size_t)1 << 20)
#define BATCH_BYTES      ((uint64_t)256 << 20)
#define FLUSH_RECORDS    4000
#define FLUSH_MS         1000
#define WARNINGS         20

int gn_fetch_err(struct gn_err *err, int code, const char *path, const char *what)
{
    struct gn_buf safe = GN_BUF_INIT(1024);

    gn_buf_addsafe(&safe, path, strlen(path), 300);
    gn_err_set(err, code, "'%s' %s", safe.ptr, what);
    gn_buf_clear(&safe);
    return code;
}

int gn_fetch_err_sys(struct gn_err *err, int sys_errno, const char *what, const char *path)
{
    struct gn_buf safe = GN_BUF_INIT(1024);
    int rc;

    gn_buf_addsafe(&safe, path, strlen(path), 300);
    rc = gn_err_sys(err, sys_errno, "cannot %s '%s'", what, safe.ptr);
    if (rc == GN_E_CAPACITY)
        gn_err_hint(err, "make room here and fetch again: it goes on where it stopped");
    gn_buf_clear(&safe);
    return rc;
}

void gn_fetch_refuse(struct gn_fetch *f, const char *path, size_t len, const char *why)
{
    struct gn_buf safe = GN_BUF_INIT(1024);

    f->report->refused++;
    if (f->warned >= WARNINGS || f->again) { /* the second pass meets the same names again */
        f->silent += !f->again;
        return;
    }
    f->warned++;
    gn_buf_addsafe(&safe, path, len, 300);
    gn_event_text(f->ctx, GN_EV_WARN, "'%s' is not brought here: %s", safe.ptr, why);
    gn_buf_clear(&safe);
}

void gn_fetch_changed(struct gn_fetch *f, struct gn_cand *c)
{
    c->state = GN_CAND_CHANGED;
    f->report->later++;
    if (!f->first_changed)
        f->first_changed = gn_strdup(c->path);
}

void gn_fetch_progress(struct gn_fetch *f, uint64_t bytes)
{
    f->done += bytes;
    if (f->done > f->total) /* what is brought once more counts once */
        f->done = f->total;
    gn_event_progress(f->ctx, "fetching results", f->done, f->total);
}

int gn_fetch_forgive(struct gn_fetch *f, struct gn_cand *c, int rc, struct gn_err *err)
{
    if (err->sys_errno != ENAMETOOLONG && err->sys_errno != EILSEQ && err->sys_errno != EINVAL)
        return rc;
    gn_err_clear(err);
    c->state = GN_CAND_DONE;
    gn_fetch_refuse(f, c->path, strlen(c->path), "this file system cannot have that name");
    return GN_OK;
}

bool gn_fetch_verify(struct gn_cand *c, const uint8_t *sha, const struct gn_cksum *sum)
{
    if (c->known == GN_FAR_UNKNOWN && c->unsure) {
        memcpy(c->sums.sha, sha, GN_HASH_LEN);
        c->known = GN_FAR_SHA;
        return true;
    }
    if (c->known == GN_FAR_SHA)
        return memcmp(sha, c->sums.sha, GN_HASH_LEN) == 0;
    if (c->known != GN_FAR_CKSUM || c->sums.len != sum->len || c->sums.crc != gn_cksum_end(sum))
        return false;
    memcpy(c->sums.sha, sha, GN_HASH_LEN); /* for our own records */
    return true;
}

int gn_fetch_flush(struct gn_fetch *f, bool now, struct gn_err *err)
{
    int64_t ms = f->ctx->mono_ms(f->ctx);
    int rc;

    if (!f->n_rec || f->holds)
        return GN_OK;
    if (f->n_rec == 1)
        f->rec_ms = ms;
    if (!now && f->n_rec < FLUSH_RECORDS && ms - f->rec_ms < FLUSH_MS)
        return GN_OK;
    rc = gn_store_begin(f->store, err);
    for (size_t i = 0; !rc && i < f->n_rec; i++)
        rc = gn_store_put_fetched(f->store, &f->rec[i], err);
    if (!rc)
        rc = gn_store_end(f->store, err);
    for (size_t i = 0; i < f->n_rec; i++)
        gn_fetched_clear(&f->rec[i]);
    f->n_rec = 0;
    return rc;
}

void gn_fetch_hold(struct gn_fetch *f)
{
    f->holds = true;
    f->n_held = f->n_rec;
}

void gn_fetch_release(struct gn_fetch *f, bool good)
{
    f->holds = false;
    while (!good && f->n_rec > f->n_held)
        gn_fetched_clear(&f->rec[--f->n_rec]);
}

/* --- one pass ------------------------------------------------------------------------------ */

static int skip_known(struct gn_fetch *f, struct gn_err *err)
{
    bool any = false;
    int rc = gn_store_has_fetched(f->store, f->opts->run->id, f->opts->dest, &any, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < f->n; i++) {
        struct gn_cand *c = &f->cand[i];
        bool known = false;

        if (any && c->type != 'd')
            rc = gn_place_known(f, c, &known, err);
        if (rc)
            rc = gn_fetch_forgive(f, c, rc, err);
        if (rc)
            return rc;
        if (known) {
            c->state = GN_CAND_DONE;
            f->report->same++;
        } else if (c->type == 'f' && c->state == GN_CAND_NEW) {
            f->total += c->size < UINT64_MAX / 4 - f->total ? c->size : 0;
        }
    }
    return GN_OK;
}

/* The end of the batch that begins at from; *work: how many things it has to do. */
static size_t batch_end(const struct gn_fetch *f, size_t from, size_t *work)
{
    uint64_t bytes = 0;
    size_t names = 0, most = f->trusts ? BATCH_TRUSTED : BATCH_NAMES, i;

    *work = 0;
    for (i = from; i < f->n && *work < most; i++) {
        const struct gn_cand *c = &f->cand[i];

        if (c->state != GN_CAND_NEW || c->type == 'd')
            continue;
        if (c->type == 'f' && c->size < GN_LARGE_FILE)
            bytes += c->size;
        names += strlen(c->path);
        if (*work && (bytes > BATCH_BYTES || names > BATCH_NAME_BYTES))
            break;
        ++*work;
    }
    return i;
}

/* The batch that begins at *at, opened, if there is one; *at: behind it. */
static int open_next(struct gn_fetch *f, size_t *at, struct gn_batch **out, struct gn_err *err)
{
    size_t from = *at, work, to = batch_end(f, from, &work);
    int rc = work ? gn_batch_open(f, from, to, out, err) : GN_OK;

    if (!rc)
        *at = to;
    return rc;
}

static int bring_large(struct gn_fetch *f, size_t from, size_t to, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = from; !rc && i < to; i++)
        if (f->cand[i].state == GN_CAND_ALONE)
            rc = gn_bring_large(f, &f->cand[i], err);
    return rc;
}

static int bring_all(struct gn_fetch *f, struct gn_err *err)
{
    struct gn_batch *b = NULL, *ahead = NULL;
    size_t from = 0, to = 0, next;
    int rc = open_next(f, &to, &b, err);

    while (!rc && b) {
        next = to;
        /* where the server allows no second program, one after the other */
        rc = open_next(f, &next, &ahead, err);
        if (rc == GN_E_LIMIT) {
            gn_err_clear(err);
            rc = GN_OK;
        }
        if (!rc)
            rc = gn_batch_bring(b, err);
        gn_batch_close(b);
        if (!rc)
            rc = bring_large(f, from, to, err);
        b = ahead;
        ahead = NULL;
        from = to;
        if (!rc && !b && next < f->n)
            rc = open_next(f, &next, &b, err);
        to = next;
    }
    gn_batch_close(b);
    return rc;
}

static int place_rest(struct gn_fetch *f, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = 0; !rc && i < f->n; i++)
        if (f->cand[i].type == 'd')
            rc = gn_place_dir(f, &f->cand[i], err);
    /* Links last: none of this fetch is there yet when its files are put. */
    for (size_t i = 0; !rc && i < f->n; i++) {
        struct gn_cand *c = &f->cand[i];

        if (c->state != GN_CAND_LINK)
            continue;
        if (c->shipped && c->shipped->kind == GN_LINK && strcmp(c->shipped->link, c->target) == 0)
            c->state = GN_CAND_DONE;
        else
            rc = gn_place_link(f, c, err);
        if (rc)
            rc = gn_fetch_forgive(f, c, rc, err);
    }
    return rc;
}

static int pass(struct gn_fetch *f, struct gn_err *err)
{
    struct gn_err flush_err = GN_ERR_INIT;
    int rc, flush_rc;

    f->done = f->total = 0;
    rc = gn_results_list(f, err);
    if (!rc)
        rc = skip_known(f, err);
    gn_event_text(f->ctx, GN_EV_DEBUG, "%zu results are listed, %" PRIu64 " of them are here", f->n,
                  f->report->same);
    if (!rc)
        rc = bring_all(f, err);
    if (!rc)
        rc = place_rest(f, err);
    /* What was put is written down whatever came after. */
    flush_rc = gn_fetch_flush(f, true, &flush_err);
    if (!rc && flush_rc) {
        *err = flush_err;
        rc = flush_rc;
    }
    if (!rc && f->total)
        gn_event_progress(f->ctx, "fetching results", f->total, f->total);
    for (size_t i = 0; i < f->n; i++)
        gn_cand_clear(&f->cand[i]);
    f->n = 0;
    return rc;
}

/* Some files were not what was announced.  The program has ended, so that must not be: once more. */
static int second_pass(struct gn_fetch *f, struct gn_err *err)
{
    struct gn_fetch_report first = *f->report, *r = f->report;
    int rc;

    f->again = true;
    free(f->first_changed);
    f->first_changed = NULL;
    r->same = r->refused = r->later = 0;
    rc = pass(f, err);
    r->same = r->same > first.files ? r->same - first.files : first.same;
    if (!rc && r->later)
        rc = gn_fetch_err(err, GN_E_CHANGED, f->first_changed,
                          "came twice from the far side with other bytes than announced");
    return rc;
}

static int check_opts(const struct gn_fetch_opts *o, struct gn_err *err)
{
    const char *name = o->run->name;
    const char *why = name && *name && !strchr(name, '/') ? gn_confine_refuses(name, strlen(name))
                                                          : "no plain name";

    if (why)
        return gn_err_set(err, GN_E_BUG, "a run whose name is no folder's: %s", why);
    if (o->dest[0] != '/')
        return gn_err_set(err, GN_E_BUG, "results can only go to an absolute path");
    return GN_OK;
}

int gn_fetch(const struct gn_ctx *ctx, struct gn_transport *t, struct gn_store *store,
             const struct gn_fetch_opts *opts, struct gn_fetch_report *report, struct gn_err *err)
{
    struct gn_fetch f = {.ctx = ctx, .t = t, .store = store, .opts = opts, .report = report};
    int rc = check_opts(opts, err);

    memset(report, 0, sizeof *report);
    if (!rc)
        rc = gn_confine_open(opts->dest, &f.here, err);
    if (!rc)
        rc = pass(&f, err);
    if (!rc && report->later && !opts->while_running)
        rc = second_pass(&f, err);
    if (f.unsynced)
        sync();
    if (f.silent)
        gn_event_text(ctx, GN_EV_WARN, "%u more names are not brought here", f.silent);
    gn_confine_free(f.here);
    free(f.cand);
    free(f.rec);
    free(f.first_changed);
    return rc;
}
