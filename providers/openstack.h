/*
 * openstack.h - what the files of this provider share: the session, and what it finds by name.
 */
#ifndef GN_PROVIDERS_OPENSTACK_H
#define GN_PROVIDERS_OPENSTACK_H

#include "rest.h"

/* Where to log in, as OS_* variables or an entry of clouds.yaml say. */
struct stack_auth {
    char *url, *region;
    char *app_id, *app_secret; /* an application credential, or: */
    char *user, *password, *user_domain, *project, *project_id, *project_domain;
};

struct stack {
    struct gn_provider base; /* first */
    struct stack_auth auth;
    struct gn_rest keystone, compute, image, network; /* the latter once logged in */
    bool logged_in;
    char who[160];
};

/* openstackauth.c */
GN_MUST int gn_stack_auth(const struct gn_ctx *ctx, const struct gn_target *t,
                          struct stack_auth *out, struct gn_err *err);
void gn_stack_auth_clear(struct stack_auth *a);
/* Log in if need be; then the other services can be asked. */
GN_MUST int gn_stack_login(struct stack *s, struct gn_err *err);

/* openstackfind.c */
/* GET path of a service; its member `key`, which belongs to *whole. */
GN_MUST int gn_stack_get(struct stack *s, const struct gn_rest *r, const char *path,
                         const char *key, struct gn_json **whole, const struct gn_json **data,
                         struct gn_err *err);
/* The id of what `path` lists under that name; GN_E_CONFIG: there is none.  more: of the query. */
GN_MUST int gn_stack_named_id(struct stack *s, const struct gn_rest *r, const char *path,
                              const char *name, const char *more, char id[64], struct gn_err *err);
/* A floating address of the network `net` for the server, and its end. */
GN_MUST int gn_stack_give_address(struct stack *s, const struct gn_lease *l, const char *net,
                                  struct gn_err *err);
GN_MUST int gn_stack_drop_address(struct stack *s, const char *server, struct gn_err *err);

/* {"forbidden": {"message": "Quota exceeded ..."}} */
int gn_stack_explain(int status, const struct gn_json *body, struct gn_buf *said);

#endif
