/*
 * bring.c - one `get` on the far side: checksums asked, small files brought as tar.
 *
 * The tar is read, not obeyed: an entry counts only when its name was asked for, comes for
 * the first time and is of the kind and size that the listing announced, and its bytes only
 * when their checksum is the one that was said before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/far.h"
#include "gnrrun/fs.h"
#include "room.h"

#define LINE_BYTES ((size_t)48 << 10) /* names of one request: far below any limit on arguments */
#define LINE_NAMES 1000
#define ALONE_MAX  50
#define SLACK      ((uint64_t)64 << 20) /* files that grow meanwhile */

struct gn_batch {
    struct gn_fetch *f;
    struct gn_far *far;
    size_t from, to;
    uint64_t asked, names;  /* bytes and entries that were asked for */
    uint64_t came, entries; /* that were announced in the tar */
    uint64_t raw;           /* bytes of the stream */
    bool ended;             /* the stream is at its end */
    bool flood;             /* far more came than was asked for */
    struct gn_cand *cur;    /* whose bytes are coming; NULL: they are dropped */
    struct gn_part part;
    struct gn_hash *hash;
    struct gn_cksum cksum;
    uint64_t got;
};

typedef bool (*pick_fn)(const struct gn_cand *c);

static bool wants_sum(const struct gn_cand *c)
{
    return c->state == GN_CAND_NEW && c->type == 'f' && c->known == GN_FAR_UNKNOWN;
}

static bool is_asked(const struct gn_cand *c)
{
    return c->state == GN_CAND_ASKED;
}

/* One request for the picked candidates from *next on; *next: where the following one begins. */
static size_t request(const struct gn_batch *b, char verb, pick_fn pick, size_t *next,
                      struct gn_buf *line)
{
    struct gn_buf words = GN_BUF_INIT(1 << 20);
    size_t names = 0;

    gn_buf_reset(line);
    for (; *next < b->to && names < LINE_NAMES && words.len < LINE_BYTES; ++*next) {
        const struct gn_cand *c = &b->f->cand[*next];
        char *word;

        if (!pick(c))
            continue;
        if (names++)
            gn_buf_addc(&words, ' ');
        word = gn_printf("./%s", c->path); /* as it was listed; never an option */
        gn_buf_addshline(&words, word);
        free(word);
    }
    if (names)
        gn_buf_addf(line, "%c %zu\n%s\n", verb, words.len + 1, words.ptr);
    gn_buf_clear(&words);
    return names;
}

/* "h HEX", "h CRC:LEN" or "h -". */
int gn_fetch_read_sum(struct gn_cand *c, const char *line, struct gn_err *err)
{
    char *end;
    unsigned long crc;

    if (!line)
        return gn_err_set(err, GN_E_NET, "the far side ended before it sent all checksums");
    if (strncmp(line, "h ", 2) != 0)
        return gn_err_set(err, GN_E_PROTO, "the far side sent something else than a checksum");
    line += 2;
    if (strcmp(line, "-") == 0) {
        c->known = GN_FAR_UNREADABLE;
        return GN_OK;
    }
    if (strlen(line) == 2 * GN_HASH_LEN && gn_unhex(line, c->sums.sha, GN_HASH_LEN)) {
        c->known = GN_FAR_SHA;
        return GN_OK;
    }
    errno = 0;
    crc = strtoul(line, &end, 10);
    if (line[0] < '0' || line[0] > '9' || errno || crc > UINT32_MAX || *end != ':' ||
        end[1] < '0' || end[1] > '9')
        goto bad;
    c->sums.crc = (uint32_t)crc;
    c->sums.len = strtoull(end + 1, &end, 10);
    if (errno || *end)
        goto bad;
    c->known = GN_FAR_CKSUM;
    return GN_OK;
bad:
    return gn_err_set(err, GN_E_PROTO, "the far side sent a checksum we cannot read");
}

static int read_sums(struct gn_batch *b, struct gn_err *err)
{
    const char *line;
    int rc = GN_OK;

    for (size_t i = b->from; !rc && i < b->to; i++) {
        struct gn_cand *c = &b->f->cand[i];

        if (!wants_sum(c))
            continue;
        rc = gn_far_line(b->far, GN_FAR_SILENCE_MS, &line, b->f->ctx, err);
        if (!rc)
            rc = gn_fetch_read_sum(c, line, err);
    }
    return rc;
}

