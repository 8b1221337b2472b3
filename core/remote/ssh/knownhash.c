/*
 * knownhash.c - the hashed form of a name in known_hosts: HMAC-SHA1 (FIPS 180-4, RFC 2104).
 *
 * Only to hide names, as OpenSSH's HashKnownHosts does; nothing is secured by it.
 * libssh reads this form but cannot write it.
 */
#include "sshtext.h"

#include <string.h>

#define BLOCK 64
#define SHA1  20

static uint32_t rol(uint32_t v, int n)
{
    return v << n | v >> (32 - n);
}

static void one_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80], s[5];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 80; i++) {
        uint32_t f, k, t;

        if (i < 20) {
            f = (s[1] & s[2]) | (~s[1] & s[3]);
            k = 0x5a827999;
        } else if (i < 40) {
            f = s[1] ^ s[2] ^ s[3];
            k = 0x6ed9eba1;
        } else if (i < 60) {
            f = (s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3]);
            k = 0x8f1bbcdc;
        } else {
            f = s[1] ^ s[2] ^ s[3];
            k = 0xca62c1d6;
        }
        t = rol(s[0], 5) + f + s[4] + k + w[i];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = rol(s[1], 30);
        s[1] = s[0];
        s[0] = t;
    }
    for (int i = 0; i < 5; i++)
        h[i] += s[i];
}

/* SHA-1 of a block of 64 bytes followed by len bytes of data. */
static void sha1(const uint8_t first[BLOCK], const void *data, size_t len, uint8_t out[SHA1])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint8_t *p = data;
    uint64_t bits = (uint64_t)(BLOCK + len) * 8;
    uint8_t last[2 * BLOCK] = {0};
    size_t n;

    one_block(h, first);
    for (; len >= BLOCK; len -= BLOCK, p += BLOCK)
        one_block(h, p);
    memcpy(last, p, len);
    last[len] = 0x80;
    n = len + 9 > BLOCK ? 2 * BLOCK : BLOCK;
    for (int i = 0; i < 8; i++)
        last[n - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
    for (size_t at = 0; at < n; at += BLOCK)
        one_block(h, last + at);
    for (int i = 0; i < SHA1; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

void gn_known_hash(const uint8_t salt[20], const char *name, struct gn_buf *out)
{
    uint8_t inner[BLOCK], outer[BLOCK], sum[SHA1];

    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t key = i < SHA1 ? salt[i] : 0;

        inner[i] = key ^ 0x36;
        outer[i] = key ^ 0x5c;
    }
    sha1(inner, name, strlen(name), sum);
    sha1(outer, sum, SHA1, sum);
    gn_buf_adds(out, "|1|");
    gn_b64_add(out, salt, SHA1);
    gn_buf_addc(out, '|');
    gn_b64_add(out, sum, SHA1);
}
