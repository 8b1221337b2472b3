#include "libssh.h"

#ifdef GN_LIBSSH_SONAME

#include <pthread.h>

#include "gnrrun/lazy.h"

struct gn_libssh gn_libssh;
static struct gn_err missing; /* what was wrong, for all who ask */

static void load(void)
{
#define NAME(fn) #fn,
    static const char *const names[] = {GN_LIBSSH_USED(NAME)};

    _Static_assert(sizeof names == sizeof gn_libssh, "a name for each pointer");
    missing.code =
        gn_lazy_load(GN_LIBSSH_SONAME, names, &gn_libssh, sizeof names / sizeof names[0], &missing);
}

int gn_libssh_need(struct gn_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    if (missing.code != GN_OK)
        *err = missing;
    return missing.code;
}

#else

int gn_libssh_need(struct gn_err *err)
{
    (void)err;
    return GN_OK;
}

#endif
