/* values.c - one reader for each kind of value; all errors say where and what would do. */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COUNT 1000000
#define MAX_NAME  64

static void *field(const struct gn_key *key, void *base)
{
    return (char *)base + key->at;
}

static void set_str(char **to, char *value)
{
    free(*to);
    *to = value;
}

bool gn_has_control(const char *s, const char *but)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if ((c < 0x20 || c == 0x7f) && !strchr(but, c))
            return true;
    }
    return false;
}

bool gn_is_name(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n <= MAX_NAME && isalnum((unsigned char)s[0]) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static bool is_env_name(const char *s)
{
    return *s && !isdigit((unsigned char)*s) &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == 0;
}

void gn_env_clear(struct gn_env_var **env, size_t *n)
{
    for (size_t i = 0; i < *n; i++) {
        free((*env)[i].name);
        free((*env)[i].value);
    }
    free(*env);
    *env = NULL;
    *n = 0;
}

void gn_note(const struct gn_reading *in, int line, const char *fmt, ...)
{
    struct gn_buf b = GN_BUF_INIT(1024);
    va_list ap;

    gn_buf_addf(&b, "%s:%d: ", in->file, line);
    va_start(ap, fmt);
    gn_buf_vaddf(&b, fmt, ap);
    va_end(ap);
    gn_strs_take(&in->cfg->notes, gn_buf_detach(&b));
}

int gn_bad_value(const struct gn_reading *in, const struct gn_yaml_node *n, const char *want,
                 struct gn_err *err)
{
    static const char *const kinds[] = {
        [GN_YAML_SCALAR] = "", [GN_YAML_LIST] = "a list", [GN_YAML_MAP] = "a map"};
    const char *key = n->key ? n->key : n->parent && n->parent->key ? n->parent->key : "the file";
    struct gn_buf what = GN_BUF_INIT(1024), name = GN_BUF_INIT(1024);

    gn_buf_addsafe(&name, key, strlen(key), 100);
    if (n->kind != GN_YAML_SCALAR) {
        gn_buf_adds(&what, kinds[n->kind]);
    } else if (!*n->text) {
        gn_buf_adds(&what, "empty");
    } else {
        gn_buf_addc(&what, '\'');
        gn_buf_addsafe(&what, n->text, strlen(n->text), 100);
        gn_buf_addc(&what, '\'');
    }
    gn_yaml_err(err, in->file, n->line, n->col, "'%s' must be %s, not %s", name.ptr, want,
                what.ptr);
    gn_buf_clear(&what);
    gn_buf_clear(&name);
    return err->code;
}

void gn_hint_near(struct gn_err *err, const char *word, const char *const *valid, size_t n,
                  const char *kind)
{
    struct gn_buf all = GN_BUF_INIT(sizeof err->hint);
    size_t len = strlen(word);
    unsigned best = len <= MAX_NAME ? 2 + (unsigned)len / 4 : 0;
    const char *near = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned d = best ? gn_edit_distance(word, valid[i]) : 1;

        if (d < best) {
            best = d;
            near = valid[i];
        }
        gn_buf_addf(&all, "%s%s", i ? ", " : "", valid[i]);
    }
    if (near)
        gn_err_hint(err, "did you mean '%s'?", near);
    else if (n)
        gn_err_hint(err, "%s: %s", kind, all.ptr);
    gn_buf_clear(&all);
}

static int unknown_key(const struct gn_reading *in, const struct gn_yaml_node *n,
                       const struct gn_key *keys, size_t n_keys, struct gn_err *err)
{
    const char *valid[64];
    struct gn_buf safe = GN_BUF_INIT(512);

    for (size_t i = 0; i < n_keys && i < 64; i++)
        valid[i] = keys[i].name;
    gn_buf_addsafe(&safe, n->key, strlen(n->key), 100);
    gn_yaml_err(err, in->file, n->key_line, n->key_col, "unknown key '%s'", safe.ptr);
    gn_hint_near(err, n->key, valid, n_keys < 64 ? n_keys : 64, "valid keys");
    gn_buf_clear(&safe);
    return err->code;
}

