#include "aws.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/http.h"
#include "gnrrun/sigv4.h"

#define SAID_MAX 400
#define FORM     "Content-Type: application/x-www-form-urlencoded; charset=utf-8"

/* --- errors --- */

/*
 * [botocore 1.43 retries/standard.py, data/_retry.json; AWS: EC2 API reference, "Error codes"]  A name that
 * ends with * is the beginning of one.  The first that fits counts.
 */
static const struct {
    const char *code;
    int rc;
} known[] = {
    {"RequestLimitExceeded", GN_E_NET},
    {"Throttling*", GN_E_NET},
    {"ThrottledException", GN_E_NET},
    {"RequestThrottled*", GN_E_NET},
    {"TooManyRequestsException", GN_E_NET},
    {"EC2ThrottledException", GN_E_NET},
    {"SlowDown", GN_E_NET},
    {"BandwidthLimitExceeded", GN_E_NET},
    {"RequestTimeout*", GN_E_NET},
    {"PriorRequestNotComplete", GN_E_NET},
    {"InternalError", GN_E_NET},
    {"InternalFailure", GN_E_NET},
    {"ServiceUnavailable*", GN_E_NET},
    {"Unavailable", GN_E_NET},
    {"AuthFailure", GN_E_AUTH},
    {"InvalidClientTokenId", GN_E_AUTH},
    {"UnrecognizedClientException", GN_E_AUTH},
    {"SignatureDoesNotMatch", GN_E_AUTH},
    {"InvalidSignatureException", GN_E_AUTH},
    {"IncompleteSignature*", GN_E_AUTH},
    {"MissingAuthenticationToken*", GN_E_AUTH},
    {"RequestExpired", GN_E_AUTH},
    {"ExpiredToken*", GN_E_AUTH},
    {"UnauthorizedOperation", GN_E_AUTH},
    {"UnauthorizedException", GN_E_AUTH},
    {"AccessDenied*", GN_E_AUTH},
    {"OptInRequired", GN_E_AUTH},
    {"Blocked", GN_E_AUTH},
    {"PendingVerification", GN_E_AUTH},
    {"InsufficientInstanceCapacity", GN_E_CAPACITY},
    {"InsufficientHostCapacity", GN_E_CAPACITY},
    {"InsufficientCapacity*", GN_E_CAPACITY},
    {"InsufficientReservedInstanceCapacity", GN_E_CAPACITY},
    {"InsufficientFreeAddressesInSubnet", GN_E_CAPACITY},
    {"UnfulfillableCapacity", GN_E_CAPACITY},
    {"SpotMaxPriceTooLow", GN_E_CAPACITY},
    {"Unsupported", GN_E_CAPACITY},
    {"UnsupportedOperation", GN_E_CAPACITY},
    {"InvalidInstanceType", GN_E_CONFIG},
    {"InvalidAMI*", GN_E_CONFIG},
    {"InvalidSubnet*", GN_E_CONFIG},
    {"InvalidSecurityGroupID.*", GN_E_CONFIG},
    {"InvalidZone.*", GN_E_CONFIG},
    {"VPCIdNotSpecified", GN_E_CONFIG},
    {"InvalidInstanceID.NotFound", GN_E_NOTFOUND},
    {"InvalidGroup.NotFound", GN_E_NOTFOUND},
    {"ParameterNotFound", GN_E_NOTFOUND},
    {"NoSuchResourceException", GN_E_NOTFOUND},
    {"InvalidGroup.Duplicate", GN_E_EXISTS},
    {"InvalidPermission.Duplicate", GN_E_EXISTS},
};

static bool is_code(const char *pattern, const char *code)
{
    size_t n = strlen(pattern);

    if (pattern[n - 1] == '*')
        return strncmp(pattern, code, n - 1) == 0;
    return strcmp(pattern, code) == 0;
}

/* "VcpuLimitExceeded", "MaxSpotInstanceCountExceeded": what the account may have, not what there is. */
static bool is_quota(const char *code)
{
    return strstr(code, "LimitExceeded") || strcmp(code, "MaxSpotInstanceCountExceeded") == 0;
}

