/*
 * xml.h - an XML answer as a tree to ask (expat).
 *
 * No document type, so no entity but the five of XML itself, and a ceiling on depth and on elements.
 * Attributes, comments and prefixes of names are dropped; an element has either children or text.
 */
#ifndef GNRRUN_XML_H
#define GNRRUN_XML_H

#include "gnrrun/err.h"

struct gn_xml; /* one element; the first one owns all below it */

/* GN_E_PROTO: it is no XML; GN_E_LIMIT: more than 64 deep or 200,000 elements. */
GN_MUST int gn_xml_parse(const char *text, size_t len, struct gn_xml **out, struct gn_err *err);
void gn_xml_free(struct gn_xml *x); /* NULL is allowed */

/*
 * The first element at "a/b/c" below x; NULL when there is none.  x may be NULL; path "" is x itself.  All
 * are borrowed from the tree.
 */
const struct gn_xml *gn_xml_get(const struct gn_xml *x, const char *path);
/* The next one of the same name beside it; NULL after the last. */
const struct gn_xml *gn_xml_next(const struct gn_xml *x);
/* Its text, or that of the one at path; "" when there is none.  Foreign: not safe to print. */
const char *gn_xml_text(const struct gn_xml *x, const char *path);
const char *gn_xml_name(const struct gn_xml *x);

#endif
