/* gcebody.c - what is asked for: an instance as Compute Engine's own client describes it. */
#include "gcebody.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define IMAGE_GPU                                                                                  \
    "projects/deeplearning-platform-release/global/images/family/"                                 \
    "common-cu129-ubuntu-2204-nvidia-580"
#define IMAGE_CPU "projects/ubuntu-os-cloud/global/images/family/ubuntu-2204-lts"
#define DISK_GB   100

/* A label's value: small letters, digits, - and _. */
static void set_label(struct gn_json *labels, const char *key, const char *value)
{
    char text[64];
    size_t n = 0;

    for (; *value && n < sizeof text - 1; value++)
        text[n++] = isalnum((unsigned char)*value) ? (char)tolower((unsigned char)*value) : '-';
    text[n] = '\0';
    gn_json_set_str(labels, key, text);
}

static struct gn_json *item(const char *key, const char *value)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_str(o, "key", key);
    gn_json_set_str(o, "value", value);
    return o;
}

static struct gn_json *list_of(struct gn_json *only)
{
    struct gn_json *a = gn_json_array();

    gn_json_append(a, only);
    return a;
}

static void set_text(struct gn_json *o, const char *key, char *taken)
{
    gn_json_set_str(o, key, taken);
    free(taken);
}

static struct gn_json *disks(const struct gn_lease_spec *spec, const char *image)
{
    struct gn_json *disk = gn_json_object(), *params = gn_json_object();

    if (!image)
        image = spec->offer.gpus || *spec->offer.gpu ? IMAGE_GPU : IMAGE_CPU;
    set_text(params, "diskSizeGb", gn_printf("%d", spec->disk_gb ? spec->disk_gb : DISK_GB));
    gn_json_set_str(params, "sourceImage", image);
    gn_json_set_bool(disk, "boot", true);
    gn_json_set_bool(disk, "autoDelete", true);
    gn_json_set_str(disk, "mode", "READ_WRITE");
    gn_json_set_str(disk, "type", "PERSISTENT");
    gn_json_set(disk, "initializeParams", params);
    return list_of(disk);
}

static struct gn_json *networks(const char *network)
{
    struct gn_json *net = gn_json_object(), *access = gn_json_object();

    set_text(net, "network", gn_printf("global/networks/%s", network ? network : "default"));
    gn_json_set_str(access, "name", "external-nat");
    gn_json_set_str(access, "type", "ONE_TO_ONE_NAT");
    gn_json_set(net, "accessConfigs", list_of(access));
    return list_of(net);
}

static struct gn_json *scheduling(const struct gn_lease_spec *spec, int64_t left_s)
{
    struct gn_json *o = gn_json_object(), *span = gn_json_object();

    set_text(span, "seconds", gn_printf("%" PRId64, left_s > 60 ? left_s : 60));
    gn_json_set_str(o, "onHostMaintenance", "TERMINATE");
    gn_json_set_bool(o, "automaticRestart", false);
    gn_json_set_str(o, "provisioningModel", spec->offer.spot ? "SPOT" : "STANDARD");
    gn_json_set_str(o, "instanceTerminationAction", "DELETE");
    gn_json_set(o, "maxRunDuration", span);
    return o;
}

struct gn_json *gn_gce_body(const struct gn_lease_spec *spec, const char *image,
                            const char *network, int64_t left_s)
{
    struct gn_json *o = gn_json_object(), *labels = gn_json_object();
    struct gn_json *metadata = gn_json_object(), *items = gn_json_array();

    set_label(labels, "gnrrun-run", spec->run);
    set_label(labels, "gnrrun-owner", spec->owner);
    gn_json_append(items, item("user-data", spec->user_data));
    gn_json_append(items, item("enable-oslogin", "FALSE"));
    gn_json_set(metadata, "items", items);
    gn_json_set_str(o, "name", spec->name);
    set_text(o, "machineType",
             gn_printf("zones/%s/machineTypes/%s", spec->offer.zone, spec->offer.machine));
    gn_json_set(o, "labels", labels);
    gn_json_set_bool(o, "canIpForward", false);
    gn_json_set_bool(o, "deletionProtection", false);
    gn_json_set(o, "disks", disks(spec, image));
    gn_json_set(o, "networkInterfaces", networks(network));
    gn_json_set(o, "metadata", metadata);
    gn_json_set(o, "scheduling", scheduling(spec, left_s));
    return o;
}
