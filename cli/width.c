#include "cli/ui.h"

#include <stdint.h>
#include <string.h>

/* One character at s; *cols: what it takes (0 combining, 2 wide).  Broken bytes count 1. */
static size_t character(const unsigned char *s, size_t *cols)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 1;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            *cols = 1;
            return 1;
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    *cols = 1;
    if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200d) || (c >= 0xfe00 && c <= 0xfe0f))
        *cols = 0;
    else if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
             (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
             (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
             (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd))
        *cols = 2;
    return n;
}

size_t gn_width(const char *s)
{
    const unsigned char *start = (const unsigned char *)s, *p = start;
    size_t all, cols = 0;

    while (*p && *p < 0x80) /* nearly always that is all */
        p++;
    for (all = (size_t)(p - start); *p; all += cols)
        p += character(p, &cols);
    return all;
}

size_t gn_width_cut(const char *s, size_t max)
{
    const unsigned char *start = (const unsigned char *)s, *p = start;
    size_t all = 0, cols = 0;

    while (*p) {
        size_t n = character(p, &cols);

        if (all + cols > max)
            break;
        all += cols;
        p += n;
    }
    return (size_t)(p - start);
}
