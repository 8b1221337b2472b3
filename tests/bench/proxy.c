/*
 * proxy.c - a long or narrow line on this machine: TCP through a true delay line.
 *
 * proxy PORT ONE_WAY_MS MBIT    listens on 127.0.0.1, prints its port, goes to 127.0.0.1:PORT.
 *
 * Each byte leaves ONE_WAY_MS after it came, whatever else is on its way, and not before the line
 * is free (MBIT million bits a second each way; 0: as fast as it comes).  What does not fit into
 * the line and 100 ms of queue is not read: TCP waits, as before a full router.  At the end of
 * each connection: "connection UP DOWN TURNS", bytes each way and how often the client spoke after
 * it had heard something: its round trips.  Ends when its stdin does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS  64
#define PIECE  ((size_t)64 << 10)
#define PIECES 4096
#define BUFFER ((uint64_t)64 << 20) /* on the line, when nothing else bounds it */

struct piece {
    int64_t due; /* ns */
    size_t len, at;
    char *data;
};

/* One direction. */
struct lane {
    struct piece ring[PIECES];
    unsigned head, tail;
    uint64_t held, carried;
    int64_t free_at; /* when the line has sent what is on it */
    int ended;       /* no more comes in */
    int shut;        /* and that was passed on */
};

struct pair {
    int fd[2];           /* client, server */
    struct lane lane[2]; /* from fd[i] to fd[1 - i] */
    int heard;           /* the server spoke since the client did */
    unsigned turns;
};

static struct pair *pairs[PAIRS];
static int64_t delay_ns;
static double ns_per_byte;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int has_room(const struct lane *l)
{
    uint64_t most = BUFFER;

    if (ns_per_byte > 0)
        most = (uint64_t)(((double)delay_ns + 1e8) / ns_per_byte) + PIECE;
    return !l->ended && l->head - l->tail < PIECES && l->held < most;
}

static void take_in(struct pair *p, int i)
{
    struct lane *l = &p->lane[i];
    struct piece *q = &l->ring[l->head % PIECES];
    char buf[PIECE];
    ssize_t n = recv(p->fd[i], buf, sizeof buf, MSG_DONTWAIT);
    int64_t now = now_ns();

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        l->ended = 1;
        return;
    }
    if (i == 0 && p->heard) {
        p->turns++;
        p->heard = 0;
    }
    if (l->free_at < now)
        l->free_at = now;
    l->free_at += (int64_t)((double)n * ns_per_byte);
    q->data = malloc((size_t)n);
    if (!q->data)
        die("malloc");
    memcpy(q->data, buf, (size_t)n);
    q->len = (size_t)n;
    q->at = 0;
    q->due = l->free_at + delay_ns;
    l->held += (uint64_t)n;
    l->carried += (uint64_t)n;
    l->head++;
}

/* What is due goes out; the time of the next, or -1. */
static int64_t let_out(struct pair *p, int i, int64_t now)
{
    struct lane *l = &p->lane[i];

    while (l->tail != l->head) {
        struct piece *q = &l->ring[l->tail % PIECES];
        ssize_t n;

        if (q->due > now)
            return q->due;
        n = send(p->fd[1 - i], q->data + q->at, q->len - q->at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return now + 200000;
        if (i == 1 && n > 0)
            p->heard = 1;
        if (n < 0) { /* nobody takes it */
            n = (ssize_t)(q->len - q->at);
            l->ended = 1;
        }
        q->at += (size_t)n;
        l->held -= (uint64_t)n;
        if (q->at == q->len) {
            free(q->data);
            l->tail++;
        }
    }
    if (l->ended && !l->shut) {
        shutdown(p->fd[1 - i], SHUT_WR);
        l->shut = 1;
    }
    return -1;
}

static void add_pair(int client, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (server < 0 || connect(server, (struct sockaddr *)&to, sizeof to) < 0) {
        close(client);
        if (server >= 0)
            close(server);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < PAIRS; i++) {
        if (pairs[i])
            continue;
        pairs[i] = calloc(1, sizeof *pairs[i]);
        if (!pairs[i])
            die("calloc");
        pairs[i]->fd[0] = client;
        pairs[i]->fd[1] = server;
        return;
    }
    close(client);
    close(server);
}

static void end_pair(int i)
{
    struct pair *p = pairs[i];

    printf("connection %llu %llu %u\n", (unsigned long long)p->lane[0].carried,
           (unsigned long long)p->lane[1].carried, p->turns);
    fflush(stdout);
    close(p->fd[0]);
    close(p->fd[1]);
    free(p);
    pairs[i] = NULL;
}

static int listen_here(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        die("listen");
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

/* One look at everything; the ms until something is due, -1 for ever. */
static void turn(int door, int port)
{
    struct pollfd p[2 + 2 * PAIRS];
    int64_t now = now_ns(), next = -1;
    struct timespec wait, *until = NULL;

    p[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    p[1] = (struct pollfd){.fd = door, .events = POLLIN};
    for (int i = 0; i < PAIRS; i++)
        for (int k = 0; k < 2; k++) {
            int64_t due = pairs[i] ? let_out(pairs[i], k, now) : -1;

            if (due >= 0 && (next < 0 || due < next))
                next = due;
        }
    for (int i = 0; i < PAIRS; i++) {
        if (pairs[i] && pairs[i]->lane[0].shut && pairs[i]->lane[1].shut)
            end_pair(i);
        for (int k = 0; k < 2; k++)
            p[2 + 2 * i + k] = (struct pollfd){
                .fd = pairs[i] && has_room(&pairs[i]->lane[k]) ? pairs[i]->fd[k] : -1,
                .events = POLLIN};
    }
    if (next >= 0) {
        int64_t left = next > now ? next - now : 0;

        wait = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        until = &wait;
    }
    if (ppoll(p, 2 + 2 * PAIRS, until, NULL) < 0 && errno != EINTR)
        die("poll");
    if (p[0].revents) {
        char c;

        if (read(STDIN_FILENO, &c, 1) <= 0)
            exit(0);
    }
    if (p[1].revents) {
        int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            add_pair(fd, port);
    }
    for (int i = 0; i < PAIRS; i++)
        for (int k = 0; k < 2; k++)
            if (p[2 + 2 * i + k].revents && pairs[i])
                take_in(pairs[i], k);
}

int main(int argc, char **argv)
{
    int door, port;

    if (argc != 4) {
        fprintf(stderr, "usage: proxy PORT ONE_WAY_MS MBIT\n");
        return 2;
    }
    port = atoi(argv[1]);
    delay_ns = (int64_t)(atof(argv[2]) * 1e6);
    ns_per_byte = atof(argv[3]) > 0 ? 8e3 / atof(argv[3]) : 0;
    door = listen_here();
    for (;;)
        turn(door, port);
}
