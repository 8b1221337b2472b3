/*
 * tcp.h - what a kernel tells about a TCP line beyond POSIX; elsewhere these do nothing.
 */
#ifndef GNRRUN_REMOTE_SSH_TCP_H
#define GNRRUN_REMOTE_SSH_TCP_H

#include <stdint.h>

/*
 * sshd answers in pieces and does not send the second before the first is acknowledged: without
 * this each such answer waits for our kernel's patience (40 ms).  It forgets, so it is told again.
 */
void gn_tcp_acknowledge(int fd);

/* The shortest round trip seen, in microseconds, at least 1; -1: not known, or fd is no TCP line.
 * (The mean would hold the thinking of a server that is logging us in.) */
int64_t gn_tcp_rtt_us(int fd);

#endif