static int class_of(int status, const char *code)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_code(known[i].code, code))
            return known[i].rc;
    if (status >= 500 || status == 408 || status == 429)
        return GN_E_NET;
    return is_quota(code) ? GN_E_CAPACITY : GN_E_FAIL;
}

static int add_hint(const char *code, const char *message, struct gn_err *err)
{
    if (is_quota(code) && err->code == GN_E_CAPACITY)
        return gn_err_hint(err,
                           "%sask for more at https://console.aws.amazon.com/servicequotas/home/"
                           "services/ec2/quotas",
                           strstr(message, "limit of 0 ")
                               ? "the account's quota for such machines is 0, as that of every new "
                                 "account is for GPUs: "
                               : "it is the account's quota: ");
    if (strncmp(code, "ExpiredToken", 12) == 0 || strcmp(code, "RequestExpired") == 0)
        return gn_err_hint(err, "sign in again (aws sso login, or whatever made the keys); and is "
                                "the clock of this machine right?");
    if (strcmp(code, "OptInRequired") == 0)
        return gn_err_hint(err, "the account must accept the terms of this image or enable the "
                                "region, in the AWS console");
    if (strcmp(code, "PendingVerification") == 0)
        return gn_err_hint(err, "AWS looks at new accounts first: try again in some hours");
    if (strcmp(code, "VPCIdNotSpecified") == 0)
        return gn_err_hint(err, "there is no default VPC in this region: set 'subnet'");
    return err->code;
}

int gn_aws_error(int status, const char *code, const char *message, const char *action,
                 struct gn_err *err)
{
    struct gn_buf said = GN_BUF_INIT(4000);
    int rc = class_of(status, code);

    gn_buf_addsafe(&said, message, strlen(message), SAID_MAX);
    gn_buf_adds(&said, said.len ? " (" : "(");
    gn_buf_addsafe(&said, code, strlen(code), 80);
    gn_err_set(err, rc, "%s: %s)", action, said.ptr);
    gn_buf_clear(&said);
    return add_hint(code, message, err);
}

/* --- forms --- */

void gn_aws_form(struct gn_buf *form, const char *action, const char *version)
{
    gn_buf_addf(form, "Action=%s&Version=%s", action, version);
}

void gn_aws_add(struct gn_buf *form, const char *value, const char *key, ...)
{
    va_list ap;

    gn_buf_addc(form, '&');
    va_start(ap, key);
    gn_buf_vaddf(form, key, ap);
    va_end(ap);
    gn_buf_addc(form, '=');
    gn_url_add_form(form, value);
}

/* --- calls --- */

static char *url_of(const struct gn_aws *a, const struct gn_aws_call *c)
{
    if (a->endpoint)
        return gn_printf("%s/", a->endpoint);
    return gn_printf("https://%s.%s.amazonaws.com%s/", c->service, c->region,
                     strncmp(c->region, "cn-", 3) == 0 ? ".cn" : "");
}

static int sign(const struct gn_http_call *c, int64_t now_s, struct gn_strs *headers, void *arg,
                struct gn_err *err)
{
    (void)err;
    gn_sigv4_sign(arg, c->method, c->url, &c->headers, c->body, c->body_len, now_s, headers);
    return GN_OK;
}

/* In a URL and in a signature: what may be a name of theirs. */
static bool is_region(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return n > 0 && n < 40 && !s[n];
}

