#include "cli/metrics.h"

#include <stdbool.h>
#include <string.h>

#define NAME_CHARS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./@"
#define NUMBER_CHAR "0123456789.eE+-"

static bool is_in(const char *set, char c)
{
    return c && strchr(set, c);
}

/* The name that ends before `end`, which may stand in quotes.  Its first byte, or NULL. */
static const char *name_before(const char *line, const char *end, size_t *len)
{
    const char *p = end;

    while (p > line && (p[-1] == ' ' || p[-1] == '\'' || p[-1] == '"'))
        p--;
    end = p;
    while (p > line && is_in(NAME_CHARS, p[-1]))
        p--;
    while (p < end && is_in("0123456789./@", *p))
        p++;
    *len = (size_t)(end - p);
    return *len > 0 && *len < sizeof((struct gn_metric *)0)->name ? p : NULL;
}

/* What a training run that goes wrong prints. */
static size_t no_number_at(const char *p, const char *end)
{
    static const char *const words[] = {"nan", "NaN", "inf", "-inf"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);

        if ((size_t)(end - p) >= n && strncmp(p, words[i], n) == 0 &&
            (p + n == end || !is_in(NAME_CHARS, p[n])))
            return n;
    }
    return 0;
}

/* "-0.5e-3" at p; its length, or 0. */
static size_t number_at(const char *p, const char *end)
{
    size_t n = no_number_at(p, end), digits = 0;

    if (n)
        return n;
    while (p + n < end && is_in(NUMBER_CHAR, p[n])) {
        digits += is_in("0123456789", p[n]);
        n++;
    }
    /* a date, a time, a version, a path */
    if (!digits || (p + n < end && is_in(NAME_CHARS ":", p[n])))
        return 0;
    while (n && is_in(".eE+-", p[n - 1]))
        n--;
    return n < sizeof((struct gn_metric *)0)->value ? n : 0;
}

static void put(struct gn_metric *out, size_t *n, const char *name, size_t name_len,
                const char *value, size_t value_len)
{
    size_t i = 0;

    while (i < *n && (strncmp(out[i].name, name, name_len) != 0 || out[i].name[name_len]))
        i++;
    if (i == GN_METRICS_MAX)
        return;
    memset(&out[i], 0, sizeof out[i]);
    memcpy(out[i].name, name, name_len);
    memcpy(out[i].value, value, value_len);
    *n += i == *n;
}

static size_t of_line(const char *line, const char *end, struct gn_metric *out)
{
    size_t n = 0;

    for (const char *p = line; p < end; p++) {
        size_t name_len, value_len;
        const char *name, *value = p + 1;

        if (*p != '=' && *p != ':')
            continue;
        name = name_before(line, p, &name_len);
        while (value < end && *value == ' ')
            value++;
        value_len = number_at(value, end);
        if (name && value_len)
            put(out, &n, name, name_len, value, value_len);
    }
    return n;
}

size_t gn_metrics_last(const char *text, size_t len, struct gn_metric *out)
{
    const char *end = text + len;

    while (end > text) {
        const char *line = end;
        size_t n;

        while (line > text && line[-1] != '\n' && line[-1] != '\r')
            line--;
        n = of_line(line, end, out);
        if (n)
            return n;
        end = line > text ? line - 1 : text;
    }
    return 0;
}
