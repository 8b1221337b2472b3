/*
 * wire.h - what keeper and client say to each other.
 *
 * A frame is a letter, the length of its body (4 bytes, big end first) and the body: plain bytes, or
 * fields as its letter has them.  A number is 8 bytes; a text is its length with the final NUL (4
 * bytes) and its bytes, length 0 for none.  Both ends refuse what they do not know.
 */
#ifndef GNRRUN_REMOTE_KEEP_WIRE_H
#define GNRRUN_REMOTE_KEEP_WIRE_H

#include "gnrrun/buf.h"

#define GN_WIRE_HEAD 5
#define GN_WIRE_MAX  ((size_t)256 << 10) /* of a body */
#define GN_WIRE_DATA ((size_t)64 << 10)  /* of bytes that are sent at a time */
#define GN_WIRE_TALK 1                   /* version of all this */

/* From the client. */
enum gn_keep_ask {
    GN_ASK_HELLO = 'H', /* talk; program, way */
    GN_ASK_DIAL = 'O',  /* port, keep_s, accept_new, nobody_there; name, host, user, jump, identity,
                             way: from who started the keeper */
    GN_ASK_ANSWER = 'A',  /* text; none: nobody to ask (code; message, hint) */
    GN_ASK_EXEC = 'X',    /* cols, rows, only_now; command, term */
    GN_ASK_FORWARD = 'F', /* port; host */
    GN_ASK_DATA = 'D',    /* bytes for stdin */
    GN_ASK_EOF = 'E',
    GN_ASK_WINDOW = 'W', /* cols, rows */
    GN_ASK_EXPECT = 'N', /* n */
    GN_ASK_RATE = 'R',
    GN_ASK_END = 'Q', /* the keeper shall end */
};

/* From the keeper. */
enum gn_keep_say {
    GN_SAY_WELCOME = 'h',  /* rtt_ms */
    GN_SAY_REFUSED = 'r',  /* code; message, hint */
    GN_SAY_EVENT = 'v',    /* kind; text */
    GN_SAY_QUESTION = 'a', /* echo, yes_no; prompt, without */
    GN_SAY_OPENED = 'o',
    GN_SAY_DATA = 'd',   /* bytes of stdout */
    GN_SAY_STDERR = 'e', /* bytes */
    GN_SAY_ENDED = 'z',  /* no more stdout */
    GN_SAY_STATUS = 's', /* status */
    GN_SAY_RATE = 't',   /* bytes a microsecond */
    GN_SAY_BYE = 'q',
};

#define GN_WIRE_NUMS  4
#define GN_WIRE_TEXTS 6

struct gn_wire {
    char kind;
    int64_t num[GN_WIRE_NUMS];
    const char *text[GN_WIRE_TEXTS]; /* borrowed from what was read */
    const char *data;                /* of a frame of plain bytes */
    size_t len;
};

/* Append it.  Over GN_WIRE_MAX: gn_buf_over(). */
void gn_wire_add(struct gn_buf *out, const struct gn_wire *w);

/* A head for len plain bytes. */
void gn_wire_head(char out[GN_WIRE_HEAD], char kind, size_t len);

/* The length of the body that begins at data, which has GN_WIRE_HEAD bytes; GN_E_PROTO: no head of ours. */
GN_MUST int gn_wire_body(const char *data, size_t *len, struct gn_err *err);

/* A whole frame at data: *used bytes of it, 0 when more is needed.  Text is checked to be text. */
GN_MUST int gn_wire_read(const char *data, size_t len, struct gn_wire *out, size_t *used,
                         struct gn_err *err);

#endif
