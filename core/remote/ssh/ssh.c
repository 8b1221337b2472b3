/*
 * ssh.c - the SSH transport: a chain of authenticated hops, streams on the last.
 */
#include "serve.h"
#include "ssh_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static int ssh_fd(struct gn_transport *t)
{
    struct gn_ssh *s = (struct gn_ssh *)t;

    return ssh_get_fd(s->hops[s->n - 1]->session);
}

static int ssh_rtt(struct gn_transport *t)
{
    struct gn_ssh *s = (struct gn_ssh *)t;

    return (int)((s->hops[s->n - 1]->rtt_us + 500) / 1000);
}

static void ssh_close(struct gn_transport *t)
{
    struct gn_ssh *s = (struct gn_ssh *)t;

    while (s->n_ahead > 0) {
        struct gn_channel *c = s->ahead[--s->n_ahead];

        c->base.ops->close(&c->base);
    }
    /* From the far end: each session lives on the one before it. */
    while (s->n > 0)
        gn_hop_close(s->hops[--s->n]);
    gn_keyring_clear(&s->ring);
    free(s);
}

static const struct gn_transport_ops ssh_ops = {
    .name = "ssh",
    .exec = gn_ssh_exec,
    .expect = gn_ssh_expect,
    .forward = gn_ssh_forward,
    .fd = ssh_fd,
    .rtt_ms = ssh_rtt,
    .rate = gn_ssh_rate,
    .close = ssh_close,
};

static struct gn_hop *new_hop(const char *alias)
{
    struct gn_hop *h = gn_new(struct gn_hop);

    h->who = gn_strdup(alias);
    return h;
}

/* Resolve one more hop; hops are collected from the target backwards. */
static int add_hop(struct gn_ssh *s, const char *host, const char *user, int port,
                   const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_hop *h;
    char *who;
    int rc;

    if (s->n == GN_HOPS_MAX)
        return gn_err_set(err, GN_E_CONFIG,
                          "more than %d hosts in a row: does ProxyJump go in a "
                          "circle?",
                          GN_HOPS_MAX - 1);
    h = new_hop(host);
    rc = gn_sshconf_resolve(ctx, host, user, port, &h->conf, err);
    if (rc != GN_OK) {
        gn_hop_close(h);
        return rc;
    }
    s->hops[s->n++] = h;
    who = gn_printf("%s@%s", h->conf.user, h->conf.alias);
    free(h->who);
    h->who = gn_ssh_safe(who, 200);
    free(who);
    return GN_OK;
}

static void set_text(char **to, const char *value)
{
    free(*to);
    *to = gn_strdup(value);
}

/* A machine of ours that lives for hours: nothing that is said of hosts in general counts for it. */
static void only_this(struct gn_sshconf *c, const struct gn_target *target)
{
    gn_strs_clear(&c->user_known_hosts);
    gn_strs_clear(&c->global_known_hosts);
    gn_strs_add(&c->user_known_hosts, target->known_hosts);
    gn_strs_clear(&c->cert_files);
    set_text(&c->host_key_alias, NULL);
    set_text(&c->hostname, target->host);
    set_text(&c->proxy_jump, NULL);
    set_text(&c->proxy_command, NULL);
    set_text(&c->identity_agent, "none");
    c->strict = GN_STRICT_YES;
    c->identities_only = true;
    c->pubkey_auth = true;
    c->password_auth = c->kbdint_auth = c->gssapi_auth = false;
}

/* What the target's entry says goes before what the ssh configuration says. */
static void override(struct gn_sshconf *c, const struct gn_target *target, const struct gn_ctx *ctx)
{
    if (target->identity) {
        gn_strs_clear(&c->identity_files);
        gn_strs_take(&c->identity_files, gn_path_tilde(target->identity, ctx->home));
    }
    if (target->known_hosts)
        only_this(c, target);
    if (target->jump) {
        set_text(&c->proxy_jump, target->jump);
        set_text(&c->proxy_command, NULL);
    }
}

static bool is_none(const char *s)
{
    return !s || !*s || strcmp(s, "none") == 0;
}

/* "ProxyJump gate" under "Host *" also reaches gate itself: that is no jump. */
static bool is_itself(const struct gn_hop *h, const char *host, int port)
{
    if (strcmp(host, h->conf.alias) == 0)
        return port == 0 || port == h->conf.port;
    return strcmp(host, h->conf.hostname) == 0 && (port ? port : 22) == h->conf.port;
}

/*
 * The chain before the hop that was added last.  Of a list "a,b" the jump's own
 * configuration counts for the way to a; b is reached from a.
 */
