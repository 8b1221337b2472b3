#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "gnrrun/fs.h"

#define AGENT_WAIT_MS 2000

/* One private key file: others must not read it. */
static void check_key(struct gn_doctor *d, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return;
    if (st.st_uid != getuid() && getuid() != 0) {
        gn_finding(d, "key", GN_POOR, 0, "make a key of your own: ssh-keygen -t ed25519",
                   "%s belongs to somebody else", path);
    } else if (st.st_mode & 077) {
        char *remedy = gn_printf("chmod 600 %s", path);

        gn_finding(d, "key", GN_BROKEN, GN_EXIT_AUTH, remedy,
                   "%s can be read by others (mode %03o): ssh will not use it", path,
                   (unsigned)st.st_mode & 0777);
        free(remedy);
    } else {
        gn_finding(d, "key", GN_FINE, 0, NULL, "%s", path);
    }
}

/* Files called id_* with a .pub or none beside them; *n of them. */
static void check_keys(struct gn_doctor *d, const char *folder, size_t *n)
{
    DIR *dir = opendir(folder);
    const struct dirent *e;

    while (dir && (e = readdir(dir))) {
        size_t len = strlen(e->d_name);
        char *path;

        if (strncmp(e->d_name, "id_", 3) != 0 || strchr(e->d_name, '.') || len > 64)
            continue;
        path = gn_path_join(folder, e->d_name);
        if (gn_fs_is_file(path)) {
            check_key(d, path);
            ++*n;
        }
        free(path);
    }
    if (dir)
        closedir(dir);
}

/* Wait for and read exactly n bytes. */
static bool read_exactly(int fd, unsigned char *buf, size_t n)
{
    while (n) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&p, 1, AGENT_WAIT_MS) <= 0)
            return false;
        got = read(fd, buf, n);
        if (got <= 0)
            return false;
        buf += got;
        n -= (size_t)got;
    }
    return true;
}

/* How many keys the agent at path holds (its protocol: request 11, answer 12); -1: no answer. */
static long agent_keys(const char *path)
{
    static const unsigned char request[] = {0, 0, 0, 1, 11};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    unsigned char answer[9] = {0};
    long n = -1;
    int fd;

    if (strlen(path) >= sizeof a.sun_path)
        return -1;
    memcpy(a.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 &&
        gn_fs_write_all(fd, request, sizeof request) == 0 &&
        read_exactly(fd, answer, sizeof answer) && answer[4] == 12)
        n = (long)answer[5] << 24 | answer[6] << 16 | answer[7] << 8 | answer[8];
    gn_fs_close(fd);
    return n;
}

static bool check_agent(struct gn_doctor *d)
{
    const char *path = d->c->ctx->env(d->c->ctx, "SSH_AUTH_SOCK");
    long n;

    if (!path || !*path) {
        gn_finding(d, "agent", GN_FINE, 0, NULL, "no ssh agent (none is needed)");
        return false;
    }
    n = agent_keys(path);
    if (n < 0)
        gn_finding(d, "agent", GN_POOR, 0,
                   "start one: eval \"$(ssh-agent)\"; or unset SSH_AUTH_SOCK",
                   "no agent answers at %s", path);
    else if (n == 0)
        gn_finding(d, "agent", GN_POOR, 0, "ssh-add", "the ssh agent holds no key");
    else
        gn_finding(d, "agent", GN_FINE, 0, NULL, "the ssh agent holds %ld keys", n);
    return n > 0;
}

void gn_doctor_ssh(struct gn_doctor *d)
{
    const struct gn_ctx *ctx = d->c->ctx;
    char *folder = gn_path_join(ctx->home, ".ssh");
    struct stat st;
    size_t keys = 0;
    bool agent;

    if (gn_on_path(ctx, "ssh"))
        gn_finding(d, "ssh", GN_FINE, 0, NULL, "ssh is installed");
    else
        gn_finding(d, "ssh", GN_POOR, 0, "install it: sudo apt install openssh-client",
                   "no ssh on PATH: ~/.ssh/config is read without its help");
    if (stat(folder, &st) == 0 && (st.st_mode & 022)) {
        char *remedy = gn_printf("chmod 700 %s", folder);

        gn_finding(d, "key", GN_BROKEN, GN_EXIT_AUTH, remedy, "others can write to %s", folder);
        free(remedy);
    }
    check_keys(d, folder, &keys);
    agent = check_agent(d);
    if (!keys && !agent)
        gn_finding(d, "key", GN_POOR, 0, "ssh-keygen -t ed25519; then ssh-copy-id HOST",
                   "no key in %s and none in an agent: only passwords will do", folder);
    free(folder);
}
