/*
 * sshconf.c - what ssh would do for a name: by asking it, else by reading its files.
 */
#include "gnrrun/sshconf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "sshread.h"
#include "sshtext.h"

#define SAID_MAX ((size_t)256 << 10)
#define SAY_MS   15000 /* a Match exec of the user's may ask the network */

extern char **environ;

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
    const struct passwd *pw = getpwuid(getuid());
    char *own;

    if (named && *named)
        return gn_path_tilde(named, ctx->home);
    if (pw && pw->pw_dir && strcmp(pw->pw_dir, ctx->home) == 0)
        return NULL;
    own = gn_path_join(ctx->home, ".ssh/config");
    if (gn_fs_is_file(own))
        return own;
    free(own);
    return gn_strdup("/dev/null");
}

/* Run argv and take what it says; GN_E_NOTFOUND when it cannot be run or fails. */
static int ask_ssh(const struct gn_ctx *ctx, char *const argv[], struct gn_buf *said,
                   struct gn_err *err)
{
    posix_spawn_file_actions_t fa;
    int p[2] = {-1, -1}, status = 0, rc = GN_OK, failed;
    pid_t pid = 0;

    if (pipe(p) < 0 || fcntl(p[0], F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(p[1], F_SETFD, FD_CLOEXEC) < 0) {
        rc = gn_err_sys(err, errno, "cannot make a pipe");
        gn_fs_close(p[0]);
        gn_fs_close(p[1]);
        return rc;
    }
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, p[1], 1);
    posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
    failed = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    gn_fs_close(p[1]);
    if (failed) {
        gn_fs_close(p[0]);
        return gn_err_set(err, GN_E_NOTFOUND, "cannot run ssh: %s", strerror(failed));
    }
    for (;;) {
        char *room = gn_buf_room(said, 4096);
        ssize_t n;

        rc = room ? gn_wait_fd(ctx, p[0], POLLIN, SAY_MS, err)
                  : gn_err_set(err, GN_E_LIMIT, "`ssh -G` says too much");
        if (rc != GN_OK)
            break;
        n = read(p[0], room, 4096);
        if (n <= 0)
            break;
        gn_buf_commit(said, (size_t)n);
    }
    gn_fs_close(p[0]);
    if (rc != GN_OK)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == GN_OK && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        rc = gn_err_set(err, GN_E_NOTFOUND, "`ssh -G` failed");
    return rc;
}

static int run_ssh(const struct gn_ctx *ctx, const char *file, const char *alias, const char *user,
                   int port, struct gn_buf *said, struct gn_err *err)
{
    char *argv[12];
    struct gn_strs args = GN_STRS_INIT;
    size_t n = 0;
    int rc;

    gn_strs_add(&args, "ssh");
    gn_strs_add(&args, "-G");
    if (file) {
        gn_strs_add(&args, "-F");
        gn_strs_add(&args, file);
    }
    if (user) {
        gn_strs_add(&args, "-l");
        gn_strs_add(&args, user);
    }
    if (port) {
        gn_strs_add(&args, "-p");
        gn_strs_take(&args, gn_printf("%d", port));
    }
    gn_strs_add(&args, "--");
    gn_strs_add(&args, alias);
    for (; n < args.n; n++)
        argv[n] = args.v[n];
    argv[n] = NULL;
    rc = ask_ssh(ctx, argv, said, err);
    gn_strs_clear(&args);
    return rc;
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
    int rc = run_ssh(ctx, "/dev/null", "localhost", NULL, 0, &said, err);

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
    rc = run_ssh(ctx, file, alias, user, port, &said, err);
    if (rc == GN_OK) {
        read_said(said.ptr, &c);
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
