/*
 * door.h - where the keeper of a host is found: a socket in a folder that is closed to others.
 *
 * Names for one way to a host: PLACE (the socket), PLACE.lock, held by a keeper from before it
 * connects until it ends, however it ends, PLACE.person: its login needed a person last time, and
 * PLACE.refusals: when logins were refused, a second of the clock a line.
 */
#ifndef GNRRUN_REMOTE_KEEP_DOOR_H
#define GNRRUN_REMOTE_KEEP_DOOR_H

#include "gnrrun/ctx.h"

struct gn_door {
    char *way;     /* what the keeper must hold: gn_ssh_way() */
    char *program; /* which program speaks: another build is another one */
    char *place, *lock, *person, *refusals;
};

/* GN_E_AUTH: the folder is, or could be, somebody else's. */
GN_MUST int gn_door_find(const struct gn_ctx *ctx, const char *way, struct gn_door *out,
                         struct gn_err *err);
void gn_door_clear(struct gn_door *d);
void gn_door_copy(struct gn_door *to, const struct gn_door *from);

/* Is there a folder at all?  Where there is none, nobody keeps anything. */
bool gn_door_is_any(const struct gn_ctx *ctx);

/* A connection to whoever keeps.  GN_E_NOTFOUND: nobody; GN_E_AUTH: who answers is not us. */
GN_MUST int gn_door_knock(const struct gn_door *d, int *fd, struct gn_err *err);

/* Somebody keeps, or is about to. */
bool gn_door_is_held(const struct gn_door *d);

/* For a keeper.  GN_E_EXISTS: there is another.  *fd: the lock, until it is closed. */
GN_MUST int gn_door_hold(const struct gn_door *d, int *fd, struct gn_err *err);
/* The socket, which lets nobody in before it is opened. */
GN_MUST int gn_door_make(const struct gn_door *d, int *fd, struct gn_err *err);
GN_MUST int gn_door_open(const struct gn_door *d, int fd, struct gn_err *err);
/* The next who knocks, -1 for none; others than us are sent away. */
int gn_door_let_in(int fd);
void gn_door_shut(const struct gn_door *d, int *listening, int *lock);

/* Our own end of a pair or a socket: close-on-exec, never blocking. */
int gn_door_prepare(int fd);

#endif
