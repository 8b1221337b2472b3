/* test_fetch_real.c - the same through the real far-side programs, on this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fetch.h"
#include "gnrrun/fs.h"
#include "tree.h"

#define LARGE ((size_t)6 << 20)

static void warned(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    unsigned *n = ctx->event_arg;

    *n += ev->kind == GN_EV_WARN;
    if (ev->kind == GN_EV_WARN)
        print_message("%s\n", ev->text);
}

static const char *const names[] = {"plain",   "a b",       "-rf",     "new\nline",
                                    "q'uote",  "a 'b c' d", "d/$HOME", "d/\\t`x`",
                                    "d/\"x\"", "--help",    "*",       "d/e/f/g/h"};
#define N_NAMES (sizeof names / sizeof *names)

static void a_real_work_folder_comes_home(void **state)
{
    static const char zeros[4096] = "0123456789";
    char *base = tree_new(), *root = gn_path_join(base, "root"), *dest = gn_path_join(base, "in");
    char *work = gn_path_join(base, "root/v1/runs/tok-1/work");
    char *db = gn_path_join(base, "state"), *big = gn_path_join(work, "d/big");
    struct gn_run run = {.project = gn_strdup("p"),
                         .root = gn_strdup(dest),
                         .target = gn_strdup("local"),
                         .token = gn_strdup("tok-1"),
                         .workdir = gn_strdup(root)};
    struct gn_fetch_opts opts = {.run = &run, .dest = dest};
    struct gn_fetch_report rep;
    struct gn_err err = GN_ERR_INIT;
    struct gn_transport *t = NULL;
    struct gn_store *store = NULL;
    unsigned warnings = 0;
    struct gn_ctx ctx = gn_ctx_none;
    char *have;
    FILE *f;

    (void)state;
    ctx.home = base;
    ctx.state_dir = db;
    ctx.event = warned;
    ctx.event_arg = &warnings;
    for (size_t i = 0; i < N_NAMES; i++)
        tree_put(work, names[i], names[i]);
    tree_link(work, "d/latest", "e/f");
    tree_link(work, "d/away", "/etc/passwd");
    tree_put(work, "empty/x", "");
    f = fopen(big, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < LARGE; i += sizeof zeros)
        assert_int_equal(fwrite(zeros, 1, sizeof zeros, f), sizeof zeros);
    fclose(f);
    assert_int_equal(gn_fs_mkdirs(db, 0700, &err), 0);
    assert_int_equal(gn_store_open(&ctx, &store, &err), 0);
    assert_int_equal(gn_store_create(store, &run, &err), 0);
    assert_int_equal(gn_transport_local(&ctx, &t, &err), 0);

    if (gn_fetch(&ctx, t, store, &opts, &rep, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(rep.files, N_NAMES + 3);
    assert_int_equal(rep.refused, 1); /* the link that leaves */
    assert_int_equal(warnings, 1);
    assert_int_equal(tree_count(dest), N_NAMES + 3);
    for (size_t i = 0; i < N_NAMES; i++) {
        have = tree_get(dest, names[i]);
        assert_non_null(have);
        assert_string_equal(have, names[i]);
        free(have);
    }
    have = tree_get(dest, "d/big");
    assert_non_null(have);
    for (size_t i = 0; i < LARGE; i += sizeof zeros)
        assert_memory_equal(have + i, zeros, sizeof zeros);
    free(have);

    /* Once more: nothing to bring.  Then one file is written again. */
    if (gn_fetch(&ctx, t, store, &opts, &rep, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(rep.files, 0);
    assert_int_equal(rep.same, N_NAMES + 3);
    tree_put(work, "plain", "again");
    opts.while_running = true;
    if (gn_fetch(&ctx, t, store, &opts, &rep, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(rep.files, 1);
    assert_int_equal(rep.beside, 0);
    have = tree_get(dest, "plain");
    assert_string_equal(have, "again");
    free(have);

    gn_transport_close(t);
    gn_store_close(store);
    gn_run_clear(&run);
    free(big);
    free(db);
    free(work);
    free(dest);
    free(root);
    tree_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_real_work_folder_comes_home)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
