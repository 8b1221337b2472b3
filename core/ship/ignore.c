#include <stdlib.h>
#include <string.h>

#include "glob.h"
#include "ignore.h"

struct rule {
    const char *shown;   /* as written, without the blanks at its end */
    const char *pattern; /* without "!" and the final "/" */
    size_t len;
    size_t literal; /* bytes before the first wildcard */
    unsigned line;
    bool negated, only_dirs, by_name;
    bool by_suffix; /* "*" and then no wildcard */
};

/* One file of rules. */
struct source {
    char *dir;
    size_t dir_len;
    char *name;
    char *text; /* what the rules point into */
    struct rule *v;
    size_t n, cap;
};

struct gn_ignore {
    const struct gn_ignore *above; /* weaker than all here; NULL: nothing is */
    struct source *v;
    size_t n, cap;
    struct gn_ignore_filter filter; /* of those above, too */
};

struct gn_ignore *gn_ignore_new(void)
{
    return gn_new(struct gn_ignore);
}

struct gn_ignore *gn_ignore_below(const struct gn_ignore *above)
{
    struct gn_ignore *ig = gn_ignore_new();

    ig->above = above;
    ig->filter = above->filter;
    return ig;
}

static void source_clear(struct source *s)
{
    free(s->dir);
    free(s->name);
    free(s->text);
    free(s->v);
}

void gn_ignore_free(struct gn_ignore *ig)
{
    if (!ig)
        return;
    for (size_t i = 0; i < ig->n; i++)
        source_clear(&ig->v[i]);
    free(ig->v);
    free(ig);
}

/* Blanks at the end do not count, unless a backslash stands before them. */
static size_t trimmed(const char *line, size_t len)
{
    size_t keep = 0;

    for (size_t i = 0; i < len; i++) {
        if (line[i] == ' ')
            continue;
        /* A backslash at the very end keeps everything, as git has it. */
        if (line[i] == '\\' && ++i == len)
            return len;
        keep = i + 1;
    }
    return keep;
}

/* shown is terminated; store has room for it once more. */
static void rule_init(struct rule *r, const char *shown, char *store, unsigned line)
{
    const char *p = shown;

    *r = (struct rule){.shown = shown, .pattern = store, .line = line};
    if (*p == '!') {
        r->negated = true;
        p++;
    }
    r->len = strlen(p);
    /* A star and letters up to the end, so counted before "/" goes: "*x/" is one, and so it is at git. */
    r->by_suffix = *p == '*' && !p[1 + strcspn(p + 1, "*?[\\")];
    if (r->len && p[r->len - 1] == '/') {
        r->only_dirs = true;
        r->len--;
    }
    memcpy(store, p, r->len);
    store[r->len] = '\0';
    r->by_name = !strchr(store, '/');
    r->literal = strcspn(store, "*?[\\");
}

static void filter_bit(struct gn_ignore_filter *f, char c, unsigned bit, bool only_dirs)
{
    f->may[(unsigned char)c] |= (uint8_t)(bit << GN_FILTER_DIR);
    if (!only_dirs)
        f->may[(unsigned char)c] |= (uint8_t)bit;
}

/* The final bracket of a pattern when it is a plain list: "*.py[cod]". */
static bool filter_brackets(struct gn_ignore_filter *f, const struct rule *r)
{
    const char *open = strrchr(r->pattern, '['), *end = r->pattern + r->len - 1;

    if (!open || open != strchr(r->pattern, '[') || (open > r->pattern && open[-1] == '\\') ||
        open + 1 >= end || strcspn(open + 1, "!^-[\\]") != (size_t)(end - (open + 1)))
        return false;
    for (const char *p = open + 1; p < end; p++)
        filter_bit(f, *p, GN_FILTER_LAST, r->only_dirs);
    return true;
}

/* What every name has in common that the rule can match. */
static void filter_rule(struct gn_ignore_filter *f, const struct rule *r)
{
    char last = r->len ? r->pattern[r->len - 1] : '\0';

    if (r->by_name && r->literal)
        filter_bit(f, r->pattern[0], GN_FILTER_FIRST, r->only_dirs);
    else if (last && !strchr("*?]\\/", last))
        filter_bit(f, last, GN_FILTER_LAST, r->only_dirs);
    else if (last != ']' || !filter_brackets(f, r))
        f->any |= r->only_dirs ? GN_FILTER_ANY_DIR : GN_FILTER_ANY_DIR | GN_FILTER_ANY_FILE;
}

