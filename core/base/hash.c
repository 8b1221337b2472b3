#include "gnrrun/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/mem.h"
#include "libcrypto.h"

struct gn_hash {
    EVP_MD_CTX *ctx;
};

static EVP_MD *sha256; /* looked up once: that takes as long as to hash a small file */

/* SHA-256 of OpenSSL can only fail for want of memory or of the algorithm itself. */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

static void look_up(void)
{
    gn_libcrypto_need();
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sha256 != NULL);
}

static void need(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, look_up);
}

struct gn_hash *gn_hash_new(void)
{
    struct gn_hash *h = gn_new(struct gn_hash);

    need();
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL);
    gn_hash_reset(h);
    return h;
}

void gn_hash_reset(struct gn_hash *h)
{
    must(EVP_DigestInit_ex2(h->ctx, sha256, NULL));
}

void gn_hash_add(struct gn_hash *h, const void *data, size_t len)
{
    must(EVP_DigestUpdate(h->ctx, data, len));
}

void gn_hash_end(struct gn_hash *h, uint8_t out[GN_HASH_LEN])
{
    unsigned n = 0;

    must(EVP_DigestFinal_ex(h->ctx, out, &n));
    must(n == GN_HASH_LEN);
}

void gn_hash_free(struct gn_hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void gn_hash_data(const void *data, size_t len, uint8_t out[GN_HASH_LEN])
{
    struct gn_hash *h = gn_hash_new();

    gn_hash_add(h, data, len);
    gn_hash_end(h, out);
    gn_hash_free(h);
}

void gn_hmac(const void *key, size_t key_len, const void *data, size_t len,
             uint8_t out[GN_HASH_LEN])
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    need();
    must(HMAC(sha256, key, (int)key_len, data, len, sum, &n) != NULL && n == GN_HASH_LEN);
    memcpy(out, sum, GN_HASH_LEN);
}

void gn_hex(const uint8_t *data, size_t n, char *out)
{
    static const char digit[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[data[i] >> 4];
        out[2 * i + 1] = digit[data[i] & 15];
    }
    out[2 * n] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool gn_unhex(const char *hex, uint8_t *out, size_t n)
{
    if (strlen(hex) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = digit_value(hex[2 * i]), lo = digit_value(hex[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* Polynomial 0x04c11db7, most significant bit first, as POSIX gives it for cksum. */
static uint32_t crc_step(uint32_t crc, uint8_t byte)
{
    crc ^= (uint32_t)byte << 24;
    for (int i = 0; i < 8; i++)
        crc = crc & 0x80000000U ? crc << 1 ^ 0x04c11db7U : crc << 1;
    return crc;
}

void gn_cksum_add(struct gn_cksum *c, const void *data, size_t len)
{
    static uint32_t table[256];
    const uint8_t *p = data;

    if (!table[1])
        for (unsigned i = 0; i < 256; i++)
            table[i] = crc_step(0, (uint8_t)i);
    for (size_t i = 0; i < len; i++)
        c->crc = c->crc << 8 ^ table[c->crc >> 24 ^ p[i]];
    c->len += len;
}

uint32_t gn_cksum_end(const struct gn_cksum *c)
{
    uint32_t crc = c->crc;

    for (uint64_t n = c->len; n; n >>= 8)
        crc = crc_step(crc, (uint8_t)(n & 0xff));
    return ~crc;
}

/* getentropy() would do, but is not POSIX.1-2008. */
void gn_random_hex(char *out, size_t n)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    must(fd >= 0);
    while (n) {
        uint8_t raw[64];
        ssize_t k = read(fd, raw, n < sizeof raw ? n : sizeof raw);

        must(k > 0 || (k < 0 && errno == EINTR));
        if (k < 0)
            continue;
        gn_hex(raw, (size_t)k, out);
        out += 2 * k;
        n -= (size_t)k;
    }
    close(fd);
}
