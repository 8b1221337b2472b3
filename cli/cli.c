#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/world.h"

int gn_cli_signal(const struct gn_cli *c)
{
    if (gn_ui_gone(c->ui))
        return SIGPIPE;
    return gn_signals_last();
}

int gn_cli_interrupts(const struct gn_cli *c)
{
    return (int)*c->ctx->interrupts;
}

void gn_cli_resume(struct gn_cli *c)
{
    (void)c;
    gn_signals_forget();
}

int gn_cli_config(struct gn_cli *c, struct gn_config *out, struct gn_err *err)
{
    int rc = gn_config_load(c->ctx, c->ctx->cwd, out, err);

    for (size_t i = 0; !rc && i < out->notes.n; i++)
        gn_event_text(c->ctx, GN_EV_WARN, "%s", out->notes.v[i]);
    return rc;
}

int gn_cli_run(struct gn_cli *c, struct gn_store *s, size_t i, struct gn_run *out,
               struct gn_err *err)
{
    const char *name = i < c->args.words.n ? c->args.words.v[i] : NULL;
    struct gn_config cfg = {0};
    struct gn_err trouble = GN_ERR_INIT;
    int rc;

    /* A mistake in gnrrun.yaml must not stand between a user and a run that has a name. */
    rc = gn_config_load(c->ctx, c->ctx->cwd, &cfg, &trouble);
    if (rc && !name) {
        *err = trouble;
        return rc;
    }
    rc = gn_store_find(s, name, rc ? NULL : cfg.project.root, out, err);
    gn_config_clear(&cfg);
    return rc;
}

/* path below root as a pattern of git's grammar for just this file. */
static void add_exact(const char *rest, struct gn_strs *ignore)
{
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);

    for (; *rest; rest++) {
        if (strchr("\\*?[ ", *rest))
            gn_buf_addc(&b, '\\');
        gn_buf_addc(&b, *rest);
    }
    gn_strs_add(ignore, b.ptr);
    gn_buf_clear(&b);
}

void gn_cli_skip_own_output(const char *root, struct gn_strs *ignore)
{
    size_t len = strlen(root);

    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        char name[32], path[4096];
        struct stat st;
        ssize_t n;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        /* Where there is no such folder the scan says which file it was. */
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        n = readlink(name, path, sizeof path - 1);
        if (n <= 0)
            continue;
        path[n] = '\0';
        if ((size_t)n > len && !strncmp(path, root, len) && path[len] == '/')
            add_exact(path + len, ignore);
    }
}
