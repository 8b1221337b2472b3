/* folder.h - a folder of its own for each test, and files in it. */
#ifndef GN_TEST_FOLDER_H
#define GN_TEST_FOLDER_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "gnrrun/ship.h"

struct folder {
    char root[64];
    char tree[80];  /* root/tree: made */
    char cache[80]; /* root/cache: not made */
};

static inline int folder_setup(void **state)
{
    struct folder *f = gn_new(struct folder);

    snprintf(f->root, sizeof f->root, "/tmp/gnrrun-test-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->tree, sizeof f->tree, "%s/tree", f->root);
    snprintf(f->cache, sizeof f->cache, "%s/cache", f->root);
    assert_int_equal(mkdir(f->tree, 0755), 0);
    *state = f;
    return 0;
}

/* Run a command line of the test's own with the test's folder as $1. */
static inline int in_folder(const struct folder *f, const char *script)
{
    char *name = gn_printf("%s/script", f->root);
    char *line = gn_printf("cd '%s' && sh ./script", f->root);
    struct gn_err err = GN_ERR_INIT;
    int rc;

    assert_int_equal(gn_fs_replace(name, script, strlen(script), 0700, &err), GN_OK);
    rc = system(line);
    free(name);
    free(line);
    return rc;
}

static inline int folder_teardown(void **state)
{
    struct folder *f = *state;
    char *line = gn_printf("rm -rf '%s'", f->root);
    int rc = system(line);

    free(line);
    free(f);
    return rc;
}

/* A file in the tree; its folders are made. */
static inline void put_bytes(const struct folder *f, const char *path, const void *data, size_t len)
{
    char *full = gn_path_join(f->tree, path);
    char *dir = gn_strndup(full, (size_t)(gn_path_base(full) - full));
    struct gn_err err = GN_ERR_INIT;
    int fd;

    assert_int_equal(gn_fs_mkdirs(dir, 0755, &err), GN_OK);
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(gn_fs_write_all(fd, data, len), 0);
    close(fd);
    free(full);
    free(dir);
}

static inline void put(const struct folder *f, const char *path, const char *text)
{
    put_bytes(f, path, text, strlen(text));
}

#endif
