#include "cli/exit.h"

#include "gnrrun/err.h"

static const struct gn_exit_text list[] = {
#define GN_EXIT(name, number, text) {(number), (text)},
#include "cli/exit.def"
#undef GN_EXIT
};

const struct gn_exit_text *gn_exit_list(size_t *n)
{
    *n = sizeof list / sizeof *list;
    return list;
}

int gn_exit_of(int rc)
{
    switch (rc) {
    case GN_OK:
        return GN_EXIT_OK;
    case GN_E_USAGE:
        return GN_EXIT_USAGE;
    case GN_E_CONFIG:
        return GN_EXIT_CONFIG;
    case GN_E_NET:
    case GN_E_TIMEOUT:
        return GN_EXIT_UNREACHABLE;
    case GN_E_AUTH:
        return GN_EXIT_AUTH;
    case GN_E_HOSTKEY:
        return GN_EXIT_HOSTKEY;
    case GN_E_CAPACITY:
    case GN_E_LIMIT:
        return GN_EXIT_NOFIT;
    case GN_E_BUG:
        return GN_EXIT_BUG;
    case GN_E_CANCEL:
        return GN_EXIT_INTERRUPTED;
    default:
        return GN_EXIT_GENERAL;
    }
}
