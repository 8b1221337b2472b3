#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "gnrrun/fs.h"
#include "gnrrun/ship.h"

#define LARGEST 10

static int by_size(const void *a, const void *b)
{
    const struct gn_entry *const *x = a, *const *y = b;

    if ((*x)->size != (*y)->size)
        return (*x)->size < (*y)->size ? 1 : -1;
    return strcmp((*x)->path, (*y)->path);
}

static void print_entry(struct gn_cli *c, const struct gn_entry *e)
{
    static const char *const kind[] = {[GN_FILE] = "file", [GN_DIR] = "folder", [GN_LINK] = "link"};
    char hex[GN_HASH_HEX];
    struct gn_json *j = gn_json_object();

    gn_json_set_str(j, "path", e->path);
    gn_json_set_str(j, "kind", kind[e->kind]);
    if (e->kind == GN_FILE) {
        gn_json_set_int(j, "bytes", (int64_t)e->size);
        gn_hex(e->hash, GN_HASH_LEN, hex);
        gn_json_set_str(j, "sha256", hex);
    }
    if (e->kind == GN_LINK)
        gn_json_set_str(j, "link", e->link);
    gn_json_set_int(j, "mode", e->mode);
    gn_ui_json(c->ui, j);
}

static void print_row(struct gn_cli *c, const struct gn_entry *e)
{
    char size[32] = "";
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);

    if (e->kind == GN_FILE)
        gn_fmt_bytes(e->size, size);
    gn_buf_addsafe(&b, e->path, strlen(e->path), (size_t)16 << 10);
    if (e->kind == GN_DIR)
        gn_buf_addc(&b, '/');
    if (e->kind == GN_LINK) {
        gn_buf_adds(&b, " -> ");
        gn_buf_addsafe(&b, e->link, strlen(e->link), (size_t)16 << 10);
    }
    gn_ui_outf(c->ui, "%10s  %s\n", size, b.ptr);
    gn_buf_clear(&b);
}

static void print_files(struct gn_cli *c, const struct gn_manifest *m, const char *root)
{
    const struct gn_entry **v = gn_calloc(m->n + 1, sizeof *v);
    bool all = gn_args_has(&c->args, "all");
    char size[32];
    size_t files = 0, shown = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].kind == GN_FILE)
            v[files++] = &m->v[i];
        if (c->json)
            print_entry(c, &m->v[i]);
        else if (all)
            print_row(c, &m->v[i]);
    }
    if (!c->json && !all) {
        qsort(v, files, sizeof *v, by_size);
        for (; shown < files && shown < LARGEST; shown++)
            print_row(c, v[shown]);
    }
    if (!c->json)
        gn_ui_outf(c->ui, "%10s  in %zu file%s of %s\n", gn_fmt_bytes(m->bytes, size), files,
                   files == 1 ? "" : "s", root);
    if (!c->json && !all && files > shown)
        gn_ui_say(c->ui, "the %d largest are shown; see 'gnrrun files --all', or '--why PATH'",
                  LARGEST);
    free(v);
}

/* dir/path without "." and "..", as it is written: links are not followed.  The caller's. */
static char *plain_path(const char *dir, const char *path)
{
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);
    char *whole = gn_path_join(dir, path);

    for (const char *p = whole; *p;) {
        size_t n = strcspn(p, "/");

        if (n == 2 && !strncmp(p, "..", 2)) {
            while (b.len && b.ptr[--b.len] != '/')
                ;
            b.ptr[b.len] = '\0';
        } else if (n && !(n == 1 && *p == '.')) {
            gn_buf_addc(&b, '/');
            gn_buf_add(&b, p, n);
        }
        p += n + (p[n] == '/');
    }
    free(whole);
    return gn_buf_detach(&b);
}

static int explain(struct gn_cli *c, const struct gn_scan_opts *o, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT((size_t)64 << 10);
    const char *given = gn_args_text(&c->args, "why");
    size_t len = strlen(o->root);
    char *path = plain_path(c->ctx->cwd, given), *rest = path + len;
    bool shipped = false;
    int rc;

    if (strncmp(path, o->root, len) != 0 || *rest != '/') {
        rc = gn_err_set(err, GN_E_USAGE, "'%.200s' is not in the project %s", given, o->root);
        goto out;
    }
    rest++;
    rc = gn_scan_why(c->ctx, o, rest, &shipped, &text, err);
    if (rc)
        goto out;
    if (c->json) {
        struct gn_json *j = gn_json_object();

        gn_json_set_str(j, "path", rest);
        gn_json_set_bool(j, "shipped", shipped);
        gn_json_set_str(j, "why", text.ptr);
        gn_ui_json(c->ui, j);
    } else {
        gn_ui_outf(c->ui, "%s\n", text.ptr);
    }
out:
    gn_buf_clear(&text);
    free(path);
    return rc;
}

/* The same cache of hashes that a run of this project uses. */
static char *cache_path(const struct gn_ctx *ctx, const char *root)
{
    uint8_t hash[GN_HASH_LEN];
    char hex[GN_HASH_HEX];

    gn_hash_data(root, strlen(root), hash);
    gn_hex(hash, 12, hex);
    return gn_printf("%s/scan-%s", ctx->cache_dir, hex);
}

int cmd_files(struct gn_cli *c, struct gn_err *err)
{
    struct gn_config cfg = {0};
    struct gn_strs skip = GN_STRS_INIT, allow = GN_STRS_INIT;
    struct gn_manifest *m = NULL;
    char *cache = NULL;
    int rc = gn_cli_config(c, &cfg, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < cfg.project.n_data; i++)
        gn_strs_add(&skip, cfg.project.data[i].path);
    gn_strs_copy(&allow, &cfg.project.allow);
    gn_args_each(&c->args, "allow", &allow);
    gn_cli_skip_own_output(cfg.project.root, &cfg.project.ignore);
    cache = cache_path(c->ctx, cfg.project.root);

    struct gn_scan_opts o = {
        .root = cfg.project.root,
        .ignore = &cfg.project.ignore,
        .skip = &skip,
        .allow = &allow,
        .cache_file = cache,
    };
    /* Without --max-size the point is to see how large it is, not to be refused. */
    if (!gn_args_has(&c->args, "all-sizes"))
        o.max_bytes = (uint64_t)gn_args_num(&c->args, "max-size", 0);
    if (gn_args_has(&c->args, "why")) {
        rc = explain(c, &o, err);
    } else {
        rc = gn_scan(c->ctx, &o, &m, err);
        if (!rc)
            print_files(c, m, cfg.project.root);
        gn_manifest_free(m);
    }
    gn_strs_clear(&skip);
    gn_strs_clear(&allow);
    gn_config_clear(&cfg);
    free(cache);
    return rc;
}
