/*
 * edit.c - one target more or less in config.yaml, as a change of its text.
 *
 * The tree says on which lines things stand; only whole lines are put in or taken
 * out, and what comes of it is read again before it replaces the file.
 */
#define _XOPEN_SOURCE 700 /* realpath() */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gnrrun/fs.h"
#include "values.h"

#define INDENT 2

struct edit {
    char *path; /* of the file itself, behind links */
    const char *name;
    mode_t mode;
    bool is_new;
    struct gn_buf text, result;
    struct gn_yaml y;
    struct gn_config before;
    const struct gn_yaml_node *targets; /* NULL: no such key */
};

static void clear_edit(struct edit *e)
{
    free(e->path);
    gn_buf_clear(&e->text);
    gn_buf_clear(&e->result);
    gn_yaml_clear(&e->y);
    gn_config_clear(&e->before);
}

/* Read the file, strictly: what is wrong already is not ours to make worse. */
static int load(const struct gn_ctx *ctx, struct edit *e, struct gn_err *err)
{
    char *path = gn_path_join(ctx->config_dir, "config.yaml");
    struct stat sb;
    int rc;

    e->path = realpath(path, NULL);
    if (e->path)
        free(path);
    else
        e->path = path;
    e->name = "config.yaml";
    e->mode = 0600;
    rc = gn_fs_read(e->path, &e->text, err);
    if (rc == GN_E_NOTFOUND) {
        e->is_new = true;
        gn_err_clear(err);
        rc = GN_OK;
    } else if (!rc && stat(e->path, &sb) == 0) {
        e->mode = sb.st_mode & 0777;
    }
    if (!rc)
        rc = gn_yaml_parse(e->name, e->text.ptr, e->text.len, &e->y, err);
    if (!rc)
        rc = gn_config_parse(e->name, true, e->text.ptr, e->text.len, ctx->home, &e->before, err);
    if (!rc)
        e->targets = gn_yaml_get(e->y.root, "targets");
    return rc;
}

/* Where line n (from 1) begins; behind the last one: the end. */
static size_t line_start(const struct gn_buf *b, int line)
{
    size_t at = 0;

    while (line-- > 1 && at < b->len) {
        const char *nl = memchr(b->ptr + at, '\n', b->len - at);

        at = nl ? (size_t)(nl - b->ptr) + 1 : b->len;
    }
    return at;
}

static int count_lines(const struct gn_buf *b)
{
    int n = 0;

    for (size_t i = 0; i < b->len; i++)
        n += b->ptr[i] == '\n';
    return n + (b->len && b->ptr[b->len - 1] != '\n');
}

/* Empty, a comment that stands left of column col, or the end of the document. */
static bool is_outside(const struct gn_buf *b, int line, int col)
{
    const char *s = b->ptr + line_start(b, line);
    size_t blank = strspn(s, " \t");

    if (s[blank] == '\0' || s[blank] == '\n' || s[blank] == '\r')
        return true;
    if (strncmp(s, "...", 3) == 0)
        return true;
    return s[blank] == '#' && (int)blank + 1 < col;
}

/* The first line behind node n: comments and empty lines before the next key are the next key's. */
static int line_behind(const struct gn_buf *b, const struct gn_yaml_node *n, int col)
{
    const struct gn_yaml_node *up = n;
    int line;

    while (up && !up->next)
        up = up->parent;
    line = up ? up->next->key_line : count_lines(b) + 1;
    while (line - 1 > n->key_line && is_outside(b, line - 1, col))
        line--;
    return line;
}

static bool is_plain(const char *s)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    size_t n = strlen(s);

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (gn_edit_distance(s, words[i]) == 0)
            return false;
    }
    return n > 0 && (isalnum((unsigned char)*s) || *s == '/') &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/@+-") == n;
}

