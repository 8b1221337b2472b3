#include "awsfile.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/buf.h"

#define VALUE_MAX ((size_t)16 << 10)

static const char *const key_name[GN_AWS_KEYS] = {
    [GN_AWS_KEY_ID] = "aws_access_key_id",
    [GN_AWS_SECRET] = "aws_secret_access_key",
    [GN_AWS_TOKEN] = "aws_session_token",
    [GN_AWS_PROCESS] = "credential_process",
    [GN_AWS_ROLE] = "role_arn",
    [GN_AWS_SOURCE] = "source_profile",
    [GN_AWS_SOURCE_KIND] = "credential_source",
    [GN_AWS_EXTERNAL_ID] = "external_id",
    [GN_AWS_SESSION_NAME] = "role_session_name",
    [GN_AWS_MFA] = "mfa_serial",
    [GN_AWS_REGION] = "region",
    [GN_AWS_SSO_SESSION] = "sso_session",
    [GN_AWS_SSO_URL] = "sso_start_url",
    [GN_AWS_SSO_REGION] = "sso_region",
    [GN_AWS_SSO_ACCOUNT] = "sso_account_id",
    [GN_AWS_SSO_ROLE] = "sso_role_name",
};

void gn_aws_wipe(char *s)
{
    for (volatile char *p = s; p && *p; p++)
        *p = 0;
    free(s);
}

void gn_aws_profile_clear(struct gn_aws_profile *p)
{
    for (size_t i = 0; i < GN_AWS_KEYS; i++)
        gn_aws_wipe(p->v[i]);
    memset(p, 0, sizeof *p);
}

/* [from, from + len) without the blanks around it. */
static char *trimmed(const char *from, size_t len)
{
    while (len && isspace((unsigned char)*from)) {
        from++;
        len--;
    }
    while (len && isspace((unsigned char)from[len - 1]))
        len--;
    return gn_strndup(from, len);
}

/* "[profile x]" and "[ profile "x y" ]" of kind "profile" are "x" and "x y"; kind "": the whole. */
static bool is_section(const char *line, size_t len, const char *kind, const char *name)
{
    const char *end = memchr(line, ']', len);
    char *inner, *rest;
    size_t n = strlen(kind);
    bool yes;

    if (!end)
        return false;
    inner = trimmed(line + 1, (size_t)(end - line - 1));
    if (n && (strncmp(inner, kind, n) != 0 || !isspace((unsigned char)inner[n]))) {
        free(inner);
        return false;
    }
    rest = trimmed(inner + n, strlen(inner + n));
    n = strlen(rest);
    if (n >= 2 && (*rest == '"' || *rest == '\'') && rest[n - 1] == *rest) {
        rest[n - 1] = '\0';
        yes = strcmp(rest + 1, name) == 0;
    } else {
        yes = strcmp(rest, name) == 0;
    }
    free(inner);
    free(rest);
    return yes;
}

