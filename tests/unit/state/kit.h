/* kit.h - a state folder of its own for each test, and a run to put into it. */
#ifndef TESTS_STATE_KIT_H
#define TESTS_STATE_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "gnrrun/store.h"

struct kit {
    char dir[64], state[96], db[128];
    struct gn_ctx ctx;
    struct gn_err err;
};

static int64_t kit_wall(const struct gn_ctx *ctx)
{
    (void)ctx;
    return 1700000000;
}

static int kit_setup(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    snprintf(k->dir, sizeof k->dir, "/tmp/gn-state-XXXXXX");
    if (!mkdtemp(k->dir))
        return -1;
    snprintf(k->state, sizeof k->state, "%s/a/state", k->dir);
    snprintf(k->db, sizeof k->db, "%s/state.db", k->state);
    k->ctx = gn_ctx_none;
    k->ctx.state_dir = k->state;
    k->ctx.wall_s = kit_wall;
    *state = k;
    return 0;
}

static void kit_remove(const char *path)
{
    const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "state.db-journal"};
    char p[256];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(p, sizeof p, "%s/%s", path, names[i]);
        unlink(p);
    }
    rmdir(path);
}

static int kit_teardown(void **state)
{
    struct kit *k = *state;
    char p[128];

    kit_remove(k->state);
    snprintf(p, sizeof p, "%s/a", k->dir);
    rmdir(p);
    rmdir(k->dir);
    free(k);
    return 0;
}

/* Fields as literals: not to be cleared before create has set its own. */
static inline struct gn_run kit_run(const char *project, const char *root)
{
    struct gn_run r = {0};

    r.project = gn_strdup(project);
    r.root = gn_strdup(root);
    r.target = gn_strdup("ravan");
    r.command = gn_strdup("python3 train.py --epochs 10");
    r.spec = gn_strdup("{\"a\":1}");
    return r;
}

#define ok(k, call)                                                                                \
    do {                                                                                           \
        if ((call) != GN_OK)                                                                       \
            fail_msg("%s: %s (%s)", #call, (k)->err.msg, (k)->err.hint);                           \
    } while (0)

#endif
