#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define CLAUSES_MAX 16
#define PARTS_MAX   3

struct clause {
    const char *op;
    unsigned part[PARTS_MAX];
    size_t n;
};

/* Longest first: ">=" is no ">". */
static const char *const ops[] = {">=", "<=", "==", "!=", "~=", "^", "~", ">", "<", "="};

static const char *skip(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

/* "3", "3.9", "3.9.1", "3.*"; NULL when it is none. */
static const char *read_version(const char *s, struct clause *c)
{
    for (;;) {
        if (*s == '*' && c->n)
            return s + 1;
        if (!isdigit((unsigned char)*s) || c->n == PARTS_MAX)
            return NULL;
        unsigned value = 0;
        for (; isdigit((unsigned char)*s); s++) {
            value = value * 10 + (unsigned)(*s - '0');
            if (value > 999)
                return NULL;
        }
        c->part[c->n++] = value;
        if (*s != '.')
            return s;
        s++;
    }
}

static const char *read_clause(const char *s, struct clause *c)
{
    *c = (struct clause){.op = "=="};
    s = skip(s);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!strncmp(s, ops[i], strlen(ops[i]))) {
            c->op = ops[i];
            s += strlen(ops[i]);
            break;
        }
    }
    s = read_version(skip(s), c);
    return s ? skip(s) : NULL;
}

static void add_compare(struct gn_buf *b, const char *op, const struct clause *c, size_t n)
{
    gn_buf_addf(b, "v[:%zu] %s (", n, op);
    for (size_t i = 0; i < n; i++)
        gn_buf_addf(b, "%u, ", c->part[i]);
    gn_buf_adds(b, ")");
}

static void add_clause(struct gn_buf *b, const struct clause *c)
{
    size_t kept = 0; /* parts that a "compatible" release leaves as they are */

    if (!strcmp(c->op, "^"))
        kept = 1;
    else if (!strcmp(c->op, "~"))
        kept = c->n < 2 ? 1 : 2;
    else if (!strcmp(c->op, "~="))
        kept = c->n < 2 ? 1 : c->n - 1;
    if (kept) {
        add_compare(b, ">=", c, c->n);
        gn_buf_adds(b, " and ");
        add_compare(b, "==", c, kept);
    } else {
        add_compare(b, strcmp(c->op, "=") ? c->op : "==", c, c->n);
    }
}

int gn_python_expr(const char *constraint, struct gn_buf *out, struct gn_err *err)
{
    const char *s = constraint;

    for (size_t n = 0; n < CLAUSES_MAX; n++) {
        struct clause c;

        s = read_clause(s, &c);
        if (!s || (*s && *s != ','))
            break;
        if (n)
            gn_buf_adds(out, " and ");
        add_clause(out, &c);
        if (!*s++)
            return GN_OK;
    }
    char *shown = gn_safe_text(constraint);
    gn_err_set(err, GN_E_CONFIG, "python: '%s' is not a range of versions", shown);
    free(shown);
    return gn_err_hint(err, "write it like \">=3.9,<3.13\"");
}
