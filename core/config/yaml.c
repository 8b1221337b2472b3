/* yaml.c - the only file that knows libyaml: its events, made into a tree without recursion. */
#include "gnrrun/yaml.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "gnrrun/buf.h"
#include "gnrrun/mem.h"

struct build {
    struct gn_yaml *y;
    struct gn_yaml_node *at; /* the open list or map; NULL: the document */
    int depth;
    int documents;
    char *key; /* read, its value not yet */
    int key_line, key_col;
};

int gn_yaml_err(struct gn_err *err, const char *file, int line, int col, const char *fmt, ...)
{
    va_list ap;
    struct gn_buf msg = GN_BUF_INIT(sizeof err->msg);

    va_start(ap, fmt);
    gn_buf_vaddf(&msg, fmt, ap);
    va_end(ap);
    gn_err_set(err, GN_E_CONFIG, "%s:%d:%d: %s", file, line, col, msg.ptr);
    gn_buf_clear(&msg);
    return err->code;
}

static int from_mark(size_t v)
{
    return v < INT_MAX ? (int)v + 1 : INT_MAX;
}

static int err_at(const struct build *b, const yaml_mark_t *mark, struct gn_err *err,
                  const char *what)
{
    return gn_yaml_err(err, b->y->file, from_mark(mark->line), from_mark(mark->column), "%s", what);
}

static int safe_err(struct gn_err *err, const struct build *b, int line, int col,
                    const char *before, const char *name, const char *after)
{
    struct gn_buf safe = GN_BUF_INIT(512);

    gn_buf_addsafe(&safe, name, strlen(name), 100);
    gn_yaml_err(err, b->y->file, line, col, "%s'%s'%s", before, safe.ptr, after);
    gn_buf_clear(&safe);
    return err->code;
}

