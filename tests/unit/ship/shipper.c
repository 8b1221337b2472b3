/*
 * shipper.c - core/ship as a little program, for tests that need other programs as judges.
 *
 *     shipper scan ROOT [CACHE]        every entry: kind, mode, size, path, each with a NUL behind
 *     shipper why ROOT                 paths on stdin, each with a NUL behind: 1 or 0, and the reason, per line
 *     shipper pack ROOT PREFIX zstd|-  the whole tree as a tar stream
 *     shipper unpack zstd|-            a tar stream on stdin: an entry per line
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/ship.h"

static void show_event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    (void)ctx;
    if (ev->text && ev->kind != GN_EV_PROGRESS)
        fprintf(stderr, "%s\n", ev->text);
}

static int scan(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_err *err)
{
    struct gn_manifest *m = NULL;
    int rc = gn_scan(ctx, opts, &m, err);

    for (size_t i = 0; !rc && i < m->n; i++)
        printf("%c %o %llu %s%c", "fdl"[m->v[i].kind], (unsigned)m -> v[i].mode,
               (unsigned long long)m->v[i].size, m->v[i].path, 0);
    gn_manifest_free(m);
    return rc;
}

static int why(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_err *err)
{
    char *path = NULL;
    size_t cap = 0;
    int rc = GN_OK;

    while (!rc && getdelim(&path, &cap, 0, stdin) > 0) {
        struct gn_buf text = GN_BUF_INIT(GN_MAX_LINE);
        bool shipped = false;

        rc = gn_scan_why(ctx, opts, path, &shipped, &text, err);
        if (!rc)
            printf("%d %s\n", shipped, text.ptr);
        gn_buf_clear(&text);
    }
    free(path);
    return rc;
}

static int to_stdout(void *arg, const void *data, size_t len, struct gn_err *err)
{
    (void)arg;
    if (gn_fs_write_all(STDOUT_FILENO, data, len) < 0)
        return gn_err_set(err, GN_E_NET, "cannot write");
    return GN_OK;
}

static int pack(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, const char *prefix,
                bool zstd, struct gn_err *err)
{
    struct gn_buf after = GN_BUF_INIT(GN_MAX_PROGRAM);
    struct gn_manifest *m = NULL;
    struct gn_pack *p = NULL;
    int rc = gn_scan(ctx, opts, &m, err);

    if (!rc)
        rc = gn_pack_open(to_stdout, NULL, zstd, &p, err);
    for (size_t i = 0; !rc && i < m->n; i++)
        rc = gn_pack_entry(p, opts->root, prefix, &m->v[i], &after, NULL, NULL, ctx, err);
    if (!rc && after.len)
        rc = gn_pack_mem(p, "after", 0600, after.ptr, after.len, err);
    if (rc)
        gn_pack_abort(p);
    else
        rc = gn_pack_close(p, err);
    gn_manifest_free(m);
    gn_buf_clear(&after);
    return rc;
}

static int from_stdin(void *arg, void *buf, size_t cap, size_t *n, struct gn_err *err)
{
    ssize_t got = read(STDIN_FILENO, buf, cap);

    (void)arg;
    if (got < 0)
        return gn_err_set(err, GN_E_NET, "cannot read");
    *n = (size_t)got;
    return GN_OK;
}

static int begin(void *arg, const struct gn_unpack_entry *e, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(GN_MAX_LINE);

    (void)arg, (void)err;
    gn_buf_addsafe(&safe, e->path, strlen(e->path), GN_MAX_LINE);
    printf("%c %o %llu %lld %s %s\n", "fdlho"[e->kind], (unsigned)e -> mode,
           (unsigned long long)e -> size, (long long)e -> mtime_ns, safe.ptr,
           e->link ? e->link : "");
    gn_buf_clear(&safe);
    return GN_OK;
}

static int add_data(void *arg, uint64_t at, const void *data, size_t len, struct gn_err *err)
{
    (void)at, (void)err;
    gn_cksum_add(arg, data, len);
    return GN_OK;
}

static int end(void *arg, struct gn_err *err)
{
    struct gn_cksum *c = arg;

    (void)err;
    if (c->len)
        printf("  %lu %llu\n", (unsigned long)gn_cksum_end(c), (unsigned long long)c->len);
    *c = (struct gn_cksum){0, 0};
    return GN_OK;
}

int main(int argc, char **argv)
{
    static const struct gn_unpack_ops ops = {begin, add_data, end};
    struct gn_scan_opts opts = {.root = argc > 2 ? argv[2] : ""};
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_err err = GN_ERR_INIT;
    struct gn_cksum sum = {0, 0};
    int rc = GN_E_USAGE;

    ctx.event = show_event;
    if (argc >= 3 && !strcmp(argv[1], "scan")) {
        opts.cache_file = argc > 3 ? argv[3] : NULL;
        rc = scan(&ctx, &opts, &err);
    } else if (argc == 3 && !strcmp(argv[1], "why")) {
        rc = why(&ctx, &opts, &err);
    } else if (argc == 5 && !strcmp(argv[1], "pack")) {
        rc = pack(&ctx, &opts, argv[3], !strcmp(argv[4], "zstd"), &err);
    } else if (argc == 3 && !strcmp(argv[1], "unpack")) {
        rc = gn_unpack(from_stdin, NULL, !strcmp(argv[2], "zstd"), &ops, &sum, &ctx, &err);
    }
    if (rc)
        fprintf(stderr, "%s: %d %s\n%s\n", argv[0], rc, err.msg, err.hint);
    return rc ? 1 : 0;
}
