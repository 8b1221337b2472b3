/* refuse.c - names and links of the far side that are not written here. */
#include <string.h>
#include <strings.h>

#include "confine.h"
#include "gnrrun/buf.h"

/* One that some file system takes for what ends up in it: Apple's skip some invisible characters,
 * Windows' (under WSL) skip dots and blanks at the end, have streams after ":", short names. */
static bool means(const char *s, size_t len, const char *name, const char *short_name)
{
    char seen[16];
    size_t n = 0;

    for (size_t i = 0; i < len && n < sizeof seen - 1; i++) {
        const unsigned char *u = (const unsigned char *)s + i;
        bool apple =
            len - i >= 3 && ((u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0x8c && u[2] <= 0x8f) ||
                             (u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) ||
                             (u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xaa && u[2] <= 0xaf) ||
                             (u[0] == 0xef && u[1] == 0xbb && u[2] == 0xbf));

        if (s[i] == ':')
            break;
        if (apple)
            i += 2;
        else
            seen[n++] = s[i];
    }
    while (n && (seen[n - 1] == '.' || seen[n - 1] == ' '))
        n--;
    seen[n] = 0;
    return strcasecmp(seen, name) == 0 || (short_name && strcasecmp(seen, short_name) == 0);
}

/* One part of a path, without slashes. */
static const char *part_refuses(const char *s, size_t len)
{
    if (len == 0)
        return "an empty name in its path";
    if (len == 1 && s[0] == '.')
        return "'.' in its path";
    if (len == 2 && s[0] == '.' && s[1] == '.')
        return "'..' in its path";
    /* A hook in there would be run by the next git command; some file systems fold case. */
    if (means(s, len, ".git", "git~1"))
        return "'.git' in its path";
    if (means(s, len, ".ssh", "ssh~1") || means(s, len, ".gnupg", "gnupg~1"))
        return "keys and their rules do not come from over there";
    if (len >= strlen(GN_PART_PREFIX) &&
        strncasecmp(s, GN_PART_PREFIX, strlen(GN_PART_PREFIX)) == 0)
        return "a name that is kept for partial files";
    return NULL;
}

const char *gn_confine_refuses(const char *path, size_t len)
{
    const char *why = NULL;
    size_t from = 0;

    if (len == 0)
        return "no name";
    if (len > GN_PATH_BYTES)
        return "its path is too long";
    if (memchr(path, 0, len))
        return "a NUL in its path";
    if (path[0] == '/')
        return "its path is absolute";
    for (size_t i = 0; i <= len && !why; i++) {
        if (i < len && path[i] != '/')
            continue;
        why = part_refuses(path + from, i - from);
        from = i + 1;
    }
    return why;
}

/* Is a part of path, the last one too, a symlink here?  Parts that are not there are not. */
static bool passes_link(const struct gn_confine *c, const char *path)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_spot spot;

    if (gn_confine_look(c, path, &spot, &err))
        return true;
    return spot.kind == GN_SPOT_BLOCKED || spot.kind == GN_SPOT_LINK;
}

const char *gn_confine_link_refuses(const struct gn_confine *c, const char *path,
                                    const char *target)
{
    const char *rest = target, *end = strrchr(path, '/');
    struct gn_buf to = GN_BUF_INIT(2 * GN_PATH_BYTES);
    const char *why = NULL;

    if (!*target || strlen(target) > GN_PATH_BYTES)
        return "an empty or endless target";
    if (*target == '/')
        return "a link to an absolute path";
    /* The folder it stands in, then up.  A ".." later on could follow a name that becomes a
     * symlink after we looked, and would then lead anywhere: refused below as a part. */
    gn_buf_add(&to, path, end ? (size_t)(end - path) : 0);
    while (strncmp(rest, "..", 2) == 0 && (rest[2] == '/' || !rest[2])) {
        char *slash = strrchr(to.ptr, '/');

        if (to.len == 0) {
            why = "a link that leaves the folder";
            goto out;
        }
        to.len = slash ? (size_t)(slash - to.ptr) : 0;
        to.ptr[to.len] = 0;
        rest += rest[2] ? 3 : 2;
        rest += strspn(rest, "/");
    }
    while (rest[0] == '.' && rest[1] == '/')
        rest += 2;
    if (strcmp(rest, ".") == 0)
        rest++;
    if (*rest) {
        if (to.len)
            gn_buf_addc(&to, '/');
        gn_buf_adds(&to, rest);
        if (to.ptr[to.len - 1] == '/')
            to.ptr[--to.len] = 0;
    }
    if (to.len == 0)
        goto out; /* the folder itself */
    why = gn_buf_over(&to) ? "an endless target" : gn_confine_refuses(to.ptr, to.len);
    if (!why && passes_link(c, to.ptr))
        why = "a link through another link";
out:
    gn_buf_clear(&to);
    return why;
}
