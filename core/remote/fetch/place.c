/* place.c - where a result goes here so that nothing that is here is lost; fetch.h has the rules. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "room.h"

#define BESIDE_TRIES 100
#define COMMIT_TRIES 4

/*
 * A file is flushed before it gets its name: always when it is large (one flush is nothing beside
 * its bytes), and the first small ones.  After that one sync() at the end serves them all; a power
 * cut before it can leave an empty file under its name, but then the far side still has it, and its
 * sum here tells.
 */
#define FSYNC_ALWAYS ((uint64_t)1 << 20)
#define FSYNC_SMALL  100

void gn_place_free(struct gn_place *p)
{
    if (!p)
        return;
    free(p->path);
    free(p->keep);
    gn_fetched_clear(&p->kept);
    free(p);
}

void gn_place_link_sum(const char *target, struct gn_sums *out)
{
    char *text = gn_printf("symlink to %s", target);

    memset(out, 0, sizeof *out);
    gn_hash_data(text, strlen(text), out->sha);
    out->len = UINT64_MAX; /* no file's cksum is like it */
    free(text);
}

static bool far_equals(const struct gn_cand *c, const struct gn_sums *s)
{
    if (c->known == GN_FAR_SHA)
        return memcmp(c->sums.sha, s->sha, GN_HASH_LEN) == 0;
    return c->known == GN_FAR_CKSUM && c->sums.crc == s->crc && c->sums.len == s->len;
}

static bool shipped_equals(const struct gn_entry *e, const struct gn_sums *s)
{
    struct gn_sums link;

    if (!e || e->kind == GN_DIR)
        return false;
    if (gn_entry_is_large(e))
        return s->len == e->size && memcmp(e->hash, s->blocks, GN_HASH_LEN) == 0;
    if (e->kind == GN_FILE)
        return memcmp(e->hash, s->sha, GN_HASH_LEN) == 0;
    gn_place_link_sum(e->link, &link);
    return memcmp(link.sha, s->sha, GN_HASH_LEN) == 0;
}

static bool record_equals(const struct gn_fetched_file *r, const struct gn_sums *s)
{
    char hex[GN_HASH_HEX];

    gn_hex(s->sha, GN_HASH_LEN, hex);
    return strcmp(hex, r->hash) == 0;
}

/* What the file or symlink at path here is; false with GN_OK when there is neither. */
static int local_sums(struct gn_fetch *f, const char *path, struct gn_spot *spot, bool *have,
                      struct gn_sums *out, struct gn_err *err)
{
    char target[GN_PATH_BYTES + 1];
    int rc = gn_confine_look(f->here, path, spot, err);

    *have = false;
    if (rc)
        return rc;
    if (spot->kind == GN_SPOT_FILE) {
        rc = gn_confine_sums(f->here, path, out, &spot->st, f->ctx, err);
    } else if (spot->kind == GN_SPOT_LINK) {
        rc = gn_confine_readlink(f->here, path, target, sizeof target, err);
        if (!rc)
            gn_place_link_sum(target, out);
    } else {
        return GN_OK;
    }
    /* It went, or became something else, between two looks: whoever did that is at it still. */
    if (rc == GN_E_NOTFOUND || rc == GN_E_EXISTS)
        return gn_fetch_err(err, GN_E_CHANGED, path, "changes here while it is looked at");
    *have = !rc;
    return rc;
}

/* The store's record, or false. */
static int record_by(struct gn_fetch *f, int64_t run_id, const char *path,
                     struct gn_fetched_file *out, bool *found, struct gn_err *err)
{
    int rc = run_id ? gn_store_get_fetched_by(f->store, run_id, f->opts->dest, path, out, err)
                    : gn_store_get_fetched(f->store, f->opts->dest, path, out, err);

    *found = rc == GN_OK;
    if (rc == GN_E_NOTFOUND)
        gn_err_clear(err);
    return rc == GN_E_NOTFOUND ? GN_OK : rc;
}

static char *results_path(const char *run, const char *path, int n)
{
    if (n == 0)
        return gn_printf("%s/%s/%s", GN_RESULTS_DIR, run, path);
    return gn_printf("%s/%s/%s.%d", GN_RESULTS_DIR, run, path, n);
}

