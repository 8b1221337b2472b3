/*
 * err.h - what went wrong, in one line a person can act on.
 *
 * A function that can fail returns int: GN_OK or a negative enum gn_rc, takes a
 * struct gn_err last (never NULL) and has set it when it returns non-zero.  The
 * lowest layer words the message, layers between may put a prefix before it,
 * cli/main.c alone prints it.  Messages: lower case, no full stop, named things
 * in 'quotes', the reason last.  Nothing secret is ever put into one.
 */
#ifndef GNRRUN_ERR_H
#define GNRRUN_ERR_H

#include <stddef.h>

#define GN_MUST         __attribute__((warn_unused_result))
#define GN_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* A code exists only because some caller branches on it. */
enum gn_rc {
    GN_OK = 0,
    GN_E_FAIL = -1,      /* no better word */
    GN_E_BUG = -2,       /* our own mistake: reported, never retried */
    GN_E_SYS = -3,       /* a system call; see sys_errno */
    GN_E_USAGE = -4,     /* the command line is wrong */
    GN_E_CONFIG = -5,    /* gnrrun.yaml or config.yaml is wrong, or a name in them */
    GN_E_NET = -6,       /* unreachable, reset, silent: may be retried */
    GN_E_AUTH = -7,      /* refused credentials: never retried, so no lock-out */
    GN_E_HOSTKEY = -8,   /* the host is not who it was, or not known: never overridden */
    GN_E_NOTFOUND = -9,  /* no such run, file, host */
    GN_E_CAPACITY = -10, /* nothing fits: disk full, quota, cap */
    GN_E_TIMEOUT = -11,  /* nothing came within the time the caller gave */
    GN_E_LIMIT = -12,    /* our bound on a size, or the server's on channels */
    GN_E_PROTO = -13,    /* the far side said what we cannot read */
    GN_E_CANCEL = -14,   /* Ctrl-C: detach */
    GN_E_CHANGED = -15,  /* a file changed while it was read */
    GN_E_EXISTS = -16,   /* it is there already */
};

struct gn_err {
    int code;       /* enum gn_rc */
    int sys_errno;  /* of GN_E_SYS, else 0 */
    char msg[1024]; /* one line */
    char hint[512]; /* what the user can do about it, or "" */
};

#define GN_ERR_INIT                                                                                \
    {                                                                                              \
        .code = GN_OK                                                                              \
    }

/* Set code and message, clear the hint.  Returns code: return gn_err_set(err, ...). */
int gn_err_set(struct gn_err *err, int code, const char *fmt, ...) GN_PRINTF(3, 4);

/* GN_E_SYS with strerror(sys_errno) after the message; ENOSPC and EDQUOT give GN_E_CAPACITY. */
int gn_err_sys(struct gn_err *err, int sys_errno, const char *fmt, ...) GN_PRINTF(3, 4);

/* Put text before the message; returns the code that is set. */
int gn_err_prefix(struct gn_err *err, const char *fmt, ...) GN_PRINTF(2, 3);

/* Set the hint; returns the code that is set. */
int gn_err_hint(struct gn_err *err, const char *fmt, ...) GN_PRINTF(2, 3);

void gn_err_clear(struct gn_err *err);

#endif
