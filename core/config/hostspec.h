/*
 * hostspec.h - user@host:port as people type it.
 */
#ifndef GN_CONFIG_HOSTSPEC_H
#define GN_CONFIG_HOSTSPEC_H

#include <stdbool.h>

struct gn_hostspec {
    char *user; /* or NULL */
    char *host;
    int port; /* or 0 */
};

/*
 * [user@]host[:port]; an IPv6 address with a port stands in [ ].  The last @ counts.
 * False when it is not readable, or when a part begins with - or holds what a shell
 * or ssh could take for something else.
 */
bool gn_hostspec_parse(const char *s, struct gn_hostspec *out);
void gn_hostspec_clear(struct gn_hostspec *h);

bool gn_is_host(const char *s);
bool gn_is_user(const char *s);
bool gn_is_jump(const char *s); /* "none", or hostspecs with commas between */

#endif