static void add_scalar(struct gn_buf *b, const char *s)
{
    if (is_plain(s)) {
        gn_buf_adds(b, s);
        return;
    }
    gn_buf_addc(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            gn_buf_addf(b, "\\%c", c);
        else if (c == '\n')
            gn_buf_adds(b, "\\n");
        else if (c < 0x20 || c == 0x7f)
            gn_buf_addf(b, "\\x%02x", c);
        else
            gn_buf_addc(b, *s);
    }
    gn_buf_addc(b, '"');
}

static void add_pair(struct gn_buf *b, int indent, const char *key, const char *value)
{
    if (!value)
        return;
    gn_buf_addf(b, "%*s%s: ", indent, "", key);
    add_scalar(b, value);
    gn_buf_addc(b, '\n');
}

static void add_env(struct gn_buf *b, int indent, const struct gn_target *t)
{
    if (t->n_env)
        gn_buf_addf(b, "%*senv:\n", indent, "");
    for (size_t i = 0; i < t->n_env; i++) {
        gn_buf_addf(b, "%*s", indent + INDENT, "");
        add_scalar(b, t->env[i].name);
        gn_buf_adds(b, ": ");
        if (t->env[i].value)
            add_scalar(b, t->env[i].value);
        else
            gn_buf_adds(b, "null");
        gn_buf_addc(b, '\n');
    }
}

static void add_target(struct gn_buf *b, int indent, const struct gn_target *t)
{
    int in = indent + INDENT;

    gn_buf_addf(b, "%*s", indent, "");
    add_scalar(b, t->name);
    gn_buf_adds(b, ":\n");
    add_pair(b, in, "type", t->type_name ? t->type_name : "ssh");
    add_pair(b, in, "host", t->host);
    add_pair(b, in, "user", t->user);
    if (t->port)
        gn_buf_addf(b, "%*sport: %d\n", in, "", t->port);
    add_pair(b, in, "jump", t->jump);
    add_pair(b, in, "identity", t->identity);
    add_pair(b, in, "workdir", t->workdir);
    if (t->shared)
        gn_buf_addf(b, "%*sshared: true\n", in, "");
    if (t->nice >= 0)
        gn_buf_addf(b, "%*snice: %d\n", in, "", t->nice);
    add_pair(b, in, "python", t->python);
    add_pair(b, in, "setup", t->setup);
    if (t->tags.n)
        gn_buf_addf(b, "%*stags:\n", in, "");
    for (size_t i = 0; i < t->tags.n; i++) {
        gn_buf_addf(b, "%*s- ", in + INDENT, "");
        add_scalar(b, t->tags.v[i]);
        gn_buf_addc(b, '\n');
    }
    add_env(b, in, t);
}

/* text with `put` instead of the lines from..to-1. */
static void splice(struct edit *e, int from, int to, const struct gn_buf *put)
{
    size_t a = line_start(&e->text, from), z = line_start(&e->text, to);

    gn_buf_add(&e->result, e->text.ptr, a);
    if (a > 0 && e->text.ptr[a - 1] != '\n')
        gn_buf_addc(&e->result, '\n');
    gn_buf_add(&e->result, put->ptr, put->len);
    gn_buf_add(&e->result, e->text.ptr + z, e->text.len - z);
}

static int by_hand(const struct edit *e, const struct gn_yaml_node *n, struct gn_err *err)
{
    gn_yaml_err(err, e->name, n->line, n->col,
                "targets are written in { }, which cannot be edited line by line");
    return gn_err_hint(err, "edit '%s' by hand, or write one target per line", e->path);
}

