/*
 * keeper.h - the process that holds the connection, and those it lends it to.
 */
#ifndef GNRRUN_REMOTE_KEEP_KEEPER_H
#define GNRRUN_REMOTE_KEEP_KEEPER_H

#include "door.h"
#include "gnrrun/transport.h"

#define GN_PEERS_MAX 256

struct gn_keeper {
    const struct gn_ctx *ctx;
    struct gn_transport *line;
    struct gn_door door;
    int lock, listening;
    struct gn_peer *peers[GN_PEERS_MAX];
    size_t n;
    size_t sessions; /* commands that are open over there */
    int64_t keep_ms; /* so long without anybody */
    int64_t used_ms; /* when somebody was last there */
    uint64_t rate;   /* of the line, once it was tried */
    bool rated;
    bool retired; /* for those who are there already, and nobody else */
    bool over;
    bool again; /* somebody has more to do at once */
};

/* One socket: of a transport, or of one stream. */
struct gn_peer;

/* welcome: it was greeted already. */
struct gn_peer *gn_peer_new(const struct gn_keeper *k, int fd, bool welcome);
int gn_peer_fd(const struct gn_peer *p);
short gn_peer_events(const struct gn_peer *p); /* what poll(2) shall look for */
bool gn_peer_is_opening(const struct gn_peer *p);

/* Do what can be done.  false: it is over with this one.  GN_E_NET in err: with the line. */
bool gn_peer_serve(struct gn_keeper *k, struct gn_peer *p, short revents, struct gn_err *err);

/* Say why, if there is still time, and close it. */
void gn_peer_free(struct gn_keeper *k, struct gn_peer *p, const struct gn_err *why);

#endif
