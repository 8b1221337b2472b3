/* kit.h - a home of its own for each test, and short forms. */
#ifndef TESTS_CONFIG_KIT_H
#define TESTS_CONFIG_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gnrrun/config.h"
#include "gnrrun/fs.h"
#include "gnrrun/sshconf.h"
#include "values.h"

struct kit {
    char home[64], config_dir[96], config[128];
    struct gn_ctx ctx;
    struct gn_err err;
};

/* What ~/.ssh/config says, without a file. */
static const char *const kit_aliases[] = {"ravan", "gpu3", "odd$(x)"};

int gn_sshconf_aliases(const struct gn_ctx *ctx, struct gn_strs *out, struct gn_err *err)
{
    (void)ctx;
    (void)err;
    for (size_t i = 0; i < sizeof kit_aliases / sizeof *kit_aliases; i++)
        gn_strs_add(out, kit_aliases[i]);
    return GN_OK;
}

static inline int kit_setup(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    snprintf(k->home, sizeof k->home, "/tmp/gn-config-XXXXXX");
    if (!mkdtemp(k->home))
        return -1;
    snprintf(k->config_dir, sizeof k->config_dir, "%s/.config/gnrrun", k->home);
    snprintf(k->config, sizeof k->config, "%s/config.yaml", k->config_dir);
    k->ctx = gn_ctx_none;
    k->ctx.home = k->home;
    k->ctx.config_dir = k->config_dir;
    *state = k;
    return 0;
}

static inline int kit_teardown(void **state)
{
    struct kit *k = *state;
    char cmd[96];

    snprintf(cmd, sizeof cmd, "rm -rf '%s'", k->home);
    if (system(cmd))
        return -1;
    free(k);
    return 0;
}

/* home/path with this text; folders as needed. */
static inline void kit_write(struct kit *k, const char *path, const char *text)
{
    char full[512], dir[512];
    FILE *f;

    snprintf(full, sizeof full, "%s/%s", k->home, path);
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(full, '/') - full), full);
    assert_int_equal(gn_fs_mkdirs(dir, 0700, &k->err), 0);
    f = fopen(full, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

static inline char *kit_read(const char *path)
{
    struct gn_buf b = GN_BUF_INIT(GN_MAX_FILE);
    struct gn_err err;

    assert_int_equal(gn_fs_read(path, &b, &err), 0);
    return gn_buf_detach(&b);
}

#define ok(k, call)                                                                                \
    do {                                                                                           \
        if ((call) != GN_OK)                                                                       \
            fail_msg("%s: %s (%s)", #call, (k)->err.msg, (k)->err.hint);                           \
    } while (0)

#endif
