/* realpath(): in POSIX.1-2008, but glibc shows it only with XSI. */
#define _XOPEN_SOURCE 700

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "private.h"

static const struct ending {
    const char *text;
    enum gn_program_kind kind;
    const char *interp;
} endings[] = {
    {".py", GN_PROG_PYTHON, NULL},      {".sh", GN_PROG_SHELL, "sh"},
    {".bash", GN_PROG_SHELL, "bash"},   {".zsh", GN_PROG_SHELL, "zsh"},
    {".ksh", GN_PROG_SHELL, "ksh"},     {".ipynb", GN_PROG_NOTEBOOK, NULL},
    {".prototxt", GN_PROG_CAFFE, NULL},
};

static const struct ending *ending_of(const char *name)
{
    const char *dot = strrchr(gn_path_base(name), '.');

    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++) {
        if (!strcmp(dot, endings[i].text))
            return &endings[i];
    }
    return NULL;
}

bool gn_known_ending(const char *name)
{
    return ending_of(name) != NULL;
}

/* The shell that the "#!" line of a file asks for, by its name; NULL: none, or no shell. */
static char *shell_of(const char *path, bool *has_line)
{
    static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ksh", "mksh"};
    char line[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

    gn_fs_close(fd);
    *has_line = n > 2 && line[0] == '#' && line[1] == '!';
    if (!*has_line)
        return NULL;
    line[n] = 0;
    line[strcspn(line, "\r\n")] = 0;
    /* "#!/bin/bash -e", "#!/usr/bin/env bash" */
    for (char *s = line + 2; *(s += strspn(s, " \t"));) {
        size_t len = strcspn(s, " \t");
        bool more = s[len] != 0;

        s[len] = 0;
        const char *name = gn_path_base(s);
        for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
            if (!strcmp(name, shells[i]))
                return gn_strdup(name);
        }
        if (strcmp(name, "env") || !more)
            return NULL;
        s += len + 1;
    }
    return NULL;
}

/* file as seen from workdir (both relative to the project), never to be taken for an option. */
static char *seen_from(const char *workdir, const char *file)
{
    struct gn_buf b = GN_BUF_INIT(GN_MAX_FILE);
    size_t same = 0;

    for (size_t i = 0; workdir[i] == file[i] && workdir[i]; i++) {
        if (workdir[i] == '/')
            same = i + 1;
    }
    size_t n = strlen(workdir);
    if (n && !strncmp(workdir, file, n) && file[n] == '/') {
        same = n + 1;
    } else if (n) {
        gn_buf_adds(&b, "../");
        for (const char *s = workdir + same; (s = strchr(s, '/')); s++)
            gn_buf_adds(&b, "../");
    }
    if (!b.len && file[same] == '-')
        gn_buf_adds(&b, "./");
    gn_buf_adds(&b, file + same);
    return gn_buf_detach(&b);
}

/* path made relative to the project: by its words, else by where it really is. */
static char *in_project(const struct gn_project *p, const char *path)
{
    const char *below = gn_path_below(p->root, path);
    char *out = below ? gn_strdup(below) : NULL;

    if (!out) {
        char *real_root = realpath(p->root, NULL);
        char *real = realpath(path, NULL);

        if (real_root && real && (below = gn_path_below(real_root, real)))
            out = gn_strdup(below);
        free(real_root);
        free(real);
    }
    return out;
}

/* A file of the project whose ending says nothing: executable, or a script by its first line. */
static int by_content(struct gn_program *out, const char *path, bool executable, const char *shown,
                      struct gn_err *err)
{
    bool has_line = false;
    char *shell = shell_of(path, &has_line);

    if (executable) {
        out->kind = GN_PROG_EXEC;
        free(shell);
        return GN_OK;
    }
    if (shell) {
        out->kind = GN_PROG_SHELL;
        out->interp = shell;
        return GN_OK;
    }
    gn_err_set(err, GN_E_USAGE, "'%s' is not executable, and its name does not say what it is",
               shown);
    return gn_err_hint(err, "chmod +x it, or name the command that starts it");
}

static int by_ending(struct gn_program *out, const char *path, bool executable,
                     const struct ending *end)
{
    bool has_line = false;

    out->kind = end->kind;
    if (end->kind != GN_PROG_SHELL)
        return GN_OK;
    char *shell = shell_of(path, &has_line);
    if (executable && has_line) {
        out->kind = GN_PROG_EXEC;
        free(shell);
    } else {
        out->interp = shell ? shell : gn_strdup(end->interp);
    }
    return GN_OK;
}

/* A folder is a program if Python would start it. */
static int by_folder(struct gn_program *out, const char *path, const char *shown,
                     struct gn_err *err)
{
    char *inside = gn_path_join(path, "__main__.py");
    bool is_program = gn_fs_is_file(inside);

    free(inside);
    if (!is_program)
        return gn_err_set(err, GN_E_USAGE, "'%s' is a folder, not a program", shown);
    out->kind = GN_PROG_PYTHON;
    return GN_OK;
}

