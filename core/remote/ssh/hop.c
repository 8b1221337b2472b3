#include "ssh_private.h"
#include "tcp.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__) && (defined(__aarch64__) || defined(__arm__))
#include <sys/auxv.h>
#elif defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "gnrrun/fs.h"

#define GCM "aes128-gcm@openssh.com,aes256-gcm@openssh.com"
#define CC  "chacha20-poly1305@openssh.com"
#define CTR "aes256-ctr,aes192-ctr,aes128-ctr"

#define MUCH (4 << 10) /* since the last wait: it is no conversation any more */
#define MORE (256 << 10)

/* Instructions for AES: with them GCM is several times as fast as chacha20, without them slower. */
static bool has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned a, b, c = 0, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_AES) && (c & bit_PCLMUL);
#elif defined(__linux__) && defined(__aarch64__)
    return (getauxval(AT_HWCAP) & (1UL << 3 | 1UL << 4)) == (1UL << 3 | 1UL << 4); /* AES, PMULL */
#elif defined(__linux__) && defined(__arm__)
    return (getauxval(AT_HWCAP2) & 3UL) == 3UL;
#elif defined(__APPLE__) && defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

int gn_hop_lost(struct gn_hop *h, struct gn_err *err)
{
    const char *why = ssh_get_error(h->session);
    char *safe = gn_ssh_safe(why ? why : "", 300);

    gn_err_set(err, GN_E_NET, "lost the connection to '%s'%s%s", h->who, *safe ? ": " : "", safe);
    free(safe);
    return err->code;
}

bool gn_hop_work(struct gn_hop *h)
{
    ssh_event_dopoll(h->event, 0);
    return ssh_is_connected(h->session) && ssh_get_fd(h->session) >= 0;
}

/*
 * Ask for a sign of life when nothing came for a while.  The request is only queued
 * (the session is non-blocking): a dead line cannot hold us up here.
 */
void gn_hop_keep_alive(struct gn_hop *h, const struct gn_ctx *ctx)
{
    int64_t now = ctx->mono_ms(ctx);
    int64_t every =
        h->conf.alive_interval_s > 0 ? (int64_t)h->conf.alive_interval_s * 1000 : GN_ALIVE_MS;

    if (every > GN_ALIVE_MS)
        every = GN_ALIVE_MS;
    if (h->traffic.in_bytes != h->heard_bytes || h->heard_ms == 0) {
        h->heard_bytes = h->traffic.in_bytes;
        h->heard_ms = now;
    }
    if (now - h->heard_ms < every || now - h->asked_ms < every)
        return;
    h->asked_ms = now;
    (void)ssh_send_keepalive(h->session);
}

/*
 * Where much comes there is more already, and asking for it costs more than taking it: libssh reads
 * 4 KB at a time.  Did it get any?
 */
static bool take_more(struct gn_hop *h)
{
    uint64_t before = h->waited_bytes, begun = h->traffic.in_bytes, last;

    if (h->event && begun - before >= MUCH) {
        do {
            last = h->traffic.in_bytes;
        } while (gn_hop_work(h) && h->traffic.in_bytes != last &&
                 h->traffic.in_bytes - begun < MORE);
    }
    h->waited_bytes = h->traffic.in_bytes;
    return h->traffic.in_bytes != begun;
}

