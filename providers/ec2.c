/* ec2.c - machines of Amazon EC2. */
#include "ec2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 1000

/* --- calls --- */

int gn_ec2_call(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region, const char *action,
                struct gn_buf *form, bool safe, struct gn_xml **out, struct gn_err *err)
{
    struct gn_aws_call c = {
        .service = "ec2", .region = region, .action = action, .body = form, .safe = safe};
    int rc = gn_aws_query(&p->aws, ctx, &c, out, err);

    snprintf(p->code, sizeof p->code, "%s", c.code);
    gn_buf_wipe(form);
    return rc;
}

int gn_ec2_pages(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region, const char *action,
                 struct gn_buf *form, const char *path, gn_ec2_fn fn, void *arg, struct gn_err *err)
{
    char *token = NULL;
    int rc = GN_OK;

    for (unsigned n = 0; !rc && (n == 0 || token); n++) {
        struct gn_buf page = GN_BUF_INIT(GN_MAX_LINE);
        struct gn_xml *x = NULL;

        gn_buf_add(&page, form->ptr, form->len);
        if (token)
            gn_aws_add(&page, token, "NextToken");
        free(token);
        token = NULL;
        if (n == PAGES_MAX)
            rc = gn_err_set(err, GN_E_LIMIT, "%s: an answer without an end", action);
        rc = rc ? rc : gn_ec2_call(p, ctx, region, action, &page, true, &x, err);
        for (const struct gn_xml *i = rc ? NULL : gn_xml_get(x, path); i && !rc; i = gn_xml_next(i))
            rc = fn(i, arg, err);
        if (!rc && *gn_xml_text(x, "nextToken"))
            token = gn_strdup(gn_xml_text(x, "nextToken"));
        gn_xml_free(x);
        gn_buf_clear(&page);
    }
    free(token);
    gn_buf_clear(form);
    return rc;
}

void gn_ec2_text(const struct gn_xml *x, const char *path, char *to, size_t size)
{
    const char *s = gn_xml_text(x, path);
    struct gn_buf safe = GN_BUF_INIT(8192);

    gn_buf_addsafe(&safe, s, strlen(s), size - 1);
    snprintf(to, size, "%.*s", (int)size - 1, safe.ptr);
    gn_buf_clear(&safe);
}

const char *gn_ec2_setting(const struct gn_ec2 *p, const char *key)
{
    const char *v = gn_target_setting(p->base.target, key);

    return v && *v ? v : NULL;
}

bool gn_ec2_word(const char *list, size_t n, char *out, size_t size)
{
    for (;;) {
        size_t len;

        list += strspn(list, ", ");
        len = strcspn(list, ", ");
        if (!len)
            return false;
        if (n-- == 0) {
            snprintf(out, size, "%.*s", (int)len, list);
            return true;
        }
        list += len;
    }
}

/* --- open --- */

bool gn_ec2_is_made_of(const char *s, const char *chars, size_t max)
{
    size_t n = strlen(s);

    return n > 0 && n <= max && !s[strspn(s, chars)];
}

static int wrong(const char *key, const char *value, const char *want, struct gn_err *err)
{
    return gn_err_set(err, GN_E_CONFIG, "'%s' must be %s, not '%.60s'", key, want, value);
}

static int read_switch(const struct gn_ec2 *p, bool *out, struct gn_err *err)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    const char *v = gn_ec2_setting(p, "spot");
    bool known = !v;

    for (size_t i = 0; v && i < sizeof yes / sizeof *yes; i++) {
        *out = *out || strcmp(v, yes[i]) == 0;
        known = known || *out || strcmp(v, no[i]) == 0;
    }
    return known ? GN_OK : wrong("spot", v, "true or false", err);
}

static int read_settings(struct gn_ec2 *p, struct gn_err *err)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789-., ";
    static const char *const ids[] = {"zone", "machine", "subnet", "security_group"};
    const char *region = gn_ec2_setting(p, "region"), *from = gn_ec2_setting(p, "ssh_from");
    const char *address = gn_ec2_setting(p, "address");
    int rc = read_switch(p, &p->spot, err);

    p->private_address = address && strcmp(address, "private") == 0;
    if (!rc && address && !p->private_address && strcmp(address, "public") != 0)
        rc = wrong("address", address, "public or private", err);
    for (size_t i = 0; !rc && i < sizeof ids / sizeof *ids; i++) {
        const char *v = gn_ec2_setting(p, ids[i]);

        if (v && !gn_ec2_is_made_of(v, name, 400))
            rc = wrong(ids[i], v, "a name as AWS has them", err);
    }
    if (!rc && from && !gn_ec2_is_made_of(from, "0123456789./", 18))
        rc = wrong("ssh_from", from, "a network such as 203.0.113.0/24", err);
    if (!rc && region && !gn_ec2_is_made_of(region, name, 40))
        rc = wrong("region", region, "the name of a region such as ap-south-1", err);
    p->region = region;
    return rc;
}

