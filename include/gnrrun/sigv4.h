/*
 * sigv4.h - AWS Signature Version 4.
 *
 * The canonical request as AWS documents it for all services but S3: the path is normalized and
 * encoded once more, the query is sorted, header values are folded.
 */
#ifndef GNRRUN_SIGV4_H
#define GNRRUN_SIGV4_H

#include "gnrrun/buf.h"
#include "gnrrun/mem.h"

struct gn_sigv4 {
    const char *key_id, *secret, *token; /* token NULL or "": none */
    const char *region, *service;
};

/*
 * Append "X-Amz-Date: ...", "X-Amz-Security-Token: ..." and "Authorization: ..." to out.  url and headers
 * ("Name: value") are those of the request; all of the headers are signed, and host.
 */
void gn_sigv4_sign(const struct gn_sigv4 *s, const char *method, const char *url,
                   const struct gn_strs *headers, const char *body, size_t body_len, int64_t now_s,
                   struct gn_strs *out);

#endif
