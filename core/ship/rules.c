#define _XOPEN_SOURCE 700 /* realpath */
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "ignore.h"
#include "tree.h"

extern const char gn_ship_builtin[]; /* builtin.ignore */

#define MAX_PARENTS 64

/* What is the same in the whole project. */
struct project {
    struct gn_ignore *built_in;
    struct gn_ignore *opts; /* ignore: */
    char *prefix; /* from the top of the work tree to the root, "" or with a final slash */
    bool everything;
};

struct gn_rules {
    struct gn_rules *above; /* of the folders above; NULL: this is the first */
    struct project *project;
    struct gn_ignore *git; /* the user's, .gitignore; paths from the top of the work tree */
    struct gn_ignore *own; /* .gnrrunignore; paths from the root */
    struct gn_ignore_filter filter; /* of all that holds here */
    _Atomic unsigned users;
};

static void project_free(struct project *p)
{
    gn_ignore_free(p->built_in);
    gn_ignore_free(p->opts);
    free(p->prefix);
    free(p);
}

void gn_rules_leave(struct gn_rules *r)
{
    while (r && atomic_fetch_sub(&r->users, 1) == 1) {
        struct gn_rules *above = r->above;

        gn_ignore_free(r->git);
        gn_ignore_free(r->own);
        if (!above)
            project_free(r->project);
        free(r);
        r = above;
    }
}

struct gn_rules *gn_rules_stay(struct gn_rules *r)
{
    atomic_fetch_add(&r->users, 1);
    return r;
}

static struct gn_rules *rules_new(struct gn_rules *above)
{
    struct gn_rules *r = gn_new(struct gn_rules);

    atomic_init(&r->users, 1);
    if (above) {
        r->above = gn_rules_stay(above);
        r->project = above->project;
        r->git = gn_ignore_below(above->git);
        r->own = gn_ignore_below(above->own);
    } else {
        r->project = gn_new(struct project);
        r->git = gn_ignore_new();
        r->own = gn_ignore_new();
    }
    return r;
}

static void make_filter(struct gn_rules *r)
{
    r->filter = (struct gn_ignore_filter){.any = 0};
    gn_ignore_filter_add(&r->filter, r->project->built_in);
    gn_ignore_filter_add(&r->filter, r->project->opts);
    gn_ignore_filter_add(&r->filter, r->git);
    gn_ignore_filter_add(&r->filter, r->own);
}

/*
 * Append the rules in file name of the folder dirfd.  Not there, no regular file, or (beside: in
 * the tree, where it could point anywhere) a symbolic link, as git has it: no rules.
 */
static int read_rules(struct gn_ignore *ig, int dirfd, const char *name, bool beside,
                      const char *dir, const char *source, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (beside ? O_NOFOLLOW : 0));
    char shown[GN_SHOWN];
    struct stat st;
    char *room;
    ssize_t n = 0;
    int rc = GN_OK;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return GN_OK;
    if (fd < 0)
        return gn_err_sys(err, errno, "cannot read '%s'", gn_shown(source, shown));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        goto out;
    while ((room = gn_buf_room(&text, (size_t)32 << 10)) != NULL) {
        n = read(fd, room, (size_t)32 << 10);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        gn_buf_commit(&text, (size_t)n);
    }
    if (!room)
        rc = gn_err_set(err, GN_E_LIMIT, "'%s' is too large for a file of rules",
                        gn_shown(source, shown));
    else if (n < 0)
        rc = gn_err_sys(err, errno, "cannot read '%s'", gn_shown(source, shown));
    else
        gn_ignore_add(ig, dir, source, text.ptr, text.len);
out:
    gn_fs_close(fd);
    gn_buf_clear(&text);
    return rc;
}

/* What `core.excludesFile` is when nobody set it. */
static int read_users(struct gn_rules *r, const struct gn_ctx *ctx, struct gn_err *err)
{
    const char *xdg = ctx->env ? ctx->env(ctx, "XDG_CONFIG_HOME") : NULL;
    char *file = NULL;
    int rc = GN_OK;

    if (xdg && *xdg)
        file = gn_path_join(xdg, "git/ignore");
    else if (ctx->home && *ctx->home)
        file = gn_path_join(ctx->home, ".config/git/ignore");
    if (file)
        rc = read_rules(r->git, AT_FDCWD, file, false, "", file, err);
    free(file);
    return rc;
}

