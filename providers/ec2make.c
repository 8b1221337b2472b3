/* ec2make.c - one machine is asked for: who may reach it, its request, its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ec2.h"

#define GROUP       "gnrrun-ssh"
#define DISK_GB     80    /* at least: a dataset and the packages to train with it */
#define DATA_MAX    16384 /* of user-data before base64 [K] */
#define REQUEST_MAX ((size_t)256 << 10)

/* --- who may reach it --- */

static int first_text(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                      const char *action, struct gn_buf *form, const char *path, char *out,
                      size_t size, struct gn_err *err)
{
    struct gn_xml *x = NULL;
    int rc = gn_ec2_call(p, ctx, region, action, form, true, &x, err);

    if (!rc)
        gn_ec2_text(x, path, out, size);
    gn_xml_free(x);
    return rc;
}

/* The network of the target's subnet, else the region's default. */
static int find_vpc(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region, char vpc[80],
                    struct gn_err *err)
{
    const char *subnet = gn_ec2_setting(p, "subnet");
    struct gn_buf form = GN_BUF_INIT(4096);
    int rc;

    vpc[0] = '\0';
    if (subnet) {
        gn_aws_form(&form, "DescribeSubnets", GN_AWS_EC2);
        gn_aws_add(&form, subnet, "SubnetId.1");
        rc = first_text(p, ctx, region, "DescribeSubnets", &form, "subnetSet/item/vpcId", vpc, 80,
                        err);
    } else {
        gn_aws_form(&form, "DescribeVpcs", GN_AWS_EC2);
        gn_aws_add(&form, "isDefault", "Filter.1.Name");
        gn_aws_add(&form, "true", "Filter.1.Value.1");
        rc = first_text(p, ctx, region, "DescribeVpcs", &form, "vpcSet/item/vpcId", vpc, 80, err);
    }
    if (!rc && !*vpc) {
        gn_err_set(err, GN_E_CONFIG, "there is no default network (VPC) in %s", region);
        rc = gn_err_hint(err, "set 'subnet' to one that the machine shall be in");
    }
    return rc;
}

static int find_group(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                      const char *name, const char *vpc, char id[80], bool *open,
                      struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(4096);
    struct gn_xml *x = NULL;
    int rc;

    gn_aws_form(&form, "DescribeSecurityGroups", GN_AWS_EC2);
    gn_aws_add(&form, "group-name", "Filter.1.Name");
    gn_aws_add(&form, name, "Filter.1.Value.1");
    gn_aws_add(&form, "vpc-id", "Filter.2.Name");
    gn_aws_add(&form, vpc, "Filter.2.Value.1");
    rc = gn_ec2_call(p, ctx, region, "DescribeSecurityGroups", &form, true, &x, err);
    id[0] = '\0';
    if (!rc)
        gn_ec2_text(x, "securityGroupInfo/item/groupId", id, 80);
    *open = gn_xml_get(x, "securityGroupInfo/item/ipPermissions/item") != NULL;
    gn_xml_free(x);
    return rc;
}

static int make_group(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                      const char *name, const char *vpc, char id[80], struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(4096);
    bool open;
    int rc;

    gn_aws_form(&form, "CreateSecurityGroup", GN_AWS_EC2);
    gn_aws_add(&form, name, "GroupName");
    gn_aws_add(&form, "SSH to machines that gnrrun makes", "GroupDescription");
    gn_aws_add(&form, vpc, "VpcId");
    rc = first_text(p, ctx, region, "CreateSecurityGroup", &form, "groupId", id, 80, err);
    if (rc != GN_E_EXISTS)
        return rc;
    /* somebody else was faster, or our own first answer was lost */
    gn_err_clear(err);
    return find_group(p, ctx, region, name, vpc, id, &open, err);
}

static int open_group(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                      const char *id, const char *from, struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(4096);
    struct gn_xml *x = NULL;
    int rc;

    gn_aws_form(&form, "AuthorizeSecurityGroupIngress", GN_AWS_EC2);
    gn_aws_add(&form, id, "GroupId");
    gn_aws_add(&form, "tcp", "IpPermissions.1.IpProtocol");
    gn_aws_add(&form, "22", "IpPermissions.1.FromPort");
    gn_aws_add(&form, "22", "IpPermissions.1.ToPort");
    gn_aws_add(&form, from, "IpPermissions.1.IpRanges.1.CidrIp");
    rc = gn_ec2_call(p, ctx, region, "AuthorizeSecurityGroupIngress", &form, true, &x, err);
    gn_xml_free(x);
    if (rc == GN_E_EXISTS) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc;
}

/*
 * A group that lets SSH in and nothing else; one for all machines, as it costs nothing.  From everywhere
 * unless the target says from where: the laptop moves, and only its key gets in.
 */
