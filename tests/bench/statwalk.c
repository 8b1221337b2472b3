/*
 * statwalk.c - what a parallel walk of a tree takes at the least: getdents and one fstatat a file.
 *
 * statwalk ROOT [THREADS]    prints files, folders and the sum of the sizes.  Nothing is sorted, kept or
 * decided: a yardstick for the scan, as fast as it can be written.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_MAX 16
#define LIST_BYTES  ((size_t)256 << 10)

/* Of the kernel's making, in no header. */
struct listed {
    unsigned long long ino;
    long long off;
    unsigned short len;
    unsigned char type;
    char name[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static char **todo; /* folders, below the root */
static size_t n_todo, cap_todo, busy;
static int root;

struct counts {
    unsigned long long files, dirs, bytes;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void add(const char *dir, const char *name)
{
    size_t n = strlen(dir), k = strlen(name);
    char *path = malloc(n + k + 2);

    if (!path)
        die("malloc");
    memcpy(path, dir, n);
    if (n)
        path[n++] = '/';
    memcpy(path + n, name, k + 1);
    pthread_mutex_lock(&lock);
    if (n_todo == cap_todo) {
        cap_todo = cap_todo ? cap_todo * 2 : 1024;
        todo = realloc(todo, cap_todo * sizeof *todo);
        if (!todo)
            die("malloc");
    }
    todo[n_todo++] = path;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

static void take_name(int fd, const char *dir, const struct listed *d, struct counts *c)
{
    struct stat st;

    if (d->name[0] == '.' && (!d->name[1] || (d->name[1] == '.' && !d->name[2])))
        return;
    if (d->type == DT_DIR) {
        add(dir, d->name);
        return;
    }
    if (fstatat(fd, d->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        die(d->name);
    c->files++;
    c->bytes += (unsigned long long)st.st_size;
}

static void read_folder(const char *dir, char *buf, struct counts *c)
{
    int fd = openat(root, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n;

    if (fd < 0)
        die(dir);
    while ((n = syscall(SYS_getdents64, fd, buf, LIST_BYTES)) > 0)
        for (long at = 0; at < n;) {
            const struct listed *d = (const struct listed *)(const void *)(buf + at);

            take_name(fd, dir, d, c);
            at += d->len;
        }
    if (n < 0)
        die(dir);
    close(fd);
    c->dirs++;
}

static void *walk(void *arg)
{
    char *buf = malloc(LIST_BYTES);

    if (!buf)
        die("malloc");
    pthread_mutex_lock(&lock);
    for (;;) {
        char *dir;

        while (!n_todo && busy)
            pthread_cond_wait(&more, &lock);
        if (!n_todo)
            break;
        dir = todo[--n_todo];
        busy++;
        pthread_mutex_unlock(&lock);
        read_folder(dir, buf, arg);
        free(dir);
        pthread_mutex_lock(&lock);
        busy--;
    }
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&lock);
    free(buf);
    return NULL;
}

int main(int argc, char **argv)
{
    long n = argc > 2 ? strtol(argv[2], NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    struct counts c[THREADS_MAX] = {{0}}, all = {0};
    pthread_t thread[THREADS_MAX];

    if (argc < 2)
        return 2;
    n = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
    root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        die(argv[1]);
    add("", "");
    for (long i = 1; i < n; i++)
        if (pthread_create(&thread[i], NULL, walk, &c[i]) != 0)
            die("thread");
    walk(&c[0]);
    for (long i = 0; i < n; i++) {
        if (i)
            pthread_join(thread[i], NULL);
        all.files += c[i].files;
        all.dirs += c[i].dirs;
        all.bytes += c[i].bytes;
    }
    printf("%llu files, %llu folders, %llu bytes\n", all.files, all.dirs, all.bytes);
    return 0;
}
