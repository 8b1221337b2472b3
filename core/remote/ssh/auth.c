/*
 * auth.c - the order of things when logging in: ask the server what it takes, then
 * keys, GSSAPI, questions, password; a partial success starts over with the rest.
 */
#include "ssh_private.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 8

static int step_none(struct gn_hop *h, void *arg)
{
    (void)arg;
    return ssh_userauth_none(h->session, NULL);
}

static int step_gssapi(struct gn_hop *h, void *arg)
{
    (void)arg;
    return ssh_userauth_gssapi(h->session);
}

static void show_banner(struct gn_login *l)
{
    char *banner = ssh_get_issue_banner(l->hop->session), *save = NULL;
    int lines = 0;

    if (!banner)
        return;
    for (char *line = strtok_r(banner, "\r\n", &save); line && lines < 50;
         line = strtok_r(NULL, "\r\n", &save), lines++) {
        char *safe = gn_ssh_safe(line, 400);

        if (*safe)
            gn_event_text(l->ctx, GN_EV_NOTE, "%s: %s", l->hop->who, safe);
        free(safe);
    }
    ssh_string_free_char(banner);
}

static struct gn_agent *open_agent(struct gn_login *l)
{
    const struct gn_sshconf *c = &l->hop->conf;
    const char *where = c->identity_agent;
    char *expanded = NULL, *path = NULL;
    struct gn_agent *a = NULL;

    if (!where || strcmp(where, "SSH_AUTH_SOCK") == 0)
        where = l->ctx->env(l->ctx, "SSH_AUTH_SOCK");
    else if (*where == '$')
        where = l->ctx->env(l->ctx, where + 1);
    if (!where || !*where || strcmp(where, "none") == 0)
        return NULL;
    expanded = gn_ssh_expand(where, c, l->ctx);
    path = gn_path_tilde(expanded, l->ctx->home);
    a = gn_agent_open(l->ctx, path);
    if (!a)
        gn_event_text(l->ctx, GN_EV_DEBUG, "no keys from the agent at '%s'", path);
    if (a)
        ssh_set_agent_socket(l->hop->session, gn_agent_fd(a));
    free(expanded);
    free(path);
    return a;
}

static void add_methods(struct gn_buf *b, unsigned methods)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{SSH_AUTH_METHOD_PUBLICKEY, "key"},
                 {SSH_AUTH_METHOD_GSSAPI_MIC, "GSSAPI"},
                 {SSH_AUTH_METHOD_INTERACTIVE, "questions"},
                 {SSH_AUTH_METHOD_PASSWORD, "password"},
                 {SSH_AUTH_METHOD_HOSTBASED, "host based"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (methods & names[i].bit)
            gn_buf_addf(b, "%s%s", b->len ? ", " : "", names[i].name);
}

static int refused(struct gn_login *l, unsigned methods, struct gn_err *err)
{
    struct gn_buf tried = GN_BUF_INIT(600), takes = GN_BUF_INIT(200);

    if (l->opts->refused)
        *l->opts->refused = true;
    for (size_t i = 0; i < l->tried.n; i++)
        gn_buf_addf(&tried, "%s%s", i ? ", " : "", l->tried.v[i]);
    if (!l->tried.n)
        gn_buf_adds(&tried, "nothing: no key, no agent");
    add_methods(&takes, methods);
    gn_err_set(err, GN_E_AUTH, "permission denied for '%s' (tried: %s)", l->hop->who, tried.ptr);
    if (l->locked)
        gn_err_hint(err, "its key has a passphrase: ssh-add '%s'", l->locked);
    else if (takes.len)
        gn_err_hint(err, "it takes: %s; does `ssh %s` let you in?", takes.ptr, l->hop->conf.alias);
    gn_buf_clear(&tried);
    gn_buf_clear(&takes);
    return err->code;
}

/* The server hung up or something broke while logging in; err may have been set already. */
static int broken(struct gn_login *l, struct gn_err *err)
{
    const char *why = ssh_get_error(l->hop->session);

    if (why && strstr(why, "Too many authentication failures")) {
        if (l->opts->refused)
            *l->opts->refused = true;
        gn_err_set(err, GN_E_AUTH, "'%s' hung up after too many keys", l->hop->who);
        return gn_err_hint(err,
                           "name the right key: IdentityFile and IdentitiesOnly yes for '%s' "
                           "in ~/.ssh/config",
                           l->hop->conf.alias);
    }
    return err->code == GN_E_NET ? err->code : gn_hop_lost(l->hop, err);
}

