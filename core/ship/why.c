#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "guard.h"
#include "rules.h"
#include "scan.h"
#include "tree.h"

/* A path as the user may write it: "./a//b/" becomes "a/b".  False when it leads out. */
static bool tidy(const char *path, char out[GN_PATH_LIMIT])
{
    size_t n = 0;

    while (*path) {
        size_t len = strcspn(path, "/");

        if (len == 2 && !memcmp(path, "..", 2))
            return false;
        if (len && !(len == 1 && *path == '.')) {
            if (n + len + 2 > GN_PATH_LIMIT)
                return false;
            if (n)
                out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
        }
        path += len + (path[len] == '/');
    }
    out[n] = '\0';
    return n > 0;
}

/* What there is to say; the verdict's strings live in the rules, which text outlives. */
static void explain(struct gn_buf *text, const char *path, const char *part,
                    const struct gn_verdict *v)
{
    char shown[GN_SHOWN];
    bool by_name = v->source && v->line && strcmp(v->source, GN_RULES_BUILT_IN) != 0;

    gn_buf_addf(text, "'%s' is %s: ", gn_shown(path, shown), v->ignored ? "left out" : "shipped");
    if (strcmp(path, part) != 0)
        gn_buf_addf(text, "'%s' is left out by ", gn_shown(part, shown));
    if (!v->source) {
        gn_buf_adds(text, "no rule matches");
        return;
    }
    gn_buf_adds(text, gn_shown(v->source, shown));
    if (by_name)
        gn_buf_addf(text, ":%u", v->line);
    gn_buf_addf(text, ": %s", gn_shown(v->pattern, shown));
}

struct asker {
    const struct gn_scan_opts *opts;
    struct gn_rules *rules;
    int dir; /* the folder of the part that is looked at */
    struct gn_verdict v;
};

static bool is_environment(const struct asker *a, const char *part, int dir)
{
    static const char *const marks[] = {"pyvenv.cfg", "conda-meta"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (faccessat(dir, marks[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
            gn_rules_is_environment(a->rules, part, marks[i]))
            return true;
    return false;
}

static int enter(struct asker *a, const char *path, struct gn_err *err)
{
    struct gn_rules *here = NULL;
    int rc = gn_rules_enter(a->rules, a->dir, path, GN_RULES_GIT | GN_RULES_OWN, &here, err);

    if (rc)
        return rc;
    gn_rules_leave(a->rules);
    a->rules = here;
    return GN_OK;
}

/* Judge one part, whose last name is name; *is_dir: it can be entered, and was. */
static int judge(struct asker *a, const char *part, const char *name, bool *is_dir,
                 struct gn_err *err)
{
    char shown[GN_SHOWN];
    struct stat st;
    int fd;

    if (fstatat(a->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return gn_err_set(err, GN_E_NOTFOUND, "there is no '%s'", gn_shown(part, shown));
    *is_dir = S_ISDIR(st.st_mode);
    if (gn_is_skipped(a->opts->skip, part)) {
        a->v = (struct gn_verdict){true, "data:", part, 0};
        return GN_OK;
    }
    gn_rules_match(a->rules, part, *is_dir, &a->v);
    if (!*is_dir && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !a->v.ignored)
        a->v = (struct gn_verdict){true, GN_RULES_BUILT_IN, "no file, folder or link", 0};
    if (!*is_dir || a->v.ignored)
        return GN_OK;
    fd = openat(a->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return gn_err_sys(err, errno, "cannot open '%s'", gn_shown(part, shown));
    if (is_environment(a, part, fd))
        a->v = (struct gn_verdict){true, GN_RULES_BUILT_IN, "a virtual environment", 0};
    gn_fs_close(a->dir);
    a->dir = fd;
    return enter(a, part, err);
}

/* From the root inwards, to the first part that is ignored. */
static int ask(struct asker *a, const char *path, struct gn_buf *text, struct gn_err *err)
{
    char part[GN_PATH_LIMIT];
    char shown[GN_SHOWN];
    size_t at = 0;

    for (;;) {
        size_t end = at + strcspn(path + at, "/");
        bool is_dir = false;
        int rc;

        memcpy(part, path, end);
        part[end] = '\0';
        rc = judge(a, part, part + at, &is_dir, err);
        if (rc)
            return rc;
        if (a->v.ignored || !path[end]) {
            explain(text, path, part, &a->v);
            return GN_OK;
        }
        if (!is_dir)
            return gn_err_set(err, GN_E_NOTFOUND, "'%s' is no folder", gn_shown(part, shown));
        at = end + 1;
    }
}

int gn_scan_why(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, const char *path,
                bool *shipped, struct gn_buf *text, struct gn_err *err)
{
    struct asker a = {.opts = opts, .dir = -1};
    struct gn_tree tree = GN_TREE_INIT;
    char clean[GN_PATH_LIMIT], shown[GN_SHOWN];
    const char *secret;
    int rc;

    if (*path == '/' || !tidy(path, clean))
        return gn_err_set(err, GN_E_USAGE, "'%s' is no path in the project", gn_shown(path, shown));
    rc = gn_tree_open(&tree, opts->root, err);
    if (!rc)
        rc = gn_rules_open(ctx, opts, &a.rules, err);
    if (rc)
        goto out;
    a.dir = tree.root;
    tree.root = -1;
    if (a.dir < 0) {
        rc = gn_err_set(err, GN_E_USAGE, "'%s' is no folder", gn_shown(opts->root, shown));
        goto out;
    }
    rc = enter(&a, "", err);
    if (!rc)
        rc = ask(&a, clean, text, err);
    if (rc)
        goto out;
    secret = opts->everything ? NULL : gn_guard_name(clean);
    if (!a.v.ignored && secret && !gn_is_allowed(opts->allow, clean))
        gn_buf_addf(text, "; it looks like %s, so nothing would be sent", secret);
    *shipped = !a.v.ignored;
out:
    gn_fs_close(a.dir);
    gn_rules_leave(a.rules);
    gn_tree_close(&tree);
    return rc;
}
