#include <string.h>

#include "private.h"

/* What a shell takes as it stands. */
static bool is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:=@%+,-";

    return *word && !word[strspn(word, plain)];
}

char *gn_program_text(const struct gn_program *p)
{
    struct gn_buf raw = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_buf out = GN_BUF_INIT(GN_MAX_LINE);

    for (size_t i = 0; i < p->words.n; i++) {
        if (i)
            gn_buf_addc(&raw, ' ');
        if (is_plain(p->words.v[i]))
            gn_buf_adds(&raw, p->words.v[i]);
        else
            gn_buf_addsh(&raw, p->words.v[i]);
    }
    gn_buf_addsafe(&out, raw.ptr, raw.len, GN_MAX_LINE / 8);
    gn_buf_clear(&raw);
    return gn_buf_detach(&out);
}

/* One word from *at on, quotes taken away; false when a quote stays open. */
static bool take_word(const char **at, struct gn_buf *word)
{
    const char *s = *at;
    char quote = 0;

    for (; *s && (quote || !strchr(" \t\r\n", *s)); s++) {
        if (quote && *s == quote) {
            quote = 0;
        } else if (!quote && (*s == '\'' || *s == '"')) {
            quote = *s;
        } else if (*s == '\\' && quote != '\'' && s[1] && (!quote || strchr("\"\\$`\n", s[1]))) {
            if (*++s != '\n')
                gn_buf_addc(word, *s);
        } else {
            gn_buf_addc(word, *s);
        }
    }
    *at = s;
    return !quote;
}

int gn_words_split(const char *line, struct gn_strs *out, struct gn_err *err)
{
    struct gn_strs words = GN_STRS_INIT;
    int rc = GN_OK;

    for (const char *s = line; *(s += strspn(s, " \t\r\n"));) {
        struct gn_buf word = GN_BUF_INIT(GN_MAX_FILE);
        bool whole = take_word(&s, &word);

        if (whole && !gn_buf_over(&word)) {
            gn_strs_take(&words, gn_buf_detach(&word));
            continue;
        }
        rc = gn_err_set(err, whole ? GN_E_LIMIT : GN_E_CONFIG,
                        whole ? "a word of the command line is too long"
                              : "a quote of the command line is not closed");
        gn_buf_clear(&word);
        break;
    }
    if (rc == GN_OK)
        *out = words;
    else
        gn_strs_clear(&words);
    return rc;
}
