/*
 * agent.h - the user's ssh-agent, seen through a filter of ours.
 *
 * libssh offers the server every key an agent has; servers hang up after a few.  So
 * libssh talks to a thread of ours, which shows it only the keys chosen for the next
 * attempt and passes signatures on.  A hanging agent ends with Ctrl-C.
 */
#ifndef GNRRUN_REMOTE_SSH_AGENT_H
#define GNRRUN_REMOTE_SSH_AGENT_H

#include "gnrrun/buf.h"
#include "gnrrun/ctx.h"

struct gn_agent;

/* Connect to the agent at path and list its keys; NULL when there is none that answers. */
struct gn_agent *gn_agent_open(const struct gn_ctx *ctx, const char *path);
void gn_agent_close(struct gn_agent *a);

/* The descriptor for ssh_set_agent_socket(): libssh closes it. */
int gn_agent_fd(struct gn_agent *a);

size_t gn_agent_count(const struct gn_agent *a);
/* Public key number i; borrowed. */
const struct gn_buf *gn_agent_key(const struct gn_agent *a, size_t i);
const char *gn_agent_comment(const struct gn_agent *a, size_t i);

/*
 * From now on show key i alone, under the name `offer`: its own bytes, or those of a
 * certificate for it that lies in a file.
 */
void gn_agent_show(struct gn_agent *a, size_t i, const void *offer, size_t len);

#endif
