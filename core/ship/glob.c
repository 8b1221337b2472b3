#include "glob.h"

#include <stddef.h>
#include <string.h>

static bool in_range(unsigned char c, char lo, char hi)
{
    return c >= (unsigned char)lo && c <= (unsigned char)hi;
}

static bool is_alpha(unsigned char c)
{
    return in_range(c, 'a', 'z') || in_range(c, 'A', 'Z');
}

static bool is_digit(unsigned char c)
{
    return in_range(c, '0', '9');
}

/* [:name:] of ASCII.  -1: there is no such class. */
static int in_named_class(const char *name, size_t n, unsigned char c)
{
    static const char *const names[] = {"alnum", "alpha", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "xdigit"};
    const bool graph = c > 32 && c < 127;
    const bool alpha = is_alpha(c), digit = is_digit(c);
    const bool is[] = {alpha || digit,
                       alpha,
                       c == ' ' || c == '\t',
                       c < 32 || c == 127,
                       digit,
                       graph,
                       in_range(c, 'a', 'z'),
                       graph || c == ' ',
                       graph && !alpha && !digit,
                       c == ' ' || in_range(c, '\t', '\r'),
                       in_range(c, 'A', 'Z'),
                       digit || in_range(c, 'a', 'f') || in_range(c, 'A', 'F')};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && !memcmp(names[i], name, n))
            return is[i];
    return -1;
}

/*
 * p stands on "[:".  Returns the end of the class (on its final "]"), NULL when the bracket never
 * closes or the class is unknown, and p itself when there is no ":]", so that "[" stands for itself.
 */
static const char *named_class(const char *p, unsigned char c, bool *hit)
{
    const char *close = strchr(p + 2, ']');
    int is;

    if (!close)
        return NULL;
    if (close == p + 2 || close[-1] != ':')
        return p;
    is = in_named_class(p + 2, (size_t)(close - 1 - (p + 2)), c);
    if (is < 0)
        return NULL;
    *hit = *hit || is;
    return close;
}

/*
 * Is c in the bracket expression at *pp ("[")?  Moves *pp behind it; NULL there when it is malformed: then
 * nothing matches.
 */
static bool in_brackets(const char **pp, unsigned char c)
{
    const char *p = *pp + 1;
    bool negated = *p == '!' || *p == '^';
    bool hit = false;
    unsigned char prev = 0; /* where a range may begin */

    *pp = NULL;
    if (negated)
        p++;
    /* A "]" right at the start is a member: hence do-while. */
    do {
        unsigned char m = (unsigned char)*p;

        if (!m)
            return false;
        if (m == '-' && prev && p[1] && p[1] != ']') {
            p += p[1] == '\\' ? 2 : 1;
            if (!*p)
                return false;
            hit = hit || (c >= prev && c <= (unsigned char)*p);
            prev = 0;
        } else if (m == '[' && p[1] == ':') {
            const char *end = named_class(p, c, &hit);
            if (!end)
                return false;
            hit = hit || (end == p && c == '[');
            prev = end == p ? '[' : 0;
            p = end;
        } else {
            if (m == '\\')
                m = (unsigned char)*++p;
            if (!m)
                return false;
            hit = hit || m == c;
            prev = m;
        }
    } while (*++p != ']');
    *pp = p + 1;
    return hit != negated;
}

/* Does the one-byte token at *pp match c?  Moves *pp behind it if so. */
static bool match_one(const char **pp, unsigned char c, bool by_path)
{
    const char *p = *pp;
    bool hit;

    switch (*p) {
    case '?':
        hit = !(by_path && c == '/');
        p++;
        break;
    case '[':
        hit = in_brackets(&p, c) && !(by_path && c == '/');
        break;
    case '\\':
        hit = p[1] && (unsigned char)p[1] == c;
        p += 2;
        break;
    default:
        hit = (unsigned char)*p == c;
        p++;
    }
    if (hit)
        *pp = p;
    return hit;
}

/* Where to go on after a mismatch: the star took one more. */
struct restart {
    const char *pattern; /* behind the star; NULL: no star seen */
    const char *text;
    bool parts; /* it was a double star and a slash: takes whole folders */
};

/*
 * The stars at *pp: moves it behind them and sets the restart they make.  A double star counts only
 * as a whole part of a path.
 */
static void take_stars(const char *start, const char **pp, const char *text, bool by_path,
                       struct restart *star, struct restart *deep)
{
    const char *first = *pp, *p = first;
    bool deep_here = !by_path;

    while (*p == '*')
        p++;
    if (by_path && p - first >= 2)
        deep_here = (first == start || first[-1] == '/') &&
                    (*p == '\0' || *p == '/' || (*p == '\\' && p[1] == '/'));
    if (!deep_here) {
        *star = (struct restart){p, text, false};
    } else {
        bool parts = by_path && *p == '/';
        p += parts;
        *deep = (struct restart){p, text, parts};
        star->pattern = NULL;
    }
    *pp = p;
}

/* Let the star take one more; false when it cannot. */
static bool advance(struct restart *r, bool by_path, bool deep)
{
    if (!r->pattern || !*r->text)
        return false;
    if (r->parts) {
        const char *slash = strchr(r->text, '/');
        r->text = slash ? slash + 1 : NULL;
        return slash != NULL;
    }
    if (!deep && by_path && *r->text == '/')
        return false;
    r->text++;
    return true;
}

/*
 * The leftmost match of what stands between two stars is always good enough, since the later star
 * can take the rest: so only the last star of each sort is ever moved.
 */
bool gn_glob(const char *pattern, const char *text, bool by_path)
{
    struct restart star = {NULL, NULL, false}, deep = {NULL, NULL, false};
    const char *p = pattern, *s = text;

    for (;;) {
        if (*p == '*') {
            take_stars(pattern, &p, s, by_path, &star, &deep);
            if (!*p && !star.pattern && !deep.parts)
                return true;
            continue;
        }
        if (!*p && !*s)
            return true;
        if (*p && *s && match_one(&p, (unsigned char)*s, by_path)) {
            s++;
            continue;
        }
        if (advance(&star, by_path, false)) {
            p = star.pattern;
            s = star.text;
        } else if (advance(&deep, by_path, true)) {
            p = deep.pattern;
            s = deep.text;
            star.pattern = NULL;
        } else {
            return false;
        }
    }
}
