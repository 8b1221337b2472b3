/*
 * keys.c - which keys are offered, and in which order.
 *
 * First what the configuration names, by the agent where it holds the key, else from
 * the file; then the agent's other keys unless IdentitiesOnly; last the named files
 * with a passphrase, and that is asked for only when the server would take the key.
 */
#include "ssh_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSPHRASE_TRIES 3
#define BLOB_MAX         ((size_t)64 << 10)

void gn_keyring_clear(struct gn_keyring *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->v[i].path);
        ssh_key_free(r->v[i].key);
    }
    free(r->v);
    *r = (struct gn_keyring){0};
}

static ssh_key opened(const struct gn_keyring *r, const char *path)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].path, path) == 0)
            return r->v[i].key;
    return NULL;
}

static ssh_key remember(struct gn_keyring *r, const char *path, ssh_key key)
{
    GN_GROW(r->v, r->n, r->cap);
    r->v[r->n++] = (struct gn_opened){.path = gn_strdup(path), .key = key};
    return key;
}

/* Called by libssh for a passphrase: note that one is needed, give none. */
static int no_passphrase(const char *prompt, char *buf, size_t len, int echo, int verify,
                         void *locked)
{
    (void)prompt;
    (void)buf;
    (void)len;
    (void)echo;
    (void)verify;
    *(bool *)locked = true;
    return -1;
}

static void add_tried(struct gn_login *l, const char *what, const char *path)
{
    char *safe = gn_ssh_safe(path, 200), *text;
    size_t home = strlen(l->ctx->home);

    if (strncmp(safe, l->ctx->home, home) == 0 && safe[home] == '/')
        text = gn_printf("%s '~%s'", what, safe + home);
    else
        text = gn_printf("%s '%s'", what, safe);
    gn_strs_take(&l->tried, text);
    free(safe);
}

static bool already(struct gn_strs *list, const char *what)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], what) == 0)
            return true;
    return false;
}

static char *pubkey_text(ssh_key key)
{
    char *b64 = NULL, *copy;

    if (!key || ssh_pki_export_pubkey_base64(key, &b64) != SSH_OK)
        return NULL;
    copy = gn_strdup(b64);
    ssh_string_free_char(b64);
    return copy;
}

/* The public half of a key file: from FILE.pub, or from FILE itself where that can be read without
 * a passphrase. */
static ssh_key public_of(const char *path)
{
    char *pub = gn_printf("%s.pub", path);
    ssh_key key = NULL;

    if (ssh_pki_import_pubkey_file(pub, &key) != SSH_OK &&
        ssh_pki_import_pubkey_file(path, &key) != SSH_OK)
        key = NULL;
    free(pub);
    return key;
}

struct key_arg {
    ssh_key key;
};

static int step_try(struct gn_hop *h, void *arg)
{
    return ssh_userauth_try_publickey(h->session, NULL, ((struct key_arg *)arg)->key);
}

static int step_key(struct gn_hop *h, void *arg)
{
    return ssh_userauth_publickey(h->session, NULL, ((struct key_arg *)arg)->key);
}

static int step_agent(struct gn_hop *h, void *arg)
{
    (void)arg;
    return ssh_userauth_agent(h->session, NULL);
}

static bool is_over(int result)
{
    return result != SSH_AUTH_DENIED;
}

/* Agent key number i, as itself or under a certificate (base64). */
static int try_agent(struct gn_login *l, size_t i, const char *cert, int *result,
                     struct gn_err *err)
{
    struct gn_buf blob = GN_BUF_INIT(BLOB_MAX);
    const struct gn_buf *key = gn_agent_key(l->agent, i);
    int rc = GN_OK;

    *result = SSH_AUTH_DENIED;
    if (cert && !gn_b64_decode(cert, strlen(cert), &blob))
        goto out;
    if (!cert)
        gn_buf_add(&blob, key->ptr, key->len);
    gn_agent_show(l->agent, i, blob.ptr, blob.len);
    rc = gn_hop_step(l->hop, step_agent, NULL, SSH_AUTH_AGAIN, result, l->ctx, err);
    if (rc == GN_E_NET && gn_interrupted(l->ctx))
        rc = gn_err_set(err, GN_E_CANCEL, "interrupted");
out:
    gn_buf_clear(&blob);
    return rc;
}