static void set(struct gn_aws_profile *p, const char *line, size_t len)
{
    size_t n = 0;
    char *key;

    while (n < len && line[n] != '=' && line[n] != ':')
        n++;
    if (n == len || len > VALUE_MAX)
        return;
    key = trimmed(line, n);
    for (char *c = key; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (size_t i = 0; i < GN_AWS_KEYS; i++) {
        char *value;

        if (strcmp(key, key_name[i]) != 0)
            continue;
        value = trimmed(line + n + 1, len - n - 1);
        gn_aws_wipe(p->v[i]);
        p->v[i] = value;
        if (!*value) {
            gn_aws_wipe(value);
            p->v[i] = NULL;
        }
    }
    free(key);
}

/* All sections of that kind and name. */
static void read_sections(const char *text, const char *kind, const char *name,
                          struct gn_aws_profile *p)
{
    bool in = false;

    while (*text) {
        size_t len = strcspn(text, "\n");

        if (*text == '[') {
            in = is_section(text, len, kind, name);
            p->found = p->found || in;
        } else if (in && !strchr("#; \t\r\n", *text)) {
            set(p, text, len);
        }
        text += len + (text[len] == '\n');
    }
}

/* A key and its secret belong together: never one of one file with one of the other. */
static void put_over(struct gn_aws_profile *under, struct gn_aws_profile *over)
{
    if (over->v[GN_AWS_KEY_ID])
        for (size_t i = GN_AWS_KEY_ID; i <= GN_AWS_TOKEN; i++) {
            gn_aws_wipe(under->v[i]);
            under->v[i] = NULL;
        }
    for (size_t i = 0; i < GN_AWS_KEYS; i++) {
        if (!over->v[i])
            continue;
        gn_aws_wipe(under->v[i]);
        under->v[i] = over->v[i];
        over->v[i] = NULL;
    }
    under->found = under->found || over->found;
}

void gn_aws_profile_read(const char *config, const char *credentials, const char *name,
                         struct gn_aws_profile *out)
{
    struct gn_aws_profile over = {0};

    memset(out, 0, sizeof *out);
    if (strcmp(name, "default") == 0)
        read_sections(config, "", name, out);
    read_sections(config, "profile", name, out);
    read_sections(credentials, "", name, &over);
    put_over(out, &over);
    gn_aws_profile_clear(&over);
    if (out->v[GN_AWS_SSO_SESSION]) {
        read_sections(config, "sso-session", out->v[GN_AWS_SSO_SESSION], &over);
        /* of a session only where and how to sign in: not what another profile's region is */
        gn_aws_wipe(over.v[GN_AWS_REGION]);
        over.v[GN_AWS_REGION] = NULL;
        put_over(out, &over);
        gn_aws_profile_clear(&over);
    }
}

bool gn_aws_words(const char *line, struct gn_strs *out)
{
    struct gn_buf word = GN_BUF_INIT(VALUE_MAX);
    bool in = false;
    char quote = 0;

    for (; *line; line++) {
        if (quote ? *line == quote : *line == '\'' || *line == '"') {
            quote = quote ? 0 : *line;
            in = true;
        } else if (*line == '\\' && quote != '\'' && line[1] &&
                   (!quote || line[1] == '"' || line[1] == '\\')) {
            gn_buf_addc(&word, *++line);
            in = true;
        } else if (!quote && isspace((unsigned char)*line)) {
            if (in)
                gn_strs_take(out, gn_buf_detach(&word));
            in = false;
        } else {
            gn_buf_addc(&word, *line);
            in = true;
        }
    }
    if (in)
        gn_strs_take(out, gn_buf_detach(&word));
    gn_buf_clear(&word);
    return !quote && out->n > 0;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days(int64_t y, int64_t m, int64_t d)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    int64_t last = y - 1;

    return (y - 1970) * 365 + last / 4 - last / 100 + last / 400 - 477 + before[m - 1] +
           (m > 2 && leap) + d - 1;
}

int64_t gn_aws_time(const char *s)
{
    int y, mo, d, h, mi, sec, n = 0;
    int zh = 0, zm = 0;
    int64_t at;

    if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &sec, &n) != 6 || !n)
        return 0;
    if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31 || h < 0 || h > 23 || mi < 0 || mi > 59 ||
        sec < 0 || sec > 60)
        return 0;
    s += n;
    if (*s == '.')
        s += 1 + strspn(s + 1, "0123456789");
    at = days(y, mo, d) * 86400 + (int64_t)h * 3600 + (int64_t)mi * 60 + sec;
    if (strcmp(s, "Z") == 0 || strcmp(s, "UTC") == 0 || !*s)
        return at;
    if ((*s == '+' || *s == '-') && sscanf(s + 1, "%2d:%2d", &zh, &zm) == 2 && zh >= 0 && zh < 24 &&
        zm >= 0 && zm < 60)
        return at - (*s == '-' ? -1 : 1) * ((int64_t)zh * 3600 + (int64_t)zm * 60);
    return 0;
}
