#include "guard.h"

#include <string.h>

#include "gnrrun/ship.h"

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

const char *gn_guard_name(const char *path)
{
    for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++)
        if (gn_glob_match(by_name[i].pattern, path, false))
            return by_name[i].what;
    return NULL;
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