static bool agent_find(const struct gn_agent *a, const char *b64, size_t *at)
{
    struct gn_buf blob = GN_BUF_INIT(BLOB_MAX);
    bool found = false;

    if (a && b64 && gn_b64_decode(b64, strlen(b64), &blob))
        for (size_t i = 0; !found && i < gn_agent_count(a); i++) {
            const struct gn_buf *key = gn_agent_key(a, i);

            found = key->len == blob.len && memcmp(key->ptr, blob.ptr, blob.len) == 0;
            *at = i;
        }
    gn_buf_clear(&blob);
    return found;
}

/* Certificates to go with a key file: FILE-cert.pub, then each CertificateFile. */
static void cert_paths(const struct gn_sshconf *c, const char *path, struct gn_strs *out)
{
    gn_strs_take(out, gn_printf("%s-cert.pub", path));
    gn_strs_copy(out, &c->cert_files);
}

/* Behind the counted string that begins at `at`; past the end when there is none. */
static size_t skip_string(const struct gn_buf *b, size_t at)
{
    size_t len = 0;

    if (b->len < 4 || at > b->len - 4)
        return b->len + 1;
    for (size_t i = 0; i < 4; i++)
        len = len << 8 | (unsigned char)b->ptr[at + i];
    return len > b->len - at - 4 ? b->len + 1 : at + 4 + len;
}

/*
 * A certificate is type, nonce, and then what a public key has behind its type.
 * (ssh_key_cmp() says no to two of different type, always.)
 */
static bool is_for(ssh_key cert, ssh_key pub)
{
    struct gn_buf c = GN_BUF_INIT(BLOB_MAX), k = GN_BUF_INIT(BLOB_MAX);
    char *c64 = pubkey_text(cert), *k64 = pubkey_text(pub);
    bool same = false;

    if (c64 && k64 && gn_b64_decode(c64, strlen(c64), &c) && gn_b64_decode(k64, strlen(k64), &k)) {
        size_t from = skip_string(&k, 0), at = skip_string(&c, skip_string(&c, 0));

        same = from < k.len && at < c.len && c.len - at > k.len - from &&
               memcmp(c.ptr + at, k.ptr + from, k.len - from) == 0;
    }
    free(c64);
    free(k64);
    gn_buf_clear(&c);
    gn_buf_clear(&k);
    return same;
}

/* The certificate in path if it is one for this public key. */
static ssh_key cert_for(const char *path, ssh_key pub)
{
    ssh_key cert = NULL;

    if (access(path, R_OK) != 0 || ssh_pki_import_cert_file(path, &cert) != SSH_OK)
        return NULL;
    if (is_for(cert, pub))
        return cert;
    ssh_key_free(cert);
    return NULL;
}

/* A private key in hand: with each certificate for it, then by itself. */
static int offer_private(struct gn_login *l, const char *path, ssh_key priv, ssh_key pub,
                         int *result, struct gn_err *err)
{
    struct gn_strs certs = GN_STRS_INIT;
    struct key_arg arg = {.key = priv};
    int rc = GN_OK;

    *result = SSH_AUTH_DENIED;
    cert_paths(&l->hop->conf, path, &certs);
    for (size_t i = 0; rc == GN_OK && !is_over(*result) && pub && i < certs.n; i++) {
        ssh_key cert = cert_for(certs.v[i], pub), both = cert ? ssh_key_dup(priv) : NULL;

        if (both && ssh_pki_copy_cert_to_privkey(cert, both) == SSH_OK) {
            struct key_arg with = {.key = both};

            add_tried(l, "certificate", certs.v[i]);
            rc = gn_hop_step(l->hop, step_key, &with, SSH_AUTH_AGAIN, result, l->ctx, err);
        }
        ssh_key_free(both);
        ssh_key_free(cert);
    }
    if (rc == GN_OK && !is_over(*result)) {
        add_tried(l, "key", path);
        rc = gn_hop_step(l->hop, step_key, &arg, SSH_AUTH_AGAIN, result, l->ctx, err);
    }
    gn_strs_clear(&certs);
    return rc;
}

