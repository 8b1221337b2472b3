/* TCP_QUICKACK and TCP_INFO are no standard's; <netinet/tcp.h> has not all of the latter. */
#define _DEFAULT_SOURCE
#include "tcp.h"

#include <netinet/in.h>
#include <sys/socket.h>
#ifdef __linux__
#include <linux/tcp.h>
#include <stddef.h>
#endif

void gn_tcp_acknowledge(int fd)
{
#ifdef TCP_QUICKACK
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
#else
    (void)fd;
#endif
}

int64_t gn_tcp_rtt_us(int fd)
{
#ifdef TCP_INFO
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return -1;
    if (len >= offsetof(struct tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt)
        return info.tcpi_min_rtt > 0 ? info.tcpi_min_rtt : 1;
    return info.tcpi_rtt > 0 ? info.tcpi_rtt : 1; /* before Linux 4.6 */
#else
    (void)fd;
    return -1;
#endif
}
