/*
 * keep.h - one authenticated connection for several commands.
 *
 * A keeper is a process of this program that holds the SSH connection to one host and lends it to
 * every gnrrun of the same user on this machine, through a socket that only they can open.  It is
 * there when the login needed a person (a password, a one-time code) or when `keep:` says so, and
 * ends when nobody has used it for that time, when the connection breaks, when it is told to, or
 * when the program becomes another one.  Whoever finds none, or one that does not answer, connects
 * by itself; nobody but the person who is asked ever answers a question of the server.
 */
#ifndef GNRRUN_KEEP_H
#define GNRRUN_KEEP_H

#include "gnrrun/transport.h"

/* A target of type ssh, by its keeper or without one. */
GN_MUST int gn_keep_open(const struct gn_ctx *ctx, const struct gn_target *target,
                         const struct gn_ssh_opts *opts, struct gn_transport **out,
                         struct gn_err *err);

/* End the keeper of that target, whoever uses it.  *was: there was one. */
GN_MUST int gn_keep_end(const struct gn_ctx *ctx, const struct gn_target *target, bool *was,
                        struct gn_err *err);

/* Be a keeper: fd is the socket to who started it.  Returns when it is over. */
GN_MUST int gn_keep_main(const struct gn_ctx *ctx, int fd, struct gn_err *err);

#endif
