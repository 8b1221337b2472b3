#include "gnrrun/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
    static const char msg[] =
        "gnrrun: out of memory; what runs elsewhere goes on: 'gnrrun ps' shows it\n";

    if (write(STDERR_FILENO, msg, sizeof msg - 1) < 0)
        abort();
    abort();
}

void *gn_calloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *gn_realloc(void *p, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        out_of_memory();
    p = realloc(p, n && size ? n * size : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *gn_strndup(const char *s, size_t n)
{
    size_t len = 0;
    char *copy;

    while (len < n && s[len])
        len++;
    copy = gn_calloc(len + 1, 1);
    memcpy(copy, s, len);
    return copy;
}

char *gn_strdup(const char *s)
{
    return s ? gn_strndup(s, strlen(s)) : NULL;
}

char *gn_printf(const char *fmt, ...)
{
    va_list ap;
    int n;
    char *s;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory();
    s = gn_calloc((size_t)n + 1, 1);
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

void gn_strs_take(struct gn_strs *s, char *str)
{
    GN_GROW(s->v, s->n, s->cap);
    s->v[s->n++] = str;
}

void gn_strs_add(struct gn_strs *s, const char *str)
{
    gn_strs_take(s, gn_strdup(str));
}

void gn_strs_copy(struct gn_strs *to, const struct gn_strs *from)
{
    for (size_t i = 0; i < from->n; i++)
        gn_strs_add(to, from->v[i]);
}

void gn_strs_clear(struct gn_strs *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    s->v = NULL;
    s->n = s->cap = 0;
}
