/*
 * yaml.h - a YAML file as a tree that knows where everything stands.
 *
 * Only what a configuration needs: one document, maps with distinct plain keys, lists,
 * scalars as text.  Anchors, aliases, tags, deep nesting and anything that is not UTF-8
 * are errors that begin with "file:line:column".  Nodes belong to the document.
 */
#ifndef GNRRUN_YAML_H
#define GNRRUN_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "gnrrun/err.h"

#define GN_YAML_MAX_DEPTH 32
#define GN_YAML_MAX_NODES 100000
#define GN_YAML_MAX_KEYS  1000 /* of one map */

enum gn_yaml_kind { GN_YAML_SCALAR, GN_YAML_LIST, GN_YAML_MAP };

struct gn_yaml_node {
    enum gn_yaml_kind kind;
    char *text;            /* of a scalar, without NUL bytes */
    bool plain;            /* a scalar without quotes: may be null, a number, a truth value */
    bool flow;             /* [ ] or { } */
    int line, col;         /* where it begins, from 1; columns count characters */
    int end_line, end_col; /* just behind it, for lists and maps in flow style */
    char *key;             /* in a map; else NULL */
    int key_line, key_col;
    struct gn_yaml_node *parent, *child, *last, *next; /* children in their order */
    size_t n;                                          /* of them */
    struct gn_yaml_node *older;                        /* chain of all nodes of the document */
};

struct gn_yaml {
    char *file;                /* as it is called in messages */
    struct gn_yaml_node *root; /* NULL when the file says nothing */
    struct gn_yaml_node *newest;
    size_t n_nodes;
};

GN_MUST int gn_yaml_parse(const char *file, const char *text, size_t len, struct gn_yaml *out,
                          struct gn_err *err);
void gn_yaml_clear(struct gn_yaml *y);

/* An unquoted null, ~ or nothing at all. */
bool gn_yaml_is_null(const struct gn_yaml_node *n);

/* The value of a key; NULL when absent or when map is no map. */
const struct gn_yaml_node *gn_yaml_get(const struct gn_yaml_node *map, const char *key);

/* GN_E_CONFIG: "file:line:column: " and the message. */
int gn_yaml_err(struct gn_err *err, const char *file, int line, int col, const char *fmt, ...)
    GN_PRINTF(5, 6);

#endif
