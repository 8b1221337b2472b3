/*
 * sshread.c - a small reader of ssh_config(5), for where there is no ssh to ask.
 *
 * It knows Host, Match (all, host, originalhost, user, localuser; exec is never run and
 * does not match), Include with patterns, quotes and "keyword=value".
 */
#include "sshread.h"

#include <ctype.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gnrrun/fs.h"
#include "sshtext.h"

#define FILES_MAX 64 /* files in all: also what stops an Include of itself */

char *gn_sshread_word(const char **p)
{
    struct gn_buf out = GN_BUF_INIT(GN_MAX_LINE);
    const char *s = *p + strspn(*p, " \t\r\f");
    bool quoted = false;

    if (!*s || *s == '#') {
        *p = s + strlen(s);
        return NULL;
    }
    for (; *s && (quoted || !strchr(" \t\r\f", *s)); s++)
        if (*s == '"')
            quoted = !quoted;
        else if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
            gn_buf_addc(&out, *++s);
        else
            gn_buf_addc(&out, *s);
    *p = s;
    return gn_buf_detach(&out);
}

bool gn_sshread_match(const char *patterns, const char *separators, const char *host)
{
    struct gn_strs list = GN_STRS_INIT;
    bool match = false, denied = false;

    gn_ssh_split(patterns, separators, &list);
    for (size_t i = 0; i < list.n; i++) {
        const char *p = list.v[i];
        bool not_this = *p == '!';
        struct gn_buf plain = GN_BUF_INIT(GN_MAX_LINE);

        /* Only * and ? are special to ssh; brackets are letters. */
        for (p += not_this; *p; p++)
            gn_buf_addf(&plain, "%s%c", strchr("[]\\", *p) ? "\\" : "", *p);
        if (fnmatch(plain.ptr, host, 0) == 0) {
            match = match || !not_this;
            denied = denied || not_this;
        }
        gn_buf_clear(&plain);
    }
    gn_strs_clear(&list);
    return match && !denied;
}

/* Files still to be read, as a stack: an Include is read where it stands. */
struct reader {
    const struct gn_ctx *ctx;
    const char *alias, *user;
    struct gn_sshconf *c;
    struct gn_sshseen *seen;
    struct gn_strs *names; /* collect Host names instead of values */
    struct frame {
        struct gn_buf text;
        const char *at;
        char *dir;
        bool active;  /* the lines now being read apply */
        bool outside; /* the block that held the Include did not apply: nothing here does */
    } frames[FILES_MAX];
    size_t depth, files;
};

static int enter(struct reader *r, const char *file, bool active, struct gn_err *err)
{
    struct frame *f = &r->frames[r->depth];
    char *slash;
    int rc;

    if (r->depth == FILES_MAX || r->files++ >= FILES_MAX)
        return gn_err_set(err, GN_E_CONFIG, "%s: too many files are included", file);
    *f = (struct frame){.text = GN_BUF_INIT(GN_MAX_FILE), .active = active, .outside = !active};
    rc = gn_fs_read(file, &f->text, err);
    if (rc != GN_OK) {
        gn_buf_clear(&f->text);
        if (rc == GN_E_LIMIT)
            return rc;
        gn_err_clear(err); /* not there, or not for us: as ssh does */
        return GN_OK;
    }
    f->at = f->text.ptr;
    f->dir = gn_strdup(file);
    slash = strrchr(f->dir, '/');
    if (slash)
        *slash = 0;
    r->depth++;
    return GN_OK;
}

static void leave(struct reader *r)
{
    struct frame *f = &r->frames[--r->depth];

    gn_buf_clear(&f->text);
    free(f->dir);
}

/* Files of an Include go on the stack from last to first, so that the first is read first. */
static int include(struct reader *r, const char *line, struct gn_err *err)
{
    struct frame *f = &r->frames[r->depth - 1];
    bool active = f->active;
    char *ssh_dir = gn_path_join(r->ctx->home, ".ssh"), *word;
    struct gn_strs found = GN_STRS_INIT;
    int rc = GN_OK;

    if (strncmp(f->dir, "/etc/ssh", 8) == 0) {
        free(ssh_dir);
        ssh_dir = gn_strdup("/etc/ssh");
    }
    while ((word = gn_sshread_word(&line))) {
        char *home = gn_path_tilde(word, r->ctx->home), *path = gn_path_join(ssh_dir, home);
        glob_t g = {0};

        if (glob(path, 0, NULL, &g) == 0)
            for (size_t i = 0; i < g.gl_pathc && i < FILES_MAX; i++)
                gn_strs_add(&found, g.gl_pathv[i]);
        globfree(&g);
        free(path);
        free(home);
        free(word);
    }
    for (size_t i = found.n; rc == GN_OK && i-- > 0;)
        rc = enter(r, found.v[i], active, err);
    gn_strs_clear(&found);
    free(ssh_dir);
    return rc;
}