static void close_ec2(struct gn_provider *base)
{
    struct gn_ec2 *p = gn_ec2_of(base);

    if (!p)
        return;
    gn_aws_close(&p->aws);
    free(p);
}

extern const struct gn_provider_ops gn_provider_ec2;

static int open_ec2(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
                    struct gn_err *err)
{
    struct gn_ec2 *p = gn_new(struct gn_ec2);
    int rc;

    p->base = (struct gn_provider){.ops = &gn_provider_ec2, .target = t};
    rc = read_settings(p, err);
    if (!rc)
        rc = gn_aws_open(ctx, gn_ec2_setting(p, "profile"), gn_ec2_setting(p, "endpoint"), &p->aws,
                         err);
    p->region = p->region ? p->region : p->aws.region;
    if (!rc && !p->region) {
        gn_err_set(err, GN_E_CONFIG, "no region is given");
        rc = gn_err_hint(err, "set 'region', AWS_REGION, or the region of the AWS profile");
    }
    if (rc)
        close_ec2(&p->base);
    else
        *out = &p->base;
    return rc;
}

/* --- check --- */

/* GPU quota of the account: new ones have none, and hear of it too late.  Who may not ask is not told. */
static void look_at_quota(struct gn_ec2 *p, const struct gn_ctx *ctx, struct gn_account *out)
{
    /* "Running On-Demand G and VT instances" [K] */
    static const char code[] = "L-DB2E81BA";
    struct gn_buf body = GN_BUF_INIT(1024), said = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_aws_call c = {.service = "servicequotas",
                            .region = p->region,
                            .action = "ServiceQuotasV20190624.GetServiceQuota",
                            .body = &body};
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_json *j = NULL;
    const char *value;

    gn_buf_addf(&body, "{\"ServiceCode\":\"ec2\",\"QuotaCode\":\"%s\"}", code);
    if (gn_aws_json(&p->aws, ctx, &c, &j, &ignored) == GN_OK && gn_json_get(j, "Quota")) {
        gn_json_dump(gn_json_get(j, "Quota"), &said);
        value = strstr(said.ptr, "\"Value\":");
        if (value && strtod(value + 8 + strspn(value + 8, " "), NULL) < 1)
            snprintf(out->note, sizeof out->note,
                     "the quota for GPU machines in %s is 0: ask at https://%s.console.aws.amazon."
                     "com/servicequotas/home/services/ec2/quotas/%s",
                     p->region, p->region, code);
    }
    gn_json_free(j);
    gn_buf_clear(&said);
    gn_buf_clear(&body);
}

/* May these credentials make machines at all?  A request that EC2 only judges. */
static int try_dry(struct gn_ec2 *p, const struct gn_ctx *ctx, struct gn_account *out,
                   struct gn_err *err)
{
    const struct gn_ec2_image *image = NULL;
    struct gn_buf form = GN_BUF_INIT(4096);
    struct gn_err why = GN_ERR_INIT;
    struct gn_xml *x = NULL;
    int rc = gn_ec2_image(p, ctx, p->region, "t3.micro", &image, &why);

    if (!rc) {
        gn_aws_form(&form, "RunInstances", GN_AWS_EC2);
        gn_aws_add(&form, image->id, "ImageId");
        gn_aws_add(&form, "t3.micro", "InstanceType");
        gn_aws_add(&form, "1", "MinCount");
        gn_aws_add(&form, "1", "MaxCount");
        gn_aws_add(&form, "true", "DryRun");
        rc = gn_ec2_call(p, ctx, p->region, "RunInstances", &form, true, &x, &why);
        gn_xml_free(x);
        if (strcmp(p->code, "DryRunOperation") == 0)
            rc = GN_OK;
    }
    if (rc == GN_E_CANCEL)
        return *err = why, rc;
    if (rc)
        snprintf(out->note, sizeof out->note, "no machine can be made: %.200s", why.msg);
    return GN_OK;
}

static int check(struct gn_provider *base, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err)
{
    struct gn_ec2 *p = gn_ec2_of(base);
    struct gn_buf form = GN_BUF_INIT(1024);
    struct gn_aws_call c = {.service = "sts",
                            .region = p->region,
                            .action = "GetCallerIdentity",
                            .body = &form,
                            .safe = true};
    struct gn_xml *x = NULL;
    int rc;

    memset(out, 0, sizeof *out);
    gn_aws_form(&form, c.action, GN_AWS_STS);
    rc = gn_aws_query(&p->aws, ctx, &c, &x, err);
    gn_buf_clear(&form);
    if (rc)
        return rc;
    gn_ec2_text(x, "GetCallerIdentityResult/Arn", out->who, sizeof out->who);
    snprintf(out->where, sizeof out->where, "%.100s", p->region);
    gn_xml_free(x);
    if (!*out->who)
        return gn_err_set(err, GN_E_PROTO, "GetCallerIdentity: an answer without a name");
    rc = try_dry(p, ctx, out, err);
    if (!rc && !*out->note)
        look_at_quota(p, ctx, out);
    return rc;
}