/* A name for what an earlier run left at p->path; none when its bytes are kept there already. */
static int choose_keep(struct gn_fetch *f, struct gn_place *p, const struct gn_sums *old,
                       struct gn_err *err)
{
    for (int n = 0; n < BESIDE_TRIES; n++) {
        char *path = results_path(p->kept.run_name, p->path, n);
        const char *why = gn_confine_refuses(path, strlen(path));
        struct gn_sums sums;
        struct gn_spot spot = {0};
        bool have = false;
        int rc = why ? gn_err_set(err, GN_E_BUG, "an earlier run's name holds %s", why)
                     : local_sums(f, path, &spot, &have, &sums, err);

        if (!rc && spot.kind == GN_SPOT_NOTHING) {
            p->keep = path;
            return GN_OK;
        }
        free(path);
        if (rc || (have && memcmp(sums.sha, old->sha, GN_HASH_LEN) == 0))
            return rc;
    }
    return gn_fetch_err(err, GN_E_EXISTS, p->path,
                        "finds no place in '" GN_RESULTS_DIR "' for what an earlier run left");
}

static int choose_beside(struct gn_fetch *f, const struct gn_cand *c, struct gn_place *p,
                         struct gn_err *err)
{
    p->beside = true;
    for (int n = 0; n < BESIDE_TRIES; n++) {
        struct gn_fetched_file r = {0};
        struct gn_sums sums;
        struct gn_spot spot;
        bool have, found = false;
        int rc;

        free(p->path);
        p->path = results_path(f->opts->run->name, c->path, n);
        rc = local_sums(f, p->path, &spot, &have, &sums, err);
        if (rc || spot.kind == GN_SPOT_NOTHING)
            return rc;
        if (have && far_equals(c, &sums)) {
            p->same = true;
            return GN_OK;
        }
        if (have)
            rc = record_by(f, f->opts->run->id, p->path, &r, &found, err);
        p->was = spot.st;
        p->replace = found && record_equals(&r, &sums);
        gn_fetched_clear(&r);
        if (rc || p->replace)
            return rc;
    }
    return gn_fetch_err(err, GN_E_EXISTS, c->path, "finds no place in '" GN_RESULTS_DIR "'");
}

/* What stands at the result's own path: the table of fetch.h, from above. */
static int choose(struct gn_fetch *f, const struct gn_cand *c, struct gn_place *p,
                  struct gn_err *err)
{
    struct gn_fetched_file mine = {0};
    struct gn_spot spot;
    struct gn_sums sums;
    bool have, found;
    int rc;

    p->path = gn_strdup(c->path);
    rc = local_sums(f, c->path, &spot, &have, &sums, err);
    if (rc || spot.kind == GN_SPOT_NOTHING)
        return rc;
    if (!have)
        return choose_beside(f, c, p, err);
    p->was = spot.st;
    p->same = far_equals(c, &sums);
    p->replace = shipped_equals(c->shipped, &sums);
    if (p->same || p->replace)
        return GN_OK;
    rc = record_by(f, f->opts->run->id, c->path, &mine, &found, err);
    p->replace = !rc && found && record_equals(&mine, &sums);
    gn_fetched_clear(&mine);
    if (rc || p->replace)
        return rc;
    rc = record_by(f, 0, c->path, &p->kept, &found, err);
    if (rc)
        return rc;
    if (!found || !record_equals(&p->kept, &sums))
        return choose_beside(f, c, p, err);
    p->replace = true;
    return choose_keep(f, p, &sums, err);
}

int gn_place_choose(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err)
{
    int rc = GN_OK;

    for (int i = 0; i < COMMIT_TRIES; i++) {
        gn_place_free(c->place);
        c->place = gn_new(struct gn_place);
        rc = choose(f, c, c->place, err);
        if (rc != GN_E_CHANGED)
            break;
    }
    return rc;
}

int gn_place_vacant(struct gn_fetch *f, struct gn_cand *c, bool *vacant, struct gn_err *err)
{
    struct gn_spot spot;
    int rc = gn_confine_look(f->here, c->path, &spot, err);

    *vacant = !rc && spot.kind == GN_SPOT_NOTHING;
    if (*vacant) {
        gn_place_free(c->place);
        c->place = gn_new(struct gn_place);
        c->place->path = gn_strdup(c->path);
    }
    return rc;
}

