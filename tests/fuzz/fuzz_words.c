/*
 * fuzz_words - the text that becomes part of the sh program: command lines and python: ranges.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Quoted again and split again it must be the same words. */
static void check_words(const char *text)
{
    struct gn_strs words = GN_STRS_INIT, again = GN_STRS_INIT;
    struct gn_buf line = GN_BUF_INIT(GN_MAX_FILE);
    struct gn_err err = GN_ERR_INIT;

    if (gn_words_split(text, &words, &err) < 0)
        return;
    for (size_t i = 0; i < words.n; i++) {
        gn_buf_addsh(&line, words.v[i]);
        gn_buf_addc(&line, ' ');
    }
    if (!gn_buf_over(&line)) {
        if (gn_words_split(line.ptr, &again, &err) < 0 || again.n != words.n)
            abort();
        for (size_t i = 0; i < words.n; i++) {
            if (strcmp(again.v[i], words.v[i]))
                abort();
        }
    }
    struct gn_program p = {.words = words};
    char *shown = gn_program_text(&p);
    if (strpbrk(shown, "\n\033\r"))
        abort();
    free(shown);
    gn_program_clear(&p);
    gn_strs_clear(&again);
    gn_buf_clear(&line);
}

/* What Python will evaluate over there is made of nothing but comparisons. */
static void check_range(const char *text)
{
    static const char allowed[] = "v[:]<>=!() ,0123456789and";
    struct gn_buf expr = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_err err = GN_ERR_INIT;

    if (gn_python_expr(text, &expr, &err) == GN_OK && expr.ptr[strspn(expr.ptr, allowed)])
        abort();
    gn_buf_clear(&expr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = gn_strndup((const char *)data, size);

    check_words(text);
    check_range(text);
    free(text);
    return 0;
}