static int line_of(const char *text, size_t offset)
{
    int line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static int col_of(const char *text, size_t offset)
{
    int col = 1;

    for (size_t i = offset; i > 0 && text[i - 1] != '\n'; i--)
        col += ((unsigned char)text[i - 1] & 0xc0) != 0x80;
    return col;
}

/* What libyaml found wrong, in one line; its words are constants of its own. */
static int parser_err(const struct build *b, const yaml_parser_t *p, const char *text, size_t len,
                      struct gn_err *err)
{
    const char *problem = p->problem ? p->problem : "not readable";

    if (p->error == YAML_READER_ERROR) {
        size_t at = p->problem_offset < len ? p->problem_offset : len;
        bool control = strstr(problem, "control") != NULL;

        return gn_yaml_err(err, b->y->file, line_of(text, at), col_of(text, at), "%s",
                           control ? "a control character" : "not UTF-8");
    }
    if (strcmp(problem, "found character that cannot start any token") == 0)
        return err_at(b, &p->problem_mark, err,
                      "a value cannot begin with this character; put it in quotes "
                      "(or use spaces where there is a tab)");
    if (p->context)
        return gn_yaml_err(err, b->y->file, from_mark(p->problem_mark.line),
                           from_mark(p->problem_mark.column), "%s, %s", problem, p->context);
    return err_at(b, &p->problem_mark, err, problem);
}

static int check_key(const struct build *b, const struct gn_yaml_node *map, const char *key,
                     int line, int col, struct gn_err *err)
{
    if (!*key)
        return gn_yaml_err(err, b->y->file, line, col, "a key is missing");
    if (map->n >= GN_YAML_MAX_KEYS)
        return gn_yaml_err(err, b->y->file, line, col, "more than %d keys", GN_YAML_MAX_KEYS);
    for (const struct gn_yaml_node *n = map->child; n; n = n->next) {
        char first[64];

        if (strcmp(n->key, key) != 0)
            continue;
        snprintf(first, sizeof first, " stands here already: line %d", n->key_line);
        return safe_err(err, b, line, col, "key ", key, first);
    }
    return GN_OK;
}

/* A new node as the next child of what is open. */
static int add_node(struct build *b, enum gn_yaml_kind kind, const yaml_event_t *ev,
                    struct gn_yaml_node **out, struct gn_err *err)
{
    struct gn_yaml_node *n;

    if (b->y->n_nodes >= GN_YAML_MAX_NODES)
        return err_at(b, &ev->start_mark, err, "too many values");
    if (kind != GN_YAML_SCALAR && b->depth >= GN_YAML_MAX_DEPTH)
        return err_at(b, &ev->start_mark, err, "nested too deeply");
    if (kind != GN_YAML_SCALAR && b->at && b->at->kind == GN_YAML_MAP && !b->key)
        return err_at(b, &ev->start_mark, err, "a key must be a word, not a list or a map");
    n = gn_new(struct gn_yaml_node);
    n->kind = kind;
    n->line = from_mark(ev->start_mark.line);
    n->col = from_mark(ev->start_mark.column);
    n->older = b->y->newest;
    b->y->newest = n;
    b->y->n_nodes++;
    n->parent = b->at;
    if (!b->at) {
        b->y->root = n;
    } else {
        if (b->at->last)
            b->at->last->next = n;
        else
            b->at->child = n;
        b->at->last = n;
        b->at->n++;
        n->key = b->key;
        n->key_line = b->key_line;
        n->key_col = b->key_col;
        b->key = NULL;
    }
    *out = n;
    return GN_OK;
}

static int on_scalar(struct build *b, const yaml_event_t *ev, struct gn_err *err)
{
    const char *value = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;
    struct gn_yaml_node *n;
    int rc;

    if (memchr(value, 0, len))
        return err_at(b, &ev->start_mark, err, "a NUL character");
    if (b->at && b->at->kind == GN_YAML_MAP && !b->key) {
        b->key_line = from_mark(ev->start_mark.line);
        b->key_col = from_mark(ev->start_mark.column);
        rc = check_key(b, b->at, value, b->key_line, b->key_col, err);
        if (!rc)
            b->key = gn_strndup(value, len);
        return rc;
    }
    rc = add_node(b, GN_YAML_SCALAR, ev, &n, err);
    if (rc)
        return rc;
    n->text = gn_strndup(value, len);
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return GN_OK;
}

static int open_node(struct build *b, enum gn_yaml_kind kind, bool flow, const yaml_event_t *ev,
                     struct gn_err *err)
{
    struct gn_yaml_node *n;
    int rc = add_node(b, kind, ev, &n, err);

    if (rc)
        return rc;
    n->flow = flow;
    b->at = n;
    b->depth++;
    return GN_OK;
}

static void close_node(struct build *b, const yaml_event_t *ev)
{
    if (!b->at) /* cannot be: libyaml ends only what it has begun */
        return;
    b->at->end_line = from_mark(ev->end_mark.line);
    b->at->end_col = from_mark(ev->end_mark.column);
    b->at = b->at->parent;
    b->depth--;
}

static int no_frills(const struct build *b, const yaml_event_t *ev, const yaml_char_t *anchor,
                     const yaml_char_t *tag, struct gn_err *err)
{
    if (anchor)
        return err_at(b, &ev->start_mark, err, "anchors (&name) are not supported");
    if (tag)
        return err_at(b, &ev->start_mark, err, "tags (!name) are not supported");
    return GN_OK;
}

static int on_document(struct build *b, const yaml_event_t *ev, struct gn_err *err)
{
    if (b->documents++)
        return err_at(b, &ev->start_mark, err, "a second document: the file must hold only one");
    if (ev->data.document_start.tag_directives.start != ev->data.document_start.tag_directives.end)
        return err_at(b, &ev->start_mark, err, "tags (%TAG) are not supported");
    return GN_OK;
}

static int on_event(struct build *b, const yaml_event_t *ev, struct gn_err *err)
{
    int rc;

    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(b, ev, err);
    case YAML_ALIAS_EVENT:
        return err_at(b, &ev->start_mark, err, "aliases (*name) are not supported");
    case YAML_SCALAR_EVENT:
        rc = no_frills(b, ev, ev->data.scalar.anchor, ev->data.scalar.tag, err);
        return rc ? rc : on_scalar(b, ev, err);
    case YAML_SEQUENCE_START_EVENT:
        rc = no_frills(b, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag, err);
        return rc ? rc
                  : open_node(b, GN_YAML_LIST,
                              ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, ev, err);
    case YAML_MAPPING_START_EVENT:
        rc = no_frills(b, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag, err);
        return rc ? rc
                  : open_node(b, GN_YAML_MAP,
                              ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, ev, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_node(b, ev);
        return GN_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return GN_OK;
    }
    return GN_OK;
}

int gn_yaml_parse(const char *file, const char *text, size_t len, struct gn_yaml *out,
                  struct gn_err *err)
{
    struct gn_yaml y = {.file = gn_strdup(file)};
    struct build b = {.y = &y};
    yaml_parser_t p;
    int rc = GN_OK;

    if (len > GN_MAX_FILE) {
        gn_err_set(err, GN_E_CONFIG, "%s:1:1: larger than 1 MiB", file);
        gn_yaml_clear(&y);
        return err->code;
    }
    if (!yaml_parser_initialize(&p))
        abort(); /* memory only */
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
    for (bool end = false; !rc && !end;) {
        yaml_event_t ev;

        if (!yaml_parser_parse(&p, &ev)) {
            rc = parser_err(&b, &p, text, len, err);
            break;
        }
        end = ev.type == YAML_STREAM_END_EVENT;
        rc = on_event(&b, &ev, err);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&p);
    free(b.key);
    if (rc) {
        gn_yaml_clear(&y);
        return rc;
    }
    *out = y;
    return GN_OK;
}

void gn_yaml_clear(struct gn_yaml *y)
{
    if (!y)
        return;
    while (y->newest) {
        struct gn_yaml_node *n = y->newest;

        y->newest = n->older;
        free(n->text);
        free(n->key);
        free(n);
    }
    free(y->file);
    memset(y, 0, sizeof *y);
}

bool gn_yaml_is_null(const struct gn_yaml_node *n)
{
    static const char *const null[] = {"", "~", "null", "Null", "NULL"};

    for (size_t i = 0; n->kind == GN_YAML_SCALAR && n->plain && i < sizeof null / sizeof *null;
         i++) {
        if (strcmp(n->text, null[i]) == 0)
            return true;
    }
    return false;
}

const struct gn_yaml_node *gn_yaml_get(const struct gn_yaml_node *map, const char *key)
{
    if (!map || map->kind != GN_YAML_MAP)
        return NULL;
    for (const struct gn_yaml_node *n = map->child; n; n = n->next) {
        if (strcmp(n->key, key) == 0)
            return n;
    }
    return NULL;
}
