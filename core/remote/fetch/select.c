/* select.c - which of the far side's names are results. */
#include <string.h>
#include <strings.h>

#include "room.h"

/* Folders and files by the last part of their name.  Short on purpose: what ends up here never
 * comes home, and nobody is told. */
static const char *const junk_dirs[] = {
    "__pycache__",   ".ipynb_checkpoints", ".git",         ".pytest_cache",
    ".mypy_cache",   ".ruff_cache",        "venv",         ".venv",
    "site-packages", "node_modules",       GN_RESULTS_DIR,
};
static const char *const junk_files[] = {"*.pyc", "*.pyo", ".nfs????????*", "pyvenv.cfg"};

static bool junk_part(const char *s, size_t len)
{
    for (size_t i = 0; i < sizeof junk_dirs / sizeof *junk_dirs; i++)
        if (strlen(junk_dirs[i]) == len && strncasecmp(s, junk_dirs[i], len) == 0)
            return true;
    return false;
}

bool gn_select_junk(const char *path, bool is_dir)
{
    const char *from = path, *slash;

    for (; (slash = strchr(from, '/')) != NULL; from = slash + 1)
        if (junk_part(from, (size_t)(slash - from)))
            return true;
    if (is_dir && junk_part(from, strlen(from)))
        return true;
    if (strcmp(from, ".git") == 0) /* also as a file: of a worktree, or a symlink */
        return true;
    for (size_t i = 0; !is_dir && i < sizeof junk_files / sizeof *junk_files; i++)
        if (gn_glob_match(junk_files[i], path, false))
            return true;
    return false;
}

/* The path itself, or a folder it stands in. */
static bool matches(const char *pattern, const char *path, bool is_dir)
{
    char folder[GN_PATH_BYTES + 1];
    size_t len = strlen(path);

    if (gn_glob_match(pattern, path, is_dir))
        return true;
    if (len > GN_PATH_BYTES)
        return false;
    memcpy(folder, path, len + 1);
    for (char *slash = strrchr(folder, '/'); slash; slash = strrchr(folder, '/')) {
        *slash = 0;
        if (gn_glob_match(pattern, folder, true))
            return true;
    }
    return false;
}

bool gn_select_wanted(const struct gn_strs *patterns, const char *path, bool is_dir)
{
    bool wanted = true;

    if (!patterns)
        return true;
    /* With exclusions alone the rest is wanted. */
    for (size_t i = 0; i < patterns->n; i++)
        if (patterns->v[i][0] != '!')
            wanted = false;
    for (size_t i = 0; i < patterns->n; i++) {
        const char *p = patterns->v[i];
        bool out = p[0] == '!';

        if (wanted == out && matches(p + out, path, is_dir))
            wanted = !out;
    }
    return wanted;
}

bool gn_select_below(const struct gn_strs *paths, const char *path)
{
    for (size_t i = 0; paths && i < paths->n; i++) {
        size_t n = strlen(paths->v[i]);

        while (n && paths->v[i][n - 1] == '/')
            n--;
        if (n && strncmp(path, paths->v[i], n) == 0 && (path[n] == 0 || path[n] == '/'))
            return true;
    }
    return false;
}
