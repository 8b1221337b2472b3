/*
 * awsfile.h - what ~/.aws/config and ~/.aws/credentials say of one profile.
 *
 * The grammar is the one of botocore: sections "[profile NAME]", in the credentials file "[NAME]"; "key =
 * value"; # and ; begin a comment at the start of a line alone; indented lines belong to a nested map,
 * which nobody here needs.
 */
#ifndef GN_PROVIDERS_AWSFILE_H
#define GN_PROVIDERS_AWSFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/mem.h"

enum gn_aws_key {
    GN_AWS_KEY_ID,
    GN_AWS_SECRET,
    GN_AWS_TOKEN,
    GN_AWS_PROCESS,
    GN_AWS_ROLE,
    GN_AWS_SOURCE,
    GN_AWS_SOURCE_KIND,
    GN_AWS_EXTERNAL_ID,
    GN_AWS_SESSION_NAME,
    GN_AWS_MFA,
    GN_AWS_REGION,
    GN_AWS_SSO_SESSION,
    GN_AWS_SSO_URL,
    GN_AWS_SSO_REGION,
    GN_AWS_SSO_ACCOUNT,
    GN_AWS_SSO_ROLE,
    GN_AWS_KEYS,
};

struct gn_aws_profile {
    char *v[GN_AWS_KEYS]; /* NULL: not said */
    bool found;           /* in one of the files */
};

/*
 * The texts are those of the two files, "" for one that is not there.  Keys of the credentials file go before
 * those of the other; an sso_session is looked up.  Cleared by gn_aws_profile_clear(), which leaves no
 * secret in memory.
 */
void gn_aws_profile_read(const char *config, const char *credentials, const char *name,
                         struct gn_aws_profile *out);
void gn_aws_profile_clear(struct gn_aws_profile *p);

/* A command line as words: blanks, '', "" and \ as sh has them, nothing else. */
bool gn_aws_words(const char *line, struct gn_strs *out);

/* "2026-11-27T05:00:00Z", also with a fraction or +00:00 -> seconds since 1970; 0: not readable. */
int64_t gn_aws_time(const char *s);

/* Free a string that is secret. */
void gn_aws_wipe(char *s);

#endif
