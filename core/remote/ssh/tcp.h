/*
 * tcp.h - what a TCP line can be told beyond POSIX; elsewhere these do nothing.
 */
#ifndef GNRRUN_REMOTE_SSH_TCP_H
#define GNRRUN_REMOTE_SSH_TCP_H

/*
 * sshd answers in pieces and does not send the second before the first is acknowledged: without
 * this each such answer waits for our kernel's patience (40 ms).  It forgets, so it is told again.
 */
void gn_tcp_acknowledge(int fd);

#endif