static int ask_sums(struct gn_batch *b, struct gn_err *err)
{
    struct gn_buf line = GN_BUF_INIT(1 << 20);
    size_t next = b->from;
    int rc = GN_OK;

    while (!rc && next < b->to)
        if (request(b, 's', wants_sum, &next, &line))
            rc = gn_far_write(b->far, line.ptr, line.len, b->f->ctx, err);
    gn_buf_clear(&line);
    return rc;
}

/* The run was shipped with just these bytes: touched, not changed. */
static bool as_shipped(const struct gn_cand *c)
{
    return c->shipped && c->shipped->kind == GN_FILE && c->known == GN_FAR_SHA &&
           memcmp(c->shipped->hash, c->sums.sha, GN_HASH_LEN) == 0;
}

/* With its checksum known: what is to be done about it. */
static int sort_out(struct gn_batch *b, struct gn_cand *c, struct gn_err *err)
{
    struct gn_fetch *f = b->f;
    int rc;

    if (c->type == 'l') {
        c->state = GN_CAND_ASKED;
        return GN_OK;
    }
    if (c->known == GN_FAR_UNREADABLE && f->opts->while_running) {
        gn_fetch_changed(f, c); /* gone again */
        return GN_OK;
    }
    if (c->known == GN_FAR_UNREADABLE || as_shipped(c)) {
        if (c->known == GN_FAR_UNREADABLE)
            gn_fetch_refuse(f, c->path, strlen(c->path), "it cannot be read over there");
        c->state = GN_CAND_DONE;
        gn_fetch_progress(f, c->size);
        return GN_OK;
    }
    rc = gn_place_choose(f, c, err);
    if (rc)
        return gn_fetch_forgive(f, c, rc, err);
    if (c->place->same) {
        gn_fetch_progress(f, c->size);
        return gn_place_same(f, c, err);
    }
    c->state = c->size >= GN_LARGE_FILE ? GN_CAND_ALONE : GN_CAND_ASKED;
    return GN_OK;
}

/* --- the tar ------------------------------------------------------------------------------- */

static int by_path(const void *key, const void *elem)
{
    return strcmp(key, ((const struct gn_cand *)elem)->path);
}

static struct gn_cand *asked_for(struct gn_batch *b, const char *path)
{
    struct gn_cand *c;

    while (path[0] == '.' && path[1] == '/')
        path += 2;
    c = bsearch(path, b->f->cand + b->from, b->to - b->from, sizeof *c, by_path);
    return c && c->state == GN_CAND_ASKED ? c : NULL;
}

/* Open the temporary that c's bytes go to; they are dropped when that cannot be. */
static int begin_file(struct gn_batch *b, struct gn_cand *c, struct gn_err *err)
{
    int rc = gn_place_open(b->f, c, false, &b->part, err);

    if (rc)
        return gn_fetch_forgive(b->f, c, rc, err);
    b->cur = c;
    b->got = 0;
    b->cksum = (struct gn_cksum){0};
    gn_hash_reset(b->hash);
    return GN_OK;
}