const struct gn_key *gn_find_key(const struct gn_key *keys, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

int gn_read_map(const struct gn_reading *in, const struct gn_yaml_node *map,
                const struct gn_key *keys, size_t n_keys, void *base, struct gn_err *err)
{
    if (gn_yaml_is_null(map))
        return GN_OK;
    if (map->kind != GN_YAML_MAP)
        return gn_bad_value(in, map, "a map (key: value)", err);
    for (const struct gn_yaml_node *n = map->child; n; n = n->next) {
        const struct gn_key *key = gn_find_key(keys, n_keys, n->key);
        int rc;

        if (!key)
            return unknown_key(in, n, keys, n_keys, err);
        rc = gn_yaml_is_null(n) ? GN_OK : key->read(in, n, key, base, err);
        if (rc)
            return rc;
    }
    return GN_OK;
}

const char *gn_plain_text(const struct gn_reading *in, const struct gn_yaml_node *n,
                          const char *want, struct gn_err *err)
{
    if (n->kind != GN_YAML_SCALAR || !*n->text || gn_has_control(n->text, "")) {
        gn_bad_value(in, n, want, err);
        return NULL;
    }
    return n->text;
}

int gn_read_line(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err)
{
    const char *text = gn_plain_text(in, n, "one line of text", err);

    if (!text)
        return err->code;
    set_str(field(key, base), gn_strdup(text));
    return GN_OK;
}

int gn_read_strs(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err)
{
    const char *const want = "a text or a list of texts";
    struct gn_strs *to = field(key, base);

    if (n->kind == GN_YAML_MAP)
        return gn_bad_value(in, n, want, err);
    for (const struct gn_yaml_node *e = n->kind == GN_YAML_LIST ? n->child : n; e; e = e->next) {
        const char *text = gn_plain_text(in, e, want, err);

        if (!text)
            return err->code;
        gn_strs_add(to, text);
        if (e == n)
            break;
    }
    return GN_OK;
}

int gn_read_sh(const struct gn_reading *in, const struct gn_yaml_node *n, const struct gn_key *key,
               void *base, struct gn_err *err)
{
    const char *const want = "lines of sh, or a list of them";
    struct gn_buf b = GN_BUF_INIT(GN_MAX_FILE);

    if (n->kind == GN_YAML_MAP)
        return gn_bad_value(in, n, want, err);
    for (const struct gn_yaml_node *e = n->kind == GN_YAML_LIST ? n->child : n; e; e = e->next) {
        if (e->kind != GN_YAML_SCALAR || gn_has_control(e->text, "\n\t")) {
            gn_buf_clear(&b);
            return gn_bad_value(in, e, want, err);
        }
        gn_buf_addf(&b, "%s%s", b.len ? "\n" : "", e->text);
        if (e == n)
            break;
    }
    if (b.len)
        set_str(field(key, base), gn_buf_detach(&b));
    gn_buf_clear(&b);
    return GN_OK;
}

int gn_read_bool(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err)
{
    static const char *const words[] = {"false", "true", "no",    "yes",  "off", "on",
                                        "False", "True", "FALSE", "TRUE", "No",  "Yes"};

    for (size_t i = 0; n->kind == GN_YAML_SCALAR && n->plain && i < sizeof words / sizeof *words;
         i++) {
        if (strcmp(n->text, words[i]) == 0) {
            *(bool *)field(key, base) = i % 2;
            return GN_OK;
        }
    }
    return gn_bad_value(in, n, "true or false", err);
}

static int read_int(const struct gn_reading *in, const struct gn_yaml_node *n, long min, long max,
                    int *out, struct gn_err *err)
{
    char want[64];
    char *end;
    long v;

    snprintf(want, sizeof want, "a number from %ld to %ld", min, max);
    if (n->kind != GN_YAML_SCALAR || !isdigit((unsigned char)n->text[0]))
        return gn_bad_value(in, n, want, err);
    errno = 0;
    v = strtol(n->text, &end, 10);
    if (errno || *end || v < min || v > max)
        return gn_bad_value(in, n, want, err);
    *out = (int)v;
    return GN_OK;
}

int gn_read_count(const struct gn_reading *in, const struct gn_yaml_node *n,
                  const struct gn_key *key, void *base, struct gn_err *err)
{
    return read_int(in, n, 0, MAX_COUNT, field(key, base), err);
}

int gn_read_port(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err)
{
    return read_int(in, n, 1, 65535, field(key, base), err);
}

int gn_read_nice(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err)
{
    return read_int(in, n, 0, 19, field(key, base), err);
}

int gn_read_bytes(const struct gn_reading *in, const struct gn_yaml_node *n,
                  const struct gn_key *key, void *base, struct gn_err *err)
{
    if (n->kind != GN_YAML_SCALAR || !gn_parse_bytes(n->text, field(key, base)))
        return gn_bad_value(in, n, "a size such as 8GB or 512M", err);
    return GN_OK;
}

int gn_read_seconds(const struct gn_reading *in, const struct gn_yaml_node *n,
                    const struct gn_key *key, void *base, struct gn_err *err)
{
    int64_t v;

    if (n->kind != GN_YAML_SCALAR || !gn_parse_seconds(n->text, &v) || v <= 0)
        return gn_bad_value(in, n, "a time such as 90s, 10m, 2h or 1-12:00:00", err);
    *(int64_t *)field(key, base) = v;
    return GN_OK;
}

int gn_read_keep(const struct gn_reading *in, const struct gn_yaml_node *n,
                 const struct gn_key *key, void *base, struct gn_err *err)
{
    static const char *const yes[] = {"yes", "true", "on"}, *const no[] = {"no", "false", "off"};
    int64_t v = 0;
    bool good = n->kind == GN_YAML_SCALAR && gn_parse_seconds(n->text, &v) && v >= 0;

    if (good && v == 0)
        v = -1;
    for (size_t i = 0; n->kind == GN_YAML_SCALAR && i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(n->text, yes[i]) == 0)
            v = GN_KEEP_S;
        if (strcmp(n->text, no[i]) == 0)
            v = -1;
    }
    if (!v || v > GN_KEEP_MOST_S)
        return gn_bad_value(in, n, "a time of at most 30 days such as 8h, or no", err);
    *(int64_t *)field(key, base) = v;
    return GN_OK;
}

