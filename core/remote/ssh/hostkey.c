/*
 * hostkey.c - is this the machine it was last time?
 *
 * known_hosts is read here, line by line, and not by libssh: it knows one user file,
 * no HostKeyAlias, and skips @revoked lines, so that a revoked key would pass.
 */
#include "ssh_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"

#define KNOWN_FILE_MAX ((size_t)32 << 20)
#define DEFAULT_ALGS                                                                               \
    "ssh-ed25519,ecdsa-sha2-nistp521,ecdsa-sha2-nistp384,ecdsa-sha2-nistp256,rsa-sha2-512,"        \
    "rsa-sha2-256"

static char *known_name(const struct gn_sshconf *c)
{
    char *name;

    if (c->host_key_alias)
        name = gn_strdup(c->host_key_alias);
    else if (c->port == 22)
        name = gn_strdup(c->hostname);
    else
        name = gn_printf("[%s]:%d", c->hostname, c->port);
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return name;
}

/* The line without its marker; NULL when it is none of ours.  Blanks become spaces. */
static char *strip_marker(char *line, bool *revoked)
{
    *revoked = false;
    for (char *p = line; *p; p++)
        if (*p == '\t' || *p == '\r')
            *p = ' ';
    line += strspn(line, " ");
    if (*line == '#' || !*line)
        return NULL;
    if (*line != '@')
        return line;
    *revoked = strncmp(line, "@revoked ", 9) == 0;
    if (!*revoked) /* @cert-authority: host certificates are nothing libssh can check */
        return NULL;
    line += 9;
    return line + strspn(line, " ");
}

/* "!name" in the list of hosts: the line is not for it, whatever else stands there. */
static bool is_excluded(const char *line, const char *name)
{
    size_t list = strcspn(line, " "), len = strlen(name);

    for (size_t i = 0; i + len < list; i++)
        if (line[i] == '!' && (i == 0 || line[i - 1] == ',') &&
            strncmp(line + i + 1, name, len) == 0 &&
            (line[i + 1 + len] == ',' || line[i + 1 + len] == ' '))
            return true;
    return false;
}

static void load_line(struct gn_known *k, char *text, const char *file, int number)
{
    struct ssh_knownhosts_entry *e = NULL;
    bool revoked;
    char *line = strip_marker(text, &revoked);

    if (!line || is_excluded(line, k->name) ||
        ssh_known_hosts_parse_line(k->name, line, &e) != SSH_OK)
        return;
    GN_GROW(k->v, k->n, k->cap);
    k->v[k->n++] = (struct gn_known_key){
        .key = e->publickey, .revoked = revoked, .file = gn_strdup(file), .line = number};
    e->publickey = NULL;
    ssh_knownhosts_entry_free(e);
}

static int load_file(struct gn_known *k, const char *file, const struct gn_ctx *ctx,
                     struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(KNOWN_FILE_MAX);
    int number = 1, rc = gn_fs_read(file, &text, err);

    if (rc == GN_E_LIMIT)
        goto out;
    if (rc != GN_OK) { /* there is none, or we may not read it: nothing is known */
        if (rc != GN_E_NOTFOUND)
            gn_event_text(ctx, GN_EV_DEBUG, "%s", err->msg);
        gn_err_clear(err);
        rc = GN_OK;
        goto out;
    }
    for (char *p = text.ptr, *next; p; p = next, number++) {
        next = strchr(p, '\n');
        if (next)
            *next++ = 0;
        load_line(k, p, file, number);
    }
out:
    gn_buf_clear(&text);
    return rc;
}

int gn_known_load(const struct gn_hop *h, struct gn_known *out, const struct gn_ctx *ctx,
                  struct gn_err *err)
{
    const struct gn_strs *files[] = {&h->conf.user_known_hosts, &h->conf.global_known_hosts};

    out->name = known_name(&h->conf);
    for (int f = 0; f < 2; f++)
        for (size_t i = 0; i < files[f]->n; i++) {
            int rc = load_file(out, files[f]->v[i], ctx, err);

            if (rc != GN_OK)
                return rc;
        }
    return GN_OK;
}

