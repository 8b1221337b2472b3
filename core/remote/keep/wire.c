#include "wire.h"

#include <string.h>

/* Numbers and texts of each; bytes: neither.  The last is of whatever else comes. */
static const struct shape {
    char kind;
    unsigned char nums, texts;
    bool bytes;
} shapes[] = {
    {GN_ASK_HELLO, 1, 2, false},   {GN_ASK_DIAL, 4, 6, false},    {GN_ASK_ANSWER, 1, 3, false},
    {GN_ASK_EXEC, 3, 2, false},    {GN_ASK_FORWARD, 1, 1, false}, {GN_ASK_DATA, 0, 0, true},
    {GN_ASK_EOF, 0, 0, false},     {GN_ASK_WINDOW, 2, 0, false},  {GN_ASK_EXPECT, 1, 0, false},
    {GN_ASK_RATE, 0, 0, false},    {GN_ASK_END, 0, 0, false},     {GN_SAY_WELCOME, 1, 0, false},
    {GN_SAY_REFUSED, 1, 2, false}, {GN_SAY_EVENT, 1, 1, false},   {GN_SAY_QUESTION, 2, 2, false},
    {GN_SAY_OPENED, 0, 0, false},  {GN_SAY_DATA, 0, 0, true},     {GN_SAY_STDERR, 0, 0, true},
    {GN_SAY_ENDED, 0, 0, false},   {GN_SAY_STATUS, 1, 0, false},  {GN_SAY_RATE, 1, 0, false},
    {GN_SAY_BYE, 0, 0, false},     {'\0', 0, 0, false},
};

static const struct shape *shape_of(char kind)
{
    const struct shape *s = shapes;

    while (s->kind && s->kind != kind)
        s++;
    return s;
}

static void put(char *out, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (char)(n >> (8 * (bytes - 1 - i)) & 0xff);
}

static uint64_t get(const char *in, size_t bytes)
{
    uint64_t n = 0;

    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | (unsigned char)in[i];
    return n;
}

void gn_wire_head(char out[GN_WIRE_HEAD], char kind, size_t len)
{
    out[0] = kind;
    put(out + 1, len, 4);
}

void gn_wire_add(struct gn_buf *out, const struct gn_wire *w)
{
    const struct shape *shape = shape_of(w->kind);
    struct gn_buf body = GN_BUF_INIT(GN_WIRE_MAX);
    char n[8];

    for (size_t i = 0; i < shape->nums; i++) {
        put(n, (uint64_t)w->num[i], 8);
        gn_buf_add(&body, n, 8);
    }
    for (size_t i = 0; i < shape->texts; i++) {
        size_t len = w->text[i] ? strlen(w->text[i]) + 1 : 0;

        put(n, len, 4);
        gn_buf_add(&body, n, 4);
        gn_buf_add(&body, w->text[i] ? w->text[i] : "", len);
    }
    if (shape->bytes)
        gn_buf_add(&body, w->data, w->len);
    gn_wire_head(n, w->kind, body.len);
    gn_buf_add(out, n, GN_WIRE_HEAD);
    gn_buf_add(out, body.ptr, body.len);
    out->over = out->over || gn_buf_over(&body);
    gn_buf_wipe(&body); /* it may have been an answer */
}

int gn_wire_body(const char *data, size_t *len, struct gn_err *err)
{
    size_t n = (size_t)get(data + 1, 4);

    if (!shape_of(*data)->kind || n > GN_WIRE_MAX)
        return gn_err_set(err, GN_E_PROTO, "the other end of a kept connection speaks otherwise");
    *len = n;
    return GN_OK;
}

/* Fields of a body; false: they are not those that they ought to be. */
static bool read_fields(const struct shape *shape, const char *p, size_t len, struct gn_wire *out)
{
    const char *end = p + len;

    for (size_t i = 0; i < shape->nums; i++, p += 8) {
        if (end - p < 8)
            return false;
        out->num[i] = (int64_t)get(p, 8);
    }
    for (size_t i = 0; i < shape->texts; i++) {
        size_t n;

        if (end - p < 4)
            return false;
        n = (size_t)get(p, 4);
        p += 4;
        if (n > (size_t)(end - p) || (n && memchr(p, '\0', n) != p + n - 1))
            return false;
        out->text[i] = n ? p : NULL;
        p += n;
    }
    if (shape->bytes) {
        out->data = p;
        out->len = len;
        return true;
    }
    return p == end;
}

int gn_wire_read(const char *data, size_t len, struct gn_wire *out, size_t *used,
                 struct gn_err *err)
{
    struct gn_wire w = {.kind = len ? *data : '\0'};
    size_t body = 0;
    int rc;

    *used = 0;
    if (len < GN_WIRE_HEAD)
        return GN_OK;
    rc = gn_wire_body(data, &body, err);
    if (rc || len - GN_WIRE_HEAD < body)
        return rc;
    if (!read_fields(shape_of(w.kind), data + GN_WIRE_HEAD, body, &w))
        return gn_err_set(err, GN_E_PROTO, "the other end of a kept connection sent half a word");
    *out = w;
    *used = GN_WIRE_HEAD + body;
    return GN_OK;
}
