/* refuse.c - names of the far side that are not written here. */
#include <string.h>
#include <strings.h>

#include "confine.h"

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
