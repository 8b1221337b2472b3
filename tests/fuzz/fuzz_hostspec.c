/* fuzz_hostspec.c - user@host:port: what is taken cannot be an option or a piece of shell. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/mem.h"
#include "hostspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(const char *s)
{
    if (!*s || *s == '-' || strpbrk(s, "'`\"$\\;&<>|(){}*?!#, \t\r\n@/"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = gn_strndup((const char *)data, size);
    struct gn_hostspec h = {0};

    if (gn_hostspec_parse(s, &h)) {
        check_part(h.host);
        if (h.user && (!*h.user || *h.user == '-' || strpbrk(h.user, "'`\"$\\;&<>|() \n:/")))
            abort();
        if (h.port < 0 || h.port > 65535 || !gn_is_jump(s))
            abort();
        gn_hostspec_clear(&h);
    }
    free(s);
    return 0;
}
