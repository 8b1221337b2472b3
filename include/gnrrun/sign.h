/*
 * sign.h - signatures with a private key, for services that know its public half.
 */
#ifndef GNRRUN_SIGN_H
#define GNRRUN_SIGN_H

#include "gnrrun/buf.h"

/*
 * RSA with SHA-256 (RFC 8017, PKCS #1 v1.5; "RS256" of RFC 7518) of data, by the key in pem, appended to out.
 * GN_E_AUTH: no key that can do that.
 */
GN_MUST int gn_sign_rs256(const char *pem, const void *data, size_t len, struct gn_buf *out,
                          struct gn_err *err);

#endif
