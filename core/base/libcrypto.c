#include "libcrypto.h"

#ifdef GN_CRYPTO_SONAME

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gnrrun/lazy.h"

struct gn_libcrypto gn_libcrypto;

static _Noreturn void die(const struct gn_err *err)
{
    char line[sizeof err->msg + 16];
    int n = snprintf(line, sizeof line, "gnrrun: %s\n", err->msg);

    if (n < 0 || write(STDERR_FILENO, line, (size_t)n) < 0)
        abort();
    abort();
}

static void load(void)
{
#define NAME(fn) #fn,
    static const char *const names[] = {GN_LIBCRYPTO_USED(NAME)};
    struct gn_err err;

    _Static_assert(sizeof names == sizeof gn_libcrypto, "a name for each pointer");
    if (gn_lazy_load(GN_CRYPTO_SONAME, names, &gn_libcrypto, sizeof names / sizeof names[0],
                     &err) != GN_OK)
        die(&err);
}

void gn_libcrypto_need(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
}

#else

void gn_libcrypto_need(void)
{
}

#endif
