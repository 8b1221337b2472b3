/*
 * sshconf.c - what ssh would do for a name: by asking it, else by reading its files.
 */
#include "gnrrun/sshconf.h"

#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "sshask.h"
#include "sshread.h"
#include "sshtext.h"

#define SAID_MAX ((size_t)256 << 10)

void gn_sshconf_clear(struct gn_sshconf *c)
{
    free(c->alias);
    free(c->hostname);
    free(c->user);
    gn_strs_clear(&c->identity_files);
    gn_strs_clear(&c->cert_files);
    free(c->identity_agent);
    free(c->proxy_jump);
    free(c->proxy_command);
    gn_strs_clear(&c->user_known_hosts);
    gn_strs_clear(&c->global_known_hosts);
    free(c->host_key_alias);
    free(c->address_family);
    free(c->bind_address);
    free(c->ciphers);
    free(c->macs);
    free(c->kex);
    free(c->host_key_algs);
    free(c->pubkey_algs);
    *c = (struct gn_sshconf){0};
}

static bool is_yes(const char *s)
{
    return strcasecmp(s, "yes") == 0 || strcasecmp(s, "true") == 0;
}

static int seconds(const char *s)
{
    int64_t n;

    return gn_parse_seconds(s, &n) && n > 0 && n < 86400 ? (int)n : 0;
}

static int number(const char *s, int max)
{
    char *end;
    long n = strtol(s, &end, 10);

    return end != s && !*end && n > 0 && n <= max ? (int)n : 0;
}

static enum gn_strict strict_of(const char *s)
{
    if (is_yes(s))
        return GN_STRICT_YES;
    if (strcasecmp(s, "accept-new") == 0)
        return GN_STRICT_ACCEPT_NEW;
    if (strcasecmp(s, "no") == 0 || strcasecmp(s, "off") == 0 || strcasecmp(s, "false") == 0)
        return GN_STRICT_NO;
    return GN_STRICT_ASK;
}

static void put(char **to, const char *value)
{
    free(*to);
    *to = gn_strdup(value);
}

enum kind { TEXT, LINE, FILES, WORDS, YES, PORT, TIME, COUNT, STRICT };

/* Where each keyword goes.  LINE keeps the rest of the line as it is. */
static const struct keyword {
    const char *name;
    enum kind kind;
    size_t at;
} keywords[] = {
#define AT(f) offsetof(struct gn_sshconf, f)
    {"hostname", TEXT, AT(hostname)},
    {"user", TEXT, AT(user)},
    {"port", PORT, AT(port)},
    {"identityfile", FILES, AT(identity_files)},
    {"certificatefile", FILES, AT(cert_files)},
    {"identitiesonly", YES, AT(identities_only)},
    {"identityagent", TEXT, AT(identity_agent)},
    {"proxyjump", TEXT, AT(proxy_jump)},
    {"proxycommand", LINE, AT(proxy_command)},
    {"userknownhostsfile", WORDS, AT(user_known_hosts)},
    {"globalknownhostsfile", WORDS, AT(global_known_hosts)},
    {"hostkeyalias", TEXT, AT(host_key_alias)},
    {"stricthostkeychecking", STRICT, AT(strict)},
    {"hashknownhosts", YES, AT(hash_known_hosts)},
    {"serveraliveinterval", TIME, AT(alive_interval_s)},
    {"serveralivecountmax", COUNT, AT(alive_count)},
    {"connecttimeout", TIME, AT(connect_timeout_s)},
    {"addressfamily", TEXT, AT(address_family)},
    {"bindaddress", TEXT, AT(bind_address)},
    {"ciphers", TEXT, AT(ciphers)},
    {"macs", TEXT, AT(macs)},
    {"kexalgorithms", TEXT, AT(kex)},
    {"hostkeyalgorithms", TEXT, AT(host_key_algs)},
    {"pubkeyacceptedalgorithms", TEXT, AT(pubkey_algs)},
    {"compression", YES, AT(compression)},
    {"passwordauthentication", YES, AT(password_auth)},
    {"kbdinteractiveauthentication", YES, AT(kbdint_auth)},
    {"pubkeyauthentication", YES, AT(pubkey_auth)},
    {"gssapiauthentication", YES, AT(gssapi_auth)},
    {"batchmode", YES, AT(batch_mode)},
    {"numberofpasswordprompts", COUNT, AT(password_prompts)},
    /* older names */
    {"challengeresponseauthentication", YES, AT(kbdint_auth)},
    {"pubkeyacceptedkeytypes", TEXT, AT(pubkey_algs)},
#undef AT
};

static void set_words(struct gn_strs *list, const char *value)
{
    char *word;

    gn_strs_clear(list);
    while ((word = gn_sshread_word(&value)))
        gn_strs_take(list, word);
}

