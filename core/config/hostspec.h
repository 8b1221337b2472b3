/*
 * hostspec.h - user@host:port as people type it.
 */
#ifndef GN_CONFIG_HOSTSPEC_H
#define GN_CONFIG_HOSTSPEC_H

#include <stdbool.h>

#include "gnrrun/mem.h"

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

/*
 * "pc[01-03,7].lab" becomes pc01.lab pc02.lab pc03.lab pc7.lab, in out.  False when it is not
 * readable, names a host twice, or when out would hold more than GN_HOSTS_MAX.
 */
#define GN_HOSTS_MAX 1000
bool gn_hostlist_expand(const char *text, struct gn_strs *out);

bool gn_is_host(const char *s);
bool gn_is_user(const char *s);
bool gn_is_jump(const char *s); /* "none", or hostspecs with commas between */

#endif
