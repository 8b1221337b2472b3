/* hostlist.c - "pc[01-40].lab": many hosts in one word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"
#include "hostspec.h"

/* A number of at most 6 digits at *p, and how it is written. */
static bool read_number(const char **p, long *out, int *digits)
{
    size_t n = strspn(*p, "0123456789");
    char text[8];

    if (n == 0 || n > 6)
        return false;
    memcpy(text, *p, n);
    text[n] = '\0';
    *out = strtol(text, NULL, 10);
    *digits = (int)n;
    *p += n;
    return true;
}

static bool expand(const char *head, const char *rest, struct gn_strs *out);

/* One number of a bracket, and all that may come behind it. */
static bool add_number(const char *head, size_t head_len, long n, int width, const char *rest,
                       struct gn_strs *out)
{
    char *next = gn_printf("%.*s%0*ld", (int)head_len, head, width, n);
    bool good = expand(next, rest, out);

    free(next);
    return good;
}

/* "01-03,7]..." behind head's bracket. */
static bool expand_bracket(const char *head, size_t head_len, const char *p, struct gn_strs *out)
{
    const char *end = strchr(p, ']');

    if (!end || end == p)
        return false;
    for (;;) {
        long from, to;
        int width, ignored;

        if (!read_number(&p, &from, &width))
            return false;
        to = from;
        if (*p == '-') {
            p++;
            if (!read_number(&p, &to, &ignored) || to < from)
                return false;
        }
        for (long n = from; n <= to; n++)
            if (!add_number(head, head_len, n, width, end + 1, out))
                return false;
        if (p == end)
            return true;
        if (*p++ != ',')
            return false;
    }
}

/* head is done with; of rest the first bracket is next. */
static bool expand(const char *head, const char *rest, struct gn_strs *out)
{
    const char *open = strchr(rest, '[');
    char *all;
    bool good = true;

    if (open) {
        all = gn_printf("%s%.*s", head, (int)(open - rest), rest);
        good = expand_bracket(all, strlen(all), open + 1, out);
    } else {
        all = gn_printf("%s%s", head, rest);
        good = gn_is_host(all) && out->n < GN_HOSTS_MAX;
        for (size_t i = 0; good && i < out->n; i++)
            good = strcmp(out->v[i], all) != 0;
        if (good)
            gn_strs_add(out, all);
    }
    free(all);
    return good;
}

bool gn_hostlist_expand(const char *text, struct gn_strs *out)
{
    return strlen(text) <= 512 && expand("", text, out);
}