static int send_call(struct gn_aws *a, const struct gn_ctx *ctx, const struct gn_aws_call *c,
                     bool json, struct gn_http_answer *answer, struct gn_err *err)
{
    struct gn_http_call call = {.method = "POST",
                                .what = c->action,
                                .body = c->body->ptr,
                                .body_len = c->body->len,
                                .safe = c->safe,
                                .sign = sign,
                                .skew_s = &a->skew_s};
    struct gn_sigv4 s = {.region = c->region, .service = c->service};
    char *url = NULL;
    int rc = GN_OK;

    if (gn_buf_over(c->body))
        return gn_err_set(err, GN_E_LIMIT, "%s: the request is too long", c->action);
    if (!is_region(c->region))
        return gn_err_set(err, GN_E_CONFIG, "'%.60s' is no name of a region", c->region);
    if (!c->keys)
        rc = gn_aws_need(a, ctx, err);
    if (rc)
        return rc;
    s.key_id = c->keys ? c->keys->id : a->keys.id;
    s.secret = c->keys ? c->keys->secret : a->keys.secret;
    s.token = c->keys ? c->keys->token : a->keys.token;
    call.sign_arg = &s;
    call.url = url = url_of(a, c);
    gn_strs_add(&call.headers, json ? "Content-Type: application/x-amz-json-1.1" : FORM);
    if (json)
        gn_strs_take(&call.headers, gn_printf("X-Amz-Target: %s", c->action));
    rc = gn_http(ctx, &call, answer, err);
    gn_strs_clear(&call.headers);
    free(url);
    return rc;
}

/* No answer of the service at all: of a proxy, a gateway, something that is no AWS. */
static int unreadable(const struct gn_http_answer *answer, const struct gn_aws_call *c,
                      struct gn_err *err)
{
    if (answer->status < 300 || answer->status == 408)
        return gn_err_set(err, GN_E_PROTO, "%s: an answer that cannot be read (HTTP %d)", c->action,
                          answer->status);
    gn_http_err(answer, "no answer of AWS", err);
    return gn_err_prefix(err, "%s: ", c->action);
}

int gn_aws_query(struct gn_aws *a, const struct gn_ctx *ctx, struct gn_aws_call *c,
                 struct gn_xml **out, struct gn_err *err)
{
    struct gn_http_answer answer = GN_HTTP_ANSWER_INIT;
    struct gn_err ignored = GN_ERR_INIT;
    const struct gn_xml *e;
    struct gn_xml *x = NULL;
    int rc = send_call(a, ctx, c, false, &answer, err);

    c->code[0] = '\0';
    if (!rc && gn_xml_parse(answer.body.ptr, answer.body.len, &x, &ignored))
        rc = unreadable(&answer, c, err);
    if (!rc && answer.status != 200) {
        /* EC2: Response/Errors/Error; STS: ErrorResponse/Error */
        e = gn_xml_get(x, "Errors/Error");
        e = e ? e : gn_xml_get(x, "Error");
        if (*gn_xml_text(e, "Code")) {
            snprintf(c->code, sizeof c->code, "%.79s", gn_xml_text(e, "Code"));
            rc = gn_aws_error(answer.status, c->code, gn_xml_text(e, "Message"), c->action, err);
        } else {
            rc = unreadable(&answer, c, err);
        }
    }
    if (rc)
        gn_xml_free(x);
    else
        *out = x;
    gn_http_answer_clear(&answer);
    return rc;
}

/* "com.amazonaws.ssm#ParameterNotFound" is the same as its last part. */
static const char *last_part(const char *code)
{
    const char *hash = strrchr(code, '#');

    return hash ? hash + 1 : code;
}

int gn_aws_json(struct gn_aws *a, const struct gn_ctx *ctx, struct gn_aws_call *c,
                struct gn_json **out, struct gn_err *err)
{
    struct gn_http_answer answer = GN_HTTP_ANSWER_INIT;
    struct gn_err ignored = GN_ERR_INIT;
    struct gn_json *j = NULL;
    int rc = send_call(a, ctx, c, true, &answer, err);

    c->code[0] = '\0';
    if (!rc && gn_json_parse(answer.body.ptr, answer.body.len, &j, &ignored))
        rc = unreadable(&answer, c, err);
    if (!rc && answer.status != 200) {
        const char *type = gn_json_get_str(j, "__type"), *said = gn_json_get_str(j, "message");

        said = said ? said : gn_json_get_str(j, "Message");
        if (type) {
            snprintf(c->code, sizeof c->code, "%.79s", last_part(type));
            rc = gn_aws_error(answer.status, c->code, said ? said : "", c->action, err);
        } else {
            rc = unreadable(&answer, c, err);
        }
    }
    if (rc)
        gn_json_free(j);
    else
        *out = j;
    gn_http_answer_clear(&answer);
    return rc;
}