static int on_begin(void *arg, const struct gn_unpack_entry *e, struct gn_err *err)
{
    struct gn_batch *b = arg;
    struct gn_cand *c = asked_for(b, e->path);

    b->cur = NULL;
    b->came += e->size;
    b->entries++;
    if (b->came > 2 * b->asked + SLACK || b->entries > 2 * b->names + 100) {
        b->flood = true;
        return gn_err_set(err, GN_E_PROTO, "the far side sends far more than it was asked for");
    }
    if (!c) {
        gn_fetch_refuse(b->f, e->path, strlen(e->path), "it was not asked for");
        return GN_OK;
    }
    if (e->kind == GN_UNPACK_FILE && c->type == 'f' && e->size == c->size)
        return begin_file(b, c, err);
    if (e->kind == GN_UNPACK_LINK && c->type == 'l') {
        c->target = gn_strdup(e->link);
        c->known = GN_FAR_SHA;
        gn_place_link_sum(c->target, &c->sums);
        c->state = GN_CAND_LINK;
    } else if (e->kind == GN_UNPACK_HARD && c->type == 'f') {
        c->state = GN_CAND_ALONE; /* its bytes stand under another name in this tar */
    } else {
        gn_fetch_changed(b->f, c);
    }
    return GN_OK;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t len, struct gn_err *err)
{
    struct gn_batch *b = arg;

    if (!b->cur)
        return GN_OK;
    if (offset != b->got || len > b->cur->size - b->got)
        return gn_err_set(err, GN_E_PROTO, "the far side's tar holds more than it announced");
    if (gn_fs_write_all(b->part.fd, data, len) < 0)
        return gn_fetch_err_sys(err, errno, "write", b->cur->path);
    gn_hash_add(b->hash, data, len);
    if (b->cur->known == GN_FAR_CKSUM)
        gn_cksum_add(&b->cksum, data, len);
    b->got += len;
    gn_fetch_progress(b->f, len);
    return GN_OK;
}

static int on_end(void *arg, struct gn_err *err)
{
    struct gn_batch *b = arg;
    struct gn_cand *c = b->cur;
    int rc;

    if (!c)
        return GN_OK;
    b->cur = NULL;
    if (!gn_fetch_verify(c, b->hash, &b->cksum) || b->got != c->size) {
        gn_part_close(&b->part, true);
        gn_fetch_changed(b->f, c);
        return GN_OK;
    }
    rc = gn_place_commit(b->f, c, &b->part, err);
    gn_part_close(&b->part, true);
    return rc ? gn_fetch_forgive(b->f, c, rc, err) : GN_OK;
}

