/*
 * tar.c - GNU tar format, written; the only file that knows libzstd.
 *
 * Written here and not by libarchive, whose writer drags every format it knows, and their
 * libraries, into a static program: 4 ms at every start for a header of 512 bytes.
 */
#include "tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "gnrrun/ctx.h"

#define BLOCK      512
#define OUT_SIZE   ((size_t)256 << 10)
#define WINDOW_LOG 21                  /* 2 MiB: what the other end must keep */
#define STRETCH    ((uint64_t)8 << 20) /* of input, between two looks at how it goes */
#define WARM_UP    3
#define PATIENCE   16 /* stretches between two trials, */
#define UNSHRUNK   2  /* and after such as did not shrink */

/* From nothing, for what does not shrink, to hard. */
static const int levels[] = {-100000, 1, 3, 6, 9, 12};
#define LEVELS      (sizeof levels / sizeof levels[0])
#define LEVEL_USUAL 1 /* of levels[] */

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
    char magic[8], uname[32], gname[32], major[8], minor[8], rest[167];
};

struct gn_tar {
    gn_sink_fn sink;
    void *arg;
    ZSTD_CCtx *zstd; /* NULL: not compressed */
    size_t level;    /* of levels[] */
    size_t from;     /* what it was in the stretch before */
    bool adapts;
    bool trying;                /* this stretch is a trial of another level */
    unsigned warming, patience; /* stretches until the first trial, the next trial */
    /* means of the stretches at this level: bytes of input a millisecond, of output to 100,000 of it */
    uint64_t rate, ratio;
    uint64_t in_stretch, out_stretch; /* bytes in this stretch */
    int64_t began_us, sinking_us;     /* of this stretch: its start, and the time in the sink */
    char *out;                        /* OUT_SIZE, on their way to the sink */
    size_t n_out;
    uint64_t left; /* of the entry's data */
    size_t pad;    /* zeros behind it */
};

void gn_tar_abort(struct gn_tar *t)
{
    if (!t)
        return;
    ZSTD_freeCCtx(t->zstd);
    free(t->out);
    free(t);
}

static bool set(struct gn_tar *t, ZSTD_cParameter what, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(t->zstd, what, value));
}

static bool start_zstd(struct gn_tar *t, unsigned how)
{
    t->zstd = ZSTD_createCCtx();
    if (!t->zstd)
        return false;
    t->level = LEVEL_USUAL;
    t->warming = WARM_UP;
    if (!set(t, ZSTD_c_compressionLevel, levels[t->level]))
        return false;
    t->adapts = how & GN_PACK_ADAPT && set(t, ZSTD_c_windowLog, WINDOW_LOG);
    t->began_us = gn_stopwatch_us();
    return true;
}

int gn_tar_open(gn_sink_fn sink, void *arg, unsigned how, struct gn_tar **out, struct gn_err *err)
{
    struct gn_tar *t = gn_new(struct gn_tar);

    t->sink = sink;
    t->arg = arg;
    t->out = gn_realloc(NULL, OUT_SIZE, 1);
    if (how & GN_PACK_ZSTD && !start_zstd(t, how)) {
        gn_tar_abort(t);
        return gn_err_set(err, GN_E_FAIL, "cannot start zstd");
    }
    *out = t;
    return GN_OK;
}

static int flush(struct gn_tar *t, struct gn_err *err)
{
    size_t n = t->n_out;
    int64_t began = t->adapts ? gn_stopwatch_us() : 0;
    int rc = n ? t->sink(t->arg, t->out, n, err) : GN_OK;

    t->n_out = 0;
    t->out_stretch += n;
    if (t->adapts)
        t->sinking_us += gn_stopwatch_us() - began;
    return rc;
}

