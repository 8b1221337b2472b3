/* name.c - names that tell whose machine it is and until when, where no tag can. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gnrrun/hash.h"
#include "gnrrun/lease.h"

#define OWNER_MAX 12
#define CHECK     4 /* hex digits of the SHA-256 of all before them */

void gn_lease_owner(const struct gn_ctx *ctx, char out[24])
{
    size_t n = 0;

    for (const char *s = ctx->user ? ctx->user : ""; *s && n < OWNER_MAX; s++)
        if (isalnum((unsigned char)*s) && (unsigned char)*s < 0x80)
            out[n++] = (char)tolower((unsigned char)*s);
    out[n] = '\0';
    if (!n)
        snprintf(out, 24, "unknown");
}

static void check_of(const char *text, size_t len, char out[CHECK + 1])
{
    uint8_t sum[GN_HASH_LEN];

    gn_hash_data(text, len, sum);
    gn_hex(sum, CHECK / 2, out);
}

/* Base 36: names have little room. */
static void put_time(int64_t s, char out[16])
{
    char back[16];
    size_t n = 0;

    for (s = s > 0 ? s : 0; n == 0 || (s > 0 && n < 14); s /= 36)
        back[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"[s % 36];
    for (size_t i = 0; i < n; i++)
        out[i] = back[n - 1 - i];
    out[n] = '\0';
}

void gn_lease_name(const char *owner, int64_t deadline_s, char out[GN_LEASE_NAME])
{
    char until[16], chance[9], check[CHECK + 1];
    int n;

    put_time(deadline_s, until);
    gn_random_hex(chance, 4);
    n = snprintf(out, GN_LEASE_NAME, "gnr-%.*s-%s-%s", OWNER_MAX, owner, until, chance);
    check_of(out, (size_t)n, check);
    snprintf(out + n, GN_LEASE_NAME - (size_t)n, "-%s", check);
}

bool gn_lease_name_read(const char *name, char owner[24], int64_t *deadline_s)
{
    size_t len = strlen(name), n, digits;
    char check[CHECK + 1];
    int64_t until = 0;
    const char *p;

    if (len < CHECK + 6 || len >= GN_LEASE_NAME || strncmp(name, "gnr-", 4) != 0 ||
        name[len - CHECK - 1] != '-')
        return false;
    check_of(name, len - CHECK - 1, check);
    if (strcmp(check, name + len - CHECK) != 0)
        return false;
    n = strcspn(name + 4, "-");
    if (n == 0 || n > OWNER_MAX)
        return false;
    p = name + 4 + n + 1;
    digits = strspn(p, "0123456789abcdefghijklmnopqrstuvwxyz");
    if (digits == 0 || digits > 10 || p[digits] != '-')
        return false;
    for (size_t i = 0; i < digits; i++)
        until = until * 36 + (p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
    snprintf(owner, 24, "%.*s", (int)n, name + 4);
    *deadline_s = until;
    return true;
}
