#include "gnrrun/vary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 40
#define VALUE_MAX    4096
#define LETTERS      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

void gn_vary_clear(struct gn_vary *v)
{
    for (size_t i = 0; i < v->n; i++) {
        free(v->v[i].name);
        gn_strs_clear(&v->v[i].values);
    }
    free(v->v);
    memset(v, 0, sizeof *v);
}

static int refuse(const char *text, const char *why, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(400);

    gn_buf_addsafe(&safe, text, strlen(text), 100);
    gn_err_set(err, GN_E_USAGE, "--sweep '%s': %s", safe.ptr, why);
    gn_buf_clear(&safe);
    return gn_err_hint(err, "--sweep lr=0.1,0.01 or --sweep depth=2..5");
}

/* A whole number that ends at `to`; no more digits than a long long has. */
static bool read_int(const char *from, const char *to, long long *out)
{
    char text[24], *end;
    size_t n = (size_t)(to - from);

    if (n == 0 || n >= sizeof text || strspn(from, "-0123456789") < n)
        return false;
    memcpy(text, from, n);
    text[n] = '\0';
    errno = 0;
    *out = strtoll(text, &end, 10);
    return !*end && !errno && *out > -1000000000000000 && *out < 1000000000000000;
}

/* "2..5", "1..9..2", "5..1".  *is: it is a range, good or bad. */
static bool add_range(const char *value, struct gn_strs *out, bool *is)
{
    const char *dots = strstr(value, "..");
    const char *more = dots ? strstr(dots + 2, "..") : NULL, *end = value + strlen(value);
    long long from, to, step = 1;

    *is = dots && read_int(value, dots, &from) && read_int(dots + 2, more ? more : end, &to);
    if (!*is)
        return true;
    if (more && (!read_int(more + 2, end, &step) || step <= 0))
        return false;
    if (from > to)
        step = -step;
    for (long long i = from; step > 0 ? i <= to : i >= to; i += step) {
        if (out->n > GN_MEMBERS_MAX)
            return false;
        gn_strs_take(out, gn_printf("%lld", i));
    }
    return true;
}

static int add_values(const char *text, const char *p, struct gn_strs *out, struct gn_err *err)
{
    for (;;) {
        size_t n = strcspn(p, ",");
        char *value = gn_strndup(p, n);
        bool range = false, good = n > 0 && n <= VALUE_MAX && add_range(value, out, &range);

        if (good && !range)
            gn_strs_add(out, value);
        free(value);
        if (!good)
            return refuse(text, n ? "is no list of values, or has too many" : "a value is empty",
                          err);
        if (!p[n])
            return GN_OK;
        p += n + 1;
    }
}

static int add_name(struct gn_vary *v, const char *text, struct gn_err *err)
{
    size_t n = strspn(text, LETTERS "0123456789");
    struct gn_vary_name *name;

    if (text[n] != '=' || n == 0 || n > NAME_MAX_LEN || !strchr(LETTERS, text[0]))
        return refuse(text, "it must begin with a name and '='", err);
    for (size_t i = 0; i < v->n; i++)
        if (strlen(v->v[i].name) == n && strncmp(v->v[i].name, text, n) == 0)
            return refuse(text, "that name is swept already", err);
    v->v = gn_realloc(v->v, v->n + 1, sizeof *v->v);
    name = &v->v[v->n++];
    *name = (struct gn_vary_name){.name = gn_strndup(text, n)};
    return add_values(text, text + n + 1, &name->values, err);
}

int gn_vary_parse(const struct gn_strs *texts, struct gn_vary *out, struct gn_err *err)
{
    struct gn_vary v = {.members = 1};
    int rc = GN_OK;

    for (size_t i = 0; i < texts->n && !rc; i++) {
        rc = add_name(&v, texts->v[i], err);
        if (rc)
            break;
        v.members *= v.v[i].values.n;
        if (v.members > GN_MEMBERS_MAX) {
            gn_err_set(err, GN_E_USAGE, "a sweep has at most %d members, this would have more",
                       GN_MEMBERS_MAX);
            rc = gn_err_hint(err, "sweep fewer values, or make several sweeps");
        }
    }
    if (rc)
        gn_vary_clear(&v);
    else
        *out = v;
    return rc;
}

/* The name that text, which begins with '{', mentions; or NULL. */
static const struct gn_vary_name *mentioned(const struct gn_vary *v, const char *text)
{
    for (size_t i = 0; i < v->n; i++) {
        size_t n = strlen(v->v[i].name);

        if (strncmp(text + 1, v->v[i].name, n) == 0 && text[n + 1] == '}')
            return &v->v[i];
    }
    return NULL;
}

static bool mentions(const struct gn_vary *v, const char *text, const struct gn_vary_name *name)
{
    for (const char *p = text; p && (p = strchr(p, '{')); p++) {
        const struct gn_vary_name *found = mentioned(v, p);

        if (found && (!name || found == name))
            return true;
    }
    return false;
}

bool gn_vary_in(const struct gn_vary *v, const char *text)
{
    return mentions(v, text, NULL);
}

void gn_vary_look(struct gn_vary *v, const struct gn_strs *words, size_t first,
                  const char *const *texts, size_t n)
{
    for (size_t i = 0; i < v->n; i++) {
        struct gn_vary_name *name = &v->v[i];

        name->added = true;
        for (size_t k = first; k < words->n && name->added; k++)
            name->added = !mentions(v, words->v[k], name);
        for (size_t k = 0; k < n && name->added; k++)
            name->added = !mentions(v, texts[k], name);
    }
}

static const char *value_of(const struct gn_vary *v, const struct gn_vary_name *name, size_t k)
{
    size_t at = k - 1;

    for (size_t i = v->n; i-- > 0;) {
        if (&v->v[i] == name)
            return name->values.v[at % name->values.n];
        at /= v->v[i].values.n;
    }
    return "";
}

void gn_vary_params(const struct gn_vary *v, size_t k, struct gn_buf *out)
{
    for (size_t i = 0; i < v->n; i++)
        gn_buf_addf(out, "%s%s=%s", i ? " " : "", v->v[i].name, value_of(v, &v->v[i], k));
}

void gn_vary_text(const struct gn_vary *v, size_t k, const char *text, struct gn_buf *out)
{
    while (*text) {
        size_t n = strcspn(text, "{");
        const struct gn_vary_name *name = text[n] ? mentioned(v, text + n) : NULL;

        gn_buf_add(out, text, n);
        text += n;
        if (name) {
            gn_buf_adds(out, value_of(v, name, k));
            text += strlen(name->name) + 2;
        } else if (*text) {
            gn_buf_addc(out, *text++);
        }
    }
}

void gn_vary_words(const struct gn_vary *v, size_t k, const struct gn_strs *words, size_t first,
                   struct gn_strs *out)
{
    for (size_t i = 0; i < words->n; i++) {
        struct gn_buf b = GN_BUF_INIT(GN_MAX_PROGRAM);

        if (i < first)
            gn_buf_adds(&b, words->v[i]);
        else
            gn_vary_text(v, k, words->v[i], &b);
        gn_strs_take(out, gn_buf_detach(&b));
    }
    for (size_t i = 0; i < v->n; i++) {
        if (!v->v[i].added)
            continue;
        gn_strs_take(out, gn_printf("--%s", v->v[i].name));
        gn_strs_add(out, value_of(v, &v->v[i], k));
    }
}
