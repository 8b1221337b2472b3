#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/help.h"
#include "cli/world.h"
#include "gnrrun/fs.h"
#include "gnrrun/keep.h"

#define KEEP_FD 3 /* as who starts it has it: core/remote/keep/start.c */

/* What the words ask for, before any option is read. */
struct request {
    const struct gn_command *command;
    enum { RUN_IT, SHOW_VERSION, SHOW_HELP, COMPLETE, KEEP } what;
    bool named; /* the command was named */
    int argc;   /* words without the command's name */
    char **argv;
};

static bool is_common_flag(const char *w)
{
    static const char *const flag[] = {"-q", "-v", "--json", "--quiet", "--verbose"};

    for (size_t i = 0; i < sizeof flag / sizeof *flag; i++) {
        if (!strcmp(w, flag[i]))
            return true;
    }
    return false;
}

/* Takes the command's name out of argv. */
static void understand(int argc, char **argv, struct request *r)
{
    int i = 1;

    *r = (struct request){.command = gn_command_find("run"), .argc = argc - 1, .argv = argv + 1};
    while (i < argc && is_common_flag(argv[i]))
        i++;
    if (i == argc) {
        r->what = argc == 1 ? SHOW_HELP : RUN_IT;
    } else if (!strcmp(argv[i], "--version")) {
        r->what = SHOW_VERSION;
    } else if (!strcmp(argv[i], "__complete")) {
        r->what = COMPLETE;
        r->argc = argc - i - 1;
        r->argv = argv + i + 1;
    } else if (!strcmp(argv[i], "__keep")) {
        r->what = KEEP;
    } else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help") ||
               (!strcmp(argv[i], "help") && access("help", F_OK) != 0)) {
        const struct gn_command *c = i + 1 < argc ? gn_command_find(argv[i + 1]) : NULL;

        r->what = SHOW_HELP;
        r->named = c != NULL;
        r->command = c ? c : r->command;
    } else if (gn_command_find(argv[i])) {
        r->command = gn_command_find(argv[i]);
        r->named = true;
        for (int k = i; k > 1; k--)
            argv[k] = argv[k - 1];
        r->argv = argv + 2;
        r->argc = argc - 2;
    }
}

static int print(const struct gn_buf *b, int fd)
{
    if (gn_fs_write_all(fd, b->ptr, b->len) == 0)
        return GN_EXIT_OK;
    fprintf(stderr, "gnrrun: cannot write: %s\n", strerror(errno));
    return GN_EXIT_GENERAL;
}

/* `gnrrun tagrets`: a program of that name is hardly meant. */
static int check_name(const struct request *r, const struct gn_args *a, struct gn_err *err)
{
    size_t n = 0;
    const struct gn_command *c = gn_command_list(&n);
    const char *word = a->words.n ? a->words.v[0] : "";

    if (r->named || !word[0] || strpbrk(word, "./") || access(word, F_OK) == 0)
        return GN_OK;
    for (size_t i = 0; i < n; i++) {
        if (strlen(word) > 2 && strlen(c[i].name) > 2 && gn_edit_distance(word, c[i].name) == 1) {
            gn_err_set(err, GN_E_USAGE, "no command and no program here is called '%s'", word);
            return gn_err_hint(err, "did you mean 'gnrrun %s'? a program: 'gnrrun run %s'",
                               c[i].name, word);
        }
    }
    return GN_OK;
}

static int check_words(const struct request *r, const struct gn_args *a, struct gn_err *err)
{
    const struct gn_command *c = r->command;

    if (c->max_words >= 0 && a->words.n > (size_t)c->max_words)
        gn_err_set(err, GN_E_USAGE, "'%s' does not know what to do with '%.100s'", c->name,
                   a->words.v[c->max_words]);
    else if (a->words.n < (size_t)c->min_words)
        gn_err_set(err, GN_E_USAGE, "'%s' needs %s", c->name,
                   a->words.n ? "one word more" : "to be told more");
    else
        return check_name(r, a, err);
    return gn_err_hint(err, "usage: gnrrun %s; see 'gnrrun %s --help'", c->usage, c->name);
}

static int read_words(const struct request *r, struct gn_args *a, struct gn_err *err)
{
    int rc = gn_args_parse(r->command->options, r->command->mode, r->argc, r->argv, a, err);

    if (!rc && !gn_args_has(a, "help"))
        rc = check_words(r, a, err);
    if (rc == GN_E_USAGE && !err->hint[0])
        gn_err_hint(err, "see 'gnrrun %s --help'", r->command->name);
    return rc;
}