/* end: nothing comes after this, or something that is packed in another way. */
static int compress(struct gn_tar *t, const void *data, size_t len, bool end, struct gn_err *err)
{
    ZSTD_inBuffer in = {data, len, 0};

    for (;;) {
        ZSTD_outBuffer out = {t->out, OUT_SIZE, t->n_out};
        size_t left = ZSTD_compressStream2(t->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        int rc;

        if (ZSTD_isError(left))
            return gn_err_set(err, GN_E_FAIL, "zstd: %s", ZSTD_getErrorName(left));
        t->n_out = out.pos;
        if (end ? !left : in.pos == in.size)
            return GN_OK;
        rc = flush(t, err);
        if (rc)
            return rc;
    }
}

/*
 * Did the trial of this stretch bring something?  Between two levels the size tells it better than
 * the time, which buffers blur, as long as the line stays the narrow place.
 */
static bool was_worth_it(const struct gn_tar *t, int64_t took, uint64_t rate, uint64_t ratio)
{
    if (t->from && t->level > t->from)
        return ratio < t->ratio / 100 * 98 && t->sinking_us > took / 10 * 3;
    /* what is worth compressing at all shows it at once */
    return rate >= t->rate / 20 * (t->from ? 21 : 24);
}

/*
 * The line and the compressor work at the same time: whoever waits for the other can do more.  Most
 * of the time in the sink: perhaps the line is the narrow place, so compress harder.  Hardly any:
 * less hard.  What brings nothing is taken back, and not tried again for a while: then something
 * else is the narrow place, the disk over there for one.
 */
static size_t better_level(struct gn_tar *t, int64_t took, bool tried, uint64_t rate)
{
    uint64_t ratio = t->out_stretch * 100000 / t->in_stretch;
    bool shrinks = ratio <= 95000;

    if (t->level && !shrinks) {
        t->patience = UNSHRUNK;
        return 0;
    }
    if (tried && !was_worth_it(t, took, rate, ratio)) {
        t->patience = PATIENCE;
        return t->from;
    }
    if (t->warming) { /* what the buffers on the way swallow tells nothing of the line */
        t->warming--;
        t->rate = rate;
        t->ratio = ratio;
        return t->level;
    }
    t->rate = tried ? rate : (3 * t->rate + rate) / 4;
    t->ratio = tried ? ratio : (3 * t->ratio + ratio) / 4;
    t->trying = !t->patience;
    if (t->patience)
        t->patience--;
    else if (t->sinking_us > took / 10 * 7 && t->level + 1 < LEVELS)
        return t->level + 1;
    else if (t->sinking_us < took / 10 * 3 && t->level)
        return t->level - 1;
    t->trying = false;
    return t->level;
}

/* Another level is another frame: zstd takes none in the middle of one that it makes by itself. */
static int change_level(struct gn_tar *t, size_t level, bool ended, struct gn_err *err)
{
    int rc = ended ? GN_OK : compress(t, NULL, 0, true, err);

    if (!rc && set(t, ZSTD_c_compressionLevel, levels[level])) {
        t->from = t->level;
        t->level = level;
    }
    return rc;
}

static int adapt(struct gn_tar *t, struct gn_err *err)
{
    bool tried = t->trying;
    int64_t now, took;
    size_t level;
    int rc = GN_OK;

    if (!t->adapts || t->in_stretch < STRETCH)
        return GN_OK;
    /* a trial is over when all of it is out */
    if (tried)
        rc = compress(t, NULL, 0, true, err);
    now = gn_stopwatch_us();
    took = now - t->began_us + 1;
    t->trying = false;
    level = better_level(t, took, tried, t->in_stretch * 1000 / (uint64_t)took);
    if (!rc && level != t->level)
        rc = change_level(t, level, tried, err);
    t->in_stretch = t->out_stretch = 0;
    t->began_us = now;
    t->sinking_us = 0;
    return rc;
}

static int put(struct gn_tar *t, const void *data, size_t len, struct gn_err *err)
{
    const char *p = data;

    if (t->zstd) {
        int rc = adapt(t, err);

        t->in_stretch += len;
        return rc ? rc : compress(t, data, len, false, err);
    }
    if (len >= OUT_SIZE) { /* as it lies there */
        int rc = flush(t, err);

        return rc ? rc : t->sink(t->arg, p, len, err);
    }
    while (len) {
        size_t n = OUT_SIZE - t->n_out;
        int rc;

        if (n > len)
            n = len;
        memcpy(t->out + t->n_out, p, n);
        t->n_out += n;
        p += n;
        len -= n;
        rc = t->n_out == OUT_SIZE ? flush(t, err) : GN_OK;
        if (rc)
            return rc;
    }
    return GN_OK;
}

/* Octal; what does not fit, in base 256, which GNU, BSD and busybox all read. */
static void put_number(char *field, size_t size, uint64_t v)
{
    if (v >> (3 * (size - 1))) {
        memset(field, 0, size);
        field[0] = (char)0x80;
        for (size_t i = size; i-- > 1; v >>= 8)
            field[i] = (char)(uint8_t)v;
        return;
    }
    field[size - 1] = '\0';
    for (size_t i = size - 1; i-- > 0; v >>= 3)
        field[i] = (char)('0' + (v & 7));
}

static int put_header(struct gn_tar *t, struct header *h, char type, uint64_t size,
                      struct gn_err *err)
{
    const unsigned char *p = (const unsigned char *)h;
    unsigned sum = 0;

    h->type = type;
    put_number(h->uid, sizeof h->uid, 0);
    put_number(h->gid, sizeof h->gid, 0);
    put_number(h->size, sizeof h->size, size);
    memcpy(h->magic, "ustar  ", 8);
    memset(h->sum, ' ', sizeof h->sum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += p[i];
    /* Six digits, NUL, blank: as tar has always done. */
    put_number(h->sum, 7, sum);
    return put(t, h, sizeof *h, err);
}

static size_t padding(uint64_t size)
{
    return (size_t)((BLOCK - size % BLOCK) % BLOCK);
}

/* A name that is too long for the header comes before it, as an entry of its own. */
static int put_long(struct gn_tar *t, char type, const char *name, struct gn_err *err)
{
    static const char zeros[BLOCK];
    struct header h = {.name = "././@LongLink"};
    size_t n = strlen(name) + 1;
    int rc;

    put_number(h.mode, sizeof h.mode, 0);
    put_number(h.mtime, sizeof h.mtime, 0);
    rc = put_header(t, &h, type, n, err);
    if (!rc)
        rc = put(t, name, n, err);
    return rc ? rc : put(t, zeros, padding(n), err);
}

static int put_name(struct gn_tar *t, char type, const char *name, char field[100],
                    struct gn_err *err)
{
    size_t n = strlen(name);

    memcpy(field, name, n < 100 ? n : 100);
    return n < 100 ? GN_OK : put_long(t, type, name, err);
}

int gn_tar_entry(struct gn_tar *t, const struct gn_tar_entry *e, struct gn_err *err)
{
    static const char types[] = {[GN_FILE] = '0', [GN_DIR] = '5', [GN_LINK] = '2'};
    uint64_t size = e->kind == GN_FILE ? e->size : 0;
    struct header h = {.name = ""};
    char *name = gn_printf("%s%s", e->path, e->kind == GN_DIR ? "/" : "");
    int rc = GN_OK;

    if (t->left)
        rc = gn_err_set(err, GN_E_BUG, "tar: less data than announced");
    if (!rc && e->kind == GN_LINK)
        rc = put_name(t, 'K', e->link, h.link, err);
    if (!rc)
        rc = put_name(t, 'L', name, h.name, err);
    free(name);
    if (rc)
        return rc;
    put_number(h.mode, sizeof h.mode, e->mode & 0777);
    /* Times before 1970 are legal, but not to every tar. */
    put_number(h.mtime, sizeof h.mtime, e->mtime_ns > 0 ? (uint64_t)(e->mtime_ns / 1000000000) : 0);
    t->left = size;
    t->pad = padding(size);
    return put_header(t, &h, types[e->kind], size, err);
}

int gn_tar_data(struct gn_tar *t, const void *data, size_t len, struct gn_err *err)
{
    static const char zeros[BLOCK];
    int rc;

    if (len > t->left)
        return gn_err_set(err, GN_E_BUG, "tar: more data than announced");
    rc = put(t, data, len, err);
    t->left -= len;
    return rc || t->left ? rc : put(t, zeros, t->pad, err);
}

int gn_tar_close(struct gn_tar *t, struct gn_err *err)
{
    static const char zeros[2 * BLOCK];
    int rc = GN_OK;

    if (t->left)
        rc = gn_err_set(err, GN_E_BUG, "tar: less data than announced");
    if (!rc)
        rc = put(t, zeros, sizeof zeros, err);
    if (!rc && t->zstd)
        rc = compress(t, NULL, 0, true, err);
    if (!rc)
        rc = flush(t, err);
    gn_tar_abort(t);
    return rc;
}

bool gn_tar_would_shrink(const void *data, size_t len)
{
    size_t room = ZSTD_compressBound(len), n;
    void *out = gn_realloc(NULL, room, 1);

    n = ZSTD_compress(out, room, data, len, 1);
    free(out);
    return !ZSTD_isError(n) && n < len / 20 * 19;
}
