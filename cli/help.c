#include "cli/help.h"

#include <string.h>

#include "cli/options.h"
#include "cli/version.h"

static const struct {
    const char *title, *example;
} group[GN_GROUPS] = {
    [GN_GROUP_START] = {"Start", "gnrrun train.py --target ravan"},
    [GN_GROUP_WATCH] = {"Watch", "gnrrun logs -f"},
    [GN_GROUP_HOME] = {"Bring home", "gnrrun fetch mnist-7"},
    [GN_GROUP_CARE] = {"Look after", "gnrrun doctor ravan"},
};

void gn_help_all(struct gn_buf *out)
{
    size_t n = 0;
    const struct gn_command *c = gn_command_list(&n);

    gn_buf_adds(out, "usage: gnrrun [COMMAND] [OPTIONS] PROGRAM [ARGS...]     "
                     "here as if it were there\n");
    for (int g = 0; g < GN_GROUPS; g++) {
        gn_buf_addf(out, "%-12s%s\n", group[g].title, group[g].example);
        for (size_t i = 0; i < n; i++) {
            if ((int)c[i].group == g)
                gn_buf_addf(out, "  %-10s%s\n", c[i].name, c[i].line);
        }
    }
    gn_buf_adds(out, "'gnrrun COMMAND --help' lists its options; 'man gnrrun' tells all.\n");
}

static void add_options(const struct gn_opt *const *tables, struct gn_buf *out)
{
    for (; *tables; tables++) {
        for (const struct gn_opt *o = *tables; o->name; o++) {
            struct gn_buf left = GN_BUF_INIT(256);

            if (o->letter)
                gn_buf_addf(&left, "-%c, ", o->letter);
            else
                gn_buf_adds(&left, "    ");
            gn_buf_addf(&left, "--%s", o->name);
            if (o->arg)
                gn_buf_addf(&left, " %s", o->arg);
            gn_buf_addf(out, "  %-28s%s%s\n", left.ptr, o->help,
                        o->many ? " (may be repeated)" : "");
            gn_buf_clear(&left);
        }
    }
}

void gn_help_command(const struct gn_command *c, struct gn_buf *out)
{
    size_t n = 0;
    const struct gn_exit_text *x = gn_exit_list(&n);

    gn_buf_addf(out, "usage: gnrrun %s\n\n%s\n\noptions:\n", c->usage, c->line);
    add_options(c->options, out);
    if (c->mode == GN_WORDS_PROGRAM)
        gn_buf_adds(out, "\nOptions may stand after the program too; "
                         "what follows '--' is the program's alone.\n");
    gn_buf_adds(out, "\nexit status:\n  0    all went well\n");
    if (c->ends & GN_ENDS_PROGRAM)
        gn_buf_adds(out, "  N    the program's own; 128+N when signal N ended it\n");
    for (size_t i = 0; i < n; i++) {
        if (c->ends & GN_ENDS(x[i].code))
            gn_buf_addf(out, "  %-4d %s\n", x[i].code, x[i].text);
    }
    gn_buf_addf(out, "\nexamples:\n  %s\n  %s\n", c->example[0], c->example[1]);
}

void gn_help_version(struct gn_buf *out)
{
    gn_buf_adds(out, "gnrrun " GN_VERSION);
    if (GN_COMMIT[0])
        gn_buf_adds(out, " (" GN_COMMIT ")");
    gn_buf_adds(out, "\nbuilt with " GN_LIBRARIES "\n");
}
