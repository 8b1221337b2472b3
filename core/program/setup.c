#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "private.h"

/* Bounds on what a requirements file may pull in, and on what is worth hashing. */
#define FILES_MAX 64
#define BYTES_MAX ((size_t)16 << 20)

/* What installers read, whatever the command says. */
static const char *const dependency_files[] = {
    "pyproject.toml", "setup.py",       "setup.cfg",    "requirements.txt",
    "uv.lock",        "poetry.lock",    "Pipfile.lock", "environment.yml",
    "package.json",   "CMakeLists.txt", "Makefile",
};

/* Files that belong to the key, each once, in the order they were met. */
struct scan {
    const struct gn_project *project;
    struct gn_setup *setup;
    struct gn_strs files;
};

/* name, as written in folder dir of the project, relative to the project; NULL when not inside. */
static char *inside(const struct scan *s, const char *dir, const char *name)
{
    char *from = gn_path_join(s->project->root, dir);
    char *joined = gn_path_join(from, name);
    char *path = gn_path_clean(joined);
    const char *below = gn_path_below(s->project->root, path);
    char *out = below ? gn_strdup(below) : NULL;

    free(from);
    free(joined);
    free(path);
    return out;
}

/* 'f' file, 'd' folder, 'o' something else, 0 nothing. */
static char kind_of(const struct scan *s, const char *rel)
{
    char *path = gn_path_join(s->project->root, rel);
    struct stat st;
    char kind = 0;

    if (stat(path, &st) == 0)
        kind = S_ISREG(st.st_mode) ? 'f' : S_ISDIR(st.st_mode) ? 'd' : 'o';
    free(path);
    return kind;
}

/* If name is a file of the project, the key depends on it. */
static void add_file(struct scan *s, const char *dir, const char *name)
{
    char *rel = *name ? inside(s, dir, name) : NULL;

    if (!rel || !*rel || s->files.n >= FILES_MAX || kind_of(s, rel) != 'f') {
        free(rel);
        return;
    }
    for (size_t i = 0; i < s->files.n; i++) {
        if (!strcmp(s->files.v[i], rel)) {
            free(rel);
            return;
        }
    }
    gn_strs_take(&s->files, rel);
}

/* If name is a folder of the project, or a file in it, what is installed is the project's own. */
static void add_local(struct scan *s, const char *dir, const char *name, bool editable)
{
    char *bare = gn_strndup(name, strcspn(name, "[;#"));
    for (size_t n = strlen(bare); n && strchr(" \t\r", bare[n - 1]); n--)
        bare[n - 1] = 0;
    char *rel = *bare ? inside(s, dir, bare) : NULL;
    char kind = rel ? kind_of(s, rel) : 0;

    if (kind)
        s->setup->local = true;
    /* An editable install points at the folder of the run that made it; the others find theirs
     * by the path.  A ":" would end it there. */
    if (kind == 'd' && editable && !strchr(rel, ':'))
        gn_strs_add(&s->setup->paths, *rel ? rel : ".");
    free(rel);
    free(bare);
}

/* The value of an option of pip's at the start of a line: "-r x", "-rx", "--name x", "--name=x". */
static const char *option_value(const char *line, const char *brief, const char *name)
{
    size_t n = strlen(name);

    if (!strncmp(line, brief, 2) && line[1] != '-')
        line += 2;
    else if (!strncmp(line, name, n) && line[n] && strchr("= \t", line[n]))
        line += n + 1;
    else
        return NULL;
    return line + strspn(line, " \t");
}

static void read_requirement(struct scan *s, const char *dir, char *line)
{
    const char *value;

    line += strspn(line, " \t");
    if (!strncmp(line, "- ", 2)) /* in the pip: list of an environment.yml */
        line += 2;
    line[strcspn(line, "\r")] = 0;
    if (*line == '#' || !*line)
        return;
    if ((value = option_value(line, "-r", "--requirement")) ||
        (value = option_value(line, "-c", "--constraint"))) {
        char *name = gn_strndup(value, strcspn(value, " \t#"));
        add_file(s, dir, name);
        free(name);
    } else if ((value = option_value(line, "-e", "--editable"))) {
        add_local(s, "", value, true);
    } else {
        /* "./pkg" and "wheels/x.whl" are paths from where pip is started. */
        bool is_file = !strncmp(line, "file:", 5);
        add_local(s, "", is_file ? line + 5 : line, false);
    }
}

/* Lines of a requirements file; the files that it names follow later in s->files. */
static void read_requirements(struct scan *s, const char *rel, const char *text)
{
    const char *slash = strrchr(rel, '/');
    char *dir = gn_strndup(rel, slash ? (size_t)(slash - rel) : 0);

    while (*text) {
        size_t n = strcspn(text, "\n");
        char *line = gn_strndup(text, n);

        read_requirement(s, dir, line);
        free(line);
        text += n + (text[n] == '\n');
    }
    free(dir);
}

static bool lists_requirements(const char *rel)
{
    const char *dot = strrchr(gn_path_base(rel), '.');

    return dot && (!strcmp(dot, ".txt") || !strcmp(dot, ".in") || !strcmp(dot, ".yml") ||
                   !strcmp(dot, ".yaml"));
}