void gn_ignore_filter_add(struct gn_ignore_filter *f, const struct gn_ignore *ig)
{
    for (size_t i = 0; i < sizeof f->may; i++)
        f->may[i] |= ig->filter.may[i];
    f->any |= ig->filter.any;
}

static void add_line(struct source *s, char *line, size_t len, char *store, unsigned number)
{
    const char *nul = memchr(line, '\0', len);

    if (nul)
        len = (size_t)(nul - line);
    len = trimmed(line, len);
    line[len] = '\0';
    GN_GROW(s->v, s->n, s->cap);
    rule_init(&s->v[s->n++], line, store, number);
}

void gn_ignore_add(struct gn_ignore *ig, const char *dir, const char *source, const char *text,
                   size_t len)
{
    struct source *s;
    size_t start = 0;
    unsigned line = 0;

    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        len -= 3;
    }
    GN_GROW(ig->v, ig->n, ig->cap);
    s = &ig->v[ig->n++];
    *s = (struct source){.dir = gn_strdup(dir), .dir_len = strlen(dir), .name = gn_strdup(source)};
    /* Twice: the lines as they stand, and behind them the patterns. */
    s->text = gn_calloc(2, len + 1);
    if (len)
        memcpy(s->text, text, len);
    while (start < len) {
        char *at = s->text + start;
        char *nl = memchr(at, '\n', len - start);
        size_t n = nl ? (size_t)(nl - at) : len - start;
        size_t next = start + n + 1;

        line++;
        if (n && at[0] != '#') {
            n -= at[n - 1] == '\r';
            add_line(s, at, n, s->text + len + 1 + start, line);
        }
        start = next;
    }
    for (size_t i = 0; i < s->n; i++)
        filter_rule(&ig->filter, &s->v[i]);
}

static bool is_below(const char *path, const char *dir, size_t dir_len)
{
    return !dir_len || (!strncmp(path, dir, dir_len) && path[dir_len] == '/');
}

static bool match_name(const struct rule *r, const char *name)
{
    size_t len = strlen(name);

    if (r->literal == r->len)
        return len == r->len && !memcmp(name, r->pattern, len);
    if (r->by_suffix)
        return len >= r->len - 1 && !memcmp(name + len - (r->len - 1), r->pattern + 1, r->len - 1);
    return gn_glob(r->pattern, name, false);
}

/* path: relative to the folder of the rule. */
static bool match_path(const struct rule *r, const char *path)
{
    const char *p = r->pattern;
    size_t literal = r->literal;

    if (*p == '/') {
        p++;
        literal -= literal > 0;
    }
    /* Stripping the literal part first is git's order, and shows: what follows counts as a start. */
    if (strncmp(p, path, literal))
        return false;
    p += literal;
    path += literal;
    return gn_glob(p, path, true);
}

static bool rule_matches(const struct rule *r, const char *path, const char *name, bool is_dir)
{
    if (r->only_dirs && !is_dir)
        return false;
    return r->by_name ? match_name(r, name) : match_path(r, path);
}

/* The rule of one file that decides; NULL: none does. */
static const struct rule *judge(const struct source *s, const char *path, const char *name,
                                bool is_dir)
{
    const char *rel = s->dir_len ? path + s->dir_len + 1 : path;

    if (!is_below(path, s->dir, s->dir_len))
        return NULL;
    for (size_t k = s->n; k-- > 0;)
        if (rule_matches(&s->v[k], rel, name, is_dir))
            return &s->v[k];
    return NULL;
}

void gn_ignore_match(const struct gn_ignore *ig, const char *path, bool is_dir,
                     struct gn_verdict *out)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    *out = (struct gn_verdict){.ignored = false};
    for (; ig; ig = ig->above)
        for (size_t i = ig->n; i-- > 0;) {
            const struct rule *r = judge(&ig->v[i], path, name, is_dir);

            if (!r)
                continue;
            *out = (struct gn_verdict){!r->negated, ig->v[i].name, r->shown, r->line};
            return;
        }
}

bool gn_glob_match(const char *pattern, const char *path, bool is_dir)
{
    const char *slash = strrchr(path, '/');
    char *store = gn_calloc(1, strlen(pattern) + 1);
    struct rule r;
    bool hit;

    rule_init(&r, pattern, store, 0);
    hit = rule_matches(&r, path, slash ? slash + 1 : path, is_dir);
    free(store);
    return hit;
}
