#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cli/world.h"

#define PATIENCE 5 /* presses that nothing listened to */

/* What a handler may touch must be here. */
static volatile sig_atomic_t count, latest;
static int wake[2] = {-1, -1};

static void on_signal(int sig)
{
    int keep = errno;
    ssize_t n;

    latest = sig;
    count = count + 1;
    if (count >= PATIENCE && sig == SIGINT) {
        gn_ask_restore();
        _exit(130);
    }
    n = write(wake[1], "", 1);
    (void)n; /* a full pipe is readable, which is all that it is for */
    errno = keep;
}

/* A handler and not SIG_IGN: programs that we start must not inherit deafness. */
static void on_pipe(int sig)
{
    (void)sig;
}

static int prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int gn_signals_catch(struct gn_err *err)
{
    static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;

    if (wake[0] < 0 && (pipe(wake) < 0 || prepare(wake[0]) < 0 || prepare(wake[1]) < 0))
        return gn_err_sys(err, errno, "cannot make a pipe");
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
        if (sigaction(sigs[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(sigs[i], &sa, NULL);
    }
    sa.sa_handler = on_pipe;
    sigaction(SIGPIPE, &sa, NULL);
    sigaction(SIGXFSZ, &sa, NULL); /* a file that may not grow is an error of write(2), no death */
    return GN_OK;
}

volatile sig_atomic_t *gn_signals_count(void)
{
    return &count;
}

int gn_signals_last(void)
{
    return latest;
}

int gn_signals_fd(void)
{
    return wake[0];
}

void gn_signals_forget(void)
{
    char drop[64];

    count = 0;
    latest = 0;
    while (wake[0] >= 0 && read(wake[0], drop, sizeof drop) > 0)
        ;
}
