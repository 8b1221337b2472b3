#include "sshask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "sshcache.h"

#define SAY_MS 15000 /* a Match exec of the user's may ask the network */

extern char **environ;

/* Run argv and take what it says; GN_E_NOTFOUND when it cannot be run or fails. */
static int ask_ssh(const struct gn_ctx *ctx, char *const argv[], struct gn_buf *said,
                   struct gn_err *err)
{
    posix_spawn_file_actions_t fa;
    int p[2] = {-1, -1}, status = 0, rc = GN_OK, failed;
    pid_t pid = 0;

    if (pipe(p) < 0 || fcntl(p[0], F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(p[1], F_SETFD, FD_CLOEXEC) < 0) {
        rc = gn_err_sys(err, errno, "cannot make a pipe");
        gn_fs_close(p[0]);
        gn_fs_close(p[1]);
        return rc;
    }
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, p[1], 1);
    posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
    failed = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    gn_fs_close(p[1]);
    if (failed) {
        gn_fs_close(p[0]);
        return gn_err_set(err, GN_E_NOTFOUND, "cannot run ssh: %s", strerror(failed));
    }
    for (;;) {
        char *room = gn_buf_room(said, 4096);
        ssize_t n;

        rc = room ? gn_wait_fd(ctx, p[0], POLLIN, SAY_MS, err)
                  : gn_err_set(err, GN_E_LIMIT, "`ssh -G` says too much");
        if (rc != GN_OK)
            break;
        n = read(p[0], room, 4096);
        if (n <= 0)
            break;
        gn_buf_commit(said, (size_t)n);
    }
    gn_fs_close(p[0]);
    if (rc != GN_OK)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == GN_OK && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        rc = gn_err_set(err, GN_E_NOTFOUND, "`ssh -G` failed");
    return rc;
}

static int run_ssh(const struct gn_ctx *ctx, const char *file, const char *alias, const char *user,
                   int port, struct gn_buf *said, struct gn_err *err)
{
    char *argv[12];
    struct gn_strs args = GN_STRS_INIT;
    size_t n = 0;
    int rc;

    gn_strs_add(&args, "ssh");
    gn_strs_add(&args, "-G");
    if (file) {
        gn_strs_add(&args, "-F");
        gn_strs_add(&args, file);
    }
    if (user) {
        gn_strs_add(&args, "-l");
        gn_strs_add(&args, user);
    }
    if (port) {
        gn_strs_add(&args, "-p");
        gn_strs_take(&args, gn_printf("%d", port));
    }
    gn_strs_add(&args, "--");
    gn_strs_add(&args, alias);
    for (; n < args.n; n++)
        argv[n] = args.v[n];
    argv[n] = NULL;
    rc = ask_ssh(ctx, argv, said, err);
    gn_strs_clear(&args);
    return rc;
}

int gn_ssh_ask(const struct gn_ctx *ctx, const char *file, const char *alias, const char *user,
               int port, struct gn_buf *said, struct gn_err *err)
{
    char *path = gn_sshcache_path(ctx, file, alias, user, port);
    int rc = GN_OK;

    if (!path || !gn_sshcache_get(path, said)) {
        rc = run_ssh(ctx, file, alias, user, port, said, err);
        if (rc == GN_OK && path)
            gn_sshcache_put(ctx, path, said);
    }
    free(path);
    return rc;
}