/* A named key that the agent holds. */
static int offer_by_agent(struct gn_login *l, const char *path, ssh_key pub, size_t at, int *result,
                          struct gn_err *err)
{
    struct gn_strs certs = GN_STRS_INIT;
    int rc = GN_OK;

    *result = SSH_AUTH_DENIED;
    cert_paths(&l->hop->conf, path, &certs);
    for (size_t i = 0; rc == GN_OK && !is_over(*result) && i < certs.n; i++) {
        ssh_key cert = cert_for(certs.v[i], pub);
        char *text = pubkey_text(cert);

        if (text) {
            add_tried(l, "certificate", certs.v[i]);
            rc = try_agent(l, at, text, result, err);
        }
        free(text);
        ssh_key_free(cert);
    }
    if (rc == GN_OK && !is_over(*result)) {
        add_tried(l, "key in the agent", path);
        rc = try_agent(l, at, NULL, result, err);
    }
    gn_strs_clear(&certs);
    return rc;
}

/* Not yet opened, with a passphrase: *again is set, it is for the end. */
static int offer_file(struct gn_login *l, const char *path, ssh_key pub, bool *again, int *result,
                      struct gn_err *err)
{
    ssh_key priv = opened(l->ring, path);
    bool locked = false;

    *result = SSH_AUTH_DENIED;
    if (!priv) {
        int rc = ssh_pki_import_privkey_file(path, NULL, no_passphrase, &locked, &priv);

        if (rc != SSH_OK && locked) {
            *again = true;
            return GN_OK;
        }
        if (rc != SSH_OK) {
            gn_event_text(l->ctx, GN_EV_DEBUG, "cannot use the key '%s'%s", path,
                          access(path, R_OK) != 0 ? ": not readable" : "");
            return GN_OK;
        }
        remember(l->ring, path, priv);
    }
    return offer_private(l, path, priv, pub, result, err);
}

static int unlock(struct gn_login *l, const char *path, ssh_key *priv, struct gn_err *err)
{
    char *safe = gn_ssh_safe(path, 300);
    char *prompt = gn_printf("Passphrase of the key '%s': ", safe);
    struct gn_question q = {.prompt = prompt, .without = "ssh-add, then the agent has the key"};
    int rc = GN_OK;

    for (int i = 0; rc == GN_OK && !*priv && i < PASSPHRASE_TRIES; i++) {
        struct gn_buf answer = GN_BUF_INIT(1024);

        rc = gn_login_ask(l, &q, &answer, err);
        if (rc == GN_OK && !answer.len)
            i = PASSPHRASE_TRIES; /* just Enter: not this key */
        else if (rc == GN_OK &&
                 ssh_pki_import_privkey_file(path, answer.ptr, NULL, NULL, priv) != SSH_OK)
            *priv = NULL;
        gn_wipe(&answer);
    }
    free(prompt);
    free(safe);
    return rc;
}

/* A key with a passphrase: ask only when the server would take it. */
static int offer_locked(struct gn_login *l, const char *path, ssh_key pub, int *result,
                        struct gn_err *err)
{
    struct key_arg arg = {.key = pub};
    ssh_key priv = NULL;
    int rc = GN_OK;