/* "targets:" with nothing, null or {} behind it: the line without that value. */
static int open_targets(const struct edit *e, struct gn_buf *put, struct gn_err *err)
{
    const struct gn_yaml_node *t = e->targets;
    size_t a = line_start(&e->text, t->key_line), z = line_start(&e->text, t->key_line + 1);
    char *line = gn_strndup(e->text.ptr + a, z - a);
    char *colon = strchr(line + t->key_col - 1, ':');
    char *rest = colon ? colon + 1 + strspn(colon + 1, " \t") : NULL;
    static const char *const nothing[] = {"{}", "null", "Null", "NULL", "~"};
    int rc = GN_OK;

    for (size_t i = 0; rest && i < sizeof nothing / sizeof *nothing; i++) {
        if (strncmp(rest, nothing[i], strlen(nothing[i])) == 0) {
            rest += strlen(nothing[i]);
            break;
        }
    }
    if (rest && *(rest + strspn(rest, " \t")) == '#') {
        gn_buf_add(put, line, (size_t)(colon + 1 - line));
        gn_buf_addf(put, " %s", rest + strspn(rest, " \t"));
    } else if (rest && !rest[strspn(rest, " \t\r\n")]) {
        gn_buf_add(put, line, (size_t)(colon + 1 - line));
    } else {
        rc = by_hand(e, t, err);
    }
    if (!rc && put->ptr[put->len - 1] != '\n')
        gn_buf_addc(put, '\n');
    free(line);
    return rc;
}

static int write_added(struct edit *e, const struct gn_target *t, struct gn_err *err)
{
    const struct gn_yaml_node *root = e->y.root, *last;
    struct gn_buf put = GN_BUF_INIT(GN_MAX_FILE);
    int rc = GN_OK, line, col;

    if (root && root->kind == GN_YAML_MAP && root->flow && root->n)
        return by_hand(e, root, err);
    if (e->targets && e->targets->kind == GN_YAML_MAP && e->targets->n) {
        last = e->targets->last;
        if (e->targets->flow)
            return by_hand(e, e->targets, err);
        line = line_behind(&e->text, last, last->key_col);
        add_target(&put, last->key_col - 1, t);
        splice(e, line, line, &put);
    } else if (e->targets) {
        line = e->targets->key_line;
        rc = open_targets(e, &put, err);
        add_target(&put, e->targets->key_col - 1 + INDENT, t);
        splice(e, line, line + 1, &put);
    } else {
        last = root && root->kind == GN_YAML_MAP ? root->last : NULL;
        col = last ? last->key_col : 1;
        line = last ? line_behind(&e->text, last, col) : count_lines(&e->text) + 1;
        gn_buf_addf(&put, "%*stargets:\n", col - 1, "");
        add_target(&put, col - 1 + INDENT, t);
        splice(e, line, line, &put);
    }
    gn_buf_clear(&put);
    return rc;
}

