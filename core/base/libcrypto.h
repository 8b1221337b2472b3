/*
 * libcrypto.h - what we use of OpenSSL's libcrypto; the only one that includes it.
 */
#ifndef GNRRUN_BASE_LIBCRYPTO_H
#define GNRRUN_BASE_LIBCRYPTO_H

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

/* Before the first use; aborts without the library, as nothing goes without hashes. */
void gn_libcrypto_need(void);

/* Loaded when needed (gnrrun/lazy.h): each name below then is a pointer to the function. */
#ifdef GN_CRYPTO_SONAME

#define GN_LIBCRYPTO_USED(X)                                                                       \
    X(EVP_MD_fetch)                                                                                \
    X(EVP_MD_CTX_new)                                                                              \
    X(EVP_MD_CTX_free)                                                                             \
    X(EVP_DigestInit_ex2)                                                                          \
    X(EVP_DigestUpdate)                                                                            \
    X(EVP_DigestFinal_ex)                                                                          \
    X(HMAC)                                                                                        \
    X(BIO_new_mem_buf)                                                                             \
    X(BIO_free)                                                                                    \
    X(PEM_read_bio_PrivateKey)                                                                     \
    X(EVP_DigestSignInit_ex)                                                                       \
    X(EVP_DigestSign)                                                                              \
    X(EVP_PKEY_free)

#define GN_LIBCRYPTO_POINTER(fn) __typeof__(fn) *fn;
extern struct gn_libcrypto {
    GN_LIBCRYPTO_USED(GN_LIBCRYPTO_POINTER)
} gn_libcrypto;

#define EVP_MD_fetch            gn_libcrypto.EVP_MD_fetch
#define EVP_MD_CTX_new          gn_libcrypto.EVP_MD_CTX_new
#define EVP_MD_CTX_free         gn_libcrypto.EVP_MD_CTX_free
#define EVP_DigestInit_ex2      gn_libcrypto.EVP_DigestInit_ex2
#define EVP_DigestUpdate        gn_libcrypto.EVP_DigestUpdate
#define EVP_DigestFinal_ex      gn_libcrypto.EVP_DigestFinal_ex
#define HMAC                    gn_libcrypto.HMAC
#define BIO_new_mem_buf         gn_libcrypto.BIO_new_mem_buf
#define BIO_free                gn_libcrypto.BIO_free
#define PEM_read_bio_PrivateKey gn_libcrypto.PEM_read_bio_PrivateKey
#define EVP_DigestSignInit_ex   gn_libcrypto.EVP_DigestSignInit_ex
#define EVP_DigestSign          gn_libcrypto.EVP_DigestSign
#define EVP_PKEY_free           gn_libcrypto.EVP_PKEY_free

#endif
#endif