    *result = SSH_AUTH_SUCCESS;
    add_tried(l, "key", path);
    if (pub)
        rc = gn_hop_step(l->hop, step_try, &arg, SSH_AUTH_AGAIN, result, l->ctx, err);
    if (rc != GN_OK || *result != SSH_AUTH_SUCCESS)
        return rc;
    *result = SSH_AUTH_DENIED;
    rc = unlock(l, path, &priv, err);
    if (rc == GN_E_AUTH && !(l->opts->person && *l->opts->person)) {
        /* nobody to ask: something else may still do */
        gn_err_clear(err);
        free(l->locked);
        l->locked = gn_strdup(path);
        return GN_OK;
    }
    if (rc != GN_OK || !priv) {
        if (rc == GN_OK)
            gn_event_text(l->ctx, GN_EV_WARN, "the passphrase does not open '%s'", path);
        return rc;
    }
    remember(l->ring, path, priv);
    return offer_private(l, path, priv, pub, result, err);
}

static int offer_named(struct gn_login *l, const char *path, bool *again, int *result,
                       struct gn_err *err)
{
    ssh_key pub = public_of(path);
    char *text = pubkey_text(pub);
    size_t at = 0;
    int rc = GN_OK;

    *result = SSH_AUTH_DENIED;
    if (already(&l->used, text ? text : path))
        goto out;
    gn_strs_add(&l->used, text ? text : path);
    if (agent_find(l->agent, text, &at))
        rc = offer_by_agent(l, path, pub, at, result, err);
    else
        rc = offer_file(l, path, pub, again, result, err);
out:
    free(text);
    ssh_key_free(pub);
    return rc;
}

static int offer_rest(struct gn_login *l, int *result, struct gn_err *err)
{
    bool said = false;
    int rc = GN_OK;

    for (size_t i = 0; rc == GN_OK && !is_over(*result) && i < gn_agent_count(l->agent); i++) {
        const struct gn_buf *key = gn_agent_key(l->agent, i);
        struct gn_buf text = GN_BUF_INIT(BLOB_MAX * 2);

        gn_b64_add(&text, key->ptr, key->len);
        if (!already(&l->used, text.ptr)) {
            gn_strs_add(&l->used, text.ptr);
            if (!said)
                gn_strs_add(&l->tried, "agent");
            said = true;
            rc = try_agent(l, i, NULL, result, err);
        }
        gn_buf_clear(&text);
    }
    return rc;
}

/* There is a request to be made with it, and nobody has to be asked. */
static bool is_usable(const struct gn_login *l, const char *path)
{
    ssh_key pub = public_of(path);
    char *text = pubkey_text(pub);
    size_t at;
    bool usable = agent_find(l->agent, text, &at) || access(path, R_OK) == 0;

    free(text);
    ssh_key_free(pub);
    return usable;
}

int gn_login_first_key(struct gn_login *l, int *result, struct gn_err *err)
{
    const struct gn_strs *files = &l->hop->conf.identity_files;
    size_t i = 0;
    bool again = false;
    int rc;

    *result = SSH_AUTH_DENIED;
    while (i < files->n && !is_usable(l, files->v[i]))
        i++;
    if (i == files->n)
        return GN_OK;
    rc = offer_named(l, files->v[i], &again, result, err);
    if (again) /* its turn comes when all that need nobody have had theirs */
        free(l->used.v[--l->used.n]);
    return rc;
}

int gn_login_keys(struct gn_login *l, int *result, struct gn_err *err)
{
    const struct gn_sshconf *c = &l->hop->conf;
    struct gn_strs locked = GN_STRS_INIT;
    int rc = GN_OK;

    *result = SSH_AUTH_DENIED;
    for (size_t i = 0; rc == GN_OK && !is_over(*result) && i < c->identity_files.n; i++) {
        bool again = false;

        rc = offer_named(l, c->identity_files.v[i], &again, result, err);
        if (again)
            gn_strs_add(&locked, c->identity_files.v[i]);
    }
    if (rc == GN_OK && !is_over(*result) && l->agent && !c->identities_only)
        rc = offer_rest(l, result, err);
    for (size_t i = 0; rc == GN_OK && !is_over(*result) && i < locked.n; i++) {
        ssh_key pub = public_of(locked.v[i]);

        rc = offer_locked(l, locked.v[i], pub, result, err);
        ssh_key_free(pub);
    }
    gn_strs_clear(&locked);
    return rc;
}