static int read_exclude(struct gn_rules *r, const char *top, struct gn_err *err)
{
    char *file = gn_path_join(top, ".git/info/exclude");
    int rc = read_rules(r->git, AT_FDCWD, file, false, "", ".git/info/exclude", err);

    free(file);
    return rc;
}

/* Length of the part of root that holds .git, 0 when none does. */
static size_t find_top(const char *root)
{
    size_t len = strlen(root);

    for (unsigned i = 0; i < MAX_PARENTS && len; i++) {
        char *dir = gn_strndup(root, len);
        char *git = gn_path_join(dir, ".git");
        struct stat st;
        bool here = lstat(git, &st) == 0;

        free(git);
        free(dir);
        if (here)
            return len;
        while (len && root[len - 1] != '/')
            len--;
        len -= len > 0;
    }
    return 0;
}

/*
 * The .gitignore files above the root, from top inwards.  *ignored when one of them ignores the root
 * itself: then (a home folder under git, say) they were not written with this project in mind.
 */
static int read_parents(struct gn_rules *r, const char *top, bool *ignored, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t at = 0; rc == GN_OK && !*ignored && r->project->prefix[at];) {
        char *rel = gn_strndup(r->project->prefix, at ? at - 1 : 0);
        char *dir = gn_path_join(top, rel);
        char *file = gn_path_join(dir, ".gitignore");
        struct gn_verdict v;

        rc = read_rules(r->git, AT_FDCWD, file, true, rel, file, err);
        free(file);
        free(dir);
        free(rel);
        at += strcspn(r->project->prefix + at, "/") + 1;
        rel = gn_strndup(r->project->prefix, at - 1);
        gn_ignore_match(r->git, rel, true, &v);
        free(rel);
        *ignored = v.ignored;
    }
    return rc;
}

static int read_git(struct gn_rules *r, const struct gn_ctx *ctx, const char *root,
                    struct gn_err *err)
{
    size_t top_len = find_top(root);
    char *top = gn_strndup(root, top_len);
    bool ignored = false;
    int rc;

    rc = read_users(r, ctx, err);
    if (!rc && top_len)
        rc = read_exclude(r, top, err);
    if (!rc && top_len && root[top_len]) {
        free(r->project->prefix);
        r->project->prefix = gn_printf("%s/", root + top_len + 1);
        rc = read_parents(r, top, &ignored, err);
    }
    if (!rc && ignored) {
        free(r->project->prefix);
        r->project->prefix = gn_strdup("");
        gn_ignore_free(r->git);
        r->git = gn_ignore_new();
        rc = read_users(r, ctx, err);
    }
    free(top);
    return rc;
}

static void add_opts(struct project *p, const struct gn_strs *ignore)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);

    for (size_t i = 0; ignore && i < ignore->n; i++) {
        gn_buf_adds(&text, ignore->v[i]);
        gn_buf_addc(&text, '\n');
    }
    gn_ignore_add(p->opts, "", "ignore:", text.ptr, text.len);
    gn_buf_clear(&text);
}

int gn_rules_open(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_rules **out,
                  struct gn_err *err)
{
    struct gn_rules *r = rules_new(NULL);
    struct project *p = r->project;
    char *root = NULL;
    int rc = GN_OK;

    p->everything = opts->everything;
    p->built_in = gn_ignore_new();
    gn_ignore_add(p->built_in, "", GN_RULES_BUILT_IN, gn_ship_builtin, strlen(gn_ship_builtin));
    p->opts = gn_ignore_new();
    p->prefix = gn_strdup("");
    if (!p->everything) {
        root = realpath(opts->root, NULL);
        if (!root)
            rc = gn_err_sys(err, errno, "cannot open '%s'", opts->root);
        else
            rc = read_git(r, ctx, root, err);
        add_opts(p, opts->ignore);
    }
    free(root);
    if (rc) {
        gn_rules_leave(r);
        return rc;
    }
    make_filter(r);
    *out = r;
    return GN_OK;
}

