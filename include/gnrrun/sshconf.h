/*
 * sshconf.h - what ssh would do for a name: the resolved ~/.ssh/config.
 *
 * Taken from `ssh -G` where an ssh exists, else from a small reader of our own with
 * OpenSSH's rule: the first value wins, Host patterns match the name as it was typed.
 * GNRRUN_SSH_CONFIG names another file (as ssh -F).  When $HOME is not the home of
 * the password file, $HOME/.ssh/config is given to ssh with -F.
 */
#ifndef GNRRUN_SSHCONF_H
#define GNRRUN_SSHCONF_H

#include <stdbool.h>

#include "gnrrun/ctx.h"
#include "gnrrun/mem.h"

struct gn_sshconf {
    char *alias;    /* as typed */
    char *hostname; /* where to connect */
    char *user;
    int port;
    struct gn_strs identity_files; /* ~ and tokens expanded; in order */
    struct gn_strs cert_files;
    bool identities_only;
    char *identity_agent; /* socket, or NULL: $SSH_AUTH_SOCK; "none" */
    char *proxy_jump;     /* "a,b" or NULL */
    char *proxy_command;  /* tokens not yet expanded, or NULL */
    struct gn_strs user_known_hosts;
    struct gn_strs global_known_hosts;
    char *host_key_alias; /* or NULL */
    enum gn_strict { GN_STRICT_ASK, GN_STRICT_YES, GN_STRICT_ACCEPT_NEW, GN_STRICT_NO } strict;
    bool hash_known_hosts;
    int alive_interval_s, alive_count; /* 0 interval: ours */
    int connect_timeout_s;             /* 0: ours */
    char *address_family;              /* "any", "inet", "inet6", or NULL */
    char *bind_address;
    char *ciphers, *macs, *kex, *host_key_algs, *pubkey_algs; /* or NULL: libssh's */
    bool compression;
    bool password_auth, kbdint_auth, pubkey_auth, gssapi_auth;
    bool batch_mode;
    int password_prompts;
};

/* user NULL and port 0: not given. */
GN_MUST int gn_sshconf_resolve(const struct gn_ctx *ctx, const char *alias, const char *user,
                               int port, struct gn_sshconf *out, struct gn_err *err);
void gn_sshconf_clear(struct gn_sshconf *c);

/* The Host aliases without wildcards in the user's files (Include followed); none is GN_OK. */
GN_MUST int gn_sshconf_aliases(const struct gn_ctx *ctx, struct gn_strs *out, struct gn_err *err);

#endif