/* as_python: the user said `python FILE`, so its name does not matter. */
static int take_file(const struct gn_project *p, const char *path, const char *shown,
                     bool as_python, struct gn_program *out, struct gn_err *err)
{
    struct stat st;
    int rc;

    if (stat(path, &st) < 0)
        return gn_err_sys(err, errno, "cannot look at '%s'", shown);
    out->file = in_project(p, path);
    if (!out->file) {
        char *root = gn_safe_text(p->root);

        rc = gn_err_set(err, GN_E_USAGE, "'%s' lies outside of the project '%s'", shown, root);
        free(root);
        return rc;
    }
    out->kind = GN_PROG_PYTHON;
    bool executable = S_ISREG(st.st_mode) && (st.st_mode & 0111);
    const struct ending *end = ending_of(path);
    if (S_ISDIR(st.st_mode))
        rc = by_folder(out, path, shown, err);
    else if (!S_ISREG(st.st_mode))
        rc = gn_err_set(err, GN_E_USAGE, "'%s' is not a file", shown);
    else if (as_python)
        rc = GN_OK;
    else if (end)
        rc = by_ending(out, path, executable, end);
    else
        rc = by_content(out, path, executable, shown, err);
    if (rc < 0)
        return rc;

    out->start = seen_from(out->workdir, *out->file ? out->file : ".");
    if (out->kind == GN_PROG_EXEC && !strchr(out->start, '/')) {
        char *bare = out->start;

        out->start = gn_printf("./%s", bare);
        free(bare);
    }
    return GN_OK;
}

/* A plain word that is no file: a command over there, unless it looks like a slip. */
static int take_command(const struct gn_project *p, const char *cwd, const char *path,
                        const char *word, const char *shown, struct gn_program *out,
                        struct gn_err *err)
{
    gn_err_clear(err);
    if (strchr(word, '/') || gn_known_ending(word)) {
        gn_err_set(err, GN_E_NOTFOUND, "there is no '%s' here", shown);
        gn_nearest_hint(p, cwd, path, err);
        return err->code;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char *with = gn_printf("%s%s", path, endings[i].text);
        bool there = gn_fs_is_file(with);

        free(with);
        if (!there)
            continue;
        gn_err_set(err, GN_E_NOTFOUND, "there is no '%s' here", shown);
        return gn_err_hint(err, "did you mean '%s%s'?", shown, endings[i].text);
    }
    out->kind = GN_PROG_COMMAND;
    out->start = gn_strdup(word);
    return GN_OK;
}

static int take_word(const struct gn_ctx *ctx, const struct gn_project *p, const char *word,
                     bool as_python, struct gn_program *out, struct gn_err *err)
{
    char *joined = gn_path_join(ctx->cwd, word);
    char *path = gn_path_clean(joined);
    char *shown = gn_safe_text(word);
    struct stat st;
    int rc;

    if (!*word)
        rc = gn_err_set(err, GN_E_USAGE, "the program's name is empty");
    else if (stat(path, &st) == 0)
        rc = take_file(p, path, shown, as_python, out, err);
    else
        rc = take_command(p, ctx->cwd, path, word, shown, out, err);
    free(joined);
    free(path);
    free(shown);
    return rc;
}

/* -m MODULE: letters, digits, "_" and dots, so that it is no option and no path. */
static int take_module(const struct gn_strs *words, size_t at, struct gn_program *out,
                       struct gn_err *err)
{
    if (at >= words->n)
        return gn_err_set(err, GN_E_USAGE, "-m needs the name of a module");
    const char *name = words->v[at];
    bool good = *name && *name != '.';
    for (const char *s = name; *s; s++)
        good = good && (isalnum((unsigned char)*s) || strchr("_.", *s) || (*s & 0x80));
    if (!good) {
        char *shown = gn_safe_text(name);
        int rc = gn_err_set(err, GN_E_USAGE, "'%s' is not the name of a module", shown);

        free(shown);
        return rc;
    }
    out->kind = GN_PROG_MODULE;
    out->start = gn_strdup(name);
    out->first_arg = at + 1;
    return GN_OK;
}

static bool is_python(const char *word)
{
    return !strcmp(word, "python") || !strcmp(word, "python3");
}

static int take_words(const struct gn_ctx *ctx, const struct gn_project *p,
                      const struct gn_strs *words, struct gn_program *out, struct gn_err *err)
{
    size_t at = 0;

    if (is_python(words->v[0])) {
        at = 1;
        while (at < words->n && !strcmp(words->v[at], "-u"))
            at++; /* unbuffered it is anyway */
        if (at == words->n || (words->v[at][0] == '-' && strcmp(words->v[at], "-m"))) {
            out->kind = GN_PROG_COMMAND;
            out->start = gn_strdup("python");
            out->first_arg = 1;
            return GN_OK;
        }
    }
    if (!strcmp(words->v[at], "-m"))
        return take_module(words, at + 1, out, err);
    if (words->v[at][0] == '-') {
        char *shown = gn_safe_text(words->v[at]);
        int rc = gn_err_set(err, GN_E_USAGE, "'%s' is not a program", shown);

        free(shown);
        return rc;
    }
    out->first_arg = at + 1;
    int rc = take_word(ctx, p, words->v[at], at > 0, out, err);
    if (rc == GN_OK && at && out->kind == GN_PROG_COMMAND) {
        char *shown = gn_safe_text(words->v[at]);

        rc = gn_err_set(err, GN_E_NOTFOUND, "there is no '%s' here", shown);
        free(shown);
    }
    return rc;
}

int gn_program_resolve(const struct gn_ctx *ctx, const struct gn_project *p,
                       const struct gn_strs *words, struct gn_program *out, struct gn_err *err)
{
    struct gn_program prog = {0};
    struct stat st;
    int rc;

    if (!words->n)
        return gn_err_set(err, GN_E_USAGE, "no program was named");
    prog.workdir = in_project(p, ctx->cwd);
    if (!prog.workdir || stat(ctx->cwd, &st) < 0) {
        free(prog.workdir);
        prog.workdir = gn_strdup("");
    }
    rc = take_words(ctx, p, words, &prog, err);
    if (rc < 0) {
        gn_program_clear(&prog);
        return rc;
    }
    gn_strs_copy(&prog.words, words);
    *out = prog;
    return GN_OK;
}
