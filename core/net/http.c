#include "gnrrun/http.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "gnrrun/hash.h"
#include "gnrrun/lazy.h"

#define TRIALS      4
#define TIMEOUT_MS  60000
#define CONNECT_MS  20000
#define ANSWER_MAX  ((size_t)16 << 20)
#define WAIT_MAX_MS 20000 /* whatever Retry-After says: somebody waits for us */
#define SKEW_S      120   /* a clock that is further off makes signatures worthless [AWS: 300 s] */
#define SAID_MAX    300

/* --- loaded when it is first needed --- */

#ifdef GN_CURL_SONAME
#include <pthread.h>

#define USED(X)                                                                                    \
    X(curl_global_init)                                                                            \
    X(curl_easy_init)                                                                              \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_perform)                                                                           \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_strerror)                                                                          \
    X(curl_easy_cleanup)                                                                           \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)                                                                         \
    X(curl_getdate)

#undef curl_easy_setopt
#undef curl_easy_getinfo
#define POINTER(fn) __typeof__(fn) *fn;
static struct curl_fns {
    USED(POINTER)
} lib;
static struct gn_err missing;

static void load(void)
{
#define NAME(fn) #fn,
    static const char *const names[] = {USED(NAME)};

    _Static_assert(sizeof names == sizeof lib, "a name for each pointer");
    missing.code =
        gn_lazy_load(GN_CURL_SONAME, names, &lib, sizeof names / sizeof *names, &missing);
    if (!missing.code && lib.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        missing.code = gn_err_set(&missing, GN_E_FAIL, "libcurl cannot be used");
}

static int need(struct gn_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    if (missing.code)
        *err = missing;
    return missing.code;
}

#define CURL(fn) lib.fn
#else
#undef curl_easy_setopt
#undef curl_easy_getinfo

static int need(struct gn_err *err)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
               ? GN_OK
               : gn_err_set(err, GN_E_FAIL, "libcurl cannot be used");
}

#define CURL(fn) fn
#endif

/* --- one trial --- */

struct trial {
    const struct gn_ctx *ctx;
    struct gn_http_answer *out;
    const char *keep;
    CURL *curl;
    struct curl_slist *headers;
    bool connected; /* something may have arrived there */
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct trial *t = arg;

    gn_buf_add(&t->out->body, data, size * n);
    return gn_buf_over(&t->out->body) ? 0 : size * n;
}

static bool is_header(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);

    if (len <= n || line[n] != ':')
        return false;
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)line[i]) != name[i])
            return false;
    return true;
}

static void keep(struct trial *t, const char *value, size_t len)
{
    while (len && (*value == ' ' || *value == '\t')) {
        value++;
        len--;
    }
    while (len && strchr(" \t\r\n", value[len - 1]))
        len--;
    gn_buf_reset(&t->out->kept);
    gn_buf_add(&t->out->kept, value, len);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct trial *t = arg;
    size_t len = size * n;
    char text[128];
    const char *value = memchr(line, ':', len);

    t->connected = true;
    if (value && t->keep && is_header(line, len, t->keep))
        keep(t, value + 1, len - (size_t)(value + 1 - line));
    if (!value || !(is_header(line, len, "date") || is_header(line, len, "retry-after")))
        return len;
    value++;
    len -= (size_t)(value - line);
    if (len >= sizeof text)
        return size * n;
    memcpy(text, value, len);
    text[len] = '\0';
    if (is_header(line, size * n, "date")) {
        time_t at = CURL(curl_getdate)(text, NULL);

        t->out->date_s = at > 0 ? (int64_t)at : 0;
    } else {
        long s = strtol(text, NULL, 10);

        t->out->retry_after_s = s > 0 && s < 86400 ? s : 0;
    }
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct trial *t = arg;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return gn_interrupted(t->ctx);
}

