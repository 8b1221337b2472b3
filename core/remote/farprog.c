/*
 * farprog.c - the text of a far-side program, and the command that carries it.
 */
#include "farprog.h"

#include <string.h>

/* core/remote/sh/, embedded at build */
#define GN_OP(name, parts) extern const char gn_sh_##name[];
#include "ops.def"
#undef GN_OP

enum part { ARRIVE = 1, READ = 2, WORK = 4, SITE = 8, SMI = 16 };

static const struct program {
    const char *name, *text;
    unsigned parts;
} programs[] = {
#define GN_OP(name, parts) {#name, gn_sh_##name, parts},
#include "ops.def"
#undef GN_OP
};

static const struct program *find_program(const char *op)
{
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strcmp(programs[i].name, op) == 0)
            return &programs[i];
    return NULL;
}

/* tr turns these four into a newline and the marks that login shells treat each in its own way. */
#define STAND_INS "\001\002\003\004"
#define STOOD_FOR "\n'\\!"
#define UNWRAP                                                                                     \
    "exec /bin/sh -c 'eval \"$(printf %s \"$1\" | tr \"\\001\\002\\003\\004\" "                    \
    "\"\\012\\047\\134\\041\")\"' sh '"

bool gn_program_quote(const struct gn_buf *program, struct gn_buf *command)
{
    if (program->len > GN_INLINE_MAX)
        return false;
    gn_buf_adds(command, "exec /bin/sh -c ");
    gn_buf_addsh(command, program->ptr);
    return true;
}

bool gn_program_wrap(const struct gn_buf *program, struct gn_buf *command)
{
    if (program->len > GN_INLINE_MAX)
        return false;
    gn_buf_adds(command, UNWRAP);
    for (size_t i = 0; i < program->len; i++) {
        char c = program->ptr[i];
        const char *mark = c ? strchr(STOOD_FOR, c) : NULL;

        if (mark)
            c = STAND_INS[mark - STOOD_FOR];
        else if (c < ' ' || c > '~')
            return false;
        gn_buf_addc(command, c);
    }
    gn_buf_addc(command, '\'');
    return true;
}

void gn_program_args(struct gn_buf *text, const struct gn_far_arg *args, bool lines)
{
    for (; args->name; args++) {
        gn_buf_addf(text, "a_%s=", args->name);
        (lines ? gn_buf_addshline : gn_buf_addsh)(text, args->value);
        gn_buf_addc(text, '\n');
    }
}

bool gn_program_write(struct gn_buf *program, const char *op, const char *nonce,
                      const struct gn_far_arg *args)
{
    const struct program *p = find_program(op);

    gn_buf_addf(program, "a_nonce=%s\n", nonce);
    gn_program_args(program, args, false);
    gn_buf_adds(program, gn_sh_common);
    if (!p)
        return false;
    if (p->parts & ARRIVE)
        gn_buf_adds(program, gn_sh_arrive);
    if (p->parts & READ)
        gn_buf_adds(program, gn_sh_read);
    if (p->parts & WORK)
        gn_buf_adds(program, gn_sh_work);
    if (p->parts & SITE)
        gn_buf_adds(program, gn_sh_site);
    if (p->parts & SMI)
        gn_buf_adds(program, gn_sh_smi);
    gn_buf_adds(program, p->text);
    return true;
}
