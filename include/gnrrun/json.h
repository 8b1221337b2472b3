/*
 * json.h - JSON values (jansson): built for --json and the store, read back from the store.
 *
 * A setter that is given a value takes it, also when it fails.  Strings need not be
 * UTF-8: what is not becomes U+FFFD.  NULL strings become null.
 */
#ifndef GNRRUN_JSON_H
#define GNRRUN_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/buf.h"
#include "gnrrun/mem.h"

struct gn_json;

struct gn_json *gn_json_object(void);
struct gn_json *gn_json_array(void);
struct gn_json *gn_json_string(const char *s);
struct gn_json *gn_json_bytes(const char *s, size_t len);
struct gn_json *gn_json_int(int64_t v);
struct gn_json *gn_json_strs(const struct gn_strs *s);
void gn_json_free(struct gn_json *j);

void gn_json_set(struct gn_json *obj, const char *key, struct gn_json *value);
void gn_json_set_str(struct gn_json *obj, const char *key, const char *value);
void gn_json_set_int(struct gn_json *obj, const char *key, int64_t value);
void gn_json_set_real(struct gn_json *obj, const char *key, double value);
void gn_json_set_bool(struct gn_json *obj, const char *key, bool value);
void gn_json_set_null(struct gn_json *obj, const char *key);
void gn_json_append(struct gn_json *arr, struct gn_json *value);

/* One line, keys in the order they were set, no newline at the end. */
void gn_json_dump(const struct gn_json *j, struct gn_buf *out);

GN_MUST int gn_json_parse(const char *text, size_t len, struct gn_json **out, struct gn_err *err);

/* Borrowed from j; NULL, 0 or false when absent or of another type. */
const struct gn_json *gn_json_get(const struct gn_json *j, const char *key);
const char *gn_json_get_str(const struct gn_json *j, const char *key);
double gn_json_get_real(const struct gn_json *j, const char *key); /* of an integer, too */
int64_t gn_json_get_int(const struct gn_json *j, const char *key);
bool gn_json_get_bool(const struct gn_json *j, const char *key);
size_t gn_json_len(const struct gn_json *arr);
const struct gn_json *gn_json_at(const struct gn_json *arr, size_t i);
const char *gn_json_value_str(const struct gn_json *j);
void gn_json_keys(const struct gn_json *obj, struct gn_strs *out);                    /* appends */
void gn_json_get_strs(const struct gn_json *j, const char *key, struct gn_strs *out); /* appends */

#endif