int gn_hop_wait(struct gn_hop *h, int64_t timeout_ms, const struct gn_ctx *ctx, struct gn_err *err)
{
    int64_t end = timeout_ms < 0 ? -1 : ctx->mono_ms(ctx) + timeout_ms;

    if (gn_interrupted(ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    if (take_more(h))
        return GN_OK;
    for (;;) {
        int64_t slice = 1000, left = end < 0 ? slice : end - ctx->mono_ms(ctx);
        int fd = ssh_get_fd(h->session), rc;
        short events = POLLIN;

        if (fd < 0)
            return gn_hop_lost(h, err);
        if (ssh_get_poll_flags(h->session) & SSH_WRITE_PENDING)
            events |= POLLOUT;
        if (left < slice)
            slice = left < 0 ? 0 : left;
        gn_tcp_acknowledge(fd);
        rc = gn_wait_fd(ctx, fd, events, slice, err);
        if (rc != GN_E_TIMEOUT)
            return rc;
        if (end >= 0 && ctx->mono_ms(ctx) >= end)
            return rc;
        if (h->event) {
            gn_hop_keep_alive(h, ctx);
            if (!ssh_is_connected(h->session))
                return gn_hop_lost(h, err);
        }
    }
}

int gn_hop_step(struct gn_hop *h, gn_step_fn fn, void *arg, int again, int *result,
                const struct gn_ctx *ctx, struct gn_err *err)
{
    int64_t end = ctx->mono_ms(ctx) + GN_HANDSHAKE_MS;

    for (;;) {
        int64_t left;
        int rc;

        *result = fn(h, arg);
        if (*result != again)
            return GN_OK;
        left = end - ctx->mono_ms(ctx);
        rc = left <= 0 ? GN_E_TIMEOUT : gn_hop_wait(h, left, ctx, err);
        if (rc == GN_E_TIMEOUT)
            return gn_err_set(err, GN_E_NET, "'%s' does not answer (waited %d s)", h->who,
                              GN_HANDSHAKE_MS / 1000);
        if (rc != GN_OK)
            return rc;
    }
}

/* Set a list of algorithms; one that libssh knows nothing of is left at its default. */
static void set_list(struct gn_hop *h, enum ssh_options_e what, const char *list,
                     const struct gn_ctx *ctx)
{
    if (list && ssh_options_set(h->session, what, list) != SSH_OK)
        gn_event_text(ctx, GN_EV_DEBUG, "%s: none of '%s' is known here; using the default", h->who,
                      list);
}

static int set_options(struct gn_hop *h, const struct gn_known *known, int fd,
                       const struct gn_ctx *ctx, struct gn_err *err)
{
    const struct gn_sshconf *c = &h->conf;
    const char *ciphers = has_aes() ? GCM "," CC "," CTR : CC "," GCM "," CTR;
    char *algs = gn_known_algorithms(known, c->host_key_algs);
    bool off = false;
    unsigned port = (unsigned)c->port;

    /* The config is ours to read, known_hosts ours to check, the line ours to make. */
    if (ssh_options_set(h->session, SSH_OPTIONS_PROCESS_CONFIG, &off) != SSH_OK ||
        ssh_options_set(h->session, SSH_OPTIONS_HOST, "gnrrun") != SSH_OK ||
        ssh_options_set(h->session, SSH_OPTIONS_PORT, &port) != SSH_OK ||
        ssh_options_set(h->session, SSH_OPTIONS_USER, c->user) != SSH_OK ||
        ssh_options_set(h->session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") != SSH_OK ||
        ssh_options_set(h->session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") != SSH_OK ||
        ssh_options_set(h->session, SSH_OPTIONS_FD, &fd) != SSH_OK) {
        free(algs);
        return gn_err_set(err, GN_E_FAIL, "cannot prepare the connection to '%s': %s", h->who,
                          ssh_get_error(h->session));
    }
    ciphers = c->ciphers ? c->ciphers : ciphers;
    set_list(h, SSH_OPTIONS_CIPHERS_C_S, ciphers, ctx);
    set_list(h, SSH_OPTIONS_CIPHERS_S_C, ciphers, ctx);
    set_list(h, SSH_OPTIONS_HMAC_C_S, c->macs, ctx);
    set_list(h, SSH_OPTIONS_HMAC_S_C, c->macs, ctx);
    set_list(h, SSH_OPTIONS_KEY_EXCHANGE, c->kex, ctx);
    set_list(h, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, c->pubkey_algs, ctx);
    set_list(h, SSH_OPTIONS_HOSTKEYS, algs, ctx);
    if (c->compression)
        set_list(h, SSH_OPTIONS_COMPRESSION, "yes", ctx);
    free(algs);
    ssh_set_blocking(h->session, 0);
    ssh_set_counters(h->session, &h->traffic, NULL);
    return GN_OK;
}

static int step_connect(struct gn_hop *h, void *arg)
{
    (void)arg;
    return ssh_connect(h->session);
}

static int step_service(struct gn_hop *h, void *arg)
{
    (void)arg;
    return ssh_service_request(h->session, "ssh-userauth");
}

static int handshake(struct gn_hop *h, const struct gn_ctx *ctx, struct gn_err *err)
{
    int rc, said;

    rc = gn_hop_step(h, step_connect, NULL, SSH_AGAIN, &said, ctx, err);
    if (rc == GN_OK && said != SSH_OK) {
        char *safe = gn_ssh_safe(ssh_get_error(h->session), 300);

        rc = gn_err_set(err, GN_E_NET, "no SSH connection to '%s': %s", h->who, safe);
        free(safe);
    }
    return rc;
}

void gn_hop_note_rtt(struct gn_hop *h, int64_t us)
{
    if (!h->rtt_us || us < h->rtt_us)
        h->rtt_us = us > 0 ? us : 1;
}

/* The first request that costs one trip and no work over there: a fair measure. */
static int measure(struct gn_hop *h, const struct gn_ctx *ctx, struct gn_err *err)
{
    int64_t start = gn_stopwatch_us();
    int rc, said;

    rc = gn_hop_step(h, step_service, NULL, SSH_AGAIN, &said, ctx, err);
    if (rc == GN_OK && said != SSH_OK)
        rc = gn_hop_lost(h, err);
    gn_hop_note_rtt(h, gn_stopwatch_us() - start);
    return rc;
}

int gn_hop_open(struct gn_hop *h, int fd, const struct gn_ssh_opts *opts, struct gn_keyring *ring,
                const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_known known = {0};
    struct gn_login login = {.hop = h, .ctx = ctx, .opts = opts, .ring = ring};
    bool taken = false;
    int rc;

    h->session = ssh_new();
    if (!h->session) {
        rc = gn_err_set(err, GN_E_FAIL, "cannot start libssh");
        goto out;
    }
    rc = gn_known_load(h, &known, ctx, err);
    if (rc == GN_OK)
        rc = set_options(h, &known, fd, ctx, err);
    if (rc != GN_OK)
        goto out;
    taken = true;
    rc = handshake(h, ctx, err);
    if (rc == GN_OK)
        rc = gn_known_check(h, &known, opts, ctx, err);
    if (rc == GN_OK)
        rc = measure(h, ctx, err);
    if (rc == GN_OK)
        rc = gn_login(&login, err);
    if (rc != GN_OK)
        goto out;
    h->event = ssh_event_new();
    if (!h->event || ssh_event_add_session(h->event, h->session) != SSH_OK)
        rc = gn_err_set(err, GN_E_FAIL, "cannot watch the connection to '%s'", h->who);
out:
    if (!taken)
        gn_fs_close(fd);
    gn_known_clear(&known);
    return rc;
}

void gn_hop_close(struct gn_hop *h)
{
    if (!h)
        return;
    gn_pump_stop(h->pump);
    if (h->event)
        ssh_event_free(h->event);
    /* No ssh_disconnect(): it would leave open whether the descriptor is closed or not. */
    if (h->session)
        ssh_free(h->session);
    gn_proxy_stop(&h->proxy);
    gn_sshconf_clear(&h->conf);
    free(h->who);
    free(h);
}
