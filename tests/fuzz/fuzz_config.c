/* fuzz_config.c - any bytes as gnrrun.yaml (first byte even) or config.yaml: read or refused in one line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hostspec.h"
#include "values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct gn_err *err)
{
    if (err->code != GN_E_CONFIG || !err->msg[0])
        abort();
    for (const char *s = err->msg; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            abort();
    }
    for (const char *s = err->hint; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            abort();
    }
}

/* What got through can be relied on by those who build commands of it. */
static void check_target(const struct gn_target *t)
{
    if (!gn_is_name(t->name) || t->port < 0 || t->port > 65535 || t->nice < -1 || t->nice > 19)
        abort();
    if (t->type == GN_TARGET_SSH && !t->host != (t->hosts.n > 1))
        abort();
    if (t->host && (*t->host == '-' || gn_has_control(t->host, "")))
        abort();
    for (size_t i = 0; i < t->hosts.n; i++)
        if (!gn_is_host(t->hosts.v[i]) || i >= GN_HOSTS_MAX)
            abort();
    if (t->user && (*t->user == '-' || gn_has_control(t->user, "")))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gn_config c = {0};
    struct gn_err err = GN_ERR_INIT;
    bool user = size > 0 && data[0] % 2;

    if (size == 0)
        return 0;
    if (gn_config_parse(user ? "config.yaml" : "gnrrun.yaml", user, (const char *)data + 1,
                        size - 1, "/home/s1", &c, &err))
        check_error(&err);
    for (size_t i = 0; i < c.n_targets; i++)
        check_target(&c.targets[i]);
    for (size_t i = 0; i < c.project.n_data; i++) {
        const char *p = c.project.data[i].path;

        if (p &&
            (*p == '/' || strcmp(p, "..") == 0 || strncmp(p, "../", 3) == 0 || strstr(p, "/../")))
            abort();
    }
    gn_config_clear(&c);
    return 0;
}
