#include "wire.h"

#include <string.h>

void gn_wire_put(struct gn_buf *b, uint64_t v, unsigned bytes)
{
    char raw[8];

    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (char)(uint8_t)(v >> (8 * i));
    gn_buf_add(b, raw, bytes);
}

void gn_wire_puts(struct gn_buf *b, const char *s)
{
    size_t n = strlen(s);

    gn_wire_put(b, n, 2);
    gn_buf_add(b, s, n);
}

static const uint8_t *take(struct gn_wire *w, size_t n)
{
    const uint8_t *p = w->p;

    if (w->bad || n > (size_t)(w->end - w->p)) {
        w->bad = true;
        return NULL;
    }
    w->p += n;
    return p;
}

uint64_t gn_wire_get(struct gn_wire *w, unsigned bytes)
{
    const uint8_t *p = take(w, bytes);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

void gn_wire_copy(struct gn_wire *w, void *out, size_t n)
{
    const uint8_t *p = take(w, n);

    if (p)
        memcpy(out, p, n);
    else
        memset(out, 0, n);
}

const char *gn_wire_gets(struct gn_wire *w, size_t *len)
{
    size_t n = (size_t)gn_wire_get(w, 2);
    const uint8_t *p = take(w, n);

    *len = p ? n : 0;
    return p ? (const char *)p : "";
}
