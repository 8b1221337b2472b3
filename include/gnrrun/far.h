/*
 * far.h - talking with a program of ours on the far side.
 *
 * The program (core/remote/sh/, with its arguments as assignments in front) is the exec
 * request itself, wrapped so that every login shell passes it on as it stands; where a
 * server or shell does not take it, and for "follow", which would stand in the process
 * list for days, the request is `exec /bin/sh` and the program goes over stdin.  The
 * first thing it says is the line "gn1 NONCE".  All before that is login noise and
 * skipped (at most 1 MiB).  After it the far side says lines:
 *
 *     word key=value key=value ...       values without blanks, or last: msg=free text
 *     d LEN                              then exactly LEN bytes
 *     k                                  still here (every few seconds of silence)
 *     err CODE msg=...                   the end; CODE is one of the words of gn_far_code
 *
 * Foreign text: bounded, and made safe before it is shown.
 */
#ifndef GNRRUN_FAR_H
#define GNRRUN_FAR_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/transport.h"

/* Silence after which a far side that owes an answer counts as gone. */
#define GN_FAR_SILENCE_MS 20000

struct gn_far;

struct gn_far_arg {
    const char *name;  /* becomes the variable a_NAME */
    const char *value; /* anything but NUL */
};

/*
 * Start the program op ("launch", "follow", ...: a file in core/remote/sh/) and wait
 * for its first line.  args ends with a NULL name.
 */
GN_MUST int gn_far_open(struct gn_transport *t, const char *op, const struct gn_far_arg *args,
                        struct gn_far **out, const struct gn_ctx *ctx, struct gn_err *err);

/*
 * The same without waiting for its first line, where it is known that the far side takes the
 * program as a command (transport.h): what is written now arrives behind it.  gn_far_greet()
 * then waits for that line, and must come before anything is read.
 */
GN_MUST int gn_far_start(struct gn_transport *t, const char *op, const struct gn_far_arg *args,
                         struct gn_far **out, const struct gn_ctx *ctx, struct gn_err *err);
GN_MUST int gn_far_greet(struct gn_far *f, const struct gn_ctx *ctx, struct gn_err *err);

/* Has it said its first line already?  Waits for nothing. */
bool gn_far_has_greeted(struct gn_far *f, const struct gn_ctx *ctx);

/*
 * Have op's program start and wait over there, without waiting for it here: whoever opens or starts
 * that op next on t finds it there, and needs no trip but the one with its arguments.  One at a
 * time; what cannot be done is not missed.
 */
void gn_far_prepare(struct gn_transport *t, const char *op, const struct gn_ctx *ctx);

/* The next line, "k" too.  Nothing for timeout_ms: GN_E_TIMEOUT.  Otherwise as gn_far_line(). */
GN_MUST int gn_far_event(struct gn_far *f, int64_t timeout_ms, const char **line,
                         const struct gn_ctx *ctx, struct gn_err *err);

/*
 * The next line but "k", terminated, without its newline, valid until the next call.
 * *line is NULL at the end of the stream.  An "err" line becomes the error it names,
 * with the far side's words made safe.  Silence for timeout_ms ("k" counts as a sign
 * of life) is GN_E_NET.
 */
GN_MUST int gn_far_line(struct gn_far *f, int64_t timeout_ms, const char **line,
                        const struct gn_ctx *ctx, struct gn_err *err);

/* Raw bytes after a line, *n == 0 at the end of the stream. */
GN_MUST int gn_far_read(struct gn_far *f, void *buf, size_t cap, size_t *n,
                        const struct gn_ctx *ctx, struct gn_err *err);
GN_MUST int gn_far_write(struct gn_far *f, const void *data, size_t len, const struct gn_ctx *ctx,
                         struct gn_err *err);
/* It stopped listening, says err: a full disk, say.  Its own words, if it has any, are worth more. */
int gn_far_explain(struct gn_far *f, const struct gn_ctx *ctx, struct gn_err *err);

/* How much may be written without waiting, as far as is known (SIZE_MAX: it is not). */
size_t gn_far_room(const struct gn_far *f);
GN_MUST int gn_far_eof(struct gn_far *f, const struct gn_ctx *ctx, struct gn_err *err);

/* The words that must come next; otherwise GN_E_PROTO. */
GN_MUST int gn_far_expect(struct gn_far *f, const char *word, const char **line,
                          const struct gn_ctx *ctx, struct gn_err *err);

/* Wait for the end and free; a stream that ends badly, with *status or without one (-1), is an error. */
GN_MUST int gn_far_finish(struct gn_far *f, int *status, const struct gn_ctx *ctx,
                          struct gn_err *err);

/* Drop it, whatever it is doing. */
void gn_far_close(struct gn_far *f);

/* Value of key in "word key=value ...": copied and terminated; false when absent or too long. */
bool gn_far_field(const char *line, const char *key, char *out, size_t cap);
int64_t gn_far_number(const char *line, const char *key, int64_t otherwise);

/* The supervisor, as it is shipped with each run: what all programs share, and its own. */
extern const char gn_sh_common[];
extern const char gn_sh_arrive[]; /* parts of some (ops.def): how a tree comes in, */
extern const char gn_sh_read[];   /* how files are read, */
extern const char gn_sh_work[];   /* how a run gets its folder and starts, */
extern const char gn_sh_site[];   /* what stands before the machine */
extern const char gn_sh_sup[];
extern const char gn_sh_smi[];    /* what is known of GPUs */
extern const char gn_sh_gpus[];   /* goes before sup, with site and smi, where GPUs are shared */
extern const char gn_sh_polite[]; /* likewise, on a machine that is shared */
extern const char gn_sh_sweep[];  /* goes between common and sup, with work, in a sweep */
extern const char gn_sh_queue[];  /* how a batch queue starts a run, */
extern const char gn_sh_slurm[];  /* and the words of each */
extern const char gn_sh_sge[];
extern const char gn_sh_pbs[];

/* What a status line says (core/remote/sh/PROTOCOL.md). */
enum gn_far_state {
    GN_FAR_NONE,     /* no such run there */
    GN_FAR_PREPARED, /* shipped, not started */
    GN_FAR_QUEUED,   /* a batch queue has it; reason: what it waits for */
    GN_FAR_STARTING,
    GN_FAR_RUNNING,
    GN_FAR_STOPPING,
    GN_FAR_ENDED,    /* the exit record is there */
    GN_FAR_LOST,     /* nobody runs it and it left no exit record: reboot or kill -9 */
    GN_FAR_ELSEWHERE /* it runs on another host that shares this home */
};

struct gn_far_status {
    enum gn_far_state state;
    int code;        /* ended: exit status, 128 + N for a signal */
    char sig[16];    /* ended by a signal: "TERM"; else "" */
    char reason[40]; /* ended: exit signal stop timeout setup; lost: reboot killed; ... */
    char words[256]; /* queued: what the queue itself says of it; or "" */
    char host[128];  /* where it runs */
    int64_t start_s, end_s, now_s; /* far clock; 0: unknown */
    int64_t log_bytes;             /* -1: unknown */
    bool setup;                    /* running: still in its setup */
    int cpus;                      /* it was held to so many processors; 0: to none */
    int64_t idle_s; /* running: so long its GPUs had nothing to do; 0: they had, or unknown */
    bool quiet;     /* running: no log for an hour */
};

/* From "st TOKEN state=... ...".  GN_E_PROTO when it is no status line. */
GN_MUST int gn_far_parse_status(const char *line, struct gn_far_status *out, struct gn_err *err);

#endif