static bool host_line(struct reader *r, const char *line)
{
    struct gn_buf all = GN_BUF_INIT(GN_MAX_LINE);
    char *word;
    bool match;

    while ((word = gn_sshread_word(&line))) {
        if (r->names && !strpbrk(word, "*?!") && gn_ssh_word_ok(word))
            gn_strs_add(r->names, word);
        gn_buf_addf(&all, "%s ", word);
        free(word);
    }
    match = r->alias && gn_sshread_match(all.ptr, " ", r->alias);
    gn_buf_clear(&all);
    return match;
}

static bool one_criterion(struct reader *r, const char *what, const char *value)
{
    const char *host = r->alias;

    if (strcasecmp(what, "originalhost") == 0)
        return gn_sshread_match(value, ",", r->alias);
    if (strcasecmp(what, "host") == 0) {
        if (r->c->hostname)
            host = r->c->hostname;
        return gn_sshread_match(value, ",", host);
    }
    if (strcasecmp(what, "user") == 0)
        return gn_sshread_match(value, ",",
                                r->user      ? r->user
                                : r->c->user ? r->c->user
                                             : r->ctx->user);
    if (strcasecmp(what, "localuser") == 0)
        return gn_sshread_match(value, ",", r->ctx->user);
    return false; /* exec, canonical, final, tagged ...: not for us */
}

static bool match_line(struct reader *r, const char *line)
{
    bool match = r->alias != NULL, any = false;
    char *what;

    while (match && (what = gn_sshread_word(&line))) {
        bool negated = *what == '!';
        char *value = NULL;

        any = true;
        if (strcasecmp(what, "all") != 0) {
            value = gn_sshread_word(&line);
            match = value && one_criterion(r, what + negated, value) != negated;
            if (strcasecmp(what + negated, "exec") == 0)
                match = false;
        }
        free(value);
        free(what);
    }
    return match && any;
}

/* "keyword value", "keyword=value", 'keyword "value"'. */
static int one_line(struct reader *r, const char *line, struct gn_err *err)
{
    struct frame *f = &r->frames[r->depth - 1];
    size_t n;
    char *keyword;
    int rc = GN_OK;

    line += strspn(line, " \t\r\f");
    n = strcspn(line, " \t\r\f=");
    if (n == 0 || *line == '#')
        return GN_OK;
    keyword = gn_strndup(line, n);
    line += n + strspn(line + n, " \t");
    if (*line == '=')
        line++;
    line += strspn(line, " \t");
    if (strcasecmp(keyword, "Host") == 0)
        f->active = host_line(r, line) && !f->outside;
    else if (strcasecmp(keyword, "Match") == 0)
        f->active = match_line(r, line) && !f->outside;
    else if (strcasecmp(keyword, "Include") == 0 && (f->active || r->names))
        rc = include(r, line, err);
    else if (f->active && r->c)
        gn_sshconf_set(r->c, r->seen, keyword, line);
    free(keyword);
    return rc;
}

static int run(struct reader *r, const char *file, struct gn_err *err)
{
    int rc = enter(r, file, true, err);

    while (rc == GN_OK && r->depth > 0) {
        struct frame *f = &r->frames[r->depth - 1];
        size_t n = strcspn(f->at, "\n");
        char *line;

        if (!*f->at) {
            leave(r);
            continue;
        }
        line = gn_strndup(f->at, n);
        f->at += n + (f->at[n] == '\n');
        rc = one_line(r, line, err);
        free(line);
    }
    while (r->depth > 0)
        leave(r);
    return rc;
}

int gn_sshread_file(const struct gn_ctx *ctx, const char *file, const char *alias, const char *user,
                    struct gn_sshconf *c, struct gn_sshseen *seen, struct gn_err *err)
{
    struct reader *r = gn_new(struct reader);
    int rc;

    r->ctx = ctx;
    r->alias = alias;
    r->user = user;
    r->c = c;
    r->seen = seen;
    rc = run(r, file, err);
    free(r);
    return rc;
}

int gn_sshread_aliases(const struct gn_ctx *ctx, const char *file, struct gn_strs *out,
                       struct gn_err *err)
{
    struct reader *r = gn_new(struct reader);
    int rc;

    r->ctx = ctx;
    r->names = out;
    rc = run(r, file, err);
    free(r);
    return rc;
}
