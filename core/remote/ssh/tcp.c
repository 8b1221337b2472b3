/* TCP_QUICKACK is no standard's. */
#define _DEFAULT_SOURCE
#include "tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

void gn_tcp_acknowledge(int fd)
{
#ifdef TCP_QUICKACK
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
#else
    (void)fd;
#endif
}
