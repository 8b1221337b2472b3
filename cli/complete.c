#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "gnrrun/config.h"
#include "gnrrun/store.h"

static void offer(struct gn_buf *out, const char *start, const char *word, const char *about)
{
    if (strncmp(word, start, strlen(start)) != 0 || strpbrk(word, "\t\n"))
        return;
    gn_buf_addf(out, "%s\t%s\n", word, about);
}

static void offer_options(const struct gn_command *c, const char *start, struct gn_buf *out)
{
    for (const struct gn_opt *const *t = c->options; *t; t++) {
        for (const struct gn_opt *o = *t; o->name; o++) {
            char name[80] = "--";

            strncat(name, o->name, sizeof name - 3);
            offer(out, start, name, o->help);
        }
    }
}

static void offer_commands(const char *start, struct gn_buf *out)
{
    size_t n = 0;
    const struct gn_command *c = gn_command_list(&n);

    for (size_t i = 0; i < n; i++)
        offer(out, start, c[i].name, c[i].line);
}

/* Completion is silent: what cannot be read is not offered. */
static void offer_targets(const struct gn_ctx *ctx, const char *start, struct gn_buf *out)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_config cfg = {0};
    struct gn_strs names = GN_STRS_INIT;

    if (gn_config_load(ctx, ctx->cwd, &cfg, &err) == GN_OK &&
        gn_target_names(ctx, &cfg, &names, &err) == GN_OK) {
        for (size_t i = 0; i < names.n; i++)
            offer(out, start, names.v[i], "target");
    }
    gn_strs_clear(&names);
    gn_config_clear(&cfg);
}

struct offering {
    struct gn_buf *out;
    const char *start;
};

static int offer_run(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct offering *o = arg;
    struct gn_buf about = GN_BUF_INIT(512);

    (void)err;
    gn_buf_addf(&about, "%s on %s: ", gn_state_name(r->state), r->target);
    gn_buf_addsafe(&about, r->command, strlen(r->command), 60);
    offer(o->out, o->start, r->name, about.ptr);
    gn_buf_clear(&about);
    return GN_OK;
}

static void offer_runs(const struct gn_ctx *ctx, const char *start, struct gn_buf *out)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_store *s = NULL;
    struct offering o = {.out = out, .start = start};

    if (gn_store_open(ctx, &s, &err) == GN_OK && gn_store_each(s, NULL, 50, offer_run, &o, &err))
        gn_err_clear(&err);
    gn_store_close(s);
}

/* The option that waits for a value just before the word, or NULL. */
static const struct gn_opt *waiting(const struct gn_command *c, const char *before)
{
    const struct gn_opt *o = NULL;

    if (!strncmp(before, "--", 2))
        o = gn_opt_find(c->options, before + 2);
    else if (before[0] == '-' && before[1] && !before[2])
        o = gn_opt_letter(c->options, before[1]);
    return o && o->kind != GN_OPT_FLAG ? o : NULL;
}

static void offer_value(const struct gn_ctx *ctx, const struct gn_opt *o, const char *start,
                        struct gn_buf *out)
{
    if (o->kind == GN_OPT_TARGET)
        offer_targets(ctx, start, out);
    else if (o->kind == GN_OPT_FILE)
        gn_buf_adds(out, ":files\n");
    else if (o->kind == GN_OPT_DIR)
        gn_buf_adds(out, ":dirs\n");
}

/* "--target=ra", where a shell does not split at "=": the same values, each with "--target=". */
static bool offer_joined(const struct gn_ctx *ctx, const struct gn_command *c, const char *word,
                         struct gn_buf *out)
{
    struct gn_buf values = GN_BUF_INIT((size_t)1 << 20);
    size_t n = strcspn(word, "=");
    char *name = gn_strndup(word, n);
    const struct gn_opt *o = word[n] == '=' ? waiting(c, name) : NULL;

    if (o)
        offer_value(ctx, o, word + n + 1, &values);
    for (const char *p = values.ptr; *p;) {
        size_t len = strcspn(p, "\n") + 1;

        if (*p != ':')
            gn_buf_addf(out, "%s=", name);
        gn_buf_add(out, p, len);
        p += len;
    }
    free(name);
    gn_buf_clear(&values);
    return o != NULL;
}

static void offer_words(const struct gn_ctx *ctx, const struct gn_command *c, int argc,
                        const char *start, struct gn_buf *out)
{
    static const char *const of_runs[] = {"show", "logs", "attach", "fetch",
                                          "stop", "rm",   "ssh",    "forward"};
    bool target =
        !strcmp(c->name, "doctor") || !strcmp(c->name, "targets") || !strcmp(c->name, "ssh");

    if (c->mode == GN_WORDS_PROGRAM)
        gn_buf_adds(out, ":files\n");
    for (size_t i = 0; i < sizeof of_runs / sizeof *of_runs; i++) {
        if (!strcmp(c->name, of_runs[i]))
            offer_runs(ctx, start, out);
    }
    if (!strcmp(c->name, "target") && argc == 2) {
        offer(out, start, "add", "write a target into config.yaml");
        offer(out, start, "rm", "take it out again");
    }
    if (target || (!strcmp(c->name, "target") && argc == 3))
        offer_targets(ctx, start, out);
}

void gn_complete(int argc, char **argv, const struct gn_ctx *ctx, struct gn_buf *out)
{
    const char *start = argc ? argv[argc - 1] : "";
    const struct gn_command *c = argc > 1 ? gn_command_find(argv[0]) : NULL;
    const struct gn_opt *o = NULL;

    if (argc <= 1) {
        if (start[0] != '-')
            offer_commands(start, out);
        else
            offer(out, start, "--version", "version, commit, libraries");
    }
    if (!c)
        c = gn_command_find("run");
    /* After "--" words are the program's. */
    for (int i = 0; i + 1 < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            gn_buf_adds(out, ":files\n");
            return;
        }
    }
    if (argc > 1) {
        /* bash splits "--target=ra" into three words */
        bool split = argc > 2 && !strcmp(argv[argc - 2], "=");

        o = waiting(c, argv[argc - (split ? 3 : 2)]);
    }
    if (o)
        offer_value(ctx, o, start, out);
    else if (offer_joined(ctx, c, start, out))
        return;
    else if (start[0] == '-')
        offer_options(c, start, out);
    else
        offer_words(ctx, c, argc, start, out);
}
