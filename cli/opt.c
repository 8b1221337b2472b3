#include "cli/opt.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/buf.h"

/* How the words are being read. */
struct reading {
    const struct gn_opt *const *tables;
    enum gn_opt_mode mode;
    int argc, i;
    char **argv;
    struct gn_args *out;
};

const struct gn_opt *gn_opt_find(const struct gn_opt *const *tables, const char *name)
{
    for (; *tables; tables++) {
        for (const struct gn_opt *o = *tables; o->name; o++) {
            if (!strcmp(o->name, name))
                return o;
        }
    }
    return NULL;
}

const struct gn_opt *gn_opt_letter(const struct gn_opt *const *tables, char letter)
{
    for (; *tables; tables++) {
        for (const struct gn_opt *o = *tables; o->name; o++) {
            if (o->letter && o->letter == letter)
                return o;
        }
    }
    return NULL;
}

const char *gn_opt_near(const struct gn_opt *const *tables, const char *name, unsigned within)
{
    const char *best = NULL;
    unsigned least = within + 1;

    for (; *tables; tables++) {
        for (const struct gn_opt *o = *tables; o->name; o++) {
            unsigned d = gn_edit_distance(name, o->name);
            /* half of a short name is no typo */
            if (d < least && d * 2 < strlen(o->name)) {
                least = d;
                best = o->name;
            }
        }
    }
    return best;
}

static bool parse_int(const char *s, const struct gn_opt *o, int64_t *out)
{
    char *end = NULL;
    long v;

    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    v = strtol(s, &end, 10);
    if (errno || *end || v < o->min || v > o->max)
        return false;
    *out = v;
    return true;
}

static bool is_env(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    while (isalnum((unsigned char)*s) || *s == '_')
        s++;
    return *s == '\0' || *s == '=';
}

/* Foreign words come back in messages. */
static const char *safe(const char *s, char out[80])
{
    struct gn_buf b = GN_BUF_INIT(512);
    size_t n;

    gn_buf_addsafe(&b, s, strlen(s), 60);
    n = b.len < 79 ? b.len : 79;
    memcpy(out, b.ptr, n);
    out[n] = '\0';
    gn_buf_clear(&b);
    return out;
}

static int bad_value(const struct gn_opt *o, const char *text, struct gn_err *err)
{
    char word[80];

    gn_err_set(err, GN_E_USAGE, "option '--%s': '%s' is not a valid %s", o->name, safe(text, word),
               o->arg);
    switch (o->kind) {
    case GN_OPT_INT:
        if (o->max == INT_MAX)
            return gn_err_hint(err, "a number, at least %d", o->min);
        return gn_err_hint(err, "a number from %d to %d", o->min, o->max);
    case GN_OPT_SIZE:
        return gn_err_hint(err, "a size, for example 512MB, 8GB, 1.5GiB");
    case GN_OPT_TIME:
        return gn_err_hint(err, "a time, for example 90s, 10m, 1h30m, 01:30:00");
    case GN_OPT_MONEY:
        return gn_err_hint(err, "dollars, for example 2.50");
    case GN_OPT_ENV:
        return gn_err_hint(err, "NAME=VALUE, or NAME alone to take the value from here");
    case GN_OPT_FLAG:
    case GN_OPT_TEXT:
    case GN_OPT_FILE:
    case GN_OPT_DIR:
    case GN_OPT_TARGET:
        break;
    }
    return err->code;
}

static int add(struct reading *r, const struct gn_opt *o, const char *text, struct gn_err *err)
{
    struct gn_args *a = r->out;
    struct gn_given g = {.opt = o, .text = text};
    uint64_t bytes = 0;
    bool ok = true;

    if (o->kind != GN_OPT_FLAG && !*text && !o->empty)
        return gn_err_set(err, GN_E_USAGE, "option '--%s' needs a value (%s)", o->name, o->arg);
    if (o->kind == GN_OPT_INT) {
        ok = parse_int(text, o, &g.num);
    } else if (o->kind == GN_OPT_SIZE) {
        ok = gn_parse_bytes(text, &bytes) && bytes <= INT64_MAX;
        g.num = ok ? (int64_t)bytes : 0;
    } else if (o->kind == GN_OPT_TIME) {
        ok = gn_parse_seconds(text, &g.num) && g.num >= 0;
    } else if (o->kind == GN_OPT_MONEY) {
        ok = gn_parse_money(text, &g.num);
    } else if (o->kind == GN_OPT_ENV) {
        ok = is_env(text);
    }
    if (!ok)
        return bad_value(o, text, err);
    GN_GROW(a->v, a->n, a->cap);
    a->v[a->n++] = g;
    return GN_OK;
}

