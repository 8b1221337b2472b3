/*
 * transport.h - how bytes reach a machine: run a command there, with its streams.
 *
 * One transport is one authenticated connection (or this machine).  Several streams
 * may be open on it at a time where the server allows; GN_E_LIMIT when it does not.
 * Not for several threads at once.
 *
 * Waiting calls take a time in ms (-1: for ever), return GN_E_TIMEOUT when it is over,
 * GN_E_CANCEL as soon as ctx is interrupted, GN_E_NET when the connection is gone: after
 * that the transport is only good for closing.
 */
#ifndef GNRRUN_TRANSPORT_H
#define GNRRUN_TRANSPORT_H

#include <stdint.h>
#include <sys/types.h>

#include "gnrrun/config.h"
#include "gnrrun/ctx.h"

struct gn_pty {
    const char *term;
    int cols, rows;
};

struct gn_stream;
struct gn_transport;

struct gn_stream_ops {
    /* Send all of it.  What arrives meanwhile is kept for read(), so neither side waits for the other. */
    int (*write)(struct gn_stream *s, const void *data, size_t len, const struct gn_ctx *ctx,
                 struct gn_err *err);
    /* How much of that would not have to wait for the far side.  NULL: nobody knows. */
    size_t (*room)(struct gn_stream *s);
    /* No more will be written. */
    int (*eof)(struct gn_stream *s, const struct gn_ctx *ctx, struct gn_err *err);
    /* 1..cap bytes of its stdout into buf, *n of them; *n == 0: its end. */
    int (*read)(struct gn_stream *s, void *buf, size_t cap, int64_t timeout_ms, size_t *n,
                const struct gn_ctx *ctx, struct gn_err *err);
    /* The last bytes of its stderr so far (at most 4 KiB), terminated; borrowed. */
    const char *(*err_text)(struct gn_stream *s);
    /* After the end of stdout: exit status, 128 + N for a signal, -1 if nobody said. */
    int (*status)(struct gn_stream *s, int64_t timeout_ms, int *status, const struct gn_ctx *ctx,
                  struct gn_err *err);
    /* Window of a stream with a pty; otherwise nothing. */
    void (*resize)(struct gn_stream *s, int cols, int rows);
    /* End it, whatever state it is in.  Never waits. */
    void (*close)(struct gn_stream *s);
};

/* First member of every implementation. */
struct gn_stream {
    const struct gn_stream_ops *ops;
};

struct gn_transport_ops {
    const char *name; /* "local", "ssh", "keep" */
    /* Run command by the login shell (ssh) or by /bin/sh -c (local).  pty NULL: none.  Over ssh a
     * NULL command is the login shell itself. */
    int (*exec)(struct gn_transport *t, const char *command, const struct gn_pty *pty,
                struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err);
    /* Some n commands will be run soon: make ready for them, waiting for nothing.  NULL: no need. */
    void (*expect)(struct gn_transport *t, unsigned n);
    /* A byte stream to host:port as seen from there; read and write as above. */
    int (*forward)(struct gn_transport *t, const char *host, int port, struct gn_stream **out,
                   const struct gn_ctx *ctx, struct gn_err *err);
    /* For poll loops: the fd that becomes readable when any stream may have something.  Read every
     * stream until GN_E_TIMEOUT before polling: what came for one may lie in memory already. */
    int (*fd)(struct gn_transport *t);
    /* Round trip in ms as measured at the start, 0 on this machine. */
    int (*rtt_ms)(struct gn_transport *t);
    /* Bytes a microsecond (MB/s) that go there, as tried now with some hundred KB that nobody keeps; 0
     * when that cannot be told.  NULL: no line is in between. */
    uint64_t (*rate)(struct gn_transport *t, const struct gn_ctx *ctx);
    void (*close)(struct gn_transport *t);
};

enum gn_tristate { GN_UNKNOWN, GN_YES, GN_NO };

struct gn_transport {
    const struct gn_transport_ops *ops;
    /* What is known of the login shell (far.h): programs as commands, and in plain quotes. */
    enum gn_tristate takes_inline, takes_plain;
    bool only_now;          /* a stream that is refused is not worth a wait for another to go */
    enum gn_tristate fast;  /* what gn_transport_is_fast() found */
    struct gn_far *waiting; /* a program that waits for its arguments (gn_far_prepare()), or NULL */
};

/* This machine: commands are children, in $HOME. */
GN_MUST int gn_transport_local(const struct gn_ctx *ctx, struct gn_transport **out,
                               struct gn_err *err);

/* What the user said about hosts whose key nobody knows, and about people at the keyboard. */
struct gn_ssh_opts {
    bool accept_new;   /* --accept-new-host-key: write an unknown key down, never a changed one */
    bool nobody_there; /* a reconnection: ask nothing, GN_E_AUTH with needs-a-person hint instead */
    bool *person;      /* if not NULL: set where one would be asked to log in, who then is not */
    bool *refused;     /* if not NULL: set where a server refused who we are; sites count that */
};

/* Connect, verify every hop's key, log in.  Messages begin with the target's name. */
GN_MUST int gn_transport_ssh(const struct gn_ctx *ctx, const struct gn_target *target,
                             const struct gn_ssh_opts *opts, struct gn_transport **out,
                             struct gn_err *err);

/* By the target's type. */
GN_MUST int gn_transport_open(const struct gn_ctx *ctx, const struct gn_target *target,
                              const struct gn_ssh_opts *opts, struct gn_transport **out,
                              struct gn_err *err);

/*
 * Is the line faster than the lightest compressor, which then only costs?  Tried once, when a round
 * trip is so short that it may be.
 */
bool gn_transport_is_fast(struct gn_transport *t, const struct gn_ctx *ctx);

/* NULL is allowed. */
void gn_transport_close(struct gn_transport *t);
void gn_stream_close(struct gn_stream *s);

#endif
