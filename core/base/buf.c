#include "gnrrun/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"

char gn_buf_empty[1];

void gn_buf_clear(struct gn_buf *b)
{
    if (b->cap)
        free(b->ptr);
    b->ptr = gn_buf_empty;
    b->len = b->cap = 0;
    b->over = false;
}

void gn_buf_wipe(struct gn_buf *b)
{
    volatile char *p = b->ptr;

    for (size_t i = 0; i < b->cap; i++)
        p[i] = 0;
    gn_buf_clear(b);
}

void gn_buf_reset(struct gn_buf *b)
{
    b->len = 0;
    b->over = false;
    if (b->cap)
        b->ptr[0] = '\0';
}

bool gn_buf_over(const struct gn_buf *b)
{
    return b->over;
}

char *gn_buf_detach(struct gn_buf *b)
{
    char *s = b->cap ? b->ptr : gn_strdup("");

    b->ptr = gn_buf_empty;
    b->len = b->cap = 0;
    b->over = false;
    return s;
}

char *gn_buf_room(struct gn_buf *b, size_t n)
{
    size_t need;

    if (b->over || n > b->max || b->len > b->max - n) {
        b->over = true;
        return NULL;
    }
    need = b->len + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;

        while (cap < need)
            cap *= 2;
        b->ptr = gn_realloc(b->cap ? b->ptr : NULL, cap, 1);
        b->cap = cap;
        b->ptr[b->len] = '\0';
    }
    return b->ptr + b->len;
}

void gn_buf_commit(struct gn_buf *b, size_t n)
{
    b->len += n;
    if (b->cap)
        b->ptr[b->len] = '\0';
}

void gn_buf_add(struct gn_buf *b, const void *data, size_t len)
{
    char *to;

    if (!len || !(to = gn_buf_room(b, len)))
        return;
    memcpy(to, data, len);
    gn_buf_commit(b, len);
}

void gn_buf_adds(struct gn_buf *b, const char *s)
{
    gn_buf_add(b, s, strlen(s));
}

void gn_buf_addc(struct gn_buf *b, char c)
{
    gn_buf_add(b, &c, 1);
}

void gn_buf_vaddf(struct gn_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;
    char *to;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0 && (to = gn_buf_room(b, (size_t)n)) != NULL) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        gn_buf_commit(b, (size_t)n);
    }
    va_end(again);
}

void gn_buf_addf(struct gn_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    gn_buf_vaddf(b, fmt, ap);
    va_end(ap);
}

static void add_quoted(struct gn_buf *b, const char *s, bool one_line)
{
    size_t start = b->len;

    gn_buf_addc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            gn_buf_adds(b, "'\\''");
        else if (*s == '\n' && one_line)
            gn_buf_adds(b, "'\"$nl\"'");
        else
            gn_buf_addc(b, *s);
    }
    gn_buf_addc(b, '\'');
    if (b->over && b->cap) { /* half a quoted word is a shell's worst food */
        b->len = start;
        b->ptr[start] = '\0';
    }
}

void gn_buf_addsh(struct gn_buf *b, const char *s)
{
    add_quoted(b, s, false);
}

void gn_buf_addshline(struct gn_buf *b, const char *s)
{
    add_quoted(b, s, true);
}

/* Length of the valid UTF-8 character at s that is no control character; 0: escape one byte. */
static size_t printable(const unsigned char *s, size_t len)
{
    uint32_t c;
    size_t n;

    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (!n || n > len || s[0] > 0xf4)
        return 0;
    c = s[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fU);
    }
    if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
        return 0;
    if (c < 0xa0 || (c >= 0xd800 && c < 0xe000))
        return 0;
    /* what turns a line around or hides in it */
    if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
        (c >= 0x2066 && c <= 0x2069))
        return 0;
    return n;
}

/* How many characters of plain ASCII s begins with. */
static size_t plain(const unsigned char *s, size_t len)
{
    size_t n = 0;

    while (n < len && s[n] >= 0x20 && s[n] < 0x7f)
        n++;
    return n;
}

void gn_buf_addsafe(struct gn_buf *b, const char *s, size_t len, size_t max)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t start = b->len;

    for (size_t i = 0; i < len;) {
        size_t left = b->len - start < max ? max - (b->len - start) : 0;
        size_t n = plain(u + i, len - i < left ? len - i : left);

        if (!n)
            n = printable(u + i, len - i);
        if (b->len - start + (n ? n : 4) > max) {
            gn_buf_adds(b, "...");
            return;
        }
        if (n)
            gn_buf_add(b, u + i, n);
        else
            gn_buf_addf(b, "\\x%02x", u[i]);
        i += n ? n : 1;
    }
}

void gn_buf_drop(struct gn_buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->ptr, b->ptr + n, b->len - n);
        b->len -= n;
    }
    if (b->cap)
        b->ptr[b->len] = '\0';
}