/* One of ours as it is written, alone or with "=value". */
static const struct gn_opt *own_long(const struct reading *r, const char *word, const char **value)
{
    char name[64];
    size_t n;

    *value = NULL;
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    n = strcspn(word + 2, "=");
    if (n == 0 || n >= sizeof name)
        return NULL;
    memcpy(name, word + 2, n);
    name[n] = '\0';
    if (word[2 + n] == '=')
        *value = word + 2 + n + 1;
    return gn_opt_find(r->tables, name);
}

/* The value of o: after "=", or the next word unless that is an option of ours. */
static int take(struct reading *r, const struct gn_opt *o, const char *value, struct gn_err *err)
{
    const char *unused = NULL;

    if (o->kind == GN_OPT_FLAG) {
        if (value)
            return gn_err_set(err, GN_E_USAGE, "option '--%s' takes no value", o->name);
        return add(r, o, NULL, err);
    }
    if (!value) {
        const char *next = r->i + 1 < r->argc ? r->argv[r->i + 1] : NULL;

        if (!next || !strcmp(next, "--") || own_long(r, next, &unused)) {
            gn_err_set(err, GN_E_USAGE, "option '--%s' needs a value (%s)", o->name, o->arg);
            return next ? gn_err_hint(err, "if '%.60s' is the value: --%s=%.60s", next, o->name,
                                      next)
                        : err->code;
        }
        value = next;
        r->i++;
    }
    return add(r, o, value, err);
}

/*
 * What somebody meant who typed word: "--taget", "-target", "--target" with the long dash that
 * a web page or a mail made of it.  NULL: nothing of ours.
 */
static const char *meant(const struct reading *r, const char *word)
{
    static const char *const dash[] = {"\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x88\x92"};
    char name[64];
    const char *rest = NULL;
    size_t n;
    unsigned within = 1;

    for (size_t i = 0; i < sizeof dash / sizeof *dash; i++) {
        if (!strncmp(word, dash[i], 3))
            rest = word + 3;
    }
    if (rest) {
        while (*rest == '-')
            rest++;
    } else if (!strncmp(word, "---", 3)) {
        rest = word + 3;
        within = 0;
    } else if (!strncmp(word, "--", 2)) {
        rest = word + 2;
    } else if (word[0] == '-' && strlen(word) > 3) {
        rest = word + 1;
        within = 0;
    } else {
        return NULL;
    }
    n = strcspn(rest, "=");
    if (n < 2 || n >= sizeof name)
        return NULL;
    memcpy(name, rest, n);
    name[n] = '\0';
    return gn_opt_near(r->tables, name, within);
}

static int unknown(const struct reading *r, const char *word, struct gn_err *err)
{
    char text[80];
    const char *near = meant(r, word);

    if (!near && !strncmp(word, "--", 2)) {
        char name[64];
        size_t n = strcspn(word + 2, "=");

        if (n < sizeof name) {
            memcpy(name, word + 2, n);
            name[n] = '\0';
            near = gn_opt_near(r->tables, name, 2);
        }
    }
    gn_err_set(err, GN_E_USAGE, "unknown option '%s'", safe(word, text));
    if (near && r->mode == GN_WORDS_PROGRAM)
        return gn_err_hint(err, "did you mean '--%s'? what is the program's own goes after '--'",
                           near);
    if (near)
        return gn_err_hint(err, "did you mean '--%s'?", near);
    if (r->mode == GN_WORDS_PROGRAM)
        return gn_err_hint(err, "options of the program stand after the program");
    return err->code;
}

