/*
 * keygen.h - new ed25519 keys, for machines that live as long as a run.
 */
#ifndef GNRRUN_KEYGEN_H
#define GNRRUN_KEYGEN_H

#include "gnrrun/buf.h"

/* priv: the private key as OpenSSH writes it, to be wiped; pub: "ssh-ed25519 AAAA... gnrrun", no newline. */
GN_MUST int gn_keygen(struct gn_buf *priv, struct gn_buf *pub, struct gn_err *err);

#endif