static void set_value(const struct keyword *k, void *field, const char *value)
{
    char *word = gn_sshread_word(&(const char *){value});
    const char *text = word ? word : "";

    switch (k->kind) {
    case TEXT:
        put(field, text);
        break;
    case LINE:
        put(field, value);
        break;
    case FILES:
        gn_strs_add(field, text);
        break;
    case WORDS:
        set_words(field, value);
        break;
    case YES:
        *(bool *)field = is_yes(text);
        break;
    case PORT:
        *(int *)field = number(text, 65535);
        break;
    case TIME:
        *(int *)field = seconds(text);
        break;
    case COUNT:
        *(int *)field = number(text, 1000);
        break;
    case STRICT:
        *(enum gn_strict *)field = strict_of(text);
        break;
    }
    free(word);
}

void gn_sshconf_set(struct gn_sshconf *c, struct gn_sshseen *seen, const char *keyword,
                    const char *value)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        const struct keyword *k = &keywords[i];
        bool first = !(seen->bits & 1ULL << i);

        if (strcasecmp(k->name, keyword) != 0)
            continue;
        /* The same field under an older name counts as the same keyword. */
        for (size_t j = 0; j < i; j++)
            if (keywords[j].at == k->at && seen->bits & 1ULL << j)
                first = false;
        seen->bits |= 1ULL << i;
        if (first || k->kind == FILES)
            set_value(k, (char *)c + k->at, value);
        return;
    }
}

/* The file that ssh must be told of, or NULL: it finds its own.  The caller's. */
static char *config_file(const struct gn_ctx *ctx)
{
    const char *named = ctx->env(ctx, "GNRRUN_SSH_CONFIG");
    struct gn_pw room;
    const struct passwd *pw = gn_own_passwd(&room);
    char *own;

    if (named && *named)
        return gn_path_tilde(named, ctx->home);
    if (pw && strcmp(pw->pw_dir, ctx->home) == 0)
        return NULL;
    own = gn_path_join(ctx->home, ".ssh/config");
    if (gn_fs_is_file(own))
        return own;
    free(own);
    return gn_strdup("/dev/null");
}

static void read_said(char *text, struct gn_sshconf *c)
{
    struct gn_sshseen seen = {0};
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');

        if (!value)
            continue;
        *value++ = 0;
        /* ssh prints what it has already taken the quotes off. */
        if (strcmp(line, "identityfile") == 0)
            gn_strs_add(&c->identity_files, value);
        else if (strcmp(line, "certificatefile") == 0)
            gn_strs_add(&c->cert_files, value);
        else
            gn_sshconf_set(c, &seen, line, value);
    }
}

/* ssh knows the home of the password file only; its default files move to ours. */
static void rehome(struct gn_strs *files, const struct gn_ctx *ctx)
{
    struct gn_pw room;
    const struct passwd *pw = gn_own_passwd(&room);
    char *prefix;

    if (!pw || strcmp(pw->pw_dir, ctx->home) == 0)
        return;
    prefix = gn_printf("%s/.ssh/known_hosts", pw->pw_dir);
    for (size_t i = 0; i < files->n; i++)
        if (strncmp(files->v[i], prefix, strlen(prefix)) == 0) {
            char *moved = gn_printf("%s%s", ctx->home, files->v[i] + strlen(pw->pw_dir));

            free(files->v[i]);
            files->v[i] = moved;
        }
    free(prefix);
}

static void drop_if_same(char **ours, const char *standard)
{
    if (*ours && standard && strcmp(*ours, standard) == 0) {
        free(*ours);
        *ours = NULL;
    }
}

/*
 * ssh prints its own default lists of algorithms too, and those are not the user's
 * wish: what it prints without any configuration is taken out again.
 */
static int drop_defaults(const struct gn_ctx *ctx, struct gn_sshconf *c, struct gn_err *err)
{
    struct gn_buf said = GN_BUF_INIT(SAID_MAX);
    struct gn_sshconf d = {0};
    int rc = gn_ssh_ask(ctx, "/dev/null", "localhost", NULL, 0, &said, err);

    if (rc == GN_OK) {
        read_said(said.ptr, &d);
        drop_if_same(&c->ciphers, d.ciphers);
        drop_if_same(&c->macs, d.macs);
        drop_if_same(&c->kex, d.kex);
        drop_if_same(&c->host_key_algs, d.host_key_algs);
        drop_if_same(&c->pubkey_algs, d.pubkey_algs);
    }
    gn_sshconf_clear(&d);
    gn_buf_clear(&said);
    return rc;
}

/* "+alg", "-alg", "^alg" change ssh's own list, which we do not know. */
static void drop_relative(char **list)
{
    if (*list && strchr("+-^", **list))
        put(list, NULL);
}

static int from_files(const struct gn_ctx *ctx, const char *file, const char *alias,
                      const char *user, struct gn_sshconf *c, struct gn_err *err)
{
    struct gn_sshseen seen = {0};
    char *own = file ? gn_strdup(file) : gn_path_join(ctx->home, ".ssh/config");
    int rc = gn_sshread_file(ctx, own, alias, user, c, &seen, err);

    if (rc == GN_OK && !file)
        rc = gn_sshread_file(ctx, "/etc/ssh/ssh_config", alias, user, c, &seen, err);
    drop_relative(&c->ciphers);
    drop_relative(&c->macs);
    drop_relative(&c->kex);
    drop_relative(&c->host_key_algs);
    drop_relative(&c->pubkey_algs);
    free(own);
    return rc;
}

