/*
 * fuzz_aws.c - files of ~/.aws, a command line, a time.  Input: config, NUL, credentials, NUL, a name; what is
 * missing is empty.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "providers/awsfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *part(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
    size_t n = end ? (size_t)(end - *data) : *size;
    char *s = gn_strndup(n ? (const char *)*data : "", n);

    *data += n + (end != NULL);
    *size -= n + (end != NULL);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *config = part(&data, &size), *credentials = part(&data, &size),
         *name = part(&data, &size);
    struct gn_aws_profile p;
    struct gn_strs words = GN_STRS_INIT;

    gn_aws_profile_read(config, credentials, *name ? name : "default", &p);
    for (size_t i = 0; i < GN_AWS_KEYS; i++)
        if (p.v[i] && (!*p.v[i] || strchr(p.v[i], '\n')))
            abort();
    if (p.v[GN_AWS_PROCESS] && gn_aws_words(p.v[GN_AWS_PROCESS], &words) && !words.n)
        abort();
    gn_strs_clear(&words);
    if (gn_aws_words(credentials, &words) && !words.n)
        abort();
    gn_strs_clear(&words);
    if (gn_aws_time(config) < -86400)
        abort();
    gn_aws_profile_clear(&p);
    free(config);
    free(credentials);
    free(name);
    return 0;
}