struct method {
    unsigned bit;
    const char *name; /* for "tried"; NULL: it adds its own */
    bool wanted;
    bool person; /* only one can answer what is asked */
    int (*run)(struct gn_login *l, int *result, struct gn_err *err);
};

static int run_gssapi(struct gn_login *l, int *result, struct gn_err *err)
{
    return gn_hop_step(l->hop, step_gssapi, NULL, SSH_AUTH_AGAIN, result, l->ctx, err);
}

/*
 * One pass over the methods the server still takes.  *result: SUCCESS, PARTIAL, or
 * DENIED when nothing is left.
 */
static int one_pass(struct gn_login *l, unsigned *done, int *result, struct gn_err *err)
{
    const struct gn_sshconf *c = &l->hop->conf;
    const struct method methods[] = {
        {SSH_AUTH_METHOD_PUBLICKEY, NULL, c->pubkey_auth, false, gn_login_keys},
        {SSH_AUTH_METHOD_GSSAPI_MIC, "GSSAPI", c->gssapi_auth, false, run_gssapi},
        {SSH_AUTH_METHOD_INTERACTIVE, "questions", c->kbdint_auth, true, gn_login_kbdint},
        {SSH_AUTH_METHOD_PASSWORD, "password", c->password_auth, true, gn_login_password},
    };

    *result = SSH_AUTH_DENIED;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const struct method *m = &methods[i];
        unsigned offered = (unsigned)ssh_userauth_list(l->hop->session, NULL);
        int rc;

        if (!m->wanted || !(offered & m->bit) || (*done & m->bit))
            continue;
        rc = m->person ? gn_login_leave(l, err) : GN_OK;
        if (rc == GN_OK)
            rc = m->run(l, result, err);
        if (rc != GN_OK)
            return rc;
        if (m->name)
            gn_strs_add(&l->tried, m->name);
        if (*result == SSH_AUTH_ERROR)
            return broken(l, err);
        /* Keys are remembered one by one: a server may want two of them. */
        if (*result != SSH_AUTH_PARTIAL || m->bit != SSH_AUTH_METHOD_PUBLICKEY)
            *done |= m->bit;
        if (*result == SSH_AUTH_SUCCESS || *result == SSH_AUTH_PARTIAL)
            return GN_OK;
        if (l->asked) /* a person's answer was refused: no second one */
            return refused(l, offered, err);
    }
    return GN_OK;
}

/*
 * What does the server take?  The key that is named first is mostly the right one: offering it
 * tells as much as the usual question, and is the answer.
 */
static int first_word(struct gn_login *l, int *result, struct gn_err *err)
{
    int rc = GN_OK;

    if (l->hop->conf.pubkey_auth) {
        l->agent = open_agent(l);
        rc = gn_login_first_key(l, result, err);
    }
    if (rc == GN_OK && !l->tried.n)
        rc = gn_hop_step(l->hop, step_none, NULL, SSH_AUTH_AGAIN, result, l->ctx, err);
    return rc;
}

int gn_login(struct gn_login *l, struct gn_err *err)
{
    unsigned done = 0;
    int result = SSH_AUTH_DENIED, rc;

    rc = first_word(l, &result, err);
    if (rc != GN_OK)
        goto out;
    show_banner(l);
    if (result == SSH_AUTH_ERROR) {
        rc = broken(l, err);
        goto out;
    }
    for (int i = 0; i < ROUNDS_MAX && result != SSH_AUTH_SUCCESS; i++) {
        rc = one_pass(l, &done, &result, err);
        if (rc != GN_OK)
            goto out;
        if (result != SSH_AUTH_PARTIAL && result != SSH_AUTH_SUCCESS)
            break;
    }
    if (result != SSH_AUTH_SUCCESS)
        rc = refused(l, (unsigned)ssh_userauth_list(l->hop->session, NULL), err);
out:
    if (rc == GN_E_NET) /* libssh may have closed the line before it told us why */
        rc = broken(l, err);
    if (rc == GN_OK && result == SSH_AUTH_SUCCESS)
        gn_event_text(l->ctx, GN_EV_DEBUG, "logged in to %s (%s, %s)", l->hop->who,
                      ssh_get_cipher_out(l->hop->session), ssh_get_kex_algo(l->hop->session));
    gn_agent_close(l->agent);
    gn_strs_clear(&l->tried);
    gn_strs_clear(&l->used);
    free(l->locked);
    return rc;
}
