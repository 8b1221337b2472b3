/* keys.c - the keys of a machine that lives as long as a run. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/keygen.h"
#include "lease_private.h"

#define KEY_MAX  ((size_t)16 << 10)
#define DATA_MAX ((size_t)64 << 10)

bool gn_is_login(const char *s)
{
    return *s >= 'a' && *s <= 'z' && strlen(s) <= 32 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(s);
}

static char *path_of(const struct gn_ctx *ctx, const struct gn_rent *r, const char *leaf)
{
    return gn_printf("%s/leases/%s%s%s", ctx->state_dir, r->lease.name, *leaf ? "/" : "", leaf);
}

static int put(const struct gn_hire *h, const char *leaf, const struct gn_buf *text,
               struct gn_err *err)
{
    char *path = path_of(h->l->ctx, &h->rent, leaf);
    int rc = gn_buf_over(text) ? gn_err_set(err, GN_E_BUG, "'%s' is too long", leaf)
                               : gn_fs_replace(path, text->ptr, text->len, 0600, err);

    free(path);
    return rc;
}

int gn_lease_keys_make(const struct gn_hire *h, struct gn_err *err)
{
    struct gn_buf host = GN_BUF_INIT(KEY_MAX), host_pub = GN_BUF_INIT(KEY_MAX);
    struct gn_buf login = GN_BUF_INIT(KEY_MAX), login_pub = GN_BUF_INIT(KEY_MAX);
    struct gn_buf known = GN_BUF_INIT(KEY_MAX), data = GN_BUF_INIT(DATA_MAX);
    char *dir = path_of(h->l->ctx, &h->rent, "");
    int rc = gn_fs_mkdirs(dir, 0700, err);

    if (!rc)
        rc = gn_keygen(&host, &host_pub, err);
    if (!rc)
        rc = gn_keygen(&login, &login_pub, err);
    if (!rc) {
        gn_lease_user_data(&(struct gn_guest){.user = h->rent.lease.user,
                                              .host_key = host.ptr,
                                              .host_key_pub = host_pub.ptr,
                                              .login_key = login_pub.ptr,
                                              .deadline_s = h->rent.lease.deadline_s,
                                              .halts = gn_ends_itself(h->provider)},
                           &data);
        /* whatever address it gets: no other machine has this file */
        gn_buf_addf(&known, "* %s\n", host_pub.ptr);
        rc = put(h, "id", &login, err);
    }
    if (!rc)
        rc = put(h, "id.pub", &login_pub, err);
    if (!rc)
        rc = put(h, "known_hosts", &known, err);
    if (!rc)
        rc = put(h, "user-data", &data, err);
    gn_buf_wipe(&host);
    gn_buf_wipe(&login);
    gn_buf_wipe(&data);
    gn_buf_clear(&host_pub);
    gn_buf_clear(&login_pub);
    gn_buf_clear(&known);
    free(dir);
    return rc;
}

int gn_lease_keys_read(const struct gn_hire *h, struct gn_buf *user_data, struct gn_buf *login,
                       struct gn_err *err)
{
    char *data = path_of(h->l->ctx, &h->rent, "user-data");
    char *pub = path_of(h->l->ctx, &h->rent, "id.pub");
    int rc = gn_fs_read(data, user_data, err);

    if (!rc)
        rc = gn_fs_read(pub, login, err);
    free(data);
    free(pub);
    return rc;
}

void gn_lease_keys_used(const struct gn_hire *h)
{
    char *data = path_of(h->l->ctx, &h->rent, "user-data");

    unlink(data);
    free(data);
}

void gn_lease_keys_drop(const struct gn_ctx *ctx, const struct gn_rent *r)
{
    static const char *const leaves[] = {"id", "id.pub", "known_hosts", "user-data"};
    char *dir = path_of(ctx, r, "");

    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        char *path = path_of(ctx, r, leaves[i]);

        unlink(path);
        free(path);
    }
    rmdir(dir);
    free(dir);
}

void gn_lease_host(const struct gn_ctx *ctx, const struct gn_rent *r,
                   const struct gn_target *target, struct gn_target *host)
{
    gn_target_copy(host, target);
    host->type = GN_TARGET_SSH;
    free(host->type_name);
    host->type_name = gn_strdup("ssh");
    free(host->host);
    host->host = gn_strdup(r->lease.address);
    host->port = r->lease.port;
    free(host->user);
    host->user = gn_strdup(r->lease.user);
    free(host->identity);
    host->identity = path_of(ctx, r, "id");
    free(host->known_hosts);
    host->known_hosts = path_of(ctx, r, "known_hosts");
    host->direct = true; /* nobody else is there */
}