/* "-t NAME", "-tNAME", "-qv".  *done: it was ours. */
static int letters(struct reading *r, const char *word, bool *done, struct gn_err *err)
{
    const struct gn_opt *o = gn_opt_letter(r->tables, word[1]);
    int rc;

    *done = false;
    if (!o)
        return GN_OK;
    /* Flags in one word only if every letter is one: "-vx" may be the program's. */
    for (const char *p = word + 1; o->kind == GN_OPT_FLAG && *p; p++) {
        const struct gn_opt *f = gn_opt_letter(r->tables, *p);

        if (!f || f->kind != GN_OPT_FLAG)
            return GN_OK;
    }
    *done = true;
    if (o->kind != GN_OPT_FLAG) {
        const char *value = word[2] == '=' ? word + 3 : word + 2;

        return take(r, o, word[2] ? value : NULL, err);
    }
    for (const char *p = word + 1; *p; p++) {
        rc = add(r, gn_opt_letter(r->tables, *p), NULL, err);
        if (rc)
            return rc;
    }
    return GN_OK;
}

/* The word at r->i, which comes before "--". */
static int read_word(struct reading *r, struct gn_err *err)
{
    const char *word = r->argv[r->i];
    const char *value = NULL;
    const struct gn_opt *o = own_long(r, word, &value);
    bool first = r->out->words.n == 0, dashed = word[0] == '-' && word[1] != '\0', done = false;
    int rc;

    if (o)
        return take(r, o, value, err);
    if (meant(r, word))
        return unknown(r, word, err);
    if (dashed && word[1] != '-') {
        rc = letters(r, word, &done, err);
        if (rc || done)
            return rc;
    }
    if (dashed) {
        /* `gnrrun -m pkg.mod`: the one option that is a program. */
        bool module = first && r->mode == GN_WORDS_PROGRAM && !strcmp(word, "-m");

        if (!module && (first || r->mode != GN_WORDS_PROGRAM))
            return unknown(r, word, err);
    }
    gn_strs_add(&r->out->words, word);
    return GN_OK;
}

int gn_args_parse(const struct gn_opt *const *tables, enum gn_opt_mode mode, int argc, char **argv,
                  struct gn_args *out, struct gn_err *err)
{
    struct reading r = {.tables = tables, .mode = mode, .argc = argc, .argv = argv, .out = out};
    int rc;

    *out = (struct gn_args){.tables = tables};
    for (; r.i < argc; r.i++) {
        bool words_end = !strcmp(argv[r.i], "--");
        /* ssh: the first word is the place; the second begins a command that is not ours to read. */
        bool command =
            mode == GN_WORDS_COMMAND && out->words.n == 1 && (argv[r.i][0] != '-' || !argv[r.i][1]);

        if (words_end || command) {
            for (r.i += words_end; r.i < argc; r.i++)
                gn_strs_add(&out->words, argv[r.i]);
            break;
        }
        rc = read_word(&r, err);
        if (rc)
            return rc;
    }
    return GN_OK;
}

void gn_args_clear(struct gn_args *a)
{
    free(a->v);
    gn_strs_clear(&a->words);
    *a = (struct gn_args){0};
}

static const struct gn_given *last(const struct gn_args *a, const char *name)
{
    const struct gn_opt *o = gn_opt_find(a->tables, name);

    assert(o); /* a command asks for options of its own tables only */
    for (size_t i = a->n; i > 0; i--) {
        if (a->v[i - 1].opt == o)
            return &a->v[i - 1];
    }
    return NULL;
}

bool gn_args_has(const struct gn_args *a, const char *name)
{
    return last(a, name) != NULL;
}

const char *gn_args_text(const struct gn_args *a, const char *name)
{
    const struct gn_given *g = last(a, name);

    return g ? g->text : NULL;
}

int64_t gn_args_num(const struct gn_args *a, const char *name, int64_t fallback)
{
    const struct gn_given *g = last(a, name);

    return g ? g->num : fallback;
}

void gn_args_each(const struct gn_args *a, const char *name, struct gn_strs *out)
{
    const struct gn_opt *o = gn_opt_find(a->tables, name);

    assert(o);
    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].opt == o)
            gn_strs_add(out, a->v[i].text);
    }
}
