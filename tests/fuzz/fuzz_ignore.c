/*
 * fuzz_ignore.c - rules before the first empty line, paths after it: no crash, no endless match, and none
 * that a name's first and last byte had ruled out.
 */
#include <stdlib.h>
#include <string.h>

#include "ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match(const struct gn_ignore *ig, const char *path, bool is_dir)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct gn_ignore_filter filter = {.any = 0};
    struct gn_verdict v;

    gn_ignore_match(ig, path, is_dir, &v);
    if (v.source && (!v.pattern || !v.line))
        abort();
    gn_ignore_filter_add(&filter, ig);
    if (v.source && *name && !gn_ignore_may(&filter, name, strlen(name), is_dir))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct gn_ignore *top = gn_ignore_new(), *ig = gn_ignore_below(top);
    char *copy = gn_strndup(text, size < 4096 ? size : 4096);
    char *paths = strstr(copy, "\n\n");

    gn_ignore_add(ig, "", "rules", text, size);
    gn_ignore_add(ig, "a", "a/rules", text, size);
    for (char *p = paths ? paths + 2 : copy; p && *p;) {
        char *end = strchr(p, '\n');

        if (end)
            *end = '\0';
        match(ig, p, false);
        match(ig, p, true);
        (void)gn_glob_match(copy, p, true);
        p = end ? end + 1 : NULL;
    }
    free(copy);
    gn_ignore_free(ig);
    gn_ignore_free(top);
    return 0;
}
