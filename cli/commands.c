#include <string.h>

#include "cli/cmd.h"
#include "cli/options.h"

static const struct gn_command commands[] = {
#define GN_COMMAND(id, grp, md, min, max, how, what, mask, opts, first, second)                    \
    {                                                                                              \
        .name = #id,                                                                               \
        .fn = cmd_##id,                                                                            \
        .group = GN_GROUP_##grp,                                                                   \
        .mode = GN_WORDS_##md,                                                                     \
        .min_words = (min),                                                                        \
        .max_words = (max),                                                                        \
        .usage = (how),                                                                            \
        .line = (what),                                                                            \
        .ends = (mask),                                                                            \
        .options = gn_options_##opts,                                                              \
        .example = {(first), (second)},                                                            \
    },
#include "cli/commands.def"
#undef GN_COMMAND
};

const struct gn_command *gn_command_list(size_t *n)
{
    *n = sizeof commands / sizeof *commands;
    return commands;
}

const struct gn_command *gn_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}
