/* bring.c - one `get` on the far side: checksums asked, small files brought as tar. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"

#define LINE_BYTES ((size_t)48 << 10) /* names of one request: far below any limit on arguments */
#define LINE_NAMES 1000
#define ALONE_MAX  50
#define NAMES_MAX  ((size_t)8 << 20) /* of one batch, whose names are counted */

static bool wants_sum(const struct gn_cand *c)
{
    return c->state == GN_CAND_NEW && c->type == 'f' && c->known == GN_FAR_UNKNOWN;
}

static bool is_asked(const struct gn_cand *c)
{
    return c->state == GN_CAND_ASKED;
}

/* One request for the picked candidates from *next on; *next: where the following one begins. */
static size_t request(const struct gn_batch *b, char verb, gn_pick_fn pick, size_t *next,
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

int gn_batch_read_sums(struct gn_batch *b, gn_pick_fn pick, struct gn_err *err)
{
    const char *line;
    int rc = GN_OK;

    for (size_t i = b->from; !rc && i < b->to; i++) {
        struct gn_cand *c = &b->f->cand[i];

        if (!pick(c))
            continue;
        rc = gn_far_line(b->far, GN_FAR_SILENCE_MS, &line, b->f->ctx, err);
        if (!rc)
            rc = gn_fetch_read_sum(c, line, err);
        b->cksum = b->cksum || c->known == GN_FAR_CKSUM;
    }
    return rc;
}

int gn_batch_ask_sums(struct gn_batch *b, gn_pick_fn pick, struct gn_err *err)
{
    struct gn_buf line = GN_BUF_INIT(1 << 20);
    size_t next = b->from;
    int rc = GN_OK;

    while (!rc && next < b->to)
        if (request(b, 's', pick, &next, &line))
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

/* All that is asked for, by a tar that takes names as they are. */
static int send_names(struct gn_batch *b, struct gn_err *err)
{
    struct gn_buf names = GN_BUF_INIT(NAMES_MAX);
    char head[32];
    int rc = GN_OK;

    for (size_t i = b->from; i < b->to; i++) {
        const struct gn_cand *c = &b->f->cand[i];

        if (!is_asked(c))
            continue;
        gn_buf_adds(&names, "./"); /* as it was listed; never an option */
        gn_buf_add(&names, c->path, strlen(c->path) + 1);
    }
    if (gn_buf_over(&names))
        rc = gn_err_set(err, GN_E_LIMIT, "too many names for one request");
    snprintf(head, sizeof head, "n %zu\n", names.len);
    if (!rc && names.len)
        rc = gn_far_write(b->far, head, strlen(head), b->f->ctx, err);
    if (!rc && names.len)
        rc = gn_far_write(b->far, names.ptr, names.len, b->f->ctx, err);
    gn_buf_clear(&names);
    return rc;
}

static int send_lines(struct gn_batch *b, struct gn_err *err)
{
    struct gn_buf line = GN_BUF_INIT(1 << 20);
    size_t next = b->from;
    int rc = GN_OK;

    while (!rc && next < b->to)
        if (request(b, 't', is_asked, &next, &line))
            rc = gn_far_write(b->far, line.ptr, line.len, b->f->ctx, err);
    gn_buf_clear(&line);
    return rc;
}

static int send_requests(struct gn_batch *b, struct gn_err *err)
{
    int rc;

    for (size_t i = b->from; i < b->to; i++) {
        const struct gn_cand *c = &b->f->cand[i];

        if (!is_asked(c))
            continue;
        b->names++;
        b->asked += c->type == 'f' ? c->size : 0;
    }
    rc = b->f->takes_names ? send_names(b, err) : send_lines(b, err);
    if (!rc)
        rc = gn_far_write(b->far, ".\n", 2, b->f->ctx, err);
    if (!rc)
        rc = gn_far_eof(b->far, b->f->ctx, err);
    b->sent = !rc;
    return rc;
}

/* What did not come: a tar may stumble over a name that `cat` does not, so a few get that chance. */
static void missing(struct gn_fetch *f, size_t from, size_t to)
{
    size_t alone = 0;

    for (size_t i = from; i < to; i++) {
        struct gn_cand *c = &f->cand[i];

        if (!is_asked(c))
            continue;
        c->unsure = false;
        if (c->type == 'f' && alone++ < ALONE_MAX)
            c->state = GN_CAND_ALONE;
        else
            gn_fetch_changed(f, c);
    }
}

/*
 * What stands nowhere here has to come whatever its checksum is: reading all of it before, only for
 * that, would cost over there as much as sending it.  Whether it stood still meanwhile is told by
 * those who read it; while the program runs that is not enough.
 */
static int take_vacant(struct gn_fetch *f, size_t from, size_t to, struct gn_err *err)
{
    for (size_t i = from; i < to; i++) {
        struct gn_cand *c = &f->cand[i];
        bool is_large = c->size >= GN_LARGE_FILE, vacant = false;
        int rc;

        if (c->state != GN_CAND_NEW || c->type != 'f' || c->shipped || !(is_large || f->trusts))
            continue;
        rc = gn_place_vacant(f, c, &vacant, err);
        if (rc)
            rc = gn_fetch_forgive(f, c, rc, err);
        if (rc)
            return rc;
        if (!vacant)
            continue;
        c->state = is_large ? GN_CAND_ALONE : GN_CAND_ASKED;
        c->unsure = f->trusts;
    }
    return GN_OK;
}

/* How many are to be asked about or for; *open: those that something is to be known of first. */
static size_t count(const struct gn_fetch *f, size_t from, size_t to, size_t *open)
{
    size_t n = 0;

    *open = 0;
    for (size_t i = from; i < to; i++) {
        const struct gn_cand *c = &f->cand[i];

        *open += c->state == GN_CAND_NEW && c->type == 'f';
        n += (c->state == GN_CAND_NEW && c->type != 'd') || is_asked(c);
    }
    return n;
}

static int start(struct gn_batch *b, struct gn_err *err)
{
    struct gn_fetch *f = b->f;
    const struct gn_far_arg args[] = {{"root", f->opts->run->workdir},
                                      {"token", f->opts->run->token},
                                      {"zstd", gn_transport_is_fast(f->t, f->ctx) ? "0" : "1"},
                                      {NULL, NULL}};
    size_t open, n = count(f, b->from, b->to, &open);
    int rc;

    if (!n)
        return GN_OK;
    rc = gn_far_start(f->t, "get", args, &b->far, f->ctx, err);
    if (rc)
        return rc;
    if (open)
        return gn_batch_ask_sums(b, wants_sum, err);
    for (size_t i = b->from; i < b->to; i++)
        if (f->cand[i].state == GN_CAND_NEW && f->cand[i].type == 'l')
            f->cand[i].state = GN_CAND_ASKED;
    return send_requests(b, err);
}

int gn_batch_open(struct gn_fetch *f, size_t from, size_t to, struct gn_batch **out,
                  struct gn_err *err)
{
    struct gn_batch *b;
    int rc = take_vacant(f, from, to, err);

    if (rc)
        return rc;
    b = gn_new(struct gn_batch);
    *b = (struct gn_batch){.f = f, .from = from, .to = to, .part = GN_PART_INIT};
    rc = start(b, err);
    if (rc)
        gn_batch_close(b);
    else
        *out = b;
    return rc;
}

static int sort_all(struct gn_batch *b, struct gn_err *err)
{
    int rc = gn_batch_read_sums(b, wants_sum, err);

    for (size_t i = b->from; !rc && i < b->to; i++)
        if (b->f->cand[i].state == GN_CAND_NEW && b->f->cand[i].type != 'd')
            rc = sort_out(b, &b->f->cand[i], err);
    return rc ? rc : send_requests(b, err);
}

int gn_batch_bring(struct gn_batch *b, struct gn_err *err)
{
    struct gn_fetch *f = b->f;
    bool clean = true;
    int rc;

    if (!b->far)
        return GN_OK;
    rc = gn_far_greet(b->far, f->ctx, err);
    if (!rc && !b->sent)
        rc = sort_all(b, err);
    gn_fetch_hold(f);
    if (!rc && b->names)
        rc = gn_batch_untar(b, &clean, err);
    if (!rc && !clean)
        rc = gn_batch_doubt(b, err);
    gn_fetch_release(f, rc == GN_OK);
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
