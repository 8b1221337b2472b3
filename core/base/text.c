/* text.c - sizes, times and near misses as people write them. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gnrrun/buf.h"
#include "gnrrun/mem.h"

char *gn_fmt_bytes(uint64_t bytes, char out[32])
{
    static const char *const unit[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)bytes;
    size_t u = 0;

    if (bytes < 1000) {
        snprintf(out, 32, "%d B", (int)bytes);
        return out;
    }
    for (v /= 1000; v >= 999.5 && u + 1 < sizeof unit / sizeof *unit; u++)
        v /= 1000;
    snprintf(out, 32, v < 9.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
    return out;
}

char *gn_fmt_files(uint64_t files, uint64_t bytes, char out[64])
{
    char size[32];

    snprintf(out, 64, "%" PRIu64 " file%s, %s", files, files == 1 ? "" : "s",
             gn_fmt_bytes(bytes, size));
    return out;
}

/* "3 h": a list has thousands of these, and printf takes its time. */
static char *add_unit(char *to, int64_t n, char unit)
{
    char digits[20];
    size_t i = sizeof digits;

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    memcpy(to, digits + i, sizeof digits - i);
    to += sizeof digits - i;
    *to++ = ' ';
    *to++ = unit;
    *to = '\0';
    return to;
}

char *gn_fmt_seconds(int64_t s, char out[32])
{
    char *end = out;

    if (s < 0)
        s = 0;
    if (s >= 86400)
        end = add_unit(end, s / 86400, 'd');
    else if (s >= 3600)
        end = add_unit(end, s / 3600, 'h');
    else if (s >= 60)
        end = add_unit(end, s / 60, 'm');
    if (end > out)
        *end++ = ' ';
    if (s >= 86400)
        add_unit(end, s / 3600 % 24, 'h');
    else if (s >= 3600)
        add_unit(end, s / 60 % 60, 'm');
    else
        add_unit(end, s % 60, 's');
    return out;
}

bool gn_parse_bytes(const char *s, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } unit[] = {
        {"", 1},
        {"b", 1},
        {"k", 1000},
        {"kb", 1000},
        {"kib", 1ULL << 10},
        {"m", 1000000},
        {"mb", 1000000},
        {"mib", 1ULL << 20},
        {"g", 1000000000},
        {"gb", 1000000000},
        {"gib", 1ULL << 30},
        {"t", 1000000000000ULL},
        {"tb", 1000000000000ULL},
        {"tib", 1ULL << 40},
    };
    char *end;
    double v;

    if (!isdigit((unsigned char)*s) || s[strspn(s, "0123456789.")] == 'x')
        return false;
    errno = 0;
    v = strtod(s, &end);
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
        if (strcasecmp(end, unit[i].name) != 0)
            continue;
        v *= (double)unit[i].factor;
        if (errno || v < 0 || v > 9e18)
            return false;
        *out = (uint64_t)v;
        return true;
    }
    return false;
}

/* [D-]HH:MM:SS, MM:SS: as batch systems write limits. */
static bool parse_clock(const char *s, int64_t *out)
{
    int64_t days = 0, part[3] = {0};
    const char *dash = strchr(s, '-');
    size_t n = 0;
    char *end;

    if (dash) {
        days = strtoll(s, &end, 10);
        if (end != dash || days > 36500)
            return false;
        s = dash + 1;
    }
    for (;;) {
        if (n == 3 || !isdigit((unsigned char)*s))
            return false;
        part[n++] = strtoll(s, &end, 10);
        if (part[n - 1] > 1000000)
            return false;
        if (!*end)
            break;
        if (*end != ':')
            return false;
        s = end + 1;
    }
    if (n == 1 && !dash)
        return false;
    if (n == 3 || dash)
        *out = days * 86400 + part[0] * 3600 + part[1] * 60 + part[2];
    else
        *out = part[0] * 60 + part[1];
    return true;
}

bool gn_parse_seconds(const char *s, int64_t *out)
{
    int64_t sum = 0;

    if (strpbrk(s, ":-"))
        return parse_clock(s, out);
    do {
        char *end;
        double v, factor;

        if (!isdigit((unsigned char)*s) || s[strspn(s, "0123456789.")] == 'x')
            return false;
        v = strtod(s, &end);
        while (*end == ' ')
            end++;
        switch (tolower((unsigned char)*end)) {
        case '\0':
        case 's':
            factor = 1;
            break;
        case 'm':
            factor = 60;
            break;
        case 'h':
            factor = 3600;
            break;
        case 'd':
            factor = 86400;
            break;
        case 'w':
            factor = 604800;
            break;
        default:
            return false;
        }
        if (v * factor > 1e10)
            return false;
        sum += (int64_t)(v * factor + 0.5);
        s = *end ? end + 1 : end;
        while (*s == ' ')
            s++;
    } while (*s);
    *out = sum;
    return true;
}

bool gn_parse_money(const char *s, int64_t *out)
{
    int64_t v = 0;
    int digits = 0, decimals = -1;

    if (*s == '$')
        s++;
    for (; *s; s++) {
        if (*s == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (!isdigit((unsigned char)*s) || decimals == 6 || ++digits > 15)
            return false;
        v = v * 10 + (*s - '0');
        if (decimals >= 0)
            decimals++;
    }
    if (!digits || decimals == 0)
        return false;
    for (int d = decimals < 0 ? 0 : decimals; d < 6; d++) {
        if (v > INT64_MAX / 10)
            return false;
        v *= 10;
    }
    *out = v;
    return true;
}

char *gn_fmt_money(int64_t microusd, char out[32])
{
    int64_t cents = (microusd + 9999) / 10000;

    if (microusd < 0)
        snprintf(out, 32, "unknown");
    else if (microusd < 100000) /* up to a tenth of a cent more: never less than it is */
        snprintf(out, 32, "$%" PRId64 ".%03" PRId64, (microusd + 999) / 1000000,
                 (microusd + 999) / 1000 % 1000);
    else
        snprintf(out, 32, "$%" PRId64 ".%02" PRId64, cents / 100, cents % 100);
    return out;
}

void gn_buf_addb64(struct gn_buf *b, const void *data, size_t len, bool url)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (n > 2 ? (uint32_t)p[i + 2] : 0);

        for (size_t k = 0; k < 4; k++) {
            unsigned d = v >> (18 - 6 * k) & 63;

            if (k <= n)
                gn_buf_addc(b, d < 62 ? digit[d] : d == 62 ? (url ? '-' : '+') : url ? '_' : '/');
            else if (!url)
                gn_buf_addc(b, '=');
        }
    }
}

unsigned gn_edit_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned d[3][66];

    if (la > 64 || lb > 64)
        return 1000;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned v = up[j - 1] + (a[i - 1] != b[j - 1]);

            if (up[j] + 1 < v)
                v = up[j] + 1;
            if (row[j - 1] + 1 < v)
                v = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < v)
                v = up2[j - 2] + 1;
            row[j] = v;
        }
    }
    return d[la % 3][lb];
}
