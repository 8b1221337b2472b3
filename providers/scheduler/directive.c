#include "providers/scheduler/directive.h"

#include <string.h>

#define WORD_MAX 200

bool gn_directive_word(const char *s)
{
    return *s && strlen(s) <= WORD_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                     "._-+:,@%/=[]&|*") == strlen(s);
}

int gn_directive_check(const char *value, const char *what, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(512);

    if (gn_directive_word(value))
        return GN_OK;
    gn_buf_addsafe(&safe, value, strlen(value), 100);
    gn_err_set(err, GN_E_CONFIG, "'%s' cannot be %s", safe.ptr, what);
    gn_buf_clear(&safe);
    return err->code;
}

int gn_directive(struct gn_buf *out, const char *front, const char *value, const char *what,
                 struct gn_err *err)
{
    int rc = value ? gn_directive_check(value, what, err) : GN_OK;

    if (value && !rc)
        gn_buf_addf(out, "%s%s\n", front, value);
    return rc;
}

int gn_directive_raw(struct gn_buf *out, const char *front, const struct gn_target *t,
                     const char *such_as, struct gn_err *err)
{
    for (size_t i = 0; i < t->submit.n; i++) {
        if (t->submit.v[i][0] != '-' || strpbrk(t->submit.v[i], "\r\n"))
            return gn_err_set(err, GN_E_CONFIG,
                              "each of 'submit' must be an option of the queue's, such as %s",
                              such_as);
        gn_buf_addf(out, "%s%s\n", front, t->submit.v[i]);
    }
    return GN_OK;
}
