/*
 * hot.c - ships over one open connection: "ready", then for each line on stdin the milliseconds of a ship.
 *
 * hot PROJECT TARGET    HOME and the XDG folders as for gnrrun.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gnrrun/engine.h"
#include "gnrrun/mem.h"

static const char *get_env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static double ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(int rc, const struct gn_err *err)
{
    if (rc == GN_OK)
        return;
    fprintf(stderr, "hot: %s\n", err->msg);
    exit(1);
}

int main(int argc, char **argv)
{
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_err err = GN_ERR_INIT;
    struct gn_ssh_opts opts = {.nobody_there = true};
    struct gn_engine e = {.ctx = &ctx, .connect = gn_transport_open};
    struct gn_config config;
    struct gn_target target;
    struct gn_spec spec = {.nice = -1};
    struct gn_transport *line = NULL;
    char word[64], *dirs[3];

    if (argc != 3 || !getenv("HOME") || !getenv("USER"))
        return 2;
    ctx.home = getenv("HOME");
    ctx.user = getenv("USER");
    ctx.env = get_env;
    ctx.cwd = argv[1];
    ctx.config_dir = dirs[0] = gn_printf("%s/.config/gnrrun", ctx.home);
    ctx.state_dir = dirs[1] = gn_printf("%s/.local/state/gnrrun", ctx.home);
    ctx.cache_dir = dirs[2] = gn_printf("%s/.cache/gnrrun", ctx.home);
    spec.cwd = gn_strdup(argv[1]);
    must(gn_config_load(&ctx, argv[1], &config, &err), &err);
    must(gn_target_resolve(&ctx, &config, argv[2], &target, &err), &err);
    must(gn_transport_open(&ctx, &target, &opts, &line, &err), &err);
    puts("ready");
    fflush(stdout);
    while (fgets(word, sizeof word, stdin)) {
        struct gn_ship_report report;
        double began = ms();

        must(gn_engine_ship(&e, &config, &target, &spec, line, &report, &err), &err);
        printf("%.3f\n", ms() - began);
        fflush(stdout);
    }
    gn_transport_close(line);
    gn_spec_clear(&spec);
    gn_target_clear(&target);
    gn_config_clear(&config);
    free(dirs[0]);
    free(dirs[1]);
    free(dirs[2]);
    return 0;
}