unsigned gn_rules_file(const char *name)
{
    if (name[0] != '.' || name[1] != 'g')
        return 0;
    return !strcmp(name, ".gitignore")      ? GN_RULES_GIT
           : !strcmp(name, ".gnrrunignore") ? GN_RULES_OWN
                                            : 0;
}

int gn_rules_enter(struct gn_rules *above, int dirfd, const char *path, unsigned files,
                   struct gn_rules **out, struct gn_err *err)
{
    const char *slash = *path ? "/" : "";
    struct gn_rules *r;
    char *dir, *source;
    int rc = GN_OK;

    if (above->project->everything || !files) {
        *out = gn_rules_stay(above);
        return GN_OK;
    }
    r = rules_new(above);
    dir = gn_printf("%s%s", r->project->prefix, path);
    if (*dir && !*path)
        dir[strlen(dir) - 1] = '\0';
    source = gn_printf("%s%s.gitignore", path, slash);
    if (files & GN_RULES_GIT)
        rc = read_rules(r->git, dirfd, ".gitignore", true, dir, source, err);
    free(source);
    source = gn_printf("%s%s.gnrrunignore", path, slash);
    if (!rc && files & GN_RULES_OWN)
        rc = read_rules(r->own, dirfd, ".gnrrunignore", true, path, source, err);
    free(source);
    free(dir);
    if (rc) {
        gn_rules_leave(r);
        return rc;
    }
    make_filter(r);
    *out = r;
    return GN_OK;
}

/* "!*" and "!**" + "/" are about everything, so about nothing of the built-in list. */
static bool names_something(const char *pattern)
{
    return pattern[strspn(pattern, "!*/")] != '\0';
}

/* What .gnrrunignore and ignore: say. */
static void match_own(const struct gn_rules *r, const char *path, bool is_dir,
                      struct gn_verdict *out)
{
    gn_ignore_match(r->project->opts, path, is_dir, out);
    if (!out->source)
        gn_ignore_match(r->own, path, is_dir, out);
}

static void match_git(const struct gn_rules *r, const char *path, bool is_dir,
                      struct gn_verdict *out)
{
    char full[2 * GN_PATH_LIMIT];
    size_t n = strlen(r->project->prefix), len = strlen(path);

    if (!n || n + len >= sizeof full) {
        gn_ignore_match(r->git, path, is_dir, out);
        return;
    }
    memcpy(full, r->project->prefix, n);
    memcpy(full + n, path, len + 1);
    gn_ignore_match(r->git, full, is_dir, out);
}

void gn_rules_match(const struct gn_rules *r, const char *path, bool is_dir, struct gn_verdict *out)
{
    struct gn_verdict own = {.ignored = false};

    *out = own;
    if (r->project->everything)
        return;
    match_own(r, path, is_dir, &own);
    *out = own;
    if (own.source && (own.ignored || names_something(own.pattern)))
        return;
    gn_ignore_match(r->project->built_in, path, is_dir, out);
    if (out->source)
        return;
    *out = own;
    if (!own.source)
        match_git(r, path, is_dir, out);
}

bool gn_rules_ignore(const struct gn_rules *r, const char *path, const char *name, size_t len,
                     bool is_dir)
{
    struct gn_verdict v;

    if (r->project->everything || !gn_ignore_may(&r->filter, name, len, is_dir))
        return false;
    gn_rules_match(r, path, is_dir, &v);
    return v.ignored;
}

bool gn_rules_is_environment(const struct gn_rules *r, const char *path, const char *has)
{
    struct gn_verdict own;

    if (r->project->everything ||
        (strcmp(has, "pyvenv.cfg") != 0 && strcmp(has, "conda-meta") != 0))
        return false;
    match_own(r, path, true, &own);
    return !(own.source && !own.ignored && names_something(own.pattern));
}
