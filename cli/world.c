#include "cli/world.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"

#define SELF "/proc/self/exe" /* also after another version took its name */

static const char *world_env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static int64_t world_mono_ms(const struct gn_ctx *ctx)
{
    struct timespec t = {0};

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t world_wall_s(const struct gn_ctx *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

static void world_event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    gn_ui_event(ctx->event_arg, ev);
}

/* $name/gnrrun if that is absolute, as the XDG rules want, else home/fallback/gnrrun. */
static char *xdg(const char *name, const char *home, const char *fallback)
{
    const char *v = getenv(name);

    if (v && v[0] == '/')
        return gn_path_join(v, "gnrrun");
    return gn_printf("%s/%s/gnrrun", strcmp(home, "/") ? home : "", fallback);
}

static char *current_folder(void)
{
    for (size_t size = 4096; size <= (size_t)1 << 20; size *= 2) {
        char *p = gn_calloc(1, size);

        if (getcwd(p, size))
            return p;
        free(p);
        if (errno != ERANGE)
            break;
    }
    return NULL;
}

static int find_person(struct gn_world *w, struct gn_err *err)
{
    const char *home = getenv("HOME"), *user = getenv("LOGNAME");
    struct passwd *pw = NULL;

    if (!user || !*user)
        user = getenv("USER");
    /* The password file may be a server somewhere: ask only if need be. */
    if (!home || home[0] != '/' || !user || !*user)
        pw = getpwuid(getuid());
    if (!home || home[0] != '/')
        home = pw ? pw->pw_dir : NULL;
    if (!home || home[0] != '/') {
        gn_err_set(err, GN_E_CONFIG, "no home folder: HOME is not set, and user %ld has none",
                   (long)getuid());
        return gn_err_hint(err, "set HOME to an absolute path");
    }
    w->home = gn_strdup(home);
    w->user = user && *user ? gn_strdup(user)
              : pw          ? gn_strdup(pw->pw_name)
                            : gn_printf("%ld", (long)getuid());
    return GN_OK;
}

int gn_world_open(struct gn_world *w, struct gn_ui *ui, struct gn_err *err)
{
    int rc;

    *w = (struct gn_world){0};
    rc = find_person(w, err);
    if (rc)
        return rc;
    w->cwd = current_folder();
    if (!w->cwd) {
        gn_err_sys(err, errno, "cannot tell the current folder");
        return gn_err_hint(err, "it may have been removed; cd to one that is there");
    }
    rc = gn_signals_catch(err);
    if (rc)
        return rc;
    w->config_dir = xdg("XDG_CONFIG_HOME", w->home, ".config");
    w->state_dir = xdg("XDG_STATE_HOME", w->home, ".local/state");
    w->cache_dir = xdg("XDG_CACHE_HOME", w->home, ".cache");
    w->ctx = (struct gn_ctx){
        .home = w->home,
        .user = w->user,
        .config_dir = w->config_dir,
        .state_dir = w->state_dir,
        .cache_dir = w->cache_dir,
        .cwd = w->cwd,
        .exe = access(SELF, X_OK) == 0 ? SELF : NULL,
        .env = world_env,
        .mono_ms = world_mono_ms,
        .wall_s = world_wall_s,
        .event = world_event,
        .event_arg = ui,
        .ask = gn_ask,
        .alone = !gn_ask_can(),
        .interrupts = gn_signals_count(),
        .wake_fd = gn_signals_fd(),
        .arg = w,
    };
    return GN_OK;
}

void gn_world_close(struct gn_world *w)
{
    free(w->home);
    free(w->user);
    free(w->config_dir);
    free(w->state_dir);
    free(w->cache_dir);
    free(w->cwd);
    *w = (struct gn_world){0};
}
