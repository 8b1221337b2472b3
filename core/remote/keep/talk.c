#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define TAKE ((size_t)256 << 10)

int gn_talk_send(int fd, const struct gn_wire *w, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_buf out = GN_BUF_INIT(GN_WIRE_MAX + GN_WIRE_HEAD);
    int rc = GN_OK;

    gn_wire_add(&out, w);
    if (gn_buf_over(&out))
        rc = gn_err_set(err, GN_E_LIMIT, "a request of more than %zu bytes", GN_WIRE_MAX);
    for (size_t at = 0; !rc && at < out.len;) {
        ssize_t n = send(fd, out.ptr + at, out.len - at, MSG_NOSIGNAL);

        if (n > 0)
            at += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            rc = gn_wait_fd(ctx, fd, POLLOUT, GN_KEEP_HUNG_MS, err);
        else if (n < 0 && errno != EINTR)
            rc = gn_err_set(err, GN_E_NET, "who keeps the connection is gone");
    }
    gn_buf_wipe(&out);
    return rc;
}

int gn_talk_take(int fd, struct gn_buf *in, struct gn_err *err)
{
    char *room = gn_buf_room(in, TAKE);
    ssize_t n;

    if (!room)
        return gn_err_set(err, GN_E_LIMIT, "too much was sent while it was written to");
    n = recv(fd, room, TAKE, 0);
    if (n > 0)
        gn_buf_commit(in, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return gn_err_set(err, GN_E_NET, "who keeps the connection is gone");
    return GN_OK;
}

int gn_talk_get(int fd, struct gn_buf *in, size_t *used, struct gn_wire *w, int64_t timeout_ms,
                const struct gn_ctx *ctx, struct gn_err *err)
{
    gn_buf_drop(in, *used);
    *used = 0;
    for (;;) {
        int rc = gn_wire_read(in->ptr, in->len, w, used, err);

        if (rc || *used)
            return rc;
        rc = gn_wait_fd(ctx, fd, POLLIN, timeout_ms, err);
        if (!rc)
            rc = gn_talk_take(fd, in, err);
        if (rc)
            return rc;
    }
}

int gn_talk_refused(const struct gn_wire *w, struct gn_err *err)
{
    int code = w->num[0] < 0 && w->num[0] >= GN_E_EXISTS ? (int)w->num[0] : GN_E_PROTO;

    gn_err_set(err, code, "%s", w->text[0] ? w->text[0] : "refused");
    if (w->text[1])
        gn_err_hint(err, "%s", w->text[1]);
    return code;
}
