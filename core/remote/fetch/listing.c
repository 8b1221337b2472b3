/* listing.c - see listing.h. */
#include "listing.h"

#include <stdlib.h>
#include <string.h>

#include "gnrrun/far.h"
#include "gnrrun/mem.h"

#define NONCE_MIN  8
#define NONCE_MAX  64
#define RECORD_MAX (GN_LISTING_PATH + 256) /* a path and its numbers */
#define FIELD_MAX  40
#define NS         INT64_C(1000000000)

struct gn_listing {
    gn_listed_fn fn;
    void *arg;
    struct gn_buf in;         /* from the start of a record on */
    char mark[NONCE_MAX + 3]; /* "\nNONCE " */
    size_t mark_len;          /* 0: the first record has not come */
    size_t looked;            /* of in: no mark begins before */
    uint64_t bytes, records;
    bool cut; /* of the record that goes on all was said already */
    bool ended;
};

bool gn_listing_time(const char *s, size_t len, int64_t *ns)
{
    int64_t sec = 0, frac = 0, unit = NS;
    bool minus = len && *s == '-';
    size_t i = minus, digits = 0;

    for (; i < len && s[i] >= '0' && s[i] <= '9'; i++, digits++) {
        if (sec < INT64_MAX / NS) /* the year 2262 is the last: a program may set any time */
            sec = sec * 10 + (s[i] - '0');
    }
    if (!digits)
        return false;
    if (sec >= INT64_MAX / NS)
        sec = INT64_MAX / NS - 1;
    if (i < len && s[i] == '.') {
        for (i++; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
            unit /= 10; /* find prints ten digits: the tenth is cut */
            frac += unit * (s[i] - '0');
        }
    }
    if (i != len)
        return false;
    *ns = (sec * NS + frac) * (minus ? -1 : 1);
    return true;
}

int gn_listing_head(const char *line, struct gn_listing_head *out, struct gn_err *err)
{
    struct gn_listing_head h = {0};
    char word[48];

    h.clock_s = gn_far_number(line, "clock", 0);
    if (!gn_far_field(line, "fmt", word, sizeof word))
        goto bad;
    h.fine = strcmp(word, "ns") == 0;
    if (!h.fine && strcmp(word, "s") != 0)
        goto bad;
    if (!gn_far_field(line, "hash", word, sizeof word))
        word[0] = 0;
    h.cksum = !word[0] || strcmp(word, "cksum") == 0;
    if (strcmp(word, "none") == 0) {
        gn_err_set(err, GN_E_FAIL,
                   "the far side has nothing to verify results with, not even cksum");
        return gn_err_hint(err, "install cksum or sha256sum over there, or copy by: gnrrun ssh");
    }
    h.names = gn_far_number(line, "names", 0) == 1;
    if (!gn_far_field(line, "marker", word, sizeof word) ||
        !gn_listing_time(word, strlen(word), &h.marker_ns))
        goto bad;
    if (gn_far_field(line, "setup", word, sizeof word)) {
        if (strcmp(word, "-") == 0)
            h.setup_ns = INT64_MAX;
        else if (!gn_listing_time(word, strlen(word), &h.setup_ns))
            goto bad;
    }
    *out = h;
    return GN_OK;
bad:
    return gn_err_set(err, GN_E_PROTO, "the far side's list begins with a line we cannot read");
}

struct gn_listing *gn_listing_new(gn_listed_fn fn, void *arg)
{
    struct gn_listing *l = gn_new(struct gn_listing);

    l->fn = fn;
    l->arg = arg;
    l->in = (struct gn_buf)GN_BUF_INIT(RECORD_MAX + ((size_t)64 << 10));
    return l;
}

void gn_listing_free(struct gn_listing *l)
{
    if (!l)
        return;
    gn_buf_clear(&l->in);
    free(l);
}

static int bad_record(struct gn_err *err, const char *what)
{
    return gn_err_set(err, GN_E_PROTO, "the far side's list holds a record with %s", what);
}

/* The next field up to a blank; its length, 0 when there is none. */
static size_t field(const char **s, const char *end, const char **out)
{
    const char *blank = memchr(*s, ' ', (size_t)(end - *s));

    if (!blank || blank - *s > FIELD_MAX)
        return 0;
    *out = *s;
    *s = blank + 1;
    return (size_t)(blank - *out);
}

static bool digits(const char *s, size_t len, unsigned base, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (len == 0 || len > 20)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned d = (unsigned)((unsigned char)s[i] - '0');

        if (d >= base || v > (max - d) / base)
            return false;
        v = v * base + d;
    }
    *out = v;
    return true;
}

/* rec: what stands between two nonces, without the newline before the second; cut: its begin. */
static int one_record(struct gn_listing *l, const char *rec, size_t len, bool cut,
                      struct gn_err *err)
{
    const char *end = rec + len, *f = rec;
    struct gn_listed e = {.cut = cut};
    uint64_t mode = 0;
    size_t n;

