/*
 * sign - the headers that sign a request, for a test that compares them with other people's.
 *
 * Reads requests from stdin, each as lines "name value" with the value in hex: key, secret, token, region, service, method,
 * url, time, header (any number), body; an empty line ends one.  Writes the Authorization of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/hash.h"
#include "gnrrun/sigv4.h"

struct request {
    char *v[8];
    struct gn_strs headers;
    char *body;
};

static const char *const names[] = {"key",     "secret", "token", "region",
                                    "service", "method", "url",   "time"};

static char *unhex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    char *out = gn_calloc(n + 1, 1);

    if (!gn_unhex(hex, (uint8_t *)out, n))
        exit(2);
    return out;
}

static void take(struct request *r, char *line)
{
    char *hex = strchr(line, ' ');

    if (!hex)
        exit(2);
    *hex++ = '\0';
    if (strcmp(line, "header") == 0)
        gn_strs_take(&r->headers, unhex(hex));
    else if (strcmp(line, "body") == 0)
        r->body = unhex(hex);
    for (size_t i = 0; i < 8; i++)
        if (strcmp(line, names[i]) == 0)
            r->v[i] = unhex(hex);
}

static void answer(struct request *r)
{
    const struct gn_sigv4 s = {r->v[0], r->v[1], r->v[2], r->v[3], r->v[4]};
    struct gn_strs out = GN_STRS_INIT;

    gn_sigv4_sign(&s, r->v[5], r->v[6], &r->headers, r->body, r->body ? strlen(r->body) : 0,
                  strtoll(r->v[7], NULL, 10), &out);
    puts(out.v[out.n - 1]);
    gn_strs_clear(&out);
    gn_strs_clear(&r->headers);
    for (size_t i = 0; i < 8; i++)
        free(r->v[i]);
    free(r->body);
    memset(r, 0, sizeof *r);
}

int main(void)
{
    static char line[1 << 20];
    struct request r = {0};

    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line)
            take(&r, line);
        else
            answer(&r);
    }
    return 0;
}
