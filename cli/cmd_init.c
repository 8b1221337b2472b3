#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "gnrrun/fs.h"

/* What the folder seems to hold. */
struct found {
    char program[256]; /* "" : none that is clear */
    bool several;      /* more than one script and none with a usual name */
    const char *packages, *data, *output;
    bool dotenv;
};

/* Only names that need no quoting anywhere. */
static bool is_plain(const char *s)
{
    if (!isalnum((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("_-.", *s))
            return false;
    }
    return true;
}

static bool here(const struct gn_ctx *ctx, const char *name, bool folder)
{
    char *path = gn_path_join(ctx->cwd, name);
    bool yes = folder ? gn_fs_is_dir(path) : gn_fs_is_file(path);

    free(path);
    return yes;
}

static const char *first(const struct gn_ctx *ctx, const char *const *names, bool folder)
{
    for (; *names; names++) {
        if (here(ctx, *names, folder))
            return *names;
    }
    return NULL;
}

static bool ends(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && !strcmp(s + n - m, end);
}

/* The only script of the folder, if there is just one. */
static void lone_script(const struct gn_ctx *ctx, struct found *f)
{
    DIR *d = opendir(ctx->cwd);
    const struct dirent *e;

    while (d && (e = readdir(d))) {
        bool script = ends(e->d_name, ".py") || ends(e->d_name, ".ipynb");

        if (!script || !is_plain(e->d_name) || strlen(e->d_name) >= sizeof f->program ||
            !strcmp(e->d_name, "setup.py") || !strcmp(e->d_name, "__init__.py"))
            continue;
        if (f->program[0]) {
            f->several = true;
            f->program[0] = '\0';
            break;
        }
        memcpy(f->program, e->d_name, strlen(e->d_name) + 1);
    }
    if (d)
        closedir(d);
}

static void look(const struct gn_ctx *ctx, struct found *f)
{
    static const char *const usual[] = {"train.py", "main.py", "run.py", "solver.prototxt",
                                        "train.sh", "run.sh",  NULL};
    static const char *const packages[] = {"requirements.txt", "pyproject.toml", "environment.yml",
                                           NULL};
    static const char *const data[] = {"data", "dataset", "datasets", NULL};
    static const char *const output[] = {"checkpoints", "outputs", "results", "logs", "runs", NULL};
    const char *program = first(ctx, usual, false);

    if (program)
        memcpy(f->program, program, strlen(program) + 1);
    else
        lone_script(ctx, f);
    f->packages = first(ctx, packages, false);
    f->data = first(ctx, data, true);
    f->output = first(ctx, output, true);
    f->dotenv = here(ctx, ".env", false);
}

static void add_name(const struct gn_ctx *ctx, struct gn_buf *b)
{
    const char *base = gn_path_base(ctx->cwd);
    size_t start = b->len;

    for (const char *p = base; *p && b->len - start < 40; p++)
        gn_buf_addc(b, isalnum((unsigned char)*p) || strchr("-_", *p) ? *p : '-');
    if (b->len == start || !isalpha((unsigned char)b->ptr[start])) {
        char *rest = gn_strdup(b->ptr + start);

        b->len = start;
        gn_buf_addf(b, "project-%s", rest);
        free(rest);
    }
}

static void write_program(const struct found *f, struct gn_buf *b)
{
    const char *with = ends(f->program, ".py") ? "python " : ends(f->program, ".sh") ? "sh " : "";

    gn_buf_adds(b, "\n# The program of a bare 'gnrrun run'.\n");
    if (f->program[0])
        gn_buf_addf(b, "run: %s%s\n", with, f->program);
    else
        gn_buf_addf(b, "%s# run: python train.py\n",
                    f->several ? "# There are several scripts here; name the one that counts.\n"
                               : "");
    gn_buf_adds(b, "\n# The Python that it needs.\n# python: \">=3.9\"\n");
    gn_buf_adds(b, "\n# Runs once over there, before the program, again only when it changes.\n");
    if (f->packages)
        gn_buf_addf(b, "# Without it, %s is installed.\n", f->packages);
    gn_buf_adds(b, "# setup: pip install -r requirements.txt\n");
    gn_buf_adds(b, "\n# Its environment; null: take the value from here and keep it secret.\n"
                   "# env: {PYTHONHASHSEED: 0, WANDB_API_KEY: null}\n");
}

static void write_files(const struct found *f, struct gn_buf *b)
{
    gn_buf_adds(b, "\n# Large inputs: shipped once per host, shared read-only by all runs.\n");
    gn_buf_addf(b, "# data: [%s]\n", f->data ? f->data : "data");
    gn_buf_adds(b, "\n# What comes home; without it, whatever the run creates or changes.\n");
    gn_buf_addf(b, "# results: [\"%s/**\", \"!**/*.tmp\"]\n",
                f->output ? f->output : "checkpoints");
    gn_buf_adds(b, "\n# Not shipped, on top of .gitignore, .gnrrunignore and a built-in list.\n"
                   "# 'gnrrun files' shows what is; 'gnrrun files --why PATH' says why.\n"
                   "# ignore: [\"*.ckpt\"]\n");
    if (f->dotenv)
        gn_buf_adds(b,
                    "\n# .env looks like a secret and stops a run.  Name its variables under env:\n"
                    "# with null instead, or put '.env' under ignore:.\n");
    gn_buf_adds(b, "\n# needs: {gpus: 1, gpu_memory: 8GB, cpus: 4, memory: 16GB, time: 2h}\n");
}

/* Never over something that is there, also if it came just now. */
static int create(const char *path, const struct gn_buf *b, struct gn_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), rc = GN_OK;

    if (fd < 0 && errno == EEXIST) {
        gn_err_set(err, GN_E_EXISTS, "'%s' is there already", path);
        return gn_err_hint(err, "edit it, or move it away first");
    }
    if (fd < 0)
        return gn_err_sys(err, errno, "cannot create '%s'", path);
    if (gn_fs_write_all(fd, b->ptr, b->len) < 0 || fsync(fd) < 0) {
        rc = gn_err_sys(err, errno, "cannot write '%s'", path);
        unlink(path);
    }
    gn_fs_close(fd);
    return rc;
}

int cmd_init(struct gn_cli *c, struct gn_err *err)
{
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);
    struct found f = {0};
    char *path = gn_path_join(c->ctx->cwd, "gnrrun.yaml");
    int rc;

    look(c->ctx, &f);
    gn_buf_adds(&b, "# gnrrun.yaml: every key is optional; 'man gnrrun.yaml' tells all.\n\nname: ");
    add_name(c->ctx, &b);
    gn_buf_addc(&b, '\n');
    write_program(&f, &b);
    write_files(&f, &b);
    rc = create(path, &b, err);
    if (rc)
        goto out;
    if (c->json) {
        struct gn_json *j = gn_json_object();

        gn_json_set_str(j, "file", path);
        gn_json_set_str(j, "program", f.program[0] ? f.program : NULL);
        gn_json_set_str(j, "packages", f.packages);
        gn_json_set_str(j, "data", f.data);
        gn_ui_json(c->ui, j);
    } else {
        gn_ui_say(c->ui, "wrote %s; next: 'gnrrun files', then 'gnrrun %s--target NAME'", path,
                  f.program[0] ? "run " : "PROGRAM ");
    }
out:
    gn_buf_clear(&b);
    free(path);
    return rc;
}