int gn_place_known(struct gn_fetch *f, const struct gn_cand *c, bool *known, struct gn_err *err)
{
    *known = false;
    for (int i = 0; i < 2 && !*known; i++) {
        char *path = i ? results_path(f->opts->run->name, c->path, 0) : gn_strdup(c->path);
        struct gn_fetched_file r = {0};
        struct gn_spot spot = {0};
        struct gn_sums sums;
        bool found = false, have = false;
        int rc = gn_confine_look(f->here, path, &spot, err);

        if (!rc && spot.kind != GN_SPOT_NOTHING) /* most often nothing, and that is told sooner */
            rc = record_by(f, f->opts->run->id, path, &r, &found, err);
        found = found && r.far_mtime_ns == c->mtime_ns && r.far_ctime_ns == c->ctime_ns &&
                r.size == c->size;
        /* Files keep their far time here, so an untouched one need not be read. */
        if (!rc && found && spot.kind == GN_SPOT_FILE && (uint64_t)spot.st.st_size == c->size &&
            (int64_t)spot.st.st_mtim.tv_sec * 1000000000 + spot.st.st_mtim.tv_nsec == c->mtime_ns)
            *known = true;
        else if (!rc && found)
            rc = local_sums(f, path, &spot, &have, &sums, err);
        if (!rc && have)
            *known = record_equals(&r, &sums);
        gn_fetched_clear(&r);
        free(path);
        if (rc && rc != GN_E_CHANGED)
            return rc;
    }
    return GN_OK;
}

/* Write down that what c is now stands at path. */
static int record(struct gn_fetch *f, const struct gn_cand *c, const char *path, struct gn_err *err)
{
    struct gn_fetched_file *r;
    int64_t ctime_s = c->ctime_ns / 1000000000;

    GN_GROW(f->rec, f->n_rec, f->cap_rec);
    r = &f->rec[f->n_rec++];
    memset(r, 0, sizeof *r);
    r->path = gn_strdup(path);
    r->dest = gn_strdup(f->opts->dest);
    gn_hex(c->sums.sha, GN_HASH_LEN, r->hash);
    r->size = c->size;
    r->far_mtime_ns = c->mtime_ns;
    /* Written in the very tick it was listed in, it may be written again without a new ctime:
     * a record that never matches makes the next fetch look at its sum. */
    r->far_ctime_ns = ctime_s + (f->fine ? 1 : 2) >= f->clock_s ? 0 : c->ctime_ns;
    r->run_id = f->opts->run->id;
    snprintf(r->run_name, sizeof r->run_name, "%s", f->opts->run->name);
    return gn_fetch_flush(f, false, err);
}

/* The earlier run's result has a new name: its record too. */
static int record_kept(struct gn_fetch *f, struct gn_place *p, struct gn_err *err)
{
    GN_GROW(f->rec, f->n_rec, f->cap_rec);
    f->rec[f->n_rec] = p->kept;
    memset(&p->kept, 0, sizeof p->kept);
    free(f->rec[f->n_rec].path);
    f->rec[f->n_rec++].path = gn_strdup(p->keep);
    return gn_fetch_flush(f, false, err);
}

int gn_place_same(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err)
{
    struct gn_sums sums = c->sums;
    struct stat st;
    int rc = GN_OK;

    if (c->known == GN_FAR_CKSUM) {
        rc = gn_confine_sums(f->here, c->place->path, &sums, &st, f->ctx, err);
        memcpy(c->sums.sha, sums.sha, GN_HASH_LEN);
    }
    if (!rc)
        rc = record(f, c, c->place->path, err);
    f->report->same++;
    c->state = GN_CAND_DONE;
    return rc;
}

int gn_place_open(struct gn_fetch *f, struct gn_cand *c, bool resume, struct gn_part *part,
                  struct gn_err *err)
{
    char *key = gn_printf("%s/%s", f->opts->run->token, c->path);
    char *what = NULL;
    int rc;

    /* Not by its checksum, which may not be known yet; one that is wrong is found at the end. */
    if (resume)
        what = gn_printf("%llu %lld %lld", (unsigned long long)c->size, (long long)c->mtime_ns,
                         (long long)c->ctime_ns);
    rc = gn_part_open(f->here, c->place->path, key, what, c->mode, part, err);
    free(key);
    free(what);
    return rc;
}

static int flush_part(struct gn_fetch *f, const struct gn_cand *c, struct gn_part *part,
                      struct gn_err *err)
{
    struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {0}};

    t[1].tv_sec = (time_t)(c->mtime_ns / 1000000000);
    t[1].tv_nsec = (long)(c->mtime_ns % 1000000000);
    if (t[1].tv_nsec < 0) {
        t[1].tv_nsec += 1000000000;
        t[1].tv_sec--;
    }
    (void)futimens(part->fd, t); /* a file system that cannot only costs a hash later on */
    if (c->size < FSYNC_ALWAYS && ++f->small > FSYNC_SMALL) {
        f->unsynced = true;
        return GN_OK;
    }
    if (fsync(part->fd) < 0 && errno != EINVAL)
        return gn_fetch_err_sys(err, errno, "write", c->place->path);
    return GN_OK;
}