static bool starts_with(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Over plain http anybody on the way could read it. */
static bool is_allowed(const char *url)
{
    static const char *const here[] = {"http://127.", "http://localhost:", "http://localhost/",
                                       "http://[::1]"};

    if (starts_with(url, "https://"))
        return true;
    for (size_t i = 0; i < sizeof here / sizeof *here; i++)
        if (starts_with(url, here[i]))
            return !strchr(url, '@');
    return false;
}

/* "ec2.ap-south-1.amazonaws.com/path": no user, no query. */
static void add_place(struct gn_buf *out, const char *url)
{
    const char *p = strstr(url, "://"), *at;
    size_t n;

    p = p ? p + 3 : url;
    n = strcspn(p, "?#");
    at = memchr(p, '@', strcspn(p, "/?#"));
    if (at) {
        n -= (size_t)(at + 1 - p);
        p = at + 1;
    }
    gn_buf_addsafe(out, p, n, 120);
}

static void set_up(struct trial *t, const struct gn_http_call *c)
{
    CURL *h = t->curl;
    const char *authorities = t->ctx->env(t->ctx, "SSL_CERT_FILE");
    long timeout = (long)(c->timeout_ms ? c->timeout_ms : TIMEOUT_MS);

    CURL(curl_easy_setopt)(h, CURLOPT_URL, c->url);
    CURL(curl_easy_setopt)(h, CURLOPT_PROTOCOLS_STR, "https,http");
    CURL(curl_easy_setopt)(h, CURLOPT_FOLLOWLOCATION, 0L);
    CURL(curl_easy_setopt)(h, CURLOPT_NOSIGNAL, 1L);
    CURL(curl_easy_setopt)(h, CURLOPT_TIMEOUT_MS, timeout);
    CURL(curl_easy_setopt)(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    CURL(curl_easy_setopt)(h, CURLOPT_CUSTOMREQUEST, c->method);
    CURL(curl_easy_setopt)(h, CURLOPT_ACCEPT_ENCODING, "");
    CURL(curl_easy_setopt)(h, CURLOPT_HTTPHEADER, t->headers);
    CURL(curl_easy_setopt)(h, CURLOPT_WRITEFUNCTION, on_body);
    CURL(curl_easy_setopt)(h, CURLOPT_WRITEDATA, t);
    CURL(curl_easy_setopt)(h, CURLOPT_HEADERFUNCTION, on_header);
    CURL(curl_easy_setopt)(h, CURLOPT_HEADERDATA, t);
    CURL(curl_easy_setopt)(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    CURL(curl_easy_setopt)(h, CURLOPT_XFERINFODATA, t);
    CURL(curl_easy_setopt)(h, CURLOPT_NOPROGRESS, 0L);
    if (authorities && *authorities)
        CURL(curl_easy_setopt)(h, CURLOPT_CAINFO, authorities);
    if (c->body) {
        CURL(curl_easy_setopt)(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
        CURL(curl_easy_setopt)(h, CURLOPT_POSTFIELDS, c->body);
    } else if (strcmp(c->method, "GET") != 0) {
        CURL(curl_easy_setopt)(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        CURL(curl_easy_setopt)(h, CURLOPT_POSTFIELDS, "");
    }
}

static int add_headers(struct trial *t, const struct gn_strs *headers, struct gn_err *err)
{
    for (size_t i = 0; i < headers->n; i++) {
        struct curl_slist *more;

        if (strpbrk(headers->v[i], "\r\n"))
            return gn_err_set(err, GN_E_FAIL, "a value for a header has a line break in it");
        more = CURL(curl_slist_append)(t->headers, headers->v[i]);
        if (!more)
            abort();
        t->headers = more;
    }
    return GN_OK;
}

static void wipe(struct gn_strs *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (volatile char *p = s->v[i]; *p; p++)
            *p = 0;
    gn_strs_clear(s);
}

static int say(const struct trial *t, const struct gn_http_call *c, CURLcode code,
               struct gn_err *err)
{
    struct gn_buf place = GN_BUF_INIT(400);
    int rc;

    add_place(&place, c->url);
    if (gn_interrupted(t->ctx))
        rc = gn_err_set(err, GN_E_CANCEL, "interrupted");
    else if (gn_buf_over(&t->out->body))
        rc = gn_err_set(err, GN_E_PROTO, "the answer of '%s' is too long", place.ptr);
    else
        rc = gn_err_set(err, code == CURLE_OPERATION_TIMEDOUT ? GN_E_TIMEOUT : GN_E_NET,
                        "no answer from '%s': %s", place.ptr, CURL(curl_easy_strerror)(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        gn_err_set(err, GN_E_HOSTKEY, "'%s' does not prove that it is that: %s", place.ptr,
                   CURL(curl_easy_strerror)(code));
        rc = gn_err_hint(err, "is something between here and there, or are the certificates of "
                              "this machine (ca-certificates) old?");
    }
    gn_buf_clear(&place);
    return rc;
}

static int try_once(const struct gn_ctx *ctx, const struct gn_http_call *c,
                    struct gn_http_answer *out, bool *connected, struct gn_err *err)
{
    struct trial t = {.ctx = ctx, .out = out, .keep = c->keep, .curl = CURL(curl_easy_init)()};
    struct gn_strs more = GN_STRS_INIT;
    int64_t now = ctx->wall_s(ctx) + (c->skew_s ? *c->skew_s : 0);
    long status = 0;
    CURLcode code;
    int rc;

    if (!t.curl)
        return gn_err_set(err, GN_E_FAIL, "libcurl cannot be used");
    out->body.max = c->max_answer ? c->max_answer : ANSWER_MAX;
    gn_buf_reset(&out->body);
    gn_buf_reset(&out->kept);
    out->status = 0;
    out->date_s = out->retry_after_s = 0;
    rc = add_headers(&t, &c->headers, err);
    if (!rc && c->sign)
        rc = c->sign(c, now, &more, c->sign_arg, err);
    if (!rc)
        rc = add_headers(&t, &more, err);
    if (!rc) {
        set_up(&t, c);
        code = CURL(curl_easy_perform)(t.curl);
        CURL(curl_easy_getinfo)(t.curl, CURLINFO_RESPONSE_CODE, &status);
        out->status = (int)status;
        *connected =
            t.connected || !(code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                             code == CURLE_COULDNT_RESOLVE_PROXY);
        if (code != CURLE_OK)
            rc = say(&t, c, code, err);
    }
    wipe(&more);
    CURL(curl_slist_free_all)(t.headers);
    CURL(curl_easy_cleanup)(t.curl);
    return rc;
}

/* --- several --- */

static bool is_theirs(int status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

/* Full jitter: many that failed at one instant must not come back at one instant. */
static int wait_before(const struct gn_ctx *ctx, unsigned n, const struct gn_http_answer *a,
                       struct gn_err *err)
{
    int64_t cap = (int64_t)500 << n, ms;
    char hex[9];

    gn_random_hex(hex, 4);
    ms = strtoll(hex, NULL, 16) % (cap + 1);
    if (a->retry_after_s * 1000 > ms)
        ms = a->retry_after_s * 1000 + ms / 4;
    return gn_wait_ms(ctx, ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS, err);
}

/* A signature that was refused because of our clock is worth one more, by theirs. */
static bool learn_skew(const struct gn_ctx *ctx, const struct gn_http_call *c,
                       const struct gn_http_answer *a)
{
    int64_t off = a->date_s - ctx->wall_s(ctx);

    if (!c->skew_s || !a->date_s || a->status < 400 || a->status > 403 || a->status == 402)
        return false;
    if (off - *c->skew_s < SKEW_S && off - *c->skew_s > -SKEW_S)
        return false;
    gn_event_text(ctx, GN_EV_WARN,
                  "the clock of this machine is %lld seconds off, says the provider",
                  (long long)-off);
    *c->skew_s = off;
    return true;
}

static void tell(const struct gn_ctx *ctx, const struct gn_http_call *c, int rc,
                 const struct gn_http_answer *a, int64_t took_ms, const struct gn_err *err)
{
    struct gn_buf place = GN_BUF_INIT(400);

    add_place(&place, c->url);
    if (rc)
        gn_event_text(ctx, GN_EV_DEBUG, "%s %s%s%s: %s", c->method, place.ptr, c->what ? " " : "",
                      c->what ? c->what : "", err->msg);
    else
        gn_event_text(ctx, GN_EV_DEBUG, "%s %s%s%s: %d, %zu bytes after %lld ms", c->method,
                      place.ptr, c->what ? " " : "", c->what ? c->what : "", a->status, a->body.len,
                      (long long)took_ms);
    gn_buf_clear(&place);
}

int gn_http(const struct gn_ctx *ctx, const struct gn_http_call *c, struct gn_http_answer *out,
            struct gn_err *err)
{
    bool skewed = false;
    int rc = need(err);

    out->doubt = false;
    if (!rc && !is_allowed(c->url))
        rc = gn_err_set(err, GN_E_CONFIG, "the provider's address must begin with https://");
    for (unsigned n = 0; !rc; n++) {
        int64_t begun = ctx->mono_ms(ctx);
        bool connected = false, again;

        rc = try_once(ctx, c, out, &connected, err);
        tell(ctx, c, rc, out, ctx->mono_ms(ctx) - begun, err);
        if (!rc && !skewed && learn_skew(ctx, c, out)) {
            skewed = true;
            continue;
        }
        if (rc)
            again = (rc == GN_E_NET || rc == GN_E_TIMEOUT) && (c->safe || !connected);
        else
            again = out->status == 429 || (c->safe && is_theirs(out->status));
        if (!again || n + 1 == TRIALS)
            return rc;
        out->doubt = out->doubt || (rc ? connected : is_theirs(out->status));
        gn_err_clear(err);
        rc = wait_before(ctx, n, out, err);
    }
    return rc;
}

void gn_http_answer_clear(struct gn_http_answer *a)
{
    gn_buf_wipe(&a->body);
    gn_buf_wipe(&a->kept);
}

int gn_http_err(const struct gn_http_answer *a, const char *said, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(2000);
    int code = GN_E_FAIL;

    if (a->status == 401 || a->status == 403)
        code = GN_E_AUTH;
    else if (a->status == 404)
        code = GN_E_NOTFOUND;
    else if (a->status == 409)
        code = GN_E_EXISTS;
    else if (a->status == 429 || a->status >= 500)
        code = GN_E_NET;
    gn_buf_addsafe(&safe, said, strlen(said), SAID_MAX);
    gn_err_set(err, code, "%s (HTTP %d)", safe.len ? safe.ptr : "the provider does not say why",
               a->status);
    gn_buf_clear(&safe);
    return code;
}

static void add_url(struct gn_buf *out, const char *s, bool form)
{
    for (; *s; s++) {
        if (isalnum((unsigned char)*s) || strchr("-_.~", *s))
            gn_buf_addc(out, *s);
        else if (form && *s == ' ')
            gn_buf_addc(out, '+');
        else
            gn_buf_addf(out, "%%%02X", (unsigned char)*s);
    }
}

void gn_url_add(struct gn_buf *out, const char *s)
{
    add_url(out, s, false);
}

void gn_url_add_form(struct gn_buf *out, const char *s)
{
    add_url(out, s, true);
}
