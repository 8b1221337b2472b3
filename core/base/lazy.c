#include "gnrrun/lazy.h"

#include <dlfcn.h>
#include <string.h>

_Static_assert(sizeof(void (*)(void)) == sizeof(void *),
               "POSIX: dlsym() tells functions as void *");

int gn_lazy_load(const char *soname, const char *const names[], void *fns, size_t n,
                 struct gn_err *err)
{
    void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

    if (!lib) {
        const char *why = dlerror();

        gn_err_set(err, GN_E_FAIL, "this build needs %s, which is not on this machine", soname);
        gn_err_hint(err, "%s", why ? why : "install it");
        return err->code;
    }
    for (size_t i = 0; i < n; i++) {
        void *fn = dlsym(lib, names[i]);

        if (!fn)
            return gn_err_set(err, GN_E_FAIL, "this build needs another %s: '%s' is not in it",
                              soname, names[i]);
        /* ISO C has no cast from void * to a function, POSIX has their bytes alike. */
        memcpy((char *)fns + i * sizeof fn, &fn, sizeof fn);
    }
    return GN_OK;
}