static struct gn_ui *make_ui(const struct gn_args *a, const struct gn_ctx *clock)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *cols = getenv("COLUMNS");
    struct gn_ui_opts o = {
        .json = gn_args_has(a, "json"),
        .quiet = gn_args_has(a, "quiet"),
        .verbose = gn_args_has(a, "verbose"),
        .no_color = (no_color && *no_color) || !term || !strcmp(term, "dumb"),
        .columns = cols ? (int)strtol(cols, NULL, 10) : 0,
        .mono_ms = clock->mono_ms,
        .interrupts = gn_signals_count(),
    };

    return gn_ui_new(STDOUT_FILENO, STDERR_FILENO, &o);
}

/* What the shell sees. */
static int finish(struct gn_cli *c, int rc, struct gn_err *err)
{
    struct gn_err written = GN_ERR_INIT;
    int status, sig = gn_cli_signal(c);

    /* A full disk under stdout interrupts like Ctrl-C, but is what is to be told. */
    if (gn_ui_finish(c->ui, &written) && (rc >= 0 || (rc == GN_E_CANCEL && !sig))) {
        *err = written;
        rc = written.code;
    }
    status = rc < 0 ? gn_exit_of(rc) : rc;
    if (rc == GN_E_CANCEL && sig)
        status = 128 + sig;
    /* `gnrrun ps | head` is no mistake. */
    if (gn_ui_gone(c->ui))
        return status ? status : 128 + SIGPIPE;
    if (rc < 0)
        gn_ui_error(c->ui, err, status);
    return status;
}

static int run_command(const struct request *r)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_world world = {0};
    struct gn_cli c = {.command = r->command};
    struct gn_buf text = GN_BUF_INIT((size_t)64 << 10);
    int rc = read_words(r, &c.args, &err), status;

    if (!rc && gn_args_has(&c.args, "help")) {
        gn_help_command(r->command, &text);
        status = print(&text, STDOUT_FILENO);
        goto out;
    }
    c.ui = make_ui(&c.args, &gn_ctx_none);
    c.json = gn_args_has(&c.args, "json");
    c.quiet = gn_args_has(&c.args, "quiet");
    c.verbose = gn_args_has(&c.args, "verbose");
    if (!rc)
        rc = gn_world_open(&world, c.ui, &err);
    c.ctx = &world.ctx;
    if (!rc)
        rc = r->command->fn(&c, &err);
    status = finish(&c, rc, &err);
out:
    gn_ui_free(c.ui);
    gn_world_close(&world);
    gn_args_clear(&c.args);
    gn_buf_clear(&text);
    return status;
}

static int complete(const struct request *r)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_world world = {0};
    struct gn_args none = {.tables = r->command->options};
    struct gn_ui *ui = make_ui(&none, &gn_ctx_none);
    struct gn_buf out = GN_BUF_INIT((size_t)4 << 20);
    int status = GN_EXIT_OK;

    if (gn_world_open(&world, ui, &err) == GN_OK)
        gn_complete(r->argc, r->argv, &world.ctx, &out);
    status = print(&out, STDOUT_FILENO);
    gn_buf_clear(&out);
    gn_ui_free(ui);
    gn_world_close(&world);
    return status;
}

/* A process that another of us started, to hold a connection: it has no user of its own. */
static int keep(const struct request *r)
{
    struct gn_err err = GN_ERR_INIT;
    struct gn_world world = {0};
    struct gn_args none = {.tables = r->command->options};
    struct gn_ui *ui = make_ui(&none, &gn_ctx_none);
    int rc = gn_world_open(&world, ui, &err);

    if (!rc) {
        world.ctx.event = NULL;
        world.ctx.ask = gn_ctx_none.ask;
        rc = gn_keep_main(&world.ctx, KEEP_FD, &err);
    }
    gn_ui_free(ui);
    gn_world_close(&world);
    return rc ? gn_exit_of(rc) : GN_EXIT_OK;
}

static int show(const struct request *r, bool asked)
{
    struct gn_buf out = GN_BUF_INIT((size_t)64 << 10);
    int status;

    if (r->what == SHOW_VERSION)
        gn_help_version(&out);
    else if (r->named)
        gn_help_command(r->command, &out);
    else
        gn_help_all(&out);
    status = print(&out, asked ? STDOUT_FILENO : STDERR_FILENO);
    gn_buf_clear(&out);
    return asked ? status : GN_EXIT_USAGE;
}

/* Whoever closed one of the three: the first file that we open must not take its place. */
static bool have_streams(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct request r;

    if (argc < 1 || !have_streams())
        return GN_EXIT_USAGE;
    understand(argc, argv, &r);
    switch (r.what) {
    case SHOW_VERSION:
    case SHOW_HELP:
        return show(&r, argc > 1);
    case COMPLETE:
        return complete(&r);
    case KEEP:
        return keep(&r);
    case RUN_IT:
        break;
    }
    return run_command(&r);
}
