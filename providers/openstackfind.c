/* openstackfind.c - things by their names, and addresses that can be reached from elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "openstack.h"

/* GET path of a service; its member `key`, which belongs to *whole. */
int gn_stack_get(struct stack *s, const struct gn_rest *r, const char *path, const char *key,
                 struct gn_json **whole, const struct gn_json **data, struct gn_err *err)
{
    int rc = gn_stack_login(s, err);

    *data = NULL;
    if (!rc)
        rc = gn_rest(
            r, &(struct gn_rest_call){.method = "GET", .path = path, .what = key, .safe = true},
            whole, err);
    if (!rc)
        *data = gn_json_get(*whole, key);
    if (!rc && !*data) {
        gn_json_free(*whole);
        *whole = NULL;
        rc = gn_err_set(err, GN_E_PROTO, "OpenStack: an answer without its '%s'", key);
    }
    return rc;
}

/* The id of the first of what path lists. */
static int first_id(struct stack *s, const struct gn_rest *r, const char *path, const char *key,
                    char id[64], struct gn_err *err)
{
    const struct gn_json *all;
    struct gn_json *j = NULL;
    int rc = gn_stack_get(s, r, path, key, &j, &all, err);

    id[0] = '\0';
    if (!rc)
        gn_rest_text(gn_json_at(all, 0), "id", id, 64);
    gn_json_free(j);
    if (!rc && *id)
        rc = gn_rest_id("OpenStack", id, err);
    return rc;
}

/* "/path?name=NAME&more" */
static char *by_name(const char *path, const char *name, const char *more)
{
    struct gn_buf b = GN_BUF_INIT(4096);

    gn_buf_addf(&b, "%s?name=", path);
    gn_url_add(&b, name);
    gn_buf_adds(&b, more);
    return gn_buf_detach(&b);
}

int gn_stack_named_id(struct stack *s, const struct gn_rest *r, const char *path, const char *name,
                      const char *more, char id[64], struct gn_err *err)
{
    char *query = by_name(path, name, more);
    int rc = first_id(s, r, query, strrchr(path, '/') + 1, id, err);

    free(query);
    return rc || *id ? rc
                     : gn_err_set(err, GN_E_CONFIG, "OpenStack has no '%.60s' among its %s", name,
                                  strrchr(path, '/') + 1);
}

/* An address that can be reached from elsewhere; one that an earlier trial left is taken. */
int gn_stack_give_address(struct stack *s, const struct gn_lease *l, const char *net,
                          struct gn_err *err)
{
    struct gn_json *body, *ip;
    char network[64], port[64], had[64];
    char *path = gn_printf("/ports?device_id=%s", l->id);
    int rc = first_id(s, &s->network, path, "ports", port, err);

    free(path);
    if (rc || !*port)
        return rc;
    path = gn_printf("/floatingips?port_id=%s", port);
    rc = first_id(s, &s->network, path, "floatingips", had, err);
    free(path);
    if (!rc && !*had)
        rc = gn_stack_named_id(s, &s->network, "/networks", net, "", network, err);
    if (rc || *had)
        return rc;
    ip = gn_json_object();
    gn_json_set_str(ip, "floating_network_id", network);
    gn_json_set_str(ip, "port_id", port);
    gn_json_set_str(ip, "description", l->name);
    body = gn_json_object();
    gn_json_set(body, "floatingip", ip);
    return gn_rest(&s->network,
                   &(struct gn_rest_call){
                       .method = "POST", .path = "/floatingips", .what = "address", .body = body},
                   NULL, err);
}

int gn_stack_drop_address(struct stack *s, const char *server, struct gn_err *err)
{
    char port[64], ip[64] = "";
    char *path = gn_printf("/ports?device_id=%s", server);
    int rc = first_id(s, &s->network, path, "ports", port, err);

    free(path);
    if (!rc && *port) {
        path = gn_printf("/floatingips?port_id=%s", port);
        rc = first_id(s, &s->network, path, "floatingips", ip, err);
        free(path);
    }
    if (rc || !*ip)
        return rc;
    path = gn_printf("/floatingips/%s", ip);
    rc = gn_rest(&s->network,
                 &(struct gn_rest_call){
                     .method = "DELETE", .path = path, .what = "drop address", .safe = true},
                 NULL, err);
    free(path);
    return rc;
}
