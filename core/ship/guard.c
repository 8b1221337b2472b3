#include "guard.h"

#include <stdlib.h>
#include <string.h>

#include "ignore.h"

static const struct {
    const char *pattern;
    const char *what; /* NULL: harmless, although a later line would say otherwise */
} by_name[] = {
    {".env.example", NULL},
    {".env.sample", NULL},
    {".env.template", NULL},
    {".env.dist", NULL},
    {".env", "environment secrets"},
    {".env.*", "environment secrets"},
    {"**/.ssh/**", "SSH keys"},
    {"**/.gnupg/**", "GnuPG keys"},
    {"id_rsa", "a private key"},
    {"id_dsa", "a private key"},
    {"id_ecdsa", "a private key"},
    {"id_ed25519", "a private key"},
    {"id_ecdsa_sk", "a private key"},
    {"id_ed25519_sk", "a private key"},
    {"*.p12", "a private key"},
    {"*.pfx", "a private key"},
    {".netrc", "passwords"},
    {"**/.aws/credentials", "AWS credentials"},
    {"**/.kaggle/kaggle.json", "a Kaggle token"},
    {"kaggle.json", "a Kaggle token"},
    {".pypirc", "passwords"},
    {".git-credentials", "passwords"},
};

#define N_NAMES (sizeof by_name / sizeof *by_name)

const char *gn_guard_name(const char *path)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (gn_glob_match(by_name[i].pattern, path, false))
            return by_name[i].what;
    return NULL;
}

struct gn_guard {
    struct gn_ignore *names;
    struct gn_ignore_filter filter;
};

struct gn_guard *gn_guard_new(void)
{
    struct gn_guard *g = gn_new(struct gn_guard);
    struct gn_buf text = GN_BUF_INIT(GN_MAX_LINE);

    /* Here the first one counts, there the last. */
    for (size_t i = N_NAMES; i-- > 0;) {
        if (!strchr(by_name[i].pattern, '/'))
            gn_buf_adds(&text, by_name[i].pattern);
        gn_buf_addc(&text, '\n');
    }
    g->names = gn_ignore_new();
    gn_ignore_add(g->names, "", "guard", text.ptr, text.len);
    gn_ignore_filter_add(&g->filter, g->names);
    gn_buf_clear(&text);
    return g;
}

void gn_guard_free(struct gn_guard *g)
{
    if (!g)
        return;
    gn_ignore_free(g->names);
    free(g);
}

const char *gn_guard_file(const struct gn_guard *g, const char *path, const char *name, size_t len,
                          bool is_hidden)
{
    struct gn_verdict v;

    /* every pattern with a folder in it names one that begins with "." */
    if (is_hidden)
        return gn_guard_name(path);
    if (!gn_ignore_may(&g->filter, name, len, false))
        return NULL;
    gn_ignore_match(g->names, name, false, &v);
    return v.source ? by_name[N_NAMES - v.line].what : NULL;
}

static const char *find(const char *in, size_t len, const char *what)
{
    size_t n = strlen(what);

    for (const char *p = in; len >= n && p <= in + len - n; p++) {
        p = memchr(p, what[0], (size_t)(in + len - n - p) + 1);
        if (!p)
            return NULL;
        if (!memcmp(p, what, n))
            return p;
    }
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "-----BEGIN ... PRIVATE KEY-----" as a line of its own; anywhere in the head, or only as its first. */
static bool has_private_key(const char *head, size_t len, bool anywhere)
{
    const char *end = head + len, *p = head, *found;

    while (p < end && is_blank(*p))
        p++;
    while ((found = find(p, (size_t)(end - p), "-----BEGIN ")) != NULL) {
        const char *nl = memchr(found, '\n', (size_t)(end - found));

        if (found > p && !anywhere)
            return false;
        if ((found == head || is_blank(found[-1])) &&
            find(found, (size_t)((nl ? nl : end) - found), "PRIVATE KEY-----"))
            return true;
        if (!anywhere)
            return false;
        p = found + 1;
    }
    return false;
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);

    return n >= k && !strcmp(s + n - k, tail);
}

const char *gn_guard_content(const char *path, const uint8_t *head, size_t len)
{
    const char *text = (const char *)head;
    bool keyish = ends_with(path, ".pem") || ends_with(path, ".key");

    if (len > GN_GUARD_HEAD)
        len = GN_GUARD_HEAD;
    if (has_private_key(text, len, keyish))
        return "a private key";
    if (ends_with(path, ".json") && find(text, len, "\"private_key\"") &&
        find(text, len, "PRIVATE KEY-----"))
        return "a service account's key";
    return NULL;
}