    if (++l->records > GN_LISTING_NAMES)
        return gn_err_set(err, GN_E_LIMIT, "the run's folder holds more than %zu files",
                          GN_LISTING_NAMES);
    n = field(&rec, end, &f);
    if (n != 1 || !memchr("fdlo", *f, 4))
        return bad_record(err, "an unknown type");
    e.type = *f;
    n = field(&rec, end, &f);
    if (!n || !digits(f, n, 8, 0777777, &mode))
        return bad_record(err, "no mode");
    e.mode = (uint16_t)(mode & 07777);
    n = field(&rec, end, &f);
    if (!n || !digits(f, n, 10, INT64_MAX, &e.size))
        return bad_record(err, "no size");
    n = field(&rec, end, &f);
    if (!n || !gn_listing_time(f, n, &e.mtime_ns))
        return bad_record(err, "no time");
    n = field(&rec, end, &f);
    if (!n || !gn_listing_time(f, n, &e.ctime_ns))
        return bad_record(err, "no time");
    n = (size_t)(end - rec);
    if (memchr(rec, 0, n))
        return bad_record(err, "a NUL in its name");
    if (n == 1 && *rec == '.')
        return GN_OK; /* the folder itself */
    if (n < 2 || rec[0] != '.' || rec[1] != '/')
        return bad_record(err, "a name outside of the run's folder");
    e.path = rec + 2;
    e.len = n - 2;
    return e.len ? l->fn(&e, l->arg, err) : GN_OK;
}

/* The nonce is the word that the first record begins with: ours to know only from there. */
static int first_mark(struct gn_listing *l, struct gn_err *err)
{
    const char *blank = memchr(l->in.ptr, ' ', l->in.len);
    size_t n = blank ? (size_t)(blank - l->in.ptr) : 0;

    if (!blank && l->in.len <= NONCE_MAX)
        return GN_OK;
    if (n < NONCE_MIN || n > NONCE_MAX)
        return bad_record(err, "no nonce");
    for (size_t i = 0; i < n; i++) {
        char c = l->in.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return bad_record(err, "no nonce");
    }
    l->mark[0] = '\n';
    memcpy(l->mark + 1, l->in.ptr, n);
    l->mark[n + 1] = ' ';
    l->mark_len = n + 2;
    return GN_OK;
}

static const char *find_mark(struct gn_listing *l)
{
    const char *p = l->in.ptr + l->looked, *end = l->in.ptr + l->in.len;

    while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        if ((size_t)(end - p) < l->mark_len)
            break;
        if (memcmp(p, l->mark, l->mark_len) == 0)
            return p;
        p++;
    }
    l->looked = (size_t)((p ? p : end) - l->in.ptr);
    return NULL;
}

static int goes_on(struct gn_err *err)
{
    return gn_err_set(err, GN_E_PROTO, "the far side's list goes on after its end");
}

static int bounded(struct gn_listing *l, const char *rec, size_t len, struct gn_err *err)
{
    return one_record(l, rec, len < RECORD_MAX ? len : RECORD_MAX, len > RECORD_MAX, err);
}

/* The record that is coming is longer than any: said once, then dropped but for its end, in
 * which the next one may have begun. */
static int cut_record(struct gn_listing *l, size_t skip, struct gn_err *err)
{
    size_t keep = l->mark_len - 1, drop = l->in.len - skip - keep;
    int rc = l->cut ? GN_OK : one_record(l, l->in.ptr + skip, RECORD_MAX, true, err);

    l->cut = true;
    memmove(l->in.ptr + skip, l->in.ptr + skip + drop, keep);
    l->in.len -= drop;
    l->in.ptr[l->in.len] = 0;
    l->looked = skip;
    return rc;
}

/* All whole records that are there. */
static int take(struct gn_listing *l, struct gn_err *err)
{
    size_t skip = l->mark_len - 1, from = 0; /* in begins with "NONCE " */
    const char *next;
    int rc = GN_OK;

    while (!rc && !l->ended && (next = find_mark(l)) != NULL) {
        size_t at = (size_t)(next - l->in.ptr), head = from + skip;

        if (at < head)
            return bad_record(err, "nothing in it");
        if (!l->cut && !(at - head == 1 && l->in.ptr[head] == 'k')) /* still here */
            rc = bounded(l, l->in.ptr + head, at - head, err);
        l->cut = false;
        from = at + 1;
        l->looked = from;
    }
    if (rc)
        return rc;
    gn_buf_drop(&l->in, from);
    l->looked = l->looked > from ? l->looked - from : 0;
    if (!l->cut && l->in.len >= skip + 4 && memcmp(l->in.ptr + skip, "end\n", 4) == 0) {
        if (l->in.len > skip + 4)
            rc = goes_on(err);
        l->ended = true;
        gn_buf_reset(&l->in);
    } else if (l->in.len > skip + RECORD_MAX + l->mark_len) {
        rc = cut_record(l, skip, err);
    }
    return rc;
}

int gn_listing_feed(struct gn_listing *l, const void *data, size_t len, struct gn_err *err)
{
    const char *p = data;
    int rc = GN_OK;

    while (len && !rc) {
        size_t n = len < 16384 ? len : 16384;

        if (l->ended)
            return goes_on(err);
        l->bytes += n;
        if (l->bytes > GN_MAX_LISTING)
            return gn_err_set(err, GN_E_LIMIT, "the far side's list is over %zu MB",
                              GN_MAX_LISTING >> 20);
        gn_buf_add(&l->in, p, n);
        if (!l->mark_len)
            rc = first_mark(l, err);
        if (!rc && l->mark_len)
            rc = take(l, err);
        p += n;
        len -= n;
    }
    return rc;
}

int gn_listing_end(const struct gn_listing *l, struct gn_err *err)
{
    if (l->ended)
        return GN_OK;
    return gn_err_set(err, GN_E_NET, "the far side's list was cut off");
}