static int add_jumps(struct gn_ssh *s, const struct gn_ctx *ctx, struct gn_err *err)
{
    bool more = true;
    int rc = GN_OK;

    while (more && rc == GN_OK) {
        const struct gn_hop *last = s->hops[s->n - 1];
        struct gn_strs specs = GN_STRS_INIT;

        more = false;
        if (!is_none(last->conf.proxy_jump))
            gn_ssh_split(last->conf.proxy_jump, ",", &specs);
        for (size_t i = specs.n; rc == GN_OK && i-- > 0;) {
            char *user = NULL, *host = NULL;
            int port = 0;

            if (!gn_ssh_parse_jump(specs.v[i], &user, &host, &port)) {
                rc = gn_err_set(err, GN_E_CONFIG, "not a jump host: '%s'", specs.v[i]);
                break;
            }
            if (!is_itself(last, host, port)) {
                rc = add_hop(s, host, user, port, ctx, err);
                more = true;
            }
            free(user);
            free(host);
        }
        gn_strs_clear(&specs);
    }
    return rc;
}

static void reverse(struct gn_ssh *s)
{
    for (size_t i = 0; i < s->n / 2; i++) {
        struct gn_hop *h = s->hops[i];

        s->hops[i] = s->hops[s->n - 1 - i];
        s->hops[s->n - 1 - i] = h;
    }
}

/* The line under hop i: its ProxyCommand or TCP for the first, the one before for the others. */
static int open_line(struct gn_ssh *s, size_t i, int *fd, const struct gn_ctx *ctx,
                     struct gn_err *err)
{
    struct gn_hop *h = s->hops[i];

    *fd = -1;
    if (i > 0)
        return gn_pump_start(s->hops[i - 1], h->conf.hostname, h->conf.port, fd, ctx, err);
    if (!is_none(h->conf.proxy_command))
        return gn_proxy_start(ctx, &h->conf, &h->proxy, fd, err);
    return gn_dial_tcp(ctx, &h->conf, fd, err);
}

/* A line that breaks must be an error and not the end of the program. */
static void ignore_sigpipe(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == SIG_DFL) {
        now.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &now, NULL);
    }
}

/* All hosts on the way, the target the last, as far as the configuration says. */
static int find_way(struct gn_ssh *s, const struct gn_target *target, const struct gn_ctx *ctx,
                    struct gn_err *err)
{
    int rc = add_hop(s, target->host ? target->host : target->name, target->user, target->port, ctx,
                     err);

    if (rc == GN_OK) {
        override(&s->hops[0]->conf, target, ctx);
        rc = add_jumps(s, ctx, err);
    }
    reverse(s);
    return rc;
}

int gn_ssh_way(const struct gn_ctx *ctx, const struct gn_target *target, struct gn_buf *out,
               struct gn_err *err)
{
    struct gn_ssh *s = gn_new(struct gn_ssh);
    int rc;

    s->base.ops = &ssh_ops;
    rc = find_way(s, target, ctx, err);
    for (size_t i = 0; rc == GN_OK && i < s->n; i++) {
        const struct gn_sshconf *c = &s->hops[i]->conf;

        gn_buf_addf(out, "%s %s@%s:%d %s %s", c->alias, c->user, c->hostname, c->port,
                    c->host_key_alias ? c->host_key_alias : "-",
                    c->identity_agent ? c->identity_agent : "-");
        for (size_t k = 0; k < c->identity_files.n; k++)
            gn_buf_addf(out, " %s", c->identity_files.v[k]);
        gn_buf_addf(out, "\n%s\n", is_none(c->proxy_command) ? "-" : c->proxy_command);
    }
    ssh_close(&s->base);
    return rc;
}

int gn_transport_ssh(const struct gn_ctx *ctx, const struct gn_target *target,
                     const struct gn_ssh_opts *opts, struct gn_transport **out, struct gn_err *err)
{
    struct gn_ssh *s;
    int rc;

    rc = gn_libssh_need(err);
    if (rc != GN_OK)
        return gn_err_prefix(err, "target '%s': ", target->name);
    s = gn_new(struct gn_ssh);
    s->base.ops = &ssh_ops;
    ignore_sigpipe();
    rc = find_way(s, target, ctx, err);
    for (size_t i = 0; rc == GN_OK && i < s->n; i++) {
        int fd;

        rc = open_line(s, i, &fd, ctx, err);
        if (rc == GN_OK)
            rc = gn_hop_open(s->hops[i], fd, opts, &s->ring, ctx, err);
        else
            gn_fs_close(fd);
        if (rc != GN_OK)
            gn_proxy_blame(&s->hops[i]->proxy, err);
    }
    gn_keyring_clear(&s->ring); /* no key stays in memory longer than it takes to log in */
    if (rc != GN_OK) {
        ssh_close(&s->base);
        return gn_err_prefix(err, "target '%s': ", target->name);
    }
    *out = &s->base;
    return GN_OK;
}