static int source(void *arg, void *buf, size_t cap, size_t *n, struct gn_err *err)
{
    struct gn_batch *b = arg;
    int rc;

    if (gn_interrupted(b->f->ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    rc = gn_far_read(b->far, buf, cap, n, b->f->ctx, err);
    if (rc)
        return rc;
    b->ended = *n == 0;
    b->raw += *n;
    /* A name may take three blocks of 512 bytes more than its text, the end of a tar 10 KiB. */
    if (b->raw > 2 * b->asked + SLACK + b->names * 16384) {
        b->flood = true;
        return gn_err_set(err, GN_E_PROTO, "the far side sends far more than it was asked for");
    }
    return GN_OK;
}

static int send_requests(struct gn_batch *b, struct gn_err *err)
{
    struct gn_buf line = GN_BUF_INIT(1 << 20);
    size_t next = b->from;
    int rc = GN_OK;

    while (!rc && next < b->to)
        if (request(b, 't', is_asked, &next, &line))
            rc = gn_far_write(b->far, line.ptr, line.len, b->f->ctx, err);
    if (!rc)
        rc = gn_far_write(b->far, ".\n", 2, b->f->ctx, err);
    if (!rc)
        rc = gn_far_eof(b->far, b->f->ctx, err);
    gn_buf_clear(&line);
    return rc;
}

/* Why the tar ended as it did: our error, or what the far side's end says about a cut one. */
static int close_stream(struct gn_batch *b, int rc, struct gn_err *err)
{
    struct gn_err end = GN_ERR_INIT;
    int end_rc = GN_OK;

    if (b->flood && b->f->opts->while_running)
        rc = GN_OK; /* something grows quickly: what has not come is for later */
    if (b->ended)
        end_rc = gn_far_finish(b->far, b->f->ctx, &end);
    else
        gn_far_close(b->far);
    b->far = NULL;
    if (rc == GN_E_PROTO && end_rc) {
        *err = end;
        return end_rc;
    }
    /* A tar that complains has still sent what it could read; what is missing will be seen. */
    if (!rc && end_rc && end_rc != GN_E_FAIL) {
        *err = end;
        return end_rc;
    }
    if (!rc)
        gn_err_clear(err);
    return rc;
}

static int bring_tar(struct gn_batch *b, struct gn_err *err)
{
    static const struct gn_unpack_ops ops = {.begin = on_begin, .data = on_data, .end = on_end};
    const char *line;
    int rc = gn_far_expect(b->far, "tar", &line, b->f->ctx, err);

    if (rc)
        return rc;
    b->hash = gn_hash_new();
    rc = gn_unpack(source, b, gn_far_number(line, "zstd", 0) == 1, &ops, b, b->f->ctx, err);
    gn_part_close(&b->part, true);
    gn_hash_free(b->hash);
    return close_stream(b, rc, err);
}

/* What did not come: a tar may stumble over a name that `cat` does not, so a few get that chance. */
static void missing(struct gn_fetch *f, size_t from, size_t to)
{
    size_t alone = 0;

    for (size_t i = from; i < to; i++) {
        struct gn_cand *c = &f->cand[i];

        if (!is_asked(c))
            continue;
        if (c->type == 'f' && alone++ < ALONE_MAX)
            c->state = GN_CAND_ALONE;
        else
            gn_fetch_changed(f, c);
    }
}

/*
 * A large file that stands nowhere here has to come whatever its checksum is, which then is made
 * over there while it comes: reading all of it before would cost as much time as sending it.
 */
static int take_large(struct gn_fetch *f, size_t from, size_t to, struct gn_err *err)
{
    for (size_t i = from; i < to; i++) {
        struct gn_cand *c = &f->cand[i];
        bool vacant = false;
        int rc;

        if (c->state != GN_CAND_NEW || c->type != 'f' || c->size < GN_LARGE_FILE || c->shipped)
            continue;
        rc = gn_place_vacant(f, c, &vacant, err);
        if (rc)
            rc = gn_fetch_forgive(f, c, rc, err);
        if (rc)
            return rc;
        if (vacant)
            c->state = GN_CAND_ALONE;
    }
    return GN_OK;
}

static size_t count(const struct gn_fetch *f, size_t from, size_t to)
{
    size_t n = 0;

    for (size_t i = from; i < to; i++)
        n += f->cand[i].state == GN_CAND_NEW && f->cand[i].type != 'd';
    return n;
}

/* Where a round trip is nothing, compressing takes longer than sending. */
static bool is_near(struct gn_transport *t)
{
    return t->ops->rtt_ms && t->ops->rtt_ms(t) == 0;
}

int gn_batch_open(struct gn_fetch *f, size_t from, size_t to, struct gn_batch **out,
                  struct gn_err *err)
{
    const struct gn_far_arg args[] = {{"root", f->opts->run->workdir},
                                      {"token", f->opts->run->token},
                                      {"zstd", is_near(f->t) ? "0" : "1"},
                                      {NULL, NULL}};
    struct gn_batch *b;
    int rc = take_large(f, from, to, err);

    if (rc)
        return rc;
    b = gn_new(struct gn_batch);
    *b = (struct gn_batch){.f = f, .from = from, .to = to, .part = GN_PART_INIT};
    if (count(f, from, to))
        rc = gn_far_start(f->t, "get", args, &b->far, f->ctx, err);
    if (!rc && b->far)
        rc = ask_sums(b, err);
    if (rc)
        gn_batch_close(b);
    else
        *out = b;
    return rc;
}

int gn_batch_bring(struct gn_batch *b, struct gn_err *err)
{
    struct gn_fetch *f = b->f;
    int rc;

    if (!b->far)
        return GN_OK;
    rc = gn_far_greet(b->far, f->ctx, err);
    if (!rc)
        rc = read_sums(b, err);
    for (size_t i = b->from; !rc && i < b->to; i++)
        if (f->cand[i].state == GN_CAND_NEW && f->cand[i].type != 'd')
            rc = sort_out(b, &f->cand[i], err);
    for (size_t i = b->from; i < b->to; i++) {
        if (!is_asked(&f->cand[i]))
            continue;
        b->names++;
        b->asked += f->cand[i].type == 'f' ? f->cand[i].size : 0;
    }
    if (!rc)
        rc = send_requests(b, err);
    if (!rc && b->names)
        rc = bring_tar(b, err);
    if (!rc)
        missing(f, b->from, b->to);
    return rc;
}

void gn_batch_close(struct gn_batch *b)
{
    if (!b)
        return;
    gn_far_close(b->far);
    free(b);
}