static size_t find_target(const struct gn_config *c, const char *name)
{
    size_t i = 0;

    while (i < c->n_targets && strcmp(c->targets[i].name, name) != 0)
        i++;
    return i;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_target(const struct gn_target *a, const struct gn_target *b)
{
    bool same = a->type == b->type && a->port == b->port && a->shared == b->shared &&
                a->nice == b->nice && a->tags.n == b->tags.n && a->n_env == b->n_env;

    return same && same_text(a->type_name, b->type_name) && same_text(a->host, b->host) &&
           same_text(a->user, b->user) && same_text(a->jump, b->jump) &&
           same_text(a->identity, b->identity) && same_text(a->workdir, b->workdir) &&
           same_text(a->python, b->python) && same_text(a->setup, b->setup);
}

/* Every other target is what it was, `name` is or is not there. */
static bool is_as_meant(const struct gn_config *before, const struct gn_config *after,
                        const char *name, bool there)
{
    for (size_t i = 0; i < before->n_targets; i++) {
        const struct gn_target *t = &before->targets[i];
        size_t at = find_target(after, t->name);

        if (strcmp(t->name, name) == 0)
            continue;
        if (at == after->n_targets || !same_target(t, &after->targets[at]))
            return false;
    }
    if (after->n_targets != before->n_targets + (there ? 1 : 0) - (there ? 0 : 1))
        return false;
    return (find_target(after, name) < after->n_targets) == there;
}

/* Somebody may have saved the file meanwhile: their work is not undone. */
static int check_unchanged(const struct edit *e, struct gn_err *err)
{
    struct gn_buf now = GN_BUF_INIT(GN_MAX_FILE);
    struct gn_err ignored = GN_ERR_INIT;
    int rc = gn_fs_read(e->path, &now, &ignored);
    bool same = rc == GN_E_NOTFOUND
                    ? e->is_new
                    : !rc && now.len == e->text.len && memcmp(now.ptr, e->text.ptr, now.len) == 0;

    gn_buf_clear(&now);
    if (same)
        return GN_OK;
    gn_err_set(err, GN_E_CHANGED, "'%s' was changed by somebody else just now", e->path);
    return gn_err_hint(err, "try again");
}

static int commit(const struct gn_ctx *ctx, struct edit *e, const char *name, bool there,
                  struct gn_err *err)
{
    struct gn_config after = {0};
    int rc;

    if (gn_buf_over(&e->result))
        return gn_err_set(err, GN_E_CONFIG, "'%s' would be larger than 1 MiB", e->path);
    rc = gn_config_parse("the new config.yaml", true, e->result.ptr, e->result.len, ctx->home,
                         &after, err);
    if (!rc && !is_as_meant(&e->before, &after, name, there)) {
        gn_err_set(err, GN_E_CONFIG, "'%s' is written in a way that cannot be edited safely",
                   e->path);
        rc = gn_err_hint(err, "edit it by hand; nothing was changed");
    }
    gn_config_clear(&after);
    if (!rc && e->is_new)
        rc = gn_fs_mkdirs(ctx->config_dir, 0700, err);
    if (!rc)
        rc = check_unchanged(e, err);
    if (!rc)
        rc = gn_fs_replace(e->path, e->result.ptr, e->result.len, e->mode, err);
    return rc;
}

int gn_config_add_target(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_err *err)
{
    struct edit e = {.text = GN_BUF_INIT(GN_MAX_FILE), .result = GN_BUF_INIT(GN_MAX_FILE)};
    int rc;

    if (!t->name || !gn_is_name(t->name)) {
        gn_err_set(err, GN_E_CONFIG, "this cannot name a target");
        return gn_err_hint(err, "letters, digits, . _ and -, a letter or digit first");
    }
    rc = load(ctx, &e, err);
    if (!rc && find_target(&e.before, t->name) < e.before.n_targets)
        rc = gn_err_set(err, GN_E_EXISTS, "target '%s' is there already: %s", t->name,
                        e.before.targets[find_target(&e.before, t->name)].where);
    if (!rc)
        rc = write_added(&e, t, err);
    if (!rc)
        rc = commit(ctx, &e, t->name, true, err);
    clear_edit(&e);
    return rc;
}

int gn_config_rm_target(const struct gn_ctx *ctx, const char *name, struct gn_err *err)
{
    struct edit e = {.text = GN_BUF_INIT(GN_MAX_FILE), .result = GN_BUF_INIT(GN_MAX_FILE)};
    const struct gn_buf nothing = GN_BUF_INIT(1);
    const struct gn_yaml_node *n;
    int rc = load(ctx, &e, err);

    if (rc)
        goto out;
    n = gn_yaml_get(e.targets, name);
    if (!n) {
        struct gn_buf safe = GN_BUF_INIT(512);

        gn_buf_addsafe(&safe, name, strlen(name), 100);
        rc = gn_err_set(err, GN_E_NOTFOUND, "no target '%s' in '%s'", safe.ptr, e.path);
        gn_buf_clear(&safe);
        goto out;
    }
    if (e.targets->flow || e.y.root->flow) {
        rc = by_hand(&e, e.targets, err);
        goto out;
    }
    splice(&e, n->key_line, line_behind(&e.text, n, n->key_col + 1), &nothing);
    rc = commit(ctx, &e, name, false, err);
out:
    clear_edit(&e);
    return rc;
}
