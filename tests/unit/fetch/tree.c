/* tree.c - see tree.h; a test that cannot make its files has failed. */
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "must.h"

char *tree_new(void)
{
    /* thousands of small files are flushed here: in memory that takes seconds, not minutes */
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    char *dir;

    if (getenv("TMPDIR"))
        tmp = getenv("TMPDIR");
    dir = gn_printf("%s/gnrrun-test-XXXXXX", tmp);

    must(mkdtemp(dir) == dir);
    return dir;
}

void tree_free(char *dir)
{
    struct gn_strs dirs = GN_STRS_INIT;

    gn_strs_add(&dirs, dir);
    for (size_t i = 0; i < dirs.n; i++) {
        DIR *d = opendir(dirs.v[i]);
        struct dirent *e;

        must(d);
        while ((e = readdir(d)) != NULL) {
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            if (unlinkat(dirfd(d), e->d_name, 0) < 0)
                gn_strs_take(&dirs, gn_path_join(dirs.v[i], e->d_name));
        }
        closedir(d);
    }
    for (size_t i = dirs.n; i-- > 0;)
        rmdir(dirs.v[i]);
    gn_strs_clear(&dirs);
    free(dir);
}

static void make_parents(const char *path)
{
    struct gn_err err = GN_ERR_INIT;
    char *copy = gn_strdup(path);
    int rc;

    *strrchr(copy, '/') = 0;
    rc = gn_fs_mkdirs(copy, 0755, &err);
    must(rc == 0);
    free(copy);
}

void tree_put(const char *dir, const char *path, const char *text)
{
    char *full = gn_path_join(dir, path);
    int fd;

    make_parents(full);
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    must(fd >= 0);
    must(gn_fs_write_all(fd, text, strlen(text)) == 0);
    close(fd);
    free(full);
}

char *tree_get(const char *dir, const char *path)
{
    struct gn_buf text = GN_BUF_INIT((size_t)64 << 20);
    struct gn_err err = GN_ERR_INIT;
    char *full = gn_path_join(dir, path);
    struct stat st;
    int rc = lstat(full, &st) == 0 && S_ISREG(st.st_mode) ? gn_fs_read(full, &text, &err) : -1;

    free(full);
    if (rc) {
        gn_buf_clear(&text);
        return NULL;
    }
    return gn_buf_detach(&text);
}

void tree_link(const char *dir, const char *path, const char *target)
{
    char *full = gn_path_join(dir, path);

    make_parents(full);
    must(symlink(target, full) == 0);
    free(full);
}

bool tree_has(const char *dir, const char *path)
{
    char *full = gn_path_join(dir, path);
    struct stat st;
    bool has = lstat(full, &st) == 0;

    free(full);
    return has;
}

size_t tree_count(const char *dir)
{
    struct gn_strs todo = GN_STRS_INIT;
    size_t n = 0;

    gn_strs_add(&todo, dir);
    for (size_t i = 0; i < todo.n; i++) {
        DIR *d = opendir(todo.v[i]);
        struct dirent *e;

        must(d);
        while ((e = readdir(d)) != NULL) {
            struct stat st;

            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            must(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0);
            if (S_ISDIR(st.st_mode))
                gn_strs_take(&todo, gn_path_join(todo.v[i], e->d_name));
            else
                n++;
        }
        closedir(d);
    }
    gn_strs_clear(&todo);
    return n;
}