void gn_known_clear(struct gn_known *k)
{
    for (size_t i = 0; i < k->n; i++) {
        ssh_key_free(k->v[i].key);
        free(k->v[i].file);
    }
    free(k->v);
    free(k->name);
    *k = (struct gn_known){0};
}

/* Does algorithm `name` sign with a key of this type? */
static bool alg_of(const char *name, const struct gn_known_key *k)
{
    const char *type = ssh_key_type_to_char(ssh_key_type(k->key));

    if (!type || k->revoked)
        return false;
    return strcmp(name, type) == 0 ||
           (strcmp(type, "ssh-rsa") == 0 && strncmp(name, "rsa-sha2-", 9) == 0);
}

char *gn_known_algorithms(const struct gn_known *k, const char *wanted)
{
    struct gn_buf out = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_strs algs = GN_STRS_INIT;

    gn_ssh_split(wanted ? wanted : DEFAULT_ALGS, ", ", &algs);
    for (int known = 1; known >= 0; known--)
        for (size_t i = 0; i < algs.n; i++) {
            int hit = 0;

            for (size_t j = 0; j < k->n && !hit; j++)
                hit = alg_of(algs.v[i], &k->v[j]);
            if (hit == known)
                gn_buf_addf(&out, "%s%s", out.len ? "," : "", algs.v[i]);
        }
    gn_strs_clear(&algs);
    return gn_buf_detach(&out);
}

static int fingerprint(ssh_key key, char **out, struct gn_err *err)
{
    unsigned char *hash = NULL;
    size_t len;
    char *text = NULL;

    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == SSH_OK)
        text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
    ssh_clean_pubkey_hash(&hash);
    if (!text)
        return gn_err_set(err, GN_E_HOSTKEY, "cannot read the host's key");
    *out = gn_strdup(text);
    ssh_string_free_char(text);
    return GN_OK;
}

/* Append "name type base64" to the first user file. */
static int write_down(struct gn_hop *h, const struct gn_known *k, ssh_key key, struct gn_err *err)
{
    const struct gn_strs *files = &h->conf.user_known_hosts;
    struct gn_buf line = GN_BUF_INIT(GN_MAX_LINE);
    const char *file = files->n ? files->v[0] : NULL;
    char *b64 = NULL, *slash, *dir = NULL, hex[41], last = '\n';
    uint8_t salt[20];
    int fd = -1, rc = GN_OK;

    if (!file || strcmp(file, "/dev/null") == 0 || strcmp(file, "none") == 0)
        return GN_OK; /* as the user wishes: nothing is kept */
    if (ssh_pki_export_pubkey_base64(key, &b64) != SSH_OK)
        return gn_err_set(err, GN_E_HOSTKEY, "cannot write the host's key down");
    dir = gn_strdup(file);
    slash = strrchr(dir, '/');
    if (slash && slash != dir) {
        *slash = 0;
        rc = gn_fs_mkdirs(dir, 0700, err);
        if (rc != GN_OK)
            goto out;
    }
    fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        rc = gn_err_sys(err, errno, "cannot write '%s'", file);
        goto out;
    }
    if (lseek(fd, -1, SEEK_END) >= 0 && read(fd, &last, 1) == 1 && last != '\n')
        gn_buf_addc(&line, '\n'); /* somebody's last line has no end */
    gn_random_hex(hex, sizeof salt);
    if (h->conf.hash_known_hosts && gn_unhex(hex, salt, sizeof salt))
        gn_known_hash(salt, k->name, &line);
    else
        gn_buf_adds(&line, k->name);
    gn_buf_addf(&line, " %s %s\n", ssh_key_type_to_char(ssh_key_type(key)), b64);
    if (gn_fs_write_all(fd, line.ptr, line.len) < 0)
        rc = gn_err_sys(err, errno, "cannot write '%s'", file);
out:
    gn_fs_close(fd);
    gn_buf_clear(&line);
    ssh_string_free_char(b64);
    free(dir);
    return rc;
}

