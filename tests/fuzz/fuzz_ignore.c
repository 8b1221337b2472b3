/* fuzz_ignore.c - rules before the first empty line, paths after it: no crash, no endless match. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/ship.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct gn_ignore *ig = gn_ignore_new();
    char *copy = gn_strndup(text, size < 4096 ? size : 4096);
    char *paths = strstr(copy, "\n\n");
    struct gn_verdict v;

    gn_ignore_add(ig, "", "rules", text, size);
    gn_ignore_add(ig, "a", "a/rules", text, size);
    for (char *p = paths ? paths + 2 : copy; p && *p;) {
        char *end = strchr(p, '\n');

        if (end)
            *end = '\0';
        gn_ignore_match(ig, p, false, &v);
        if (v.source && (!v.pattern || !v.line))
            abort();
        gn_ignore_match(ig, p, true, &v);
        (void)gn_glob_match(copy, p, true);
        p = end ? end + 1 : NULL;
    }
    gn_ignore_pop(ig, "a");
    free(copy);
    gn_ignore_free(ig);
    return 0;
}
