#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/bills.h"
#include "cli/doctor.h"
#include "gnrrun/fs.h"
#include "gnrrun/transport.h"

#define SPACE_POOR   ((uint64_t)1000 * 1000 * 1000)
#define SPACE_BROKEN ((uint64_t)50 * 1000 * 1000)
#define YEAR_2024    ((int64_t)1704067200)
#define YEAR_2100    ((int64_t)4102444800)

void gn_finding(struct gn_doctor *d, const char *what, enum gn_health health, int status,
                const char *remedy, const char *fmt, ...)
{
    static const char *const word[] = {
        [GN_FINE] = "ok", [GN_POOR] = "warning", [GN_BROKEN] = "problem"};
    struct gn_buf raw = GN_BUF_INIT(4096), text = GN_BUF_INIT((size_t)32 << 10);
    va_list ap;

    va_start(ap, fmt);
    gn_buf_vaddf(&raw, fmt, ap);
    va_end(ap);
    gn_buf_addsafe(&text, raw.ptr, raw.len, (size_t)16 << 10);
    if (health == GN_BROKEN && !d->status)
        d->status = status;
    if (d->c->json) {
        struct gn_json *j = gn_json_object();

        gn_json_set_str(j, "check", what);
        gn_json_set_str(j, "health", word[health]);
        gn_json_set_str(j, "text", text.ptr);
        gn_json_set_str(j, "remedy", remedy && *remedy ? remedy : NULL);
        gn_ui_json(d->c->ui, j);
    } else if (health != GN_FINE || !d->c->quiet) {
        gn_ui_outf(d->c->ui, "%-8s %-8s %s\n", word[health], what, text.ptr);
        if (remedy && *remedy)
            gn_ui_outf(d->c->ui, "%-8s %-8s remedy: %s\n", "", "", remedy);
    }
    gn_ui_flush(d->c->ui);
    gn_buf_clear(&raw);
    gn_buf_clear(&text);
}