static int changed(struct gn_hop *h, const struct gn_known_key *old, const char *print,
                   struct gn_err *err)
{
    gn_err_set(err, GN_E_HOSTKEY,
               "the host key of '%s' has changed: it is not the one in %s:%d (now: %s %s)", h->who,
               old->file, old->line, h->conf.hostname, print);
    return gn_err_hint(
        err,
        "somebody may be listening in; ask the administrator, and only if the change "
        "is real remove that line: ssh-keygen -R '%s' -f '%s'",
        h->conf.host_key_alias ? h->conf.host_key_alias : h->conf.hostname, old->file);
}

/* An unknown key: by flag, by setting, by the person, or not at all. */
static int unknown(struct gn_hop *h, const struct gn_known *k, ssh_key key, const char *print,
                   const struct gn_ssh_opts *opts, const struct gn_ctx *ctx, struct gn_err *err)
{
    const char *type = ssh_key_type_to_char(ssh_key_type(key));
    bool other_type = k->n > 0;
    struct gn_buf answer = GN_BUF_INIT(256), prompt = GN_BUF_INIT(4096);
    struct gn_question q = {.echo = true, .yes_no = true, .without = "--accept-new-host-key"};
    int rc = GN_OK;

    if (!other_type && (opts->accept_new || h->conf.strict == GN_STRICT_ACCEPT_NEW ||
                        h->conf.strict == GN_STRICT_NO)) {
        gn_event_text(ctx, GN_EV_NOTE, "writing down the host key of '%s': %s %s", h->who, type,
                      print);
        goto accept;
    }
    gn_buf_addf(&prompt, "The host key of '%s' (%s) is not known%s.\n%s %s\nIs it the right one?",
                h->who, k->name, other_type ? ", but others of this host are" : "", type, print);
    q.prompt = prompt.ptr;
    if (!opts->nobody_there && !h->conf.batch_mode && h->conf.strict != GN_STRICT_YES)
        rc = ctx->ask(ctx, &q, &answer, err);
    else
        rc = GN_E_AUTH;
    if (rc == GN_E_AUTH) {
        gn_err_set(err, GN_E_HOSTKEY, "the host key of '%s' is not known%s (%s %s)", h->who,
                   other_type ? ", though others of this host are" : "", type, print);
        rc = gn_err_hint(err, other_type ? "connect once with ssh and compare the fingerprint"
                                         : "compare the fingerprint, then use "
                                           "--accept-new-host-key once, or connect once with ssh");
    }
    if (rc != GN_OK)
        goto out;
    if (strcmp(answer.ptr, "yes") != 0) {
        rc = gn_err_set(err, GN_E_HOSTKEY, "the host key of '%s' was not accepted", h->who);
        goto out;
    }
accept:
    rc = write_down(h, k, key, err);
out:
    gn_buf_clear(&answer);
    gn_buf_clear(&prompt);
    return rc;
}

int gn_known_check(struct gn_hop *h, const struct gn_known *k, const struct gn_ssh_opts *opts,
                   const struct gn_ctx *ctx, struct gn_err *err)
{
    const struct gn_known_key *same_type = NULL;
    ssh_key key = NULL;
    char *print = NULL;
    bool match = false;
    int rc = GN_OK;

    if (ssh_get_server_publickey(h->session, &key) != SSH_OK)
        return gn_err_set(err, GN_E_HOSTKEY, "'%s' showed no host key", h->who);
    rc = fingerprint(key, &print, err);
    for (size_t i = 0; rc == GN_OK && i < k->n; i++) {
        bool same = ssh_key_cmp(key, k->v[i].key, SSH_KEY_CMP_PUBLIC) == 0;

        if (same && k->v[i].revoked)
            rc = gn_err_set(err, GN_E_HOSTKEY, "the host key of '%s' is revoked by %s:%d (%s)",
                            h->who, k->v[i].file, k->v[i].line, print);
        else if (same)
            match = true;
        else if (!k->v[i].revoked && ssh_key_type(key) == ssh_key_type(k->v[i].key))
            same_type = &k->v[i];
    }
    if (rc != GN_OK || match)
        goto out;
    rc = same_type ? changed(h, same_type, print, err) : unknown(h, k, key, print, opts, ctx, err);
out:
    ssh_key_free(key);
    free(print);
    return rc;
}
