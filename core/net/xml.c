#include "gnrrun/xml.h"

#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "gnrrun/buf.h"
#include "gnrrun/lazy.h"
#include "gnrrun/mem.h"

#define DEPTH_MAX    64
#define ELEMENTS_MAX 200000
#define TEXT_MAX     ((size_t)1 << 20) /* of one element */

/* --- loaded when it is first needed --- */

#ifdef GN_EXPAT_SONAME
#include <pthread.h>

#define USED(X)                                                                                    \
    X(XML_ParserCreate)                                                                            \
    X(XML_ParserFree)                                                                              \
    X(XML_SetUserData)                                                                             \
    X(XML_SetElementHandler)                                                                       \
    X(XML_SetCharacterDataHandler)                                                                 \
    X(XML_SetStartDoctypeDeclHandler)                                                              \
    X(XML_Parse)                                                                                   \
    X(XML_StopParser)                                                                              \
    X(XML_GetErrorCode)                                                                            \
    X(XML_ErrorString)

#define POINTER(fn) __typeof__(fn) *fn;
static struct expat_fns {
    USED(POINTER)
} lib;
static struct gn_err missing;

static void load(void)
{
#define NAME(fn) #fn,
    static const char *const names[] = {USED(NAME)};

    _Static_assert(sizeof names == sizeof lib, "a name for each pointer");
    missing.code =
        gn_lazy_load(GN_EXPAT_SONAME, names, &lib, sizeof names / sizeof *names, &missing);
}

static int need(struct gn_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    if (missing.code)
        *err = missing;
    return missing.code;
}

#define EXPAT(fn) lib.fn
#else

static int need(struct gn_err *err)
{
    (void)err;
    return GN_OK;
}

#define EXPAT(fn) fn
#endif

/* --- the tree --- */

struct gn_xml {
    char *name, *text;
    struct gn_xml *parent, *child, *last, *next;
};

struct reading {
    XML_Parser parser;
    struct gn_xml *root, *at; /* at: the element that is open */
    struct gn_buf text;       /* of it, since the last tag */
    unsigned depth, elements;
    const char *refused;
};

static void refuse(struct reading *r, const char *why)
{
    r->refused = why;
    EXPAT(XML_StopParser)(r->parser, XML_FALSE);
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = arg;
    const char *colon = strrchr(name, ':');
    struct gn_xml *x;

    (void)attributes;
    if (r->refused)
        return;
    if (++r->depth > DEPTH_MAX || ++r->elements > ELEMENTS_MAX) {
        refuse(r, "it has too many elements");
        return;
    }
    x = gn_new(struct gn_xml);
    x->name = gn_strdup(colon && colon[1] ? colon + 1 : name);
    x->parent = r->at;
    if (!r->at)
        r->root = x;
    else if (r->at->last)
        r->at->last->next = x;
    else
        r->at->child = x;
    if (r->at)
        r->at->last = x;
    r->at = x;
    gn_buf_reset(&r->text);
}

static void on_end(void *arg, const XML_Char *name)
{
    struct reading *r = arg;

    (void)name;
    if (r->refused)
        return;
    if (gn_buf_over(&r->text)) {
        refuse(r, "a text in it is too long");
        return;
    }
    if (!r->at->child)
        r->at->text = gn_strndup(r->text.ptr, r->text.len);
    gn_buf_reset(&r->text);
    r->at = r->at->parent;
    r->depth--;
}

static void on_text(void *arg, const XML_Char *s, int len)
{
    struct reading *r = arg;

    if (!r->refused)
        gn_buf_add(&r->text, s, (size_t)len);
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    refuse(arg, "it has a document type");
}

int gn_xml_parse(const char *text, size_t len, struct gn_xml **out, struct gn_err *err)
{
    struct reading r = {.text = GN_BUF_INIT(TEXT_MAX)};
    int rc = need(err);

    if (rc)
        return rc;
    if (len > (size_t)64 << 20)
        return gn_err_set(err, GN_E_LIMIT, "an XML answer is too long");
    r.parser = EXPAT(XML_ParserCreate)(NULL);
    if (!r.parser)
        abort();
    EXPAT(XML_SetUserData)(r.parser, &r);
    EXPAT(XML_SetElementHandler)(r.parser, on_start, on_end);
    EXPAT(XML_SetCharacterDataHandler)(r.parser, on_text);
    EXPAT(XML_SetStartDoctypeDeclHandler)(r.parser, on_doctype);
    if (EXPAT(XML_Parse)(r.parser, text, (int)len, XML_TRUE) != XML_STATUS_OK)
        rc = gn_err_set(
            err, r.refused ? GN_E_LIMIT : GN_E_PROTO, "an answer in XML cannot be read: %s",
            r.refused ? r.refused : EXPAT(XML_ErrorString)(EXPAT(XML_GetErrorCode)(r.parser)));
    if (!rc && !r.root)
        rc = gn_err_set(err, GN_E_PROTO, "an answer in XML cannot be read: it is empty");
    if (rc)
        gn_xml_free(r.root);
    else
        *out = r.root;
    EXPAT(XML_ParserFree)(r.parser);
    gn_buf_wipe(&r.text);
    return rc;
}

/* Secrets come in such answers, too. */
static void drop(struct gn_xml *x)
{
    for (volatile char *p = x->text; p && *p; p++)
        *p = 0;
    free(x->text);
    free(x->name);
    free(x);
}

void gn_xml_free(struct gn_xml *x)
{
    while (x) {
        struct gn_xml *down = x->child, *up = x->parent;

        if (down) {
            x->child = down->next;
            x = down;
        } else {
            drop(x);
            x = up;
        }
    }
}

static bool is_called(const struct gn_xml *x, const char *name, size_t len)
{
    return strncmp(x->name, name, len) == 0 && !x->name[len];
}

const struct gn_xml *gn_xml_get(const struct gn_xml *x, const char *path)
{
    while (x && *path) {
        size_t n = strcspn(path, "/");

        for (x = x->child; x && !is_called(x, path, n);)
            x = x->next;
        path += n + (path[n] == '/');
    }
    return x;
}

const struct gn_xml *gn_xml_next(const struct gn_xml *x)
{
    const struct gn_xml *y = x->next;

    while (y && strcmp(y->name, x->name) != 0)
        y = y->next;
    return y;
}

const char *gn_xml_text(const struct gn_xml *x, const char *path)
{
    x = gn_xml_get(x, path);
    return x && x->text ? x->text : "";
}

const char *gn_xml_name(const struct gn_xml *x)
{
    return x->name;
}
