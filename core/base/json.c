#include "gnrrun/json.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gnrrun/mem.h"

/* struct gn_json is jansson's json_t under another name: nobody else sees it. */
static json_t *to(struct gn_json *j)
{
    return (json_t *)(void *)j;
}

static const json_t *to_const(const struct gn_json *j)
{
    return (const json_t *)(const void *)j;
}

static struct gn_json *from(json_t *j)
{
    if (!j)
        abort();
    return (struct gn_json *)(void *)j;
}

static const struct gn_json *from_const(const json_t *j)
{
    return (const struct gn_json *)(const void *)j;
}

struct gn_json *gn_json_object(void)
{
    return from(json_object());
}

struct gn_json *gn_json_array(void)
{
    return from(json_array());
}

/* Length of the UTF-8 character at s, 0 when it is none. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;

    if (!n || n > len || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

struct gn_json *gn_json_bytes(const char *s, size_t len)
{
    json_t *j = json_stringn(s, len);
    struct gn_buf fixed = GN_BUF_INIT((size_t)1 << 30);

    if (j)
        return from(j);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len((const unsigned char *)s + i, len - i);

        if (n)
            gn_buf_add(&fixed, s + i, n);
        else
            gn_buf_adds(&fixed, "\xef\xbf\xbd");
        i += n ? n : 1;
    }
    j = json_stringn(fixed.ptr, fixed.len);
    gn_buf_clear(&fixed);
    return from(j);
}

struct gn_json *gn_json_string(const char *s)
{
    return s ? gn_json_bytes(s, strlen(s)) : from(json_null());
}

struct gn_json *gn_json_int(int64_t v)
{
    return from(json_integer(v));
}

struct gn_json *gn_json_strs(const struct gn_strs *s)
{
    struct gn_json *a = gn_json_array();

    for (size_t i = 0; i < s->n; i++)
        gn_json_append(a, gn_json_string(s->v[i]));
    return a;
}

void gn_json_free(struct gn_json *j)
{
    if (j)
        json_decref(to(j));
}

void gn_json_set(struct gn_json *obj, const char *key, struct gn_json *value)
{
    if (json_object_set_new(to(obj), key, to(value)) < 0)
        abort();
}

void gn_json_set_str(struct gn_json *obj, const char *key, const char *value)
{
    gn_json_set(obj, key, gn_json_string(value));
}

void gn_json_set_int(struct gn_json *obj, const char *key, int64_t value)
{
    gn_json_set(obj, key, gn_json_int(value));
}

void gn_json_set_real(struct gn_json *obj, const char *key, double value)
{
    gn_json_set(obj, key, from(json_real(value)));
}

void gn_json_set_bool(struct gn_json *obj, const char *key, bool value)
{
    gn_json_set(obj, key, from(json_boolean(value)));
}

void gn_json_set_null(struct gn_json *obj, const char *key)
{
    gn_json_set(obj, key, from(json_null()));
}

void gn_json_append(struct gn_json *arr, struct gn_json *value)
{
    if (json_array_append_new(to(arr), to(value)) < 0)
        abort();
}

static int dump_to_buf(const char *data, size_t len, void *arg)
{
    gn_buf_add(arg, data, len);
    return gn_buf_over(arg) ? -1 : 0;
}

void gn_json_dump(const struct gn_json *j, struct gn_buf *out)
{
    /* the only failure is our own ceiling, which out remembers */
    if (json_dump_callback(to_const(j), dump_to_buf, out,
                           JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)) < 0)
        out->over = true;
}

int gn_json_parse(const char *text, size_t len, struct gn_json **out, struct gn_err *err)
{
    json_error_t why;
    json_t *j =
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

    if (!j) {
        struct gn_buf safe = GN_BUF_INIT(512);

        gn_buf_addsafe(&safe, why.text, strlen(why.text), 200);
        gn_err_set(err, GN_E_PROTO, "not JSON: line %d: %s", why.line, safe.ptr);
        gn_buf_clear(&safe);
        return err->code;
    }
    *out = from(j);
    return GN_OK;
}

const struct gn_json *gn_json_get(const struct gn_json *j, const char *key)
{
    return j ? from_const(json_object_get(to_const(j), key)) : NULL;
}

const char *gn_json_value_str(const struct gn_json *j)
{
    return j ? json_string_value(to_const(j)) : NULL;
}

const char *gn_json_get_str(const struct gn_json *j, const char *key)
{
    return gn_json_value_str(gn_json_get(j, key));
}

double gn_json_get_real(const struct gn_json *j, const char *key)
{
    return json_number_value(to_const(gn_json_get(j, key)));
}

int64_t gn_json_get_int(const struct gn_json *j, const char *key)
{
    const struct gn_json *v = gn_json_get(j, key);

    return v ? (int64_t)json_integer_value(to_const(v)) : 0;
}

bool gn_json_get_bool(const struct gn_json *j, const char *key)
{
    const struct gn_json *v = gn_json_get(j, key);

    return v && json_is_true(to_const(v));
}

size_t gn_json_len(const struct gn_json *arr)
{
    return arr ? json_array_size(to_const(arr)) : 0;
}

const struct gn_json *gn_json_at(const struct gn_json *arr, size_t i)
{
    return from_const(json_array_get(to_const(arr), i));
}

void gn_json_keys(const struct gn_json *obj, struct gn_strs *out)
{
    void *o =
        (void *)(uintptr_t)to_const(obj); /* jansson's iterators want one that could be written */

    for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it))
        gn_strs_add(out, json_object_iter_key(it));
}

void gn_json_get_strs(const struct gn_json *j, const char *key, struct gn_strs *out)
{
    const struct gn_json *a = gn_json_get(j, key);

    for (size_t i = 0; i < gn_json_len(a); i++) {
        const char *s = gn_json_value_str(gn_json_at(a, i));

        if (s)
            gn_strs_add(out, s);
    }
}
