/* hostspec.c - nothing that could be an option or a piece of shell gets through here. */
#include "hostspec.h"

#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"

#define MAX_PART 255

static bool is_part(const char *s, size_t n, const char *refused)
{
    if (n == 0 || n > MAX_PART || *s == '-')
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c <= 0x20 || c >= 0x7f || strchr("'`\"$\\;&<>|(){}*?!#,", c) || strchr(refused, c))
            return false;
    }
    return true;
}

bool gn_is_host(const char *s)
{
    return is_part(s, strlen(s), "@/[]");
}

bool gn_is_user(const char *s)
{
    return is_part(s, strlen(s), "/[]:");
}

static bool parse_port(const char *s, int *out)
{
    char *end;
    long v;

    if (strlen(s) > 5 || strspn(s, "0123456789") != strlen(s))
        return false;
    v = strtol(s, &end, 10);
    *out = (int)v;
    return v >= 1 && v <= 65535;
}

/* host, host:port, [address], [address]:port; an address with several colons has no port. */
static bool parse_host(const char *s, char **host, int *port)
{
    const char *end = s + strlen(s), *colon = strchr(s, ':');

    *port = 0;
    if (*s == '[') {
        end = strchr(++s, ']');
        if (!end || (end[1] && (end[1] != ':' || !parse_port(end + 2, port))))
            return false;
    } else if (colon && !strchr(colon + 1, ':')) {
        end = colon;
        if (!parse_port(colon + 1, port))
            return false;
    }
    if (!is_part(s, (size_t)(end - s), "@/[]"))
        return false;
    *host = gn_strndup(s, (size_t)(end - s));
    return true;
}

bool gn_hostspec_parse(const char *s, struct gn_hostspec *out)
{
    struct gn_hostspec h = {0};
    const char *at = strrchr(s, '@');

    if (at) {
        h.user = gn_strndup(s, (size_t)(at - s));
        if (!gn_is_user(h.user))
            goto bad;
        s = at + 1;
    }
    if (!parse_host(s, &h.host, &h.port))
        goto bad;
    *out = h;
    return true;
bad:
    gn_hostspec_clear(&h);
    return false;
}

void gn_hostspec_clear(struct gn_hostspec *h)
{
    free(h->user);
    free(h->host);
    memset(h, 0, sizeof *h);
}

bool gn_is_jump(const char *s)
{
    if (strcmp(s, "none") == 0)
        return true;
    for (;;) {
        size_t n = strcspn(s, ",");
        char *one = gn_strndup(s, n);
        struct gn_hostspec h = {0};
        bool good = gn_hostspec_parse(one, &h);

        gn_hostspec_clear(&h);
        free(one);
        if (!good || !s[n])
            return good;
        s += n + 1;
    }
}