static void say_beside(struct gn_fetch *f, const struct gn_cand *c)
{
    struct gn_buf from = GN_BUF_INIT(1024), to = GN_BUF_INIT(2048);

    gn_buf_addsafe(&from, c->path, strlen(c->path), 300);
    gn_buf_addsafe(&to, c->place->path, strlen(c->place->path), 400);
    gn_event_text(f->ctx, GN_EV_WARN, "'%s' was changed here and is left alone; the result is '%s'",
                  from.ptr, to.ptr);
    gn_buf_clear(&from);
    gn_buf_clear(&to);
}

/* c stands at its place now. */
static int placed(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err)
{
    c->state = GN_CAND_DONE;
    f->report->files++;
    f->report->bytes += c->type == 'f' ? c->size : 0;
    if (c->place->beside) {
        f->report->beside++;
        say_beside(f, c);
    }
    return record(f, c, c->place->path, err);
}

static int keep_earlier(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err)
{
    struct gn_place *p = c->place;
    int rc;

    if (!p->keep)
        return GN_OK;
    rc = gn_confine_keep(f->here, p->path, p->keep, &p->was, err);
    return rc ? rc : record_kept(f, p, err);
}

int gn_place_commit(struct gn_fetch *f, struct gn_cand *c, struct gn_part *part, struct gn_err *err)
{
    int rc = flush_part(f, c, part, err);

    for (int i = 0; !rc && i < COMMIT_TRIES; i++) {
        rc = keep_earlier(f, c, err);
        if (!rc)
            rc = gn_part_commit(f->here, part, c->place->path,
                                c->place->replace ? &c->place->was : NULL, err);
        if (!rc)
            return placed(f, c, err);
        if (rc != GN_E_EXISTS && rc != GN_E_CHANGED)
            break;
        /* Somebody was quicker here: look again what stands there now. */
        gn_err_clear(err);
        rc = gn_place_choose(f, c, err);
        if (!rc && c->place->same) {
            gn_part_close(part, true);
            return gn_place_same(f, c, err);
        }
    }
    if (!rc)
        rc = gn_fetch_err(err, GN_E_CHANGED, c->path, "keeps changing here");
    return rc;
}

int gn_place_withdraw(struct gn_fetch *f, struct gn_cand *c, const uint8_t *sha, struct gn_err *err)
{
    struct gn_spot spot = {0};
    struct gn_sums sums;
    bool have = false;
    int rc = local_sums(f, c->place->path, &spot, &have, &sums, err);

    if (!rc && have && memcmp(sums.sha, sha, GN_HASH_LEN) == 0)
        rc = gn_confine_remove(f->here, c->place->path, &spot.st, err);
    f->report->files--;
    f->report->bytes -= c->size;
    return rc;
}

int gn_place_link(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err)
{
    int rc = gn_place_choose(f, c, err);

    for (int i = 0; !rc && i < COMMIT_TRIES; i++) {
        const char *why;

        if (c->place->same)
            return gn_place_same(f, c, err);
        why = gn_confine_link_refuses(f->here, c->place->path, c->target);
        if (why) {
            gn_fetch_refuse(f, c->path, strlen(c->path), why);
            c->state = GN_CAND_DONE;
            return GN_OK;
        }
        rc = keep_earlier(f, c, err);
        if (!rc)
            rc = gn_confine_link(f->here, c->place->path, c->target,
                                 c->place->replace ? &c->place->was : NULL, err);
        if (!rc)
            return placed(f, c, err);
        if (rc != GN_E_EXISTS && rc != GN_E_CHANGED)
            break;
        gn_err_clear(err);
        rc = gn_place_choose(f, c, err);
    }
    if (!rc)
        rc = gn_fetch_err(err, GN_E_CHANGED, c->path, "keeps changing here");
    return rc;
}

int gn_place_dir(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err)
{
    struct gn_spot spot;
    int rc = gn_confine_look(f->here, c->path, &spot, err);

    c->state = GN_CAND_DONE;
    if (rc || spot.kind == GN_SPOT_DIR)
        return rc;
    /* In the way stands a file of the user's: then what is in the folder goes beside, file by
     * file, and an empty one is not worth a place of its own. */
    if (spot.kind != GN_SPOT_NOTHING)
        return GN_OK;
    return gn_confine_mkdirs(f->here, c->path, err);
}
