/* root.c - which folder is the project. */
#define _XOPEN_SOURCE 700 /* realpath() */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gnrrun/fs.h"
#include "values.h"

/* The folder start is or lies in, without links, so that one project has one name. */
static int start_folder(const char *start, char **out, struct gn_err *err)
{
    char *folder = gn_strdup(start);
    char *real;

    if (*start != '/') {
        free(folder);
        return gn_err_set(err, GN_E_BUG, "a project is looked for from a relative path");
    }
    if (!gn_fs_is_dir(folder)) {
        char *slash = strrchr(folder, '/');

        slash[slash == folder] = '\0';
    }
    real = realpath(folder, NULL);
    if (!real) {
        struct gn_buf safe = GN_BUF_INIT(1024);
        int code = errno == ENOENT || errno == ENOTDIR ? GN_E_NOTFOUND : 0, saved = errno;

        gn_buf_addsafe(&safe, folder, strlen(folder), 400);
        if (code)
            gn_err_set(err, code, "no folder '%s'", safe.ptr);
        else
            gn_err_sys(err, saved, "cannot look into '%s'", safe.ptr);
        gn_buf_clear(&safe);
        free(folder);
        return err->code;
    }
    free(folder);
    *out = real;
    return GN_OK;
}

static bool holds(const char *folder, const char *name, bool as_file, char **path)
{
    char *p = gn_path_join(folder, name);
    struct stat sb;
    bool found = as_file ? gn_fs_is_file(p) : stat(p, &sb) == 0;

    if (found && path)
        *path = p;
    else
        free(p);
    return found;
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

int gn_find_root(const struct gn_ctx *ctx, const char *start, char **root, char **file,
                 struct gn_err *err)
{
    char *folder = NULL, *at = NULL, *git = NULL, *yaml = NULL;
    char *home = ctx->home && *ctx->home ? realpath(ctx->home, NULL) : NULL;
    int rc = start_folder(start, &folder, err);

    if (rc)
        goto out;
    if (home && !is_below(folder, home)) {
        free(home);
        home = NULL;
    }
    at = gn_strdup(folder);
    for (;;) {
        bool is_home = home && strcmp(at, home) == 0;
        char *slash;

        if (holds(at, "gnrrun.yaml", true, &yaml))
            break;
        /* A home under git holds settings, not a project. */
        if (!git && !is_home && holds(at, ".git", false, NULL))
            git = gn_strdup(at);
        if (is_home || strcmp(at, "/") == 0)
            break;
        slash = strrchr(at, '/');
        slash[slash == at] = '\0';
    }
    *root = gn_strdup(yaml ? at : git ? git : folder);
    *file = yaml;
out:
    free(folder);
    free(at);
    free(git);
    free(home);
    return rc;
}
