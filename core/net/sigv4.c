#include "gnrrun/sigv4.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gnrrun/hash.h"
#include "gnrrun/http.h"

#define REQUEST_MAX ((size_t)1 << 20)
#define NO_TIME     "19700101T000000Z"

/* --- the parts of a URL --- */

struct place {
    char *host, *path, *query;
};

static void split(const char *url, struct place *p)
{
    const char *host = strstr(url, "://"), *path, *query;
    size_t n;

    host = host ? host + 3 : url;
    n = strcspn(host, "/?#");
    p->host = gn_strndup(host, n);
    for (char *c = p->host; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    path = host + n;
    n = strcspn(path, "?#");
    p->path = gn_strndup(path, n);
    query = path + n;
    p->query = *query == '?' ? gn_strndup(query + 1, strcspn(query + 1, "#")) : gn_strdup("");
    /* the usual port is not part of what is sent as Host */
    if (strncmp(url, "https:", 6) == 0 && (n = strlen(p->host)) > 4 &&
        strcmp(p->host + n - 4, ":443") == 0)
        p->host[n - 4] = '\0';
    if (strncmp(url, "http:", 5) == 0 && (n = strlen(p->host)) > 3 &&
        strcmp(p->host + n - 3, ":80") == 0)
        p->host[n - 3] = '\0';
}

/* "." and ".." and double slashes go, then all but letters, digits and -_.~/ is encoded (again). */
static void add_path(struct gn_buf *out, const char *path)
{
    struct gn_strs parts = GN_STRS_INIT;
    bool dir = *path && path[strlen(path) - 1] == '/';

    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (parts.n)
                free(parts.v[--parts.n]);
        } else if (n && !(n == 1 && *p == '.')) {
            gn_strs_take(&parts, gn_strndup(p, n));
        }
        p += n + (p[n] == '/');
    }
    for (size_t i = 0; i < parts.n; i++) {
        gn_buf_addc(out, '/');
        gn_url_add(out, parts.v[i]);
    }
    if (dir || !parts.n)
        gn_buf_addc(out, '/');
    gn_strs_clear(&parts);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * Sorted by name, then by value.  As one string "name" NUL-less would sort "a=" after "a-"; so the "=" that
 * ends a name is made the least of all characters meanwhile.
 */
static void add_query(struct gn_buf *out, const char *query)
{
    struct gn_strs pairs = GN_STRS_INIT;

    for (const char *p = query; *p;) {
        size_t n = strcspn(p, "&");
        char *pair = gn_strndup(p, n), *eq = strchr(pair, '=');

        if (eq) {
            *eq = '\1';
            gn_strs_take(&pairs, pair);
        } else {
            gn_strs_take(&pairs, gn_printf("%s\1", pair));
            free(pair);
        }
        p += n + (p[n] == '&');
    }
    if (pairs.n)
        qsort(pairs.v, pairs.n, sizeof *pairs.v, by_text);
    for (size_t i = 0; i < pairs.n; i++) {
        *strchr(pairs.v[i], '\1') = '=';
        gn_buf_addf(out, "%s%s", i ? "&" : "", pairs.v[i]);
    }
    gn_strs_clear(&pairs);
}

/* --- headers --- */

/* "name:value": the name small, blanks around the value gone, those within it single. */
static char *fold(const char *header)
{
    struct gn_buf b = GN_BUF_INIT(REQUEST_MAX);
    const char *colon = strchr(header, ':'), *v = colon ? colon + 1 : "";
    size_t n = colon ? (size_t)(colon - header) : strlen(header);

    for (size_t i = 0; i < n; i++)
        gn_buf_addc(&b, (char)tolower((unsigned char)header[i]));
    gn_buf_addc(&b, ':');
    n = b.len;
    for (; *v; v++) {
        if (!strchr(" \t\r\n\v\f", *v))
            gn_buf_addc(&b, *v);
        else if (b.len > n && b.ptr[b.len - 1] != ' ')
            gn_buf_addc(&b, ' ');
    }
    if (b.len > n && b.ptr[b.len - 1] == ' ')
        b.ptr[--b.len] = '\0';
    return gn_buf_detach(&b);
}

static size_t name_len(const char *folded)
{
    return strcspn(folded, ":");
}

static int by_name(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t n = name_len(x), m = name_len(y);
    int d = strncmp(x, y, n < m ? n : m);

    return d ? d : n < m ? -1 : n > m;
}

/* Stable: of one name, the values stay in their order. */
static void sort_headers(struct gn_strs *s)
{
    for (size_t i = 1; i < s->n; i++) {
        char *v = s->v[i];
        size_t k = i;

        for (; k > 0 && by_name(&s->v[k - 1], &v) > 0; k--)
            s->v[k] = s->v[k - 1];
        s->v[k] = v;
    }
}

