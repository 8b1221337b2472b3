/*
 * names.c - the names of one folder in order.
 *
 * Eight bytes behind what all have in common are compared as a number; mostly that decides.
 */
#include <string.h>

#include "walk.h"

#define RUN ((size_t)8) /* so few are sorted by insertion */

static size_t common(const struct gn_name *v, size_t n, const char *text)
{
    const char *first = text + v[0].at;
    size_t len = v[0].len;

    for (size_t i = 1; i < n && len; i++) {
        const char *other = text + v[i].at;

        len = len > v[i].len ? v[i].len : len;
        while (len && memcmp(first, other, len) != 0)
            len--;
    }
    return len;
}

/* Eight bytes may be read behind the name's end. */
static uint64_t key_of(const char *name, size_t len)
{
    const uint8_t *p = (const uint8_t *)name;
    uint64_t key = (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
                   (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
                   (uint64_t)p[6] << 8 | (uint64_t)p[7];

    return len >= 8 ? key : len ? key & ~(uint64_t)0 << (64 - 8 * len) : 0;
}

/* Names are not empty and hold no NUL, so that the shorter one, filled up with zeros, comes first. */
static bool is_before(const struct gn_name *a, const struct gn_name *b, const char *text)
{
    if (a->key != b->key)
        return a->key < b->key;
    return strcmp(text + a->at, text + b->at) < 0;
}

static void insert_runs(struct gn_name *v, size_t n, const char *text)
{
    for (size_t at = 0; at < n; at += RUN) {
        size_t end = n - at < RUN ? n : at + RUN;

        for (size_t i = at + 1; i < end; i++) {
            struct gn_name name = v[i];
            size_t k = i;

            for (; k > at && is_before(&name, &v[k - 1], text); k--)
                v[k] = v[k - 1];
            v[k] = name;
        }
    }
}

static void merge(struct gn_name *to, const struct gn_name *a, size_t n, const struct gn_name *b,
                  size_t m, const char *text)
{
    while (n && m) {
        bool first = !is_before(b, a, text);

        *to++ = first ? *a++ : *b++;
        n -= first;
        m -= !first;
    }
    if (n)
        memcpy(to, a, n * sizeof *a);
    if (m)
        memcpy(to, b, m * sizeof *b);
}

/* 1: rising; -1: falling, as some file systems list; 0: neither. */
static int direction(const struct gn_name *v, size_t n, const char *text)
{
    bool up = n > 1 && is_before(&v[0], &v[1], text);

    for (size_t i = 1; i < n; i++)
        if (is_before(&v[i - 1], &v[i], text) != up)
            return 0;
    return up || n < 2 ? 1 : -1;
}

static void reverse(struct gn_name *v, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct gn_name name = v[i];

        v[i] = v[n - 1 - i];
        v[n - 1 - i] = name;
    }
}

void gn_names_sort(struct gn_name *v, struct gn_name *spare, size_t n, const char *text)
{
    struct gn_name *from = v, *to = spare;
    size_t skip = n ? common(v, n, text) : 0;
    int way;

    for (size_t i = 0; i < n; i++)
        v[i].key = key_of(text + v[i].at + skip, v[i].len - skip);
    way = direction(v, n, text);
    if (way < 0)
        reverse(v, n);
    if (way)
        return;
    insert_runs(v, n, text);
    for (size_t len = RUN; len < n; len *= 2) {
        struct gn_name *was = from;

        for (size_t at = 0; at < n; at += 2 * len) {
            size_t left = n - at < len ? n - at : len;
            size_t right = n - at - left < len ? n - at - left : len;

            merge(to + at, from + at, left, from + at + left, right, text);
        }
        from = to;
        to = was;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
}
