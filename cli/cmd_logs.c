#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/runs.h"
#include "gnrrun/fs.h"

/* Where the last n lines of the local copy begin. */
static int tail_offset(struct gn_cli *c, const struct gn_run *run, int64_t lines, int64_t *out,
                       struct gn_err *err)
{
    int rank = (int)gn_args_num(&c->args, "rank", 0);
    char *leaf = rank ? gn_printf("log.%d", rank) : gn_strdup("log");
    char *path = gn_store_path(c->ctx, run, leaf);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), at = end;
    char buf[65536];
    int rc = GN_OK;

    *out = end;
    /* a newline at the very end closes the last line, it begins none */
    lines++;
    while (at > 0 && lines > 0) {
        size_t want = at < (off_t)sizeof buf ? (size_t)at : sizeof buf;
        ssize_t n = pread(fd, buf, want, at - (off_t)want);

        if (n != (ssize_t)want) {
            rc = gn_err_sys(err, n < 0 ? errno : EIO, "cannot read '%s'", path);
            break;
        }
        at -= n;
        if (at + n == end && buf[n - 1] != '\n')
            lines--;
        for (ssize_t i = n; i > 0 && lines > 0; i--) {
            if (buf[i - 1] != '\n')
                continue;
            if (--lines == 0)
                *out = at + i;
        }
    }
    if (lines > 0)
        *out = 0;
    gn_fs_close(fd);
    free(path);
    free(leaf);
    return rc;
}

/* The far side cannot be asked: what is here is shown, and that it may not be all. */
static int show(struct gn_cli *c, struct gn_engine *e, struct gn_run *run, int64_t from,
                bool follow, struct gn_err *err)
{
    int rc = gn_engine_log(e, run, (int)gn_args_num(&c->args, "rank", 0), from, follow, err);

    if (!follow && (rc == GN_E_NET || rc == GN_E_TIMEOUT || rc == GN_E_AUTH)) {
        gn_event_text(c->ctx, GN_EV_WARN, "the log may be longer over there: %s", err->msg);
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc;
}

static int logs(struct gn_cli *c, struct gn_engine *e, struct gn_run *run, struct gn_err *err)
{
    bool follow = gn_args_has(&c->args, "follow");
    int64_t tail = gn_args_num(&c->args, "tail", -1), from = 0;
    int rc = GN_OK;

    if (tail >= 0) {
        /* bring it here, show nothing yet */
        rc = show(c, e, run, INT64_MAX, false, err);
        if (!rc)
            rc = tail_offset(c, run, tail, &from, err);
    }
    if (!rc)
        rc = show(c, e, run, from, follow, err);
    if (rc == GN_E_CANCEL)
        return GN_EXIT_INTERRUPTED;
    if (rc || !follow)
        return rc;
    return gn_run_exit_status(run);
}

int cmd_logs(struct gn_cli *c, struct gn_err *err)
{
    struct gn_engine e;
    struct gn_run run;
    int rc = gn_cli_engine(c, &e, err);

    if (rc)
        return rc;
    rc = gn_cli_run(c, e.store, 0, &run, err);
    if (!rc) {
        rc = logs(c, &e, &run, err);
        gn_run_clear(&run);
    }
    gn_store_close(e.store);
    return rc;
}