static void expand_list(struct gn_strs *list, const struct gn_sshconf *c, const struct gn_ctx *ctx)
{
    struct gn_strs out = GN_STRS_INIT;

    for (size_t i = 0; i < list->n; i++) {
        char *text = gn_ssh_expand(list->v[i], c, ctx);

        if (strcmp(text, "none") != 0)
            gn_strs_take(&out, gn_path_tilde(text, ctx->home));
        free(text);
    }
    gn_strs_clear(list);
    *list = out;
}

static void or_else(struct gn_strs *list, const char *const *files)
{
    if (list->n)
        return;
    for (; *files; files++)
        gn_strs_add(list, *files);
}

/* What nobody said, and %h and ~ in what somebody did. */
static void finish(struct gn_sshconf *c, const struct gn_ctx *ctx)
{
    static const char *const keys[] = {"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519",
                                       NULL};
    static const char *const known[] = {"~/.ssh/known_hosts", "~/.ssh/known_hosts2", NULL};
    static const char *const global[] = {"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2",
                                         NULL};
    char *name = c->hostname;

    if (!c->user)
        c->user = gn_strdup(ctx->user);
    if (!c->port)
        c->port = 22;
    or_else(&c->user_known_hosts, known);
    or_else(&c->global_known_hosts, global);
    or_else(&c->identity_files, keys);
    /* In HostName, %h is the name as typed. */
    c->hostname = gn_strdup(c->alias);
    if (name) {
        char *resolved = gn_ssh_expand(name, c, ctx);

        free(c->hostname);
        c->hostname = resolved;
    }
    free(name);
    expand_list(&c->identity_files, c, ctx);
    expand_list(&c->cert_files, c, ctx);
    expand_list(&c->user_known_hosts, c, ctx);
    expand_list(&c->global_known_hosts, c, ctx);
}

/* Both questions at a time: what the second says is kept (sshcache.c) until it is asked again. */
static void *ask_ahead(void *arg)
{
    const struct gn_ctx *ctx = arg;
    struct gn_buf said = GN_BUF_INIT(SAID_MAX);
    struct gn_err ignored = GN_ERR_INIT;

    (void)!gn_ssh_ask(ctx, "/dev/null", "localhost", NULL, 0, &said, &ignored);
    gn_buf_clear(&said);
    return NULL;
}

static int ask_both(const struct gn_ctx *ctx, const char *file, const char *alias, const char *user,
                    int port, struct gn_buf *said, struct gn_err *err)
{
    struct gn_ctx quiet = *ctx;
    sigset_t all, old;
    pthread_t thread;
    int failed, rc;

    quiet.event = NULL;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&thread, NULL, ask_ahead, &quiet);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    rc = gn_ssh_ask(ctx, file, alias, user, port, said, err);
    if (!failed)
        pthread_join(thread, NULL);
    return rc;
}

int gn_sshconf_resolve(const struct gn_ctx *ctx, const char *alias, const char *user, int port,
                       struct gn_sshconf *out, struct gn_err *err)
{
    struct gn_sshconf c = {.password_auth = true, .kbdint_auth = true, .pubkey_auth = true};
    struct gn_buf said = GN_BUF_INIT(SAID_MAX);
    char *file;
    int rc;

    if (!gn_ssh_word_ok(alias) || (user && !gn_ssh_word_ok(user)))
        return gn_err_set(err, GN_E_CONFIG, "not a usable host or user name");
    file = config_file(ctx);
    c.alias = gn_strdup(alias);
    rc = ask_both(ctx, file, alias, user, port, &said, err);
    if (rc == GN_OK) {
        read_said(said.ptr, &c);
        rehome(&c.user_known_hosts, ctx);
        rc = drop_defaults(ctx, &c, err);
    } else if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = from_files(ctx, file, alias, user, &c, err);
    }
    if (rc != GN_OK)
        goto out;
    if (user)
        put(&c.user, user);
    if (port)
        c.port = port;
    finish(&c, ctx);
    if (!gn_ssh_word_ok(c.hostname) || !gn_ssh_word_ok(c.user)) {
        rc = gn_err_set(err, GN_E_CONFIG,
                        "the ssh configuration gives '%s' an unusable host or "
                        "user name",
                        alias);
        goto out;
    }
    *out = c;
    c = (struct gn_sshconf){0};
out:
    gn_sshconf_clear(&c);
    gn_buf_clear(&said);
    free(file);
    return rc;
}

int gn_sshconf_aliases(const struct gn_ctx *ctx, struct gn_strs *out, struct gn_err *err)
{
    char *file = config_file(ctx), *own = gn_path_join(ctx->home, ".ssh/config");
    int rc = gn_sshread_aliases(ctx, file ? file : own, out, err);

    if (rc == GN_OK && !file)
        rc = gn_sshread_aliases(ctx, "/etc/ssh/ssh_config", out, err);
    free(file);
    free(own);
    return rc;
}
