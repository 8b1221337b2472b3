/*
 * sshtext.h - small text: words that are safe for ssh and sh, tokens, base64, secrets.
 */
#ifndef GNRRUN_REMOTE_SSH_SSHTEXT_H
#define GNRRUN_REMOTE_SSH_SSHTEXT_H

#include <pwd.h>

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/buf.h"
#include "gnrrun/mem.h"
#include "gnrrun/sshconf.h"

/* A host or user name that cannot be taken for an option and breaks no line. */
bool gn_ssh_word_ok(const char *s);

/* The same and nothing in it that a shell would look at: it goes into ProxyCommand. */
bool gn_ssh_shell_ok(const char *s);

/* text with %h %p %r %n %d %u %i %% of ssh_config(5) put in; an unknown one stays. */
char *gn_ssh_expand(const char *text, const struct gn_sshconf *c, const struct gn_ctx *ctx);

/* Split "a,b , c": empty parts are dropped. */
void gn_ssh_split(const char *list, const char *separators, struct gn_strs *out);

/* [user@]host[:port], [user@][v6]:port, ssh://...: pieces are the caller's; false: not readable. */
bool gn_ssh_parse_jump(const char *spec, char **user, char **host, int *port);

/* Foreign text made safe, at most max bytes; the caller's. */
char *gn_ssh_safe(const char *text, size_t max);

void gn_b64_add(struct gn_buf *out, const void *data, size_t len);
bool gn_b64_decode(const char *text, size_t len, struct gn_buf *out);

/* Clear a buffer that held a secret, so that the compiler cannot leave it out. */
void gn_wipe(struct gn_buf *b);

/* "|1|salt|hash" of known_hosts for a name, with this salt of 20 bytes. */
void gn_known_hash(const uint8_t salt[20], const char *name, struct gn_buf *out);

/*
 * The user that runs us, as the user database has him: ssh takes the home from there, whatever HOME
 * says.  NULL when it does not know him.  Several threads may ask; *room is the caller's.
 */
struct gn_pw {
    struct passwd pw;
    char text[16384];
};
const struct passwd *gn_own_passwd(struct gn_pw *room);

#endif