static int get_group(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                     struct gn_err *err)
{
    const char *given = gn_ec2_setting(p, "security_group"), *from = gn_ec2_setting(p, "ssh_from");
    char vpc[80], *name;
    bool open = false;
    int rc;

    if (given)
        snprintf(p->group, sizeof p->group, "%.79s", given);
    if (*p->group)
        return GN_OK;
    rc = find_vpc(p, ctx, region, vpc, err);
    if (rc)
        return rc;
    name = from ? gn_printf("%s-%s", GROUP, from) : gn_strdup(GROUP);
    rc = find_group(p, ctx, region, name, vpc, p->group, &open, err);
    if (!rc && !*p->group)
        rc = make_group(p, ctx, region, name, vpc, p->group, err);
    if (!rc && !*p->group)
        rc = gn_err_set(err, GN_E_PROTO, "security group '%s' was made, but is not there", name);
    if (!rc && !open)
        rc = open_group(p, ctx, region, p->group, from ? from : "0.0.0.0/0", err);
    if (rc)
        p->group[0] = '\0';
    free(name);
    return rc;
}

/* --- the request --- */

static void add_tags(struct gn_buf *form, int n, const char *kind, const struct gn_lease_spec *spec)
{
    char until[32];
    const char *const tags[][2] = {{"Name", spec->name},
                                   {GN_EC2_TAG, spec->name},
                                   {"gnrrun:owner", spec->owner},
                                   {"gnrrun:run", spec->run},
                                   {"gnrrun:until", until}};
    int k = 0;

    snprintf(until, sizeof until, "%lld", (long long)spec->deadline_s);
    gn_aws_add(form, kind, "TagSpecification.%d.ResourceType", n);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!tags[i][1] || !*tags[i][1])
            continue;
        k++;
        gn_aws_add(form, tags[i][0], "TagSpecification.%d.Tag.%d.Key", n, k);
        gn_aws_add(form, tags[i][1], "TagSpecification.%d.Tag.%d.Value", n, k);
    }
}

static void add_network(const struct gn_ec2 *p, const struct gn_lease_spec *spec, const char *group,
                        const char *subnet, struct gn_buf *form)
{
    if (!*subnet) {
        gn_aws_add(form, group, "SecurityGroupId.1");
        if (*spec->offer.zone)
            gn_aws_add(form, spec->offer.zone, "Placement.AvailabilityZone");
        return;
    }
    gn_aws_add(form, "0", "NetworkInterface.1.DeviceIndex");
    gn_aws_add(form, subnet, "NetworkInterface.1.SubnetId");
    gn_aws_add(form, group, "NetworkInterface.1.SecurityGroupId.1");
    gn_aws_add(form, p->private_address ? "false" : "true",
               "NetworkInterface.1.AssociatePublicIpAddress");
    gn_aws_add(form, "true", "NetworkInterface.1.DeleteOnTermination");
}

static void add_disk(const struct gn_lease_spec *spec, const struct gn_ec2_image *image,
                     struct gn_buf *form)
{
    int gb = spec->disk_gb ? spec->disk_gb : DISK_GB;
    char text[16];

    if (!*image->root)
        return;
    snprintf(text, sizeof text, "%d", gb > image->gb ? gb : image->gb);
    gn_aws_add(form, image->root, "BlockDeviceMapping.1.DeviceName");
    gn_aws_add(form, text, "BlockDeviceMapping.1.Ebs.VolumeSize");
    gn_aws_add(form, "gp3", "BlockDeviceMapping.1.Ebs.VolumeType");
    gn_aws_add(form, "true", "BlockDeviceMapping.1.Ebs.DeleteOnTermination");
}

void gn_ec2_request(const struct gn_ec2 *p, const struct gn_lease_spec *spec,
                    const struct gn_ec2_image *image, const char *group, const char *subnet,
                    struct gn_buf *form)
{
    struct gn_buf data = GN_BUF_INIT(REQUEST_MAX);

    gn_aws_form(form, "RunInstances", GN_AWS_EC2);
    gn_aws_add(form, image->id, "ImageId");
    gn_aws_add(form, spec->offer.machine, "InstanceType");
    gn_aws_add(form, "1", "MinCount");
    gn_aws_add(form, "1", "MaxCount");
    gn_aws_add(form, spec->token, "ClientToken");
    gn_buf_addb64(&data, spec->user_data, strlen(spec->user_data), false);
    gn_aws_add(form, data.ptr, "UserData");
    gn_buf_wipe(&data);
    /* one that halts keeps its disk, and so its results; a spot machine cannot */
    gn_aws_add(form, spec->offer.spot ? "terminate" : "stop", "InstanceInitiatedShutdownBehavior");
    gn_aws_add(form, "required", "MetadataOptions.HttpTokens");
    if (spec->offer.spot) {
        gn_aws_add(form, "spot", "InstanceMarketOptions.MarketType");
        gn_aws_add(form, "one-time", "InstanceMarketOptions.SpotOptions.SpotInstanceType");
        gn_aws_add(form, "terminate",
                   "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior");
    }
    add_network(p, spec, group, subnet, form);
    add_disk(spec, image, form);
    add_tags(form, 1, "instance", spec);
    add_tags(form, 2, "volume", spec);
}