/* --- its end, and a new start --- */

static int wake(struct gn_provider *base, const struct gn_ctx *ctx, const struct gn_lease *lease,
                struct gn_err *err)
{
    struct gn_ec2 *p = gn_ec2_of(base);
    struct gn_buf form = GN_BUF_INIT(4096);
    struct gn_xml *x = NULL;
    int rc;

    gn_aws_form(&form, "StartInstances", GN_AWS_EC2);
    gn_aws_add(&form, lease->id, "InstanceId.1");
    rc = gn_ec2_call(p, ctx, gn_ec2_region(p, lease), "StartInstances", &form, true, &x, err);
    gn_xml_free(x);
    /* it is still on its way to a halt: later */
    if (rc && strcmp(p->code, "IncorrectInstanceState") == 0)
        err->code = rc = GN_E_NET;
    return rc;
}

static int terminate(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                     const struct gn_strs *ids, struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(GN_MAX_LINE);
    struct gn_xml *x = NULL;
    int rc;

    gn_aws_form(&form, "TerminateInstances", GN_AWS_EC2);
    for (size_t i = 0; i < ids->n; i++)
        gn_aws_add(&form, ids->v[i], "InstanceId.%d", (int)i + 1);
    rc = gn_ec2_call(p, ctx, region, "TerminateInstances", &form, true, &x, err);
    gn_xml_free(x);
    return rc;
}

/* Those of that name that cost money, and whether the one with that id is among all of the name. */
static int find_living(struct gn_ec2 *p, const struct gn_ctx *ctx, const struct gn_lease *lease,
                       struct gn_strs *ids, bool *any, bool *seen, struct gn_err *err)
{
    struct gn_leases found = {0};
    int rc = gn_ec2_find(p, ctx, gn_ec2_region(p, lease), lease->name, &found, err);

    gn_strs_clear(ids);
    *any = found.n > 0;
    *seen = false;
    for (size_t i = 0; !rc && i < found.n; i++) {
        *seen = *seen || strcmp(found.v[i].id, lease->id) == 0;
        if (found.v[i].state != GN_LEASE_GONE && found.v[i].state != GN_LEASE_ENDING)
            gn_strs_add(ids, found.v[i].id);
    }
    free(found.v);
    return rc;
}

/* Whatever has the name: an answer that was lost may have left a second one. */
static int destroy(struct gn_provider *base, const struct gn_ctx *ctx, const struct gn_lease *lease,
                   struct gn_err *err)
{
    struct gn_ec2 *p = gn_ec2_of(base);
    const char *region = gn_ec2_region(p, lease);
    struct gn_strs ids = GN_STRS_INIT;
    struct gn_err again = GN_ERR_INIT;
    bool any = false, seen = false;
    int rc = find_living(p, ctx, lease, &ids, &any, &seen, err);

    if (!rc && !any && !*lease->id)
        rc = gn_err_set(err, GN_E_NOTFOUND, "EC2 knows no machine '%s'", lease->name);
    if (!rc && ids.n) {
        rc = terminate(p, ctx, region, &ids, err);
        /* asked for twice, the first answer being lost: what counts is that it ends */
        if (rc && rc != GN_E_CANCEL &&
            find_living(p, ctx, lease, &ids, &any, &seen, &again) == GN_OK && !ids.n) {
            gn_err_clear(err);
            rc = GN_OK;
        }
    }
    /* in a call of its own: one that is unknown would spoil the others' */
    if (!rc && *lease->id && !seen) {
        gn_strs_clear(&ids);
        gn_strs_add(&ids, lease->id);
        rc = terminate(p, ctx, region, &ids, err);
        if (rc && strcmp(p->code, "InvalidInstanceID.NotFound") == 0) {
            gn_err_clear(err);
            rc = GN_OK;
        }
    }
    gn_strs_clear(&ids);
    return rc;
}

static const char *const keys[] = {"region",  "zone",    "machine",  "image",
                                   "spot",    "subnet",  "ssh_from", "security_group",
                                   "address", "profile", "endpoint", NULL};

const struct gn_provider_ops gn_provider_ec2 = {
    .name = "ec2",
    .summary = "Amazon EC2",
    .proven = "moto",
    .caps = GN_CAP_IDEMPOTENT | GN_CAP_HALT | GN_CAP_SPOT | GN_CAP_USER_DATA,
    .keys = keys,
    .open = open_ec2,
    .close = close_ec2,
    .check = check,
    .offers = gn_ec2_offers,
    .create = gn_ec2_create,
    .poll = gn_ec2_poll,
    .wake = wake,
    .destroy = destroy,
    .list = gn_ec2_list,
};