static void add_headers(const struct gn_strs *folded, struct gn_buf *out, struct gn_buf *names)
{
    for (size_t i = 0; i < folded->n; i++) {
        const char *h = folded->v[i];
        size_t n = name_len(h);

        if (i && by_name(&folded->v[i - 1], &folded->v[i]) == 0) {
            gn_buf_addf(out, ",%s", h + n + 1);
            continue;
        }
        gn_buf_addf(out, "%s%s", i ? "\n" : "", h);
        gn_buf_addf(names, "%s%.*s", names->len ? ";" : "", (int)n, h);
    }
    gn_buf_addc(out, '\n');
}

/* --- the signature --- */

static void hex_of(const void *data, size_t len, char out[GN_HASH_HEX])
{
    uint8_t sum[GN_HASH_LEN];

    gn_hash_data(data, len, sum);
    gn_hex(sum, sizeof sum, out);
}

static void derive(const struct gn_sigv4 *s, const char *day, uint8_t key[GN_HASH_LEN])
{
    struct gn_buf first = GN_BUF_INIT(1024);

    gn_buf_addf(&first, "AWS4%s", s->secret);
    gn_hmac(first.ptr, first.len, day, 8, key);
    gn_buf_wipe(&first);
    gn_hmac(key, GN_HASH_LEN, s->region, strlen(s->region), key);
    gn_hmac(key, GN_HASH_LEN, s->service, strlen(s->service), key);
    gn_hmac(key, GN_HASH_LEN, "aws4_request", 12, key);
}

static void make_canonical(const char *method, const struct place *p, const struct gn_strs *folded,
                           const char *body_hash, struct gn_buf *out, struct gn_buf *names)
{
    gn_buf_addf(out, "%s\n", method);
    add_path(out, p->path);
    gn_buf_addc(out, '\n');
    add_query(out, p->query);
    gn_buf_addc(out, '\n');
    add_headers(folded, out, names);
    gn_buf_addf(out, "\n%s\n%s", names->ptr, body_hash);
}

void gn_sigv4_sign(const struct gn_sigv4 *s, const char *method, const char *url,
                   const struct gn_strs *headers, const char *body, size_t body_len, int64_t now_s,
                   struct gn_strs *out)
{
    struct gn_buf canonical = GN_BUF_INIT(REQUEST_MAX), names = GN_BUF_INIT(REQUEST_MAX);
    struct gn_buf scope = GN_BUF_INIT(1024), text = GN_BUF_INIT(4096);
    struct gn_strs folded = GN_STRS_INIT;
    struct place p;
    time_t t = (time_t)now_s;
    struct tm tm;
    char date[32] = NO_TIME, hash[GN_HASH_HEX], sign[GN_HASH_HEX];
    uint8_t key[GN_HASH_LEN];

    if (gmtime_r(&t, &tm))
        strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &tm);
    split(url, &p);
    for (size_t i = 0; i < headers->n; i++)
        gn_strs_take(&folded, fold(headers->v[i]));
    gn_strs_take(&folded, gn_printf("host:%s", p.host));
    gn_strs_take(&folded, gn_printf("x-amz-date:%s", date));
    if (s->token && *s->token) {
        char *header = gn_printf("X-Amz-Security-Token: %s", s->token);

        gn_strs_take(&folded, fold(header));
        free(header);
    }
    sort_headers(&folded);
    hex_of(body ? body : "", body ? body_len : 0, hash);
    make_canonical(method, &p, &folded, hash, &canonical, &names);
    hex_of(canonical.ptr, canonical.len, hash);
    gn_buf_addf(&scope, "%.8s/%s/%s/aws4_request", date, s->region, s->service);
    gn_buf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope.ptr, hash);
    derive(s, date, key);
    gn_hmac(key, sizeof key, text.ptr, text.len, key);
    gn_hex(key, sizeof key, sign);
    gn_strs_take(out, gn_printf("X-Amz-Date: %s", date));
    if (s->token && *s->token)
        gn_strs_take(out, gn_printf("X-Amz-Security-Token: %s", s->token));
    gn_strs_take(out, gn_printf("Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
                                "SignedHeaders=%s, Signature=%s",
                                s->key_id, scope.ptr, names.ptr, sign));
    gn_strs_clear(&folded);
    gn_buf_wipe(&canonical);
    gn_buf_clear(&names);
    gn_buf_clear(&scope);
    gn_buf_clear(&text);
    free(p.host);
    free(p.path);
    free(p.query);
}