int gn_read_env(const struct gn_reading *in, const struct gn_yaml_node *n, const struct gn_key *key,
                void *base, struct gn_err *err)
{
    struct gn_env_var **env = field(key, base);
    size_t *count = (size_t *)(void *)((char *)base + key->at2);

    if (n->kind != GN_YAML_MAP)
        return gn_bad_value(in, n, "a map of names and values", err);
    gn_env_clear(env, count);
    *env = gn_calloc(n->n ? n->n : 1, sizeof **env);
    for (const struct gn_yaml_node *e = n->child; e; e = e->next) {
        if (!is_env_name(e->key)) {
            struct gn_buf safe = GN_BUF_INIT(512);

            gn_buf_addsafe(&safe, e->key, strlen(e->key), 100);
            gn_yaml_err(err, in->file, e->key_line, e->key_col,
                        "'%s' cannot name an environment variable", safe.ptr);
            gn_buf_clear(&safe);
            return gn_err_hint(err, "letters, digits and _ only, and no digit first");
        }
        if (e->kind != GN_YAML_SCALAR)
            return gn_bad_value(in, e, "a text, or null to take it from the environment here", err);
        (*env)[*count].name = gn_strdup(e->key);
        (*env)[*count].value = gn_yaml_is_null(e) ? NULL : gn_strdup(e->text);
        ++*count;
    }
    return GN_OK;
}

int gn_read_later(const struct gn_reading *in, const struct gn_yaml_node *n,
                  const struct gn_key *key, void *base, struct gn_err *err)
{
    (void)base;
    (void)err;
    gn_note(in, n->key_line, "'%s' has no effect in this version yet", key->name);
    return GN_OK;
}
