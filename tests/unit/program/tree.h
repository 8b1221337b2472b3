/*
 * tree.h - a project in a temporary folder.
 */
#ifndef GN_TEST_TREE_H
#define GN_TEST_TREE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "gnrrun/fs.h"
#include "gnrrun/program.h"

struct tree {
    char root[64];
    struct gn_project project;
    struct gn_ctx ctx;
};

static inline void tree_file(struct tree *t, const char *rel, const char *text, mode_t mode)
{
    struct gn_err err = GN_ERR_INIT;
    char *path = gn_path_join(t->root, rel);
    char *dir = gn_strdup(path);

    *strrchr(dir, '/') = 0;
    assert_int_equal(gn_fs_mkdirs(dir, 0700, &err), GN_OK);
    assert_int_equal(gn_fs_replace(path, text, strlen(text), mode, &err), GN_OK);
    assert_int_equal(chmod(path, mode), 0);
    free(dir);
    free(path);
}

static inline int tree_setup(void **state)
{
    struct tree *t = gn_new(struct tree);

    strcpy(t->root, "/tmp/gn-program-XXXXXX");
    if (!mkdtemp(t->root))
        return -1;
    t->project.root = t->root;
    t->ctx = gn_ctx_none;
    t->ctx.cwd = t->root;
    *state = t;
    return 0;
}

static inline int tree_teardown(void **state)
{
    struct tree *t = *state;
    char *command = gn_printf("rm -rf '%s'", t->root);
    int rc = system(command);

    free(command);
    free(t);
    return rc;
}

#define tree_test(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

#endif
