#include <stdlib.h>
#include <string.h>

#include "private.h"

char *gn_safe_text(const char *s)
{
    struct gn_buf b = GN_BUF_INIT(4096);

    gn_buf_addsafe(&b, s, strlen(s), 300);
    return gn_buf_detach(&b);
}

char *gn_path_clean(const char *path)
{
    size_t len = strlen(path), n = 0;
    char *out = gn_calloc(len + 2, 1);

    for (const char *s = path; *(s += strspn(s, "/"));) {
        size_t part = strcspn(s, "/");

        if (part == 2 && s[0] == '.' && s[1] == '.') {
            while (n && out[--n] != '/')
                ;
        } else if (part != 1 || *s != '.') {
            out[n++] = '/';
            memcpy(out + n, s, part);
            n += part;
        }
        s += part;
    }
    if (!n)
        out[n++] = '/';
    out[n] = 0;
    return out;
}

const char *gn_path_below(const char *root, const char *path)
{
    size_t n = strlen(root);

    if (n == 1 && *root == '/')
        return *path == '/' ? path + 1 : NULL;
    if (strncmp(root, path, n) || (path[n] && path[n] != '/'))
        return NULL;
    return path[n] ? path + n + 1 : path + n;
}

void gn_program_clear(struct gn_program *p)
{
    if (!p)
        return;
    free(p->file);
    free(p->workdir);
    free(p->start);
    free(p->interp);
    gn_strs_clear(&p->words);
    *p = (struct gn_program){0};
}
