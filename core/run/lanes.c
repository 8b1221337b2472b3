#include "lanes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE     ((size_t)1 << 20) /* as in arrive.sh */
#define LONG_MS   5                 /* 2 MiB in 5 ms: faster than most can pack */
#define WORTH_ONE ((uint64_t)8 << 20)

struct gn_lanes {
    const struct gn_ctx *ctx;
    struct gn_far *far[1 + GN_LANES_MAX]; /* the first is the caller's */
    unsigned n;
    char *piece;
    size_t len;
};

bool gn_lanes_help(struct gn_transport *line, uint64_t bytes)
{
    return bytes >= WORTH_ONE && line->ops->rtt_ms(line) >= LONG_MS;
}

struct gn_lanes *gn_lanes_open(const struct gn_road *road, struct gn_far *first, const char *dir,
                               unsigned n)
{
    struct gn_lanes *l = gn_new(struct gn_lanes);

    l->ctx = road->e->ctx;
    l->far[l->n++] = first;
    l->piece = gn_realloc(NULL, PIECE, 1);
    for (unsigned i = 1; i <= n && i <= GN_LANES_MAX; i++) {
        char number[12];
        const struct gn_far_arg args[] = {
            {"root", gn_road_root(road)}, {"dir", dir}, {"n", number}, {NULL, NULL}};
        struct gn_err why = GN_ERR_INIT;
        int rc;

        snprintf(number, sizeof number, "%u", i);
        road->line->only_now = true;
        rc = gn_far_start(road->line, "lane", args, &l->far[l->n], l->ctx, &why);
        road->line->only_now = false;
        if (rc) {
            gn_event_text(l->ctx, GN_EV_DEBUG, "no further channel: %s", why.msg);
            break;
        }
        l->n++;
    }
    gn_event_text(l->ctx, GN_EV_DEBUG, "a long line: sending over %u channels", l->n);
    return l;
}

/* The one with most room, of those that are open over there; a far side's number is its place. */
static unsigned choose(struct gn_lanes *l)
{
    size_t most = gn_far_room(l->far[0]);
    unsigned best = 0;

    for (unsigned i = 1; i < l->n; i++) {
        size_t room = gn_far_has_greeted(l->far[i], l->ctx) ? gn_far_room(l->far[i]) : 0;

        if (room > most) {
            most = room;
            best = i;
        }
    }
    return best;
}

/*
 * What was sent over a lane did not arrive: the first one's far side may have said why.  That it
 * could not read what came is no reason: then the line is to blame, and what came goes on.
 */
static int explain(struct gn_lanes *l, struct gn_err *err)
{
    struct gn_err broke = *err;

    broke.code = GN_E_NET;
    if (gn_far_explain(l->far[0], l->ctx, err) == GN_E_FAIL || err->code == GN_E_PROTO)
        *err = broke;
    return err->code;
}

static int send_piece(struct gn_lanes *l, bool last, struct gn_err *err)
{
    unsigned lane = choose(l);
    char head[48];
    int rc;

    if (last)
        snprintf(head, sizeof head, "%u %zu\n", lane, l->len);
    else
        snprintf(head, sizeof head, "%u\n", lane);
    rc = gn_far_write(l->far[0], head, strlen(head), l->ctx, err);
    if (!rc)
        rc = gn_far_write(l->far[lane], l->piece, l->len, l->ctx, err);
    if (lane && (rc == GN_E_NET || rc == GN_E_PROTO))
        rc = explain(l, err);
    l->len = 0;
    return rc;
}

int gn_lanes_write(struct gn_lanes *l, const void *data, size_t len, struct gn_err *err)
{
    const char *p = data;

    while (len) {
        size_t n = PIECE - l->len < len ? PIECE - l->len : len;
        int rc = GN_OK;

        memcpy(l->piece + l->len, p, n);
        l->len += n;
        p += n;
        len -= n;
        if (l->len == PIECE)
            rc = send_piece(l, false, err);
        if (rc)
            return rc;
    }
    return GN_OK;
}

int gn_lanes_end(struct gn_lanes *l, struct gn_err *err)
{
    int rc = send_piece(l, true, err);

    for (unsigned i = 1; i < l->n && !rc; i++)
        rc = gn_far_eof(l->far[i], l->ctx, err);
    return rc;
}

void gn_lanes_close(struct gn_lanes *l)
{
    if (!l)
        return;
    for (unsigned i = 1; i < l->n; i++)
        gn_far_close(l->far[i]);
    free(l->piece);
    free(l);
}
