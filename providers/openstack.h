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

/* {"forbidden": {"message": "Quota exceeded ..."}} */
int gn_stack_explain(int status, const struct gn_json *body, struct gn_buf *said);

#endif
