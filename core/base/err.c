#include "gnrrun/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int gn_err_set(struct gn_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    char msg[sizeof err->msg]; /* the arguments may point into err itself */

    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    memcpy(err->msg, msg, sizeof msg);
    err->code = code;
    err->sys_errno = 0;
    err->hint[0] = '\0';
    return code;
}

int gn_err_sys(struct gn_err *err, int sys_errno, const char *fmt, ...)
{
    va_list ap;
    char what[sizeof err->msg];
    bool full = sys_errno == ENOSPC || sys_errno == EDQUOT;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    gn_err_set(err, full ? GN_E_CAPACITY : GN_E_SYS, "%.800s: %s", what, strerror(sys_errno));
    err->sys_errno = sys_errno;
    if (full)
        gn_err_hint(err, "make room, then do the same again: nothing is lost");
    return err->code;
}

int gn_err_prefix(struct gn_err *err, const char *fmt, ...)
{
    va_list ap;
    char text[sizeof err->msg];
    size_t n;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    n = strlen(text);
    if (n < sizeof text - 1) {
        size_t room = sizeof text - 1 - n, len = strlen(err->msg);

        memcpy(text + n, err->msg, len < room ? len : room);
        text[n + (len < room ? len : room)] = '\0';
    }
    memcpy(err->msg, text, sizeof text);
    return err->code;
}

int gn_err_hint(struct gn_err *err, const char *fmt, ...)
{
    va_list ap;
    char hint[sizeof err->hint];

    va_start(ap, fmt);
    vsnprintf(hint, sizeof hint, fmt, ap);
    va_end(ap);
    memcpy(err->hint, hint, sizeof hint);
    return err->code;
}

void gn_err_clear(struct gn_err *err)
{
    err->code = GN_OK;
    err->sys_errno = 0;
    err->msg[0] = err->hint[0] = '\0';
}