bool gn_on_path(const struct gn_ctx *ctx, const char *name)
{
    const char *path = ctx->env(ctx, "PATH");

    while (path && *path) {
        size_t n = strcspn(path, ":");
        char *dir = n ? gn_strndup(path, n) : gn_strdup(".");
        char *file = gn_path_join(dir, name);
        bool found = access(file, X_OK) == 0 && gn_fs_is_file(file);

        free(file);
        free(dir);
        if (found)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

static void check_config(struct gn_doctor *d, struct gn_config *cfg, bool *readable)
{
    struct gn_err err = GN_ERR_INIT;
    struct stat st;

    *readable = gn_config_load(d->c->ctx, d->c->ctx->cwd, cfg, &err) == GN_OK;
    if (!*readable) {
        gn_finding(d, "config", GN_BROKEN, gn_exit_of(err.code), err.hint, "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < cfg->notes.n; i++)
        gn_finding(d, "config", GN_POOR, 0, NULL, "%s", cfg->notes.v[i]);
    gn_finding(d, "config", GN_FINE, 0, NULL, "project '%s' in %s%s", cfg->project.name,
               cfg->project.root, cfg->project.file ? "" : " (no gnrrun.yaml; none is needed)");
    if (cfg->user_file && stat(cfg->user_file, &st) == 0) {
        char *remedy = gn_printf("chmod go-w %s", cfg->user_file);

        if (st.st_mode & 022)
            gn_finding(d, "config", GN_BROKEN, GN_EXIT_CONFIG, remedy, "others can write to %s",
                       cfg->user_file);
        else
            gn_finding(d, "config", GN_FINE, 0, NULL, "%s", cfg->user_file);
        free(remedy);
    }
}

static void check_space(struct gn_doctor *d, const char *path)
{
    struct statvfs v;
    char size[32];
    uint64_t free_bytes;

    if (statvfs(path, &v) < 0)
        return;
    free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    gn_finding(d, "disk",
               free_bytes < SPACE_BROKEN ? GN_BROKEN
               : free_bytes < SPACE_POOR ? GN_POOR
                                         : GN_FINE,
               GN_EXIT_NOFIT,
               free_bytes < SPACE_POOR ? "make room: results and logs come here" : NULL,
               "%s free for %s", gn_fmt_bytes(free_bytes, size), path);
}

static void check_folder(struct gn_doctor *d, const char *what, const char *path, bool secret)
{
    struct gn_err err = GN_ERR_INIT;
    struct stat st;
    char *remedy;

    if (gn_fs_mkdirs(path, 0700, &err)) {
        gn_finding(d, what, GN_BROKEN, GN_EXIT_GENERAL, "make it yours, or set the XDG variable",
                   "%s", err.msg);
        return;
    }
    if (access(path, W_OK | X_OK) < 0) {
        remedy = gn_printf("chown -R \"$USER\" %s; chmod 700 %s", path, path);
        gn_finding(d, what, GN_BROKEN, GN_EXIT_GENERAL, remedy, "cannot write to %s: %s", path,
                   strerror(errno));
    } else if (secret && stat(path, &st) == 0 && (st.st_mode & 077)) {
        remedy = gn_printf("chmod 700 %s", path);
        gn_finding(d, what, GN_POOR, 0, remedy, "others can look into %s", path);
    } else {
        remedy = NULL;
        gn_finding(d, what, GN_FINE, 0, NULL, "%s", path);
    }
    free(remedy);
}

static void check_clock(struct gn_doctor *d)
{
    const struct gn_ctx *ctx = d->c->ctx;
    int64_t now = ctx->wall_s(ctx);
    char *db = gn_path_join(ctx->state_dir, "state.db");
    struct stat st;

    if (now < YEAR_2024 || now > YEAR_2100)
        gn_finding(d, "clock", GN_BROKEN, GN_EXIT_GENERAL, "set it: timedatectl set-ntp true",
                   "this machine's clock is wrong");
    else if (stat(db, &st) == 0 && (int64_t)st.st_mtime > now + 300)
        gn_finding(d, "clock", GN_POOR, 0, "set it: timedatectl set-ntp true",
                   "the clock is behind what was written here before");
    else
        gn_finding(d, "clock", GN_FINE, 0, NULL, "the clock is plausible");
    free(db);
}

static void check_store(struct gn_doctor *d)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_store *s = NULL;

    if (gn_store_open(d->c->ctx, &s, &err))
        gn_finding(d, "runs", GN_BROKEN, gn_exit_of(err.code), err.hint, "%s", err.msg);
    else
        gn_finding(d, "runs", GN_FINE, 0, NULL, "the record of runs can be read");
    gn_store_close(s);
}

static void check_tools(struct gn_doctor *d)
{
    if (gn_on_path(d->c->ctx, "tar"))
        gn_finding(d, "local", GN_FINE, 0, NULL, "sh and tar are here, for the target 'local'");
    else
        gn_finding(d, "local", GN_POOR, 0, "sudo apt install tar",
                   "no tar: target 'local' needs it");
}

/* What stands between it and its machines, as far as the entry says. */
static void check_queue(struct gn_doctor *d, const struct gn_target *t)
{
    if (t->scheduler && strcmp(t->scheduler, "pbs") == 0)
        gn_finding(d, "queue", GN_POOR, 0, NULL,
                   "'%s' is a queue of PBS: its words were never run against a real one", t->name);
    else if (t->scheduler)
        gn_finding(d, "queue", GN_FINE, 0, NULL, "runs on '%s' are jobs of %s", t->name,
                   t->scheduler);
}

static void check_cloud(struct gn_doctor *d, const struct gn_target *t)
{
    const char *proven = gn_provider_find(t->type_name)->proven;
    struct gn_err err = GN_ERR_INIT;
    struct gn_account who = {0};
    int rc = gn_cli_cloud_account(d->c, t, &who, &err);

    if (rc)
        gn_finding(d, "target", GN_BROKEN, gn_exit_of(rc), err.hint, "%s", err.msg);
    else
        gn_finding(d, "target", GN_FINE, 0, NULL, "'%s' lets %s in%s%s", t->name, who.who,
                   *who.note ? "; " : "", who.note);
    gn_finding(d, "cloud", GN_POOR, 0, NULL, "type '%s' was never run against the real service%s%s",
               t->type_name, *proven ? ", but against " : "", proven);
}

static void check_target(struct gn_doctor *d, const struct gn_config *cfg, const char *name)
{
    const struct gn_ctx *ctx = d->c->ctx;
    struct gn_ssh_opts opts = {.accept_new = gn_args_has(&d->c->args, "accept-new-host-key")};
    struct gn_err err = GN_ERR_INIT;
    struct gn_target t = {0};
    struct gn_transport *tr = NULL;
    int rc = gn_target_resolve(ctx, cfg, name, &t, &err);

    if (!rc && t.type == GN_TARGET_CLOUD) {
        check_cloud(d, &t);
        gn_target_clear(&t);
        return;
    }
    if (!rc)
        rc = gn_transport_open(ctx, &t, &opts, &tr, &err);
    if (rc)
        gn_finding(d, "target", GN_BROKEN, gn_exit_of(rc), err.hint, "%s", err.msg);
    else
        gn_finding(d, "target", GN_FINE, 0, NULL,
                   "'%s' can be reached and lets you in (%d ms away)", name, tr->ops->rtt_ms(tr));
    check_queue(d, &t);
    gn_transport_close(tr);
    gn_target_clear(&t);
}

int cmd_doctor(struct gn_cli *c, struct gn_err *err)
{
    struct gn_doctor d = {.c = c};
    struct gn_config cfg = {0};
    bool readable = false;

    check_config(&d, &cfg, &readable);
    check_folder(&d, "state", c->ctx->state_dir, true);
    check_folder(&d, "cache", c->ctx->cache_dir, false);
    check_space(&d, c->ctx->state_dir);
    check_store(&d);
    check_clock(&d);
    check_tools(&d);
    gn_doctor_ssh(&d);
    if (c->args.words.n && readable)
        check_target(&d, &cfg, c->args.words.v[0]);
    gn_config_clear(&cfg);
    if (gn_interrupted(c->ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    return d.status;
}
