/* large.c - one big file by itself: what an earlier try left is kept, checked with the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/far.h"
#include "gnrrun/fs.h"
#include "listing.h"
#include "room.h"
#include "sink.h"

#define CHUNK ((size_t)64 << 10)

struct large {
    struct gn_fetch *f;
    struct gn_cand *c;
    struct gn_part part;
    struct gn_hash *hash;
    struct gn_cksum cksum;
    bool need_cksum; /* the far side has, or may have, nothing better */
    uint64_t got;    /* bytes of it that are here */
    char *buf;       /* CHUNK */
    struct gn_sink *sink;
};

/* Sum up what is there already, and stand at its end. */
static int take_up(struct large *l, struct gn_err *err)
{
    uint64_t have = l->part.have;

    gn_hash_reset(l->hash);
    l->cksum = (struct gn_cksum){0};
    l->got = 0;
    if (have > l->c->size)
        return gn_part_restart(&l->part, err);
    while (l->got < have) {
        size_t want = have - l->got < CHUNK ? (size_t)(have - l->got) : CHUNK;
        ssize_t n = read(l->part.fd, l->buf, want);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gn_fetch_err_sys(err, errno, "read the partial", l->c->path);
        if (n == 0)
            break;
        if (gn_interrupted(l->f->ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        gn_hash_add(l->hash, l->buf, (size_t)n);
        if (l->need_cksum)
            gn_cksum_add(&l->cksum, l->buf, (size_t)n);
        l->got += (uint64_t)n;
    }
    return GN_OK;
}

/* No more comes in this try: what did is in the file, and summed up. */
static int settle(struct large *l, struct gn_err *err)
{
    int sys_errno;

    gn_sink_end(l->sink, &sys_errno);
    l->sink = NULL;
    return sys_errno ? gn_fetch_err_sys(err, sys_errno, "write", l->c->path) : GN_OK;
}

/* "d LEN" came: exactly so many bytes.  That they cannot be written is told by settle(). */
static int take_bytes(struct large *l, struct gn_far *far, uint64_t len, struct gn_err *err)
{
    while (len) {
        size_t n, cap;
        uint8_t *room = gn_sink_room(l->sink, &cap);
        int rc;

        if (!room)
            return gn_err_set(err, GN_E_FAIL, "cannot write");
        if (gn_interrupted(l->f->ctx)) /* a quick far side never lets us wait */
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        rc = gn_far_read(far, room, len < cap ? (size_t)len : cap, &n, l->f->ctx, err);
        if (rc)
            return rc;
        if (n == 0)
            return gn_err_set(err, GN_E_NET, "the connection ended in the middle of a file");
        gn_sink_put(l->sink, n);
        l->got += n;
        len -= n;
        gn_fetch_progress(l->f, n);
    }
    return GN_OK;
}

/* The line "cat size= mtime=" is about the file that was listed. */
static bool same_file(const struct gn_cand *c, const char *line)
{
    char word[48];
    int64_t mtime;

    return gn_far_number(line, "size", -1) == (int64_t)c->size &&
           gn_far_field(line, "mtime", word, sizeof word) &&
           gn_listing_time(word, strlen(word), &mtime) &&
           mtime / 1000000000 == c->mtime_ns / 1000000000;
}

/* Read lines up to "end".  *whole: it was the file that we know, to its end. */
static int read_cat(struct large *l, struct gn_far *far, bool *whole, struct gn_err *err)
{
    const char *line;
    bool still = false;
    int rc = gn_far_expect(far, "cat", &line, l->f->ctx, err);

    *whole = false;
    if (rc || !same_file(l->c, line))
        return rc;
    for (;;) {
        int64_t len;

        rc = gn_far_line(far, GN_FAR_SILENCE_MS, &line, l->f->ctx, err);
        if (rc)
            return rc;
        if (!line)
            return gn_err_set(err, GN_E_NET, "the connection ended in the middle of a file");
        if (strcmp(line, "end") == 0)
            break;
        if (l->c->unsure && strcmp(line, "h =") == 0) {
            still = true;
            continue;
        }
        if (l->c->known == GN_FAR_UNKNOWN && strncmp(line, "h ", 2) == 0) {
            rc = gn_fetch_read_sum(l->c, line, err);
            if (rc)
                return rc;
            continue;
        }
        len = -1;
        if (strncmp(line, "d ", 2) == 0 && line[2] >= '0' && line[2] <= '9' && strlen(line) < 20)
            len = strtoll(line + 2, NULL, 10);
        if (len < 0 || (uint64_t)len > l->c->size - l->got)
            return gn_err_set(err, GN_E_PROTO, "the far side sends more of a file than it has");
        rc = take_bytes(l, far, (uint64_t)len, err);
        if (rc)
            return rc;
    }
    *whole = l->got == l->c->size && (still || !l->c->unsure);
    return GN_OK;
}

static int ask(struct large *l, bool *whole, struct gn_err *err)
{
    struct gn_fetch *f = l->f;
    char *path = gn_printf("./%s", l->c->path);
    char *offset = gn_printf("%llu", (unsigned long long)l->got);
    char *length = gn_printf("%llu", (unsigned long long)(l->c->size - l->got));
    const struct gn_far_arg args[] = {{"root", f->opts->run->workdir},
                                      {"token", f->opts->run->token},
                                      {"path", path},
                                      {"offset", offset},
                                      {"length", length},
                                      {"sum", l->c->unsure                    ? "still"
                                              : l->c->known == GN_FAR_UNKNOWN ? "1"
                                                                              : "0"},
                                      {NULL, NULL}};
    struct gn_far *far = NULL;
    struct gn_err later = GN_ERR_INIT;
    int rc;

    l->sink = gn_sink_new(l->part.fd, l->got, l->hash, l->need_cksum ? &l->cksum : NULL);
    rc = gn_far_open(f->t, "cat", args, &far, f->ctx, err);
    if (!rc)
        rc = read_cat(l, far, whole, err);
    gn_far_close(far);
    if (settle(l, &later)) {
        *err = later; /* then the rest follows from it */
        rc = later.code;
    }
    free(path);
    free(offset);
    free(length);
    /* While the program runs, files come and go. */
    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        *whole = false;
        rc = GN_OK;
    }
    return rc;
}

/* All of it from where it stands, verified: *good. */
static int bring(struct large *l, bool *good, struct gn_err *err)
{
    uint8_t sha[GN_HASH_LEN];
    bool resumed, whole;
    int rc;

    *good = false;
    for (;;) {
        rc = take_up(l, err);
        if (rc)
            return rc;
        resumed = l->got > 0;
        /* what lay here since an earlier try is checked with the rest */
        l->c->unsure = l->c->unsure && !resumed;
        gn_fetch_progress(l->f, l->got);
        rc = ask(l, &whole, err);
        if (rc)
            return rc;
        gn_hash_end(l->hash, sha);
        *good = whole && gn_fetch_verify(l->c, sha, &l->cksum);
        if (*good || !whole || !resumed || l->c->known == GN_FAR_UNREADABLE)
            return GN_OK;
        /* What was here was not the beginning of it (a crash can leave holes): all anew. */
        rc = gn_part_restart(&l->part, err);
        if (rc)
            return rc;
        l->f->done -= l->got;
    }
}

int gn_bring_large(struct gn_fetch *f, struct gn_cand *c, struct gn_err *err)
{
    struct large l = {.f = f, .c = c, .part = GN_PART_INIT};
    bool good = false;
    int rc = gn_place_open(f, c, true, &l.part, err);

    if (rc)
        return gn_fetch_forgive(f, c, rc, err);
    l.need_cksum = f->far_cksum || c->known == GN_FAR_CKSUM;
    l.hash = gn_hash_new();
    l.buf = gn_calloc(1, CHUNK);
    rc = bring(&l, &good, err);
    if (!rc && good) {
        rc = gn_place_commit(f, c, &l.part, err);
        if (rc)
            rc = gn_fetch_forgive(f, c, rc, err);
    } else if (!rc && c->known == GN_FAR_UNREADABLE && !l.got && !f->opts->while_running) {
        gn_fetch_refuse(f, c->path, strlen(c->path), "it cannot be read over there");
        c->state = GN_CAND_DONE;
    } else if (!rc) {
        gn_fetch_changed(f, c);
    }
    gn_part_close(&l.part, !rc); /* after an error it waits for the next try */
    gn_hash_free(l.hash);
    free(l.buf);
    return rc;
}