/* Hash text, kind and files into the key; s->files grows while it is gone through. */
static int make_key(struct scan *s, struct gn_err *err)
{
    struct gn_hash *h = gn_hash_new();
    const char *command = s->setup->command ? s->setup->command : "";
    uint8_t digest[GN_HASH_LEN];
    int rc = GN_OK;

    gn_hash_add(h, &(uint8_t){(uint8_t)s->setup->kind}, 1);
    gn_hash_add(h, command, strlen(command) + 1);
    for (size_t i = 0; i < s->files.n && rc == GN_OK; i++) {
        struct gn_buf text = GN_BUF_INIT(BYTES_MAX);
        char *path = gn_path_join(s->project->root, s->files.v[i]);

        rc = gn_fs_read(path, &text, err);
        /* Too large to be a list of anything: its changes do not count. */
        if (rc == GN_E_LIMIT) {
            gn_err_clear(err);
            gn_buf_clear(&text);
            rc = GN_OK;
        }
        if (rc == GN_OK && lists_requirements(s->files.v[i]))
            read_requirements(s, s->files.v[i], text.ptr);
        uint64_t len = text.len;
        gn_hash_add(h, s->files.v[i], strlen(s->files.v[i]) + 1);
        gn_hash_add(h, &len, sizeof len);
        gn_hash_add(h, text.ptr, text.len);
        gn_buf_clear(&text);
        free(path);
    }
    gn_hash_end(h, digest);
    gn_hash_free(h);
    if (rc == GN_OK)
        gn_hex(digest, GN_HASH_LEN, s->setup->key);
    return rc;
}

static bool is_installer(const char *word)
{
    static const char *const names[] = {"pip", "pip3", "uv", "poetry", "pdm"};
    const char *base = gn_path_base(word);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(base, names[i]))
            return true;
    }
    return !strncmp(base, "python", 6);
}

/* Every word that names a file of the project is an input; an installer needs a place of its own. */
static void read_command(struct scan *s)
{
    static const char ends[] = " \t\r\n;&|()<>\"'`=";
    bool editable = false;

    for (const char *p = s->setup->command; *(p += strspn(p, ends));) {
        size_t n = strcspn(p, ends);
        char *word = gn_strndup(p, n);
        bool looks_local = !strncmp(word, "./", 2) || !strncmp(word, "../", 3) ||
                           !strcmp(word, ".") || !strncmp(word, ".[", 2);

        if (is_installer(word))
            s->setup->venv = true;
        add_file(s, "", word);
        if (looks_local || editable)
            add_local(s, "", word, editable);
        editable = !strcmp(word, "-e") || !strcmp(word, "--editable");
        free(word);
        p += n;
    }
    for (size_t i = 0; i < sizeof dependency_files / sizeof *dependency_files; i++)
        add_file(s, "", dependency_files[i]);
}

/* Does a line of text begin with one of these? */
static bool has_table(const char *text, const char *name)
{
    for (const char *s = text; s; s = strchr(s, '\n')) {
        s += strspn(s, " \t\r\n");
        if (!strncmp(s, name, strlen(name)))
            return true;
    }
    return false;
}

/* A pyproject.toml may only hold settings of formatters: then there is nothing to install. */
static int detect_pyproject(struct scan *s, bool *found, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    char *path = gn_path_join(s->project->root, "pyproject.toml");
    int rc = gn_fs_read(path, &text, err);

    free(path);
    *found = false;
    if (rc == GN_OK) {
        bool project = has_table(text.ptr, "[project]");

        *found =
            project || has_table(text.ptr, "[build-system]") || has_table(text.ptr, "[tool.poetry");
        /* Dependencies that only a build can tell: all of it is installed. */
        s->setup->local =
            !project || (strstr(text.ptr, "dynamic") && strstr(text.ptr, "\"dependencies\""));
    } else if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    gn_buf_clear(&text);
    return rc;
}

static int detect_file(struct scan *s, struct gn_err *err)
{
    static const char *const conda[] = {"environment.yml", "environment.yaml"};
    struct gn_setup *out = s->setup;
    bool found = false;

    if (kind_of(s, "requirements.txt") == 'f') {
        out->kind = GN_SETUP_REQUIREMENTS;
        out->file = gn_strdup("requirements.txt");
        out->venv = true;
        return GN_OK;
    }
    int rc = kind_of(s, "pyproject.toml") == 'f' ? detect_pyproject(s, &found, err) : GN_OK;
    if (rc < 0)
        return rc;
    if (found) {
        out->kind = GN_SETUP_PYPROJECT;
        out->file = gn_strdup("pyproject.toml");
        out->venv = true;
        gn_strs_add(&out->paths, ".");
        add_file(s, "", "setup.py");
        add_file(s, "", "setup.cfg");
        return GN_OK;
    }
    out->local = false;
    for (size_t i = 0; i < sizeof conda / sizeof *conda && !out->file; i++) {
        if (kind_of(s, conda[i]) == 'f') {
            out->kind = GN_SETUP_CONDA;
            out->file = gn_strdup(conda[i]);
        }
    }
    return GN_OK;
}

int gn_setup_detect(const struct gn_ctx *ctx, const struct gn_project *p, const char *command,
                    struct gn_setup *out, struct gn_err *err)
{
    struct gn_setup setup = {.kind = GN_SETUP_NONE};
    struct scan s = {.project = p, .setup = &setup};
    const char *text = command ? command : p->setup;
    int rc = GN_OK;

    (void)ctx;
    if (!text) {
        rc = detect_file(&s, err);
        if (rc == GN_OK && setup.file)
            add_file(&s, "", setup.file);
    } else if (text[strspn(text, " \t\r\n")]) {
        setup.kind = GN_SETUP_COMMAND;
        setup.command = gn_strdup(text);
        read_command(&s);
    }
    if (rc == GN_OK && setup.kind != GN_SETUP_NONE)
        rc = make_key(&s, err);
    gn_strs_clear(&s.files);
    if (rc == GN_OK)
        *out = setup;
    else
        gn_setup_clear(&setup);
    return rc;
}

void gn_setup_clear(struct gn_setup *s)
{
    if (!s)
        return;
    free(s->command);
    free(s->file);
    gn_strs_clear(&s->paths);
    *s = (struct gn_setup){.kind = GN_SETUP_NONE};
}
