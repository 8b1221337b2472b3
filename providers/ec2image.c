/*
 * ec2image.c - what a machine starts from.
 *
 * Amazon's own image with drivers for NVIDIA's GPUs where there is one, else Canonical's Ubuntu.  Their ids
 * change with each edition and differ by region: the parameters that AWS publishes tell the newest, and
 * where they cannot be asked, the names of the images do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ec2.h"

#define CANONICAL "099720109477"

/* Parameters first [docs.aws.amazon.com/dlami; Canonical: K], then a name. */
struct kind {
    const char *parameters[3];
    const char *name, *owner;
};

static const struct kind gpu = {
    {"/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
     "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-ubuntu-22.04/latest/ami-id",
     NULL},
    "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)*",
    "amazon"};
static const struct kind gpu_arm = {
    {"/aws/service/deeplearning/ami/arm64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
     NULL},
    "Deep Learning ARM64 Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)*",
    "amazon"};
/* NVIDIA's open driver knows Turing and later: no V100, no M60 */
static const struct kind gpu_old = {
    {NULL}, "Deep Learning Base Proprietary Nvidia Driver GPU AMI (Ubuntu*", "amazon"};
static const struct kind plain = {
    {"/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id", NULL},
    "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*",
    CANONICAL};
static const struct kind plain_arm = {
    {"/aws/service/canonical/ubuntu/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id", NULL},
    "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-arm64-server-*",
    CANONICAL};

static bool starts_with(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* "c7g.large", "g5g.xlarge": a g behind the generation. */
static bool is_arm(const char *machine)
{
    size_t n = strcspn(machine, "0123456789");
    const char *p = machine + n + strspn(machine + n, "0123456789");

    for (; *p && *p != '.'; p++)
        if (*p == 'g')
            return true;
    return starts_with(machine, "a1.");
}

static const struct kind *kind_of(const char *machine)
{
    static const char *const old[] = {"p2.", "p3.", "p3dn.", "g3.", "g3s."};
    bool has_gpu = (*machine == 'p' || *machine == 'g') && !starts_with(machine, "g4ad.");

    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (starts_with(machine, old[i]))
            return &gpu_old;
    if (has_gpu)
        return is_arm(machine) ? &gpu_arm : &gpu;
    return is_arm(machine) ? &plain_arm : &plain;
}

static bool is_id(const char *s)
{
    size_t n = strlen(s);

    return starts_with(s, "ami-") && n > 4 && n < 40 && strspn(s + 4, "0123456789abcdef") == n - 4;
}

/* "" when there is no such parameter, or no right to ask. */
static int ask_parameter(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                         const char *name, char id[40], struct gn_err *err)
{
    struct gn_buf body = GN_BUF_INIT(4096);
    struct gn_json *j = gn_json_object();
    struct gn_aws_call c = {.service = "ssm",
                            .region = region,
                            .action = "AmazonSSM.GetParameter",
                            .body = &body,
                            .safe = true};
    const char *value;
    int rc;

    gn_json_set_str(j, "Name", name);
    gn_json_dump(j, &body);
    gn_json_free(j);
    j = NULL;
    id[0] = '\0';
    rc = gn_aws_json(&p->aws, ctx, &c, &j, err);
    value = gn_json_get_str(gn_json_get(j, "Parameter"), "Value");
    if (!rc && value && is_id(value))
        snprintf(id, 40, "%s", value);
    if (rc == GN_E_NOTFOUND || (rc == GN_E_AUTH && starts_with(c.code, "AccessDenied"))) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    gn_json_free(j);
    gn_buf_clear(&body);
    return rc;
}

struct newest {
    struct gn_ec2_image *image;
    char made[40];
};

static int look_at(const struct gn_xml *item, void *arg, struct gn_err *err)
{
    struct newest *n = arg;
    const char *made = gn_xml_text(item, "creationDate"), *id = gn_xml_text(item, "imageId");

    (void)err;
    if (!is_id(id) || (*n->image->id && strcmp(made, n->made) <= 0))
        return GN_OK;
    snprintf(n->made, sizeof n->made, "%.39s", made);
    snprintf(n->image->id, sizeof n->image->id, "%s", id);
    gn_ec2_text(item, "rootDeviceName", n->image->root, sizeof n->image->root);
    n->image->gb = 0;
    for (const struct gn_xml *d = gn_xml_get(item, "blockDeviceMapping/item"); d;
         d = gn_xml_next(d)) {
        long gb = strtol(gn_xml_text(d, "ebs/volumeSize"), NULL, 10);

        if (strcmp(gn_xml_text(d, "deviceName"), n->image->root) == 0 && gb > 0 && gb < 100000)
            n->image->gb = (int)gb;
    }
    return GN_OK;
}

/* By id, or the newest by name of those owners. */
static int describe(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region, const char *id,
                    const char *name, const char *const owners[], struct gn_ec2_image *out,
                    struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(4096);
    struct newest n = {.image = out};

    gn_aws_form(&form, "DescribeImages", GN_AWS_EC2);
    if (id) {
        gn_aws_add(&form, id, "ImageId.1");
    } else {
        for (int i = 0; owners[i]; i++)
            gn_aws_add(&form, owners[i], "Owner.%d", i + 1);
        gn_aws_add(&form, "name", "Filter.1.Name");
        gn_aws_add(&form, name, "Filter.1.Value.1");
        gn_aws_add(&form, "state", "Filter.2.Name");
        gn_aws_add(&form, "available", "Filter.2.Value.1");
    }
    return gn_ec2_pages(p, ctx, region, "DescribeImages", &form, "imagesSet/item", look_at, &n,
                        err);
}

static int of_target(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                     const char *word, struct gn_ec2_image *out, struct gn_err *err)
{
    static const char *const owners[] = {"self", "amazon", CANONICAL, NULL};
    char id[40] = "";
    int rc = GN_OK;

    if (is_id(word))
        snprintf(id, sizeof id, "%s", word);
    else if (*word == '/')
        rc = ask_parameter(p, ctx, region, word, id, err);
    else
        return describe(p, ctx, region, NULL, word, owners, out, err);
    return rc || !*id ? rc : describe(p, ctx, region, id, NULL, NULL, out, err);
}

static int of_kind(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                   const struct kind *k, struct gn_ec2_image *out, struct gn_err *err)
{
    const char *const owners[] = {k->owner, NULL};
    char id[40] = "";
    int rc = GN_OK;

    for (size_t i = 0; !rc && !*id && k->parameters[i]; i++)
        rc = ask_parameter(p, ctx, region, k->parameters[i], id, err);
    if (rc)
        return rc;
    return describe(p, ctx, region, *id ? id : NULL, k->name, owners, out, err);
}

int gn_ec2_image(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                 const char *machine, const struct gn_ec2_image **out, struct gn_err *err)
{
    const char *word = gn_ec2_setting(p, "image");
    const struct kind *k = kind_of(machine);
    struct gn_ec2_image got = {0};
    int rc;

    snprintf(got.of, sizeof got.of, "%.60s %.200s", region, word ? word : k->name);
    *out = &p->image;
    if (strcmp(p->image.of, got.of) == 0)
        return GN_OK;
    rc = word ? of_target(p, ctx, region, word, &got, err) : of_kind(p, ctx, region, k, &got, err);
    if (!rc && !*got.id) {
        gn_err_set(err, GN_E_CONFIG, "there is no image '%.120s' in %s", word ? word : k->name,
                   region);
        rc = gn_err_hint(err, "set 'image' to an id (ami-...), a name, or a parameter (/...)");
    }
    if (!rc)
        p->image = got;
    return rc;
}
