/*
 * follow.c - log bytes come here, each exactly once, and are shown.
 *
 * The local copy is the memory: its size is the offset that is asked for next.  It is
 * written with pwrite at the offset the bytes have over there, so two gnrrun that follow
 * one run write the same bytes to the same places.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/hash.h"
#include "gnrrun/pipe.h"
#include "run_private.h"

#define CHUNK      65536
#define MUCH       (1 << 20) /* from so much on it is worth a thread */
#define SAVE_MS    500       /* how often the store hears what was shown */
#define SILENCE_MS GN_FAR_SILENCE_MS

struct follower {
    struct gn_road *road;
    struct gn_far *far;
    int fd;           /* local copy */
    int64_t have;     /* its bytes */
    int64_t saved_at; /* ms */
    int64_t sync_at;  /* ms; 0: no fetching meanwhile */
    bool ended;       /* the far side said so, and all was sent */
    bool reached;     /* this line got as far as to our program over there */
    bool over;        /* the status in `last` says so, but more may come */
    struct gn_far_status last;
    bool forward;   /* wait for what is still to come */
    int64_t enough; /* otherwise: the size the log had when we came; -1: not told yet */
    int64_t left;   /* of the piece that is being taken: still to be read */
    char client[17];
    char buf[CHUNK];
};

static void show(struct follower *f, const char *data, size_t len, int64_t offset)
{
    const struct gn_ctx *ctx = f->road->e->ctx;
    int64_t *shown = f->road->shown;
    struct gn_event ev = {.kind = GN_EV_LOG, .run = f->road->run->name};

    if (offset + (int64_t)len <= *shown)
        return;
    if (offset < *shown) {
        data += *shown - offset;
        len -= (size_t)(*shown - offset);
        offset = *shown;
    }
    ev.data = data;
    ev.len = len;
    ev.offset = (uint64_t)offset;
    if (ctx->event)
        ctx->event(ctx, &ev);
    *shown = offset + (int64_t)len;
}

static int save_shown(struct follower *f, bool now, struct gn_err *err)
{
    const struct gn_ctx *ctx = f->road->e->ctx;
    int64_t t = ctx->mono_ms(ctx);

    if (f->road->aside || (!now && t - f->saved_at < SAVE_MS))
        return GN_OK;
    f->saved_at = t;
    return gn_store_set_shown(f->road->e->store, f->road->run->id, *f->road->shown, err);
}

