#include "gnrrun/sign.h"

#include <string.h>

#include "libcrypto.h"

#define KEY_MAX ((size_t)64 << 10)

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return key;
}

int gn_sign_rs256(const char *pem, const void *data, size_t len, struct gn_buf *out,
                  struct gn_err *err)
{
    EVP_PKEY *key = NULL;
    EVP_MD_CTX *ctx = NULL;
    uint8_t sig[2048];
    size_t n = sizeof sig;
    int rc = GN_OK;

    gn_libcrypto_need();
    if (strlen(pem) < KEY_MAX)
        key = read_key(pem);
    ctx = EVP_MD_CTX_new();
    if (!key || !ctx || EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(ctx, sig, &n, data, len) != 1)
        rc = gn_err_set(err, GN_E_AUTH, "the private key is none that can sign");
    else
        gn_buf_add(out, sig, n);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return rc;
}
