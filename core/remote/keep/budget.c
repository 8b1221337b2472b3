#include "budget.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "serve.h"

#define REFUSALS_MAX 3 /* fail2ban takes 5 in 10 minutes for an attack, some sites 4 */
#define WITHIN_S     600

/* Refusals that still count. */
static int count(const struct gn_ctx *ctx, const struct gn_door *door)
{
    struct gn_buf text = GN_BUF_INIT((size_t)4 << 10);
    struct gn_err ignored = GN_ERR_INIT;
    int64_t now = ctx->wall_s(ctx);
    int n = 0;

    if (gn_fs_read(door->refusals, &text, &ignored) == GN_OK)
        for (char *p = text.ptr, *end; *p; p = *end ? end + 1 : end) {
            int64_t when = strtoll(p, &end, 10);

            if (end == p)
                break;
            n += when <= now && now - when < WITHIN_S;
        }
    gn_buf_clear(&text);
    return n;
}

static void note(const struct gn_ctx *ctx, const struct gn_door *door)
{
    int start_over = count(ctx, door) ? O_APPEND : O_TRUNC;
    int fd = open(door->refusals, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | start_over, 0600);
    char *line = gn_printf("%" PRId64 "\n", ctx->wall_s(ctx));

    if (fd >= 0)
        (void)!write(fd, line, strlen(line));
    gn_fs_close(fd);
    free(line);
}

void gn_budget_forget(const struct gn_door *door)
{
    unlink(door->refusals);
}

/* Where nothing was kept yet, there is no place to note it. */
static void note_somewhere(const struct gn_ctx *ctx, const struct gn_target *target)
{
    struct gn_buf way = GN_BUF_INIT((size_t)64 << 10);
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_door door = {0};

    if (!gn_ssh_way(ctx, target, &way, &ignored) && !gn_buf_over(&way) &&
        !gn_door_find(ctx, way.ptr, &door, &ignored))
        note(ctx, &door);
    gn_door_clear(&door);
    gn_buf_clear(&way);
}

int gn_budget_dial(const struct gn_ctx *ctx, const struct gn_target *target,
                   const struct gn_ssh_opts *opts, const struct gn_door *door,
                   struct gn_transport **out, struct gn_err *err)
{
    struct gn_ssh_opts own = *opts;
    bool refused = false;
    int rc;

    if (door && count(ctx, door) >= REFUSALS_MAX) {
        gn_err_set(err, GN_E_AUTH,
                   "target '%s': refused %d logins within %d minutes; the next may shut you out",
                   target->name, REFUSALS_MAX, WITHIN_S / 60);
        return gn_err_hint(err, "once it is mended: gnrrun targets %s --disconnect", target->name);
    }
    own.refused = &refused;
    rc = gn_transport_ssh(ctx, target, &own, out, err);
    if (refused && door)
        note(ctx, door);
    else if (refused)
        note_somewhere(ctx, target);
    else if (!rc && door)
        gn_budget_forget(door);
    return rc;
}