/* What is here and was not shown yet. */
static int show_local(struct follower *f, struct gn_err *err)
{
    while (*f->road->shown < f->have) {
        int64_t at = *f->road->shown;
        int64_t left = f->have - at;
        ssize_t n = pread(f->fd, f->buf, left < CHUNK ? (size_t)left : CHUNK, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return gn_err_sys(err, n < 0 ? errno : EIO, "cannot read the log of '%s'",
                              f->road->run->name);
        show(f, f->buf, (size_t)n, at);
        if (gn_interrupted(f->road->e->ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
    }
    return GN_OK;
}

static int open_copy(struct follower *f, struct gn_err *err)
{
    const struct gn_ctx *ctx = f->road->e->ctx;
    char *dir = gn_store_path(ctx, f->road->run, ""), *path;
    char leaf[24] = "log";
    struct stat st;
    int rc = gn_fs_mkdirs(dir, 0700, err);

    if (f->road->rank)
        snprintf(leaf, sizeof leaf, "log.%d", f->road->rank);
    path = gn_store_path(ctx, f->road->run, leaf);
    if (!rc) {
        f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (f->fd < 0 || fstat(f->fd, &st) < 0)
            rc = gn_err_sys(err, errno, "cannot open '%s'", path);
        else
            f->have = st.st_size;
    }
    free(path);
    free(dir);
    return rc;
}

static int keep(struct follower *f, const char *data, size_t len, struct gn_err *err)
{
    while (len) {
        ssize_t n = pwrite(f->fd, data, len, f->have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gn_err_sys(err, errno, "cannot write the log of '%s' here", f->road->run->name);
        show(f, data, (size_t)n, f->have);
        f->have += n;
        data += n;
        len -= (size_t)n;
    }
    return GN_OK;
}

/* At most cap bytes of the piece; at least one. */
static int read_some(struct follower *f, void *to, size_t cap, size_t *n, struct gn_err *err)
{
    int rc;

    if ((uint64_t)f->left < cap)
        cap = (size_t)f->left;
    rc = gn_far_read(f->far, to, cap, n, f->road->e->ctx, err);
    if (!rc && *n == 0)
        rc = gn_err_set(err, GN_E_NET, "the line broke in the middle of the log");
    if (!rc)
        f->left -= (int64_t)*n;
    return rc;
}

static int take_some(void *arg, const void *data, size_t len, struct gn_err *err)
{
    struct follower *f = arg;
    int rc = keep(f, data, len, err);

    return rc ? rc : save_shown(f, false, err);
}

static int read_all(void *arg, struct gn_pipe *p, struct gn_err *err)
{
    struct follower *f = arg;
    int rc = GN_OK;

    while (f->left && !rc) {
        size_t room, n = 0;
        void *to = gn_pipe_room(p, &room);

        if (!to)
            return gn_err_set(err, GN_E_CANCEL, "nobody takes the log");
        rc = read_some(f, to, room, &n, err);
        gn_pipe_filled(p, n);
    }
    return rc;
}

/* Of a long piece a thread takes in what comes, which is deciphering, while it is stored here. */
static int take_data(struct follower *f, const char *line, struct gn_err *err)
{
    char *end;
    int rc = GN_OK;

    f->left = strtoll(line + 2, &end, 10);
    if (f->left < 0 || end == line + 2 || *end)
        return gn_err_set(err, GN_E_PROTO, "the far side sent a length that is none");
    if (f->left >= MUCH)
        return gn_pipe_run(read_all, take_some, f, err);
    while (f->left && !rc) {
        size_t n = 0;

        rc = read_some(f, f->buf, sizeof f->buf, &n, err);
        if (!rc)
            rc = take_some(f, f->buf, n, err);
    }
    return rc;
}

/* Results that are there already, while it runs; a failure of that is not the log's. */
static int sync_results(struct follower *f, struct gn_err *err)
{
    const struct gn_ctx *ctx = f->road->e->ctx;
    struct gn_fetch_report report = {0};
    struct gn_err why = GN_ERR_INIT;
    int rc = gn_road_fetch(f->road, NULL, NULL, true, &report, &why);

    f->sync_at = ctx->mono_ms(ctx) + f->road->spec.sync_s * 1000;
    if (rc == GN_E_CANCEL || gn_is_line_error(rc)) {
        *err = why;
        return rc;
    }
    if (rc)
        gn_event_text(ctx, GN_EV_NOTE, "results are not fetched yet: %s", why.msg);
    else if (report.files)
        gn_event_text(ctx, GN_EV_NOTE, "fetched %" PRIu64 " file%s while it runs", report.files,
                      report.files == 1 ? "" : "s");
    return GN_OK;
}

/*
 * "Over" may be told before the rest of the log is sent: it counts only now, when all of it
 * is here, on disk.
 */
static int finish(struct follower *f, struct gn_err *err)
{
    int rc;

    if (!f->over)
        return gn_err_set(err, GN_E_PROTO, "the far side ended before the run did");
    rc = save_shown(f, true, err);
    if (rc)
        return rc;
    if (fdatasync(f->fd) < 0)
        return gn_err_sys(err, errno, "cannot write the log of '%s' here", f->road->run->name);
    f->ended = true;
    if (!f->road->rank)
        f->road->run->log_bytes = f->have;
    return gn_road_note_status(f->road, &f->last, err);
}

static int one_line(struct follower *f, const char *line, struct gn_err *err)
{
    struct gn_far_status st;
    int rc;

    if (strcmp(line, "k") == 0)
        return GN_OK;
    if (strncmp(line, "d ", 2) == 0)
        return take_data(f, line, err);
    if (strcmp(line, "end") == 0)
        return finish(f, err);
    rc = gn_far_parse_status(line, &st, err);
    if (rc)
        return rc;
    if (!f->forward && f->enough < 0)
        f->enough = st.log_bytes > 0 ? st.log_bytes : 0;
    f->over = st.state == GN_FAR_ENDED || st.state == GN_FAR_LOST || st.state == GN_FAR_NONE;
    f->last = st;
    return f->over ? GN_OK : gn_road_note_status(f->road, &st, err);
}

/* Over one line, until it breaks or all is told. */
static int follow_line(struct follower *f, struct gn_err *err)
{
    const struct gn_ctx *ctx = f->road->e->ctx;
    char offset[24], rank[24];
    struct gn_far_arg args[] = {{"root", gn_road_root(f->road)},
                                {"token", f->road->run->token},
                                {"offset", offset},
                                {"client", f->client},
                                {"rank", rank},
                                {NULL, NULL}};
    int rc;

    snprintf(offset, sizeof offset, "%" PRId64, f->have);
    snprintf(rank, sizeof rank, "%d", f->road->rank);
    rc = gn_far_open(f->road->line, "follow", args, &f->far, ctx, err);
    f->reached = rc == GN_OK;
    while (!rc && !f->ended) {
        const char *line = NULL;

        rc = save_shown(f, false, err);
        if (!rc)
            rc = gn_far_event(f->far, SILENCE_MS, &line, ctx, err);
        if (!rc && !line)
            rc = gn_err_set(err, GN_E_NET, "the connection to '%s' ended", f->road->target.name);
        if (!rc)
            rc = one_line(f, line, err);
        /* one that is over says so in a moment, and then nobody need ask again */
        if (!rc && f->enough >= 0 && f->have >= f->enough && !f->over)
            break;
        if (!rc && !f->ended && f->sync_at && ctx->mono_ms(ctx) >= f->sync_at)
            rc = sync_results(f, err);
    }
    gn_far_close(f->far);
    f->far = NULL;
    return rc;
}

static int follow_all(struct follower *f, struct gn_err *err)
{
    const struct gn_ctx *ctx = f->road->e->ctx;
    unsigned broken = 0;

    for (;;) {
        int64_t had = f->have;
        int rc;

        f->reached = false;
        rc = gn_road_connect(f->road, err);

        if (!rc && broken)
            gn_event_text(ctx, GN_EV_NOTE, "connected to '%s' again", f->road->target.name);
        if (!rc)
            rc = follow_line(f, err);
        if (!rc)
            return GN_OK;
        if (!gn_is_line_error(rc) || !f->road->connected_once)
            return rc;
        gn_road_hang_up(f->road);
        if (f->have > had)
            broken = 0;
        else if (f->reached && broken > 1)
            broken = 1; /* it is there, only the line is bad */
        if (broken == 0 || broken == 4)
            gn_event_text(ctx, GN_EV_NOTE, "%s; the run goes on, trying again", err->msg);
        gn_err_clear(err);
        rc = gn_road_wait(f->road, broken++, err);
        if (rc)
            return rc;
    }
}

/* Over, and all of its log is here: nobody need be asked. */
static bool is_whole(const struct follower *f)
{
    const struct gn_run *run = f->road->run;

    return gn_state_over(run->state) && !f->road->rank && run->log_bytes > 0 &&
           f->have >= run->log_bytes;
}

int gn_road_follow(struct gn_road *road, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    struct follower *f = gn_new(struct follower);
    struct gn_err late = GN_ERR_INIT;
    int rc;

    f->road = road;
    f->fd = -1;
    f->enough = -1;
    f->forward = road->forward;
    gn_random_hex(f->client, 8);
    if (road->spec.sync_s && !road->spec.no_fetch && f->forward)
        f->sync_at = ctx->mono_ms(ctx) + road->spec.sync_s * 1000;
    rc = open_copy(f, err);
    if (!rc)
        rc = show_local(f, err);
    if (!rc && !is_whole(f))
        rc = follow_all(f, err);
    if (!rc && gn_state_over(road->run->state))
        rc = gn_store_update(road->e->store, road->run, false, err);
    if (save_shown(f, true, &late) && !rc) {
        *err = late;
        rc = late.code;
    }
    gn_fs_close(f->fd);
    free(f);
    return rc;
}
