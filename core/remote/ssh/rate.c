/*
 * rate.c - how fast is this line?  Tried with messages that a server reads and ignores (RFC 4253, 11.2)
 * and one that it answers: it handles them in their order, so that its answer tells when all came.
 */
#include "ssh_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PIECE   ((size_t)32 << 10) /* what every server takes in one message */
#define FEW     2 /* pieces, and enough for most lines to show that they are slow */
#define MANY    8
#define IS_SLOW 40 /* bytes a microsecond: more will not tell otherwise */
#define TRIALS  2
#define UNBOUND 1 /* a port that nobody asked to be forwarded to us: "no" costs a server nothing */
#define NOTHING "localhost"

static int step_answer(struct gn_hop *h, void *arg)
{
    (void)arg;
    return ssh_channel_cancel_forward(h->session, NOTHING, UNBOUND);
}

/* Bytes a microsecond, 0 when it cannot be told. */
static uint64_t try_pieces(struct gn_hop *h, const char *piece, size_t n, const struct gn_ctx *ctx)
{
    struct gn_err ignored = GN_ERR_INIT;
    int64_t began = gn_stopwatch_us(), took;
    int said;

    for (size_t i = 0; i < n; i++)
        if (ssh_send_ignore(h->session, piece) != SSH_OK)
            return 0;
    if (gn_hop_step(h, step_answer, NULL, SSH_AGAIN, &said, ctx, &ignored) != GN_OK)
        return 0;
    took = gn_stopwatch_us() - began - h->rtt_us;
    return n * PIECE / (uint64_t)(took > 1 ? took : 1);
}

uint64_t gn_ssh_rate(struct gn_transport *t, const struct gn_ctx *ctx)
{
    struct gn_ssh *s = (struct gn_ssh *)t;
    struct gn_hop *h = s->hops[s->n - 1];
    char *piece = gn_realloc(NULL, PIECE + 1, 1);
    uint64_t rate, best, i;

    memset(piece, '.', PIECE);
    piece[PIECE] = '\0';
    for (i = best = 0; i < TRIALS && best <= IS_SLOW; i++)
        best = try_pieces(h, piece, FEW, ctx);
    if (best > IS_SLOW)
        for (i = best = 0; i < TRIALS; i++) {
            rate = try_pieces(h, piece, MANY, ctx);
            best = rate > best ? rate : best;
        }
    free(piece);
    gn_event_text(ctx, GN_EV_DEBUG, "%s: the line takes %" PRIu64 " MB/s", h->who, best);
    return best;
}