/* --- the machine --- */

static int adopt(const struct gn_lease *found, struct gn_lease *out)
{
    snprintf(out->id, sizeof out->id, "%s", found->id);
    snprintf(out->region, sizeof out->region, "%s", found->region);
    snprintf(out->zone, sizeof out->zone, "%s", found->zone);
    out->state = found->state;
    out->made_s = found->made_s;
    return GN_OK;
}

/* The one that an earlier call made.  *there: it was found. */
static int look_first(struct gn_ec2 *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                      struct gn_lease *out, bool *there, struct gn_err *err)
{
    struct gn_leases found = {0};
    int rc = gn_ec2_find(p, ctx, spec->offer.region, spec->name, &found, err);

    *there = !rc && found.n;
    if (*there)
        adopt(&found.v[0], out);
    free(found.v);
    return rc;
}

static int run(struct gn_ec2 *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
               struct gn_buf *form, struct gn_lease *out, struct gn_err *err)
{
    struct gn_lease made = {.state = GN_LEASE_PENDING};
    const struct gn_xml *item;
    struct gn_xml *x = NULL;
    bool there = false;
    int rc = gn_ec2_call(p, ctx, spec->offer.region, "RunInstances", form, false, &x, err);

    /* the token was used for something that differs, a newer image perhaps: so it is there */
    if (rc && strcmp(p->code, "IdempotentParameterMismatch") == 0) {
        gn_err_clear(err);
        rc = look_first(p, ctx, spec, out, &there, err);
        if (!rc && !there)
            rc = gn_err_set(err, GN_E_PROTO, "EC2 has made machine '%s', but does not show it",
                            spec->name);
        return rc;
    }
    if (rc)
        return rc;
    item = gn_xml_get(x, "instancesSet/item");
    gn_ec2_text(item, "instanceId", made.id, sizeof made.id);
    gn_ec2_text(item, "placement/availabilityZone", made.zone, sizeof made.zone);
    snprintf(made.region, sizeof made.region, "%s", spec->offer.region);
    made.made_s = gn_aws_time(gn_xml_text(item, "launchTime"));
    gn_xml_free(x);
    if (!*made.id)
        return gn_err_set(err, GN_E_PROTO, "RunInstances: an answer without a machine");
    return adopt(&made, out);
}

/* An earlier call may have made it, and this one could not find out: nobody may say that there is none. */
static int in_doubt(int rc, struct gn_err *err)
{
    if (rc == GN_OK || rc == GN_E_CANCEL || rc == GN_E_NET || rc == GN_E_TIMEOUT)
        return rc;
    err->code = GN_E_PROTO;
    return err->code;
}

static int prepare(struct gn_ec2 *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                   struct gn_buf *form, struct gn_err *err)
{
    const char *subnet = gn_ec2_setting(p, "subnet");
    const struct gn_ec2_image *image = NULL;
    int rc = gn_ec2_image(p, ctx, spec->offer.region, spec->offer.machine, &image, err);

    if (!rc)
        rc = get_group(p, ctx, spec->offer.region, err);
    if (!rc)
        gn_ec2_request(p, spec, image, p->group, subnet ? subnet : "", form);
    return rc;
}

int gn_ec2_create(struct gn_provider *base, const struct gn_ctx *ctx,
                  const struct gn_lease_spec *spec, struct gn_lease *out, struct gn_err *err)
{
    struct gn_ec2 *p = gn_ec2_of(base);
    struct gn_buf form = GN_BUF_INIT(REQUEST_MAX);
    bool there = false;
    int rc = GN_OK;

    if (strlen(spec->user_data) > DATA_MAX)
        return gn_err_set(err, GN_E_LIMIT, "what the machine is told at its start is too long");
    if (spec->again)
        rc = look_first(p, ctx, spec, out, &there, err);
    if (!rc && !there)
        rc = prepare(p, ctx, spec, &form, err);
    if (rc && spec->again)
        rc = in_doubt(rc, err);
    if (!rc && !there)
        rc = run(p, ctx, spec, &form, out, err);
    /* who may not ask learns nothing of what was made with the token */
    if (rc == GN_E_AUTH && spec->again)
        rc = in_doubt(rc, err);
    gn_buf_wipe(&form);
    return rc;
}
