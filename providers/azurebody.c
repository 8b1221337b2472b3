#include "azurebody.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_GPU "microsoft-dsvm:ubuntu-hpc:2204:latest"
#define IMAGE_CPU "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:latest"
#define DISK_GB   100

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

/* {location, properties} */
static struct gn_json *resource(const char *location, struct gn_json *properties)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_str(o, "location", location);
    if (properties)
        gn_json_set(o, "properties", properties);
    return o;
}

/* {name, properties} */
static struct gn_json *part(const char *name, struct gn_json *properties)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_str(o, "name", name);
    gn_json_set(o, "properties", properties);
    return o;
}

static struct gn_json *id_of(char *taken)
{
    struct gn_json *o = gn_json_object();

    set_text(o, "id", taken);
    return o;
}

struct gn_json *gn_azure_group(const struct gn_lease_spec *spec, const char *location,
                               int64_t now_s)
{
    struct gn_json *o = resource(location, NULL), *tags = gn_json_object();

    gn_json_set_str(tags, "gnrrun-run", spec->run);
    gn_json_set_str(tags, "gnrrun-owner", spec->owner);
    gn_json_set_str(tags, "gnrrun-machine", spec->offer.machine);
    set_text(tags, "gnrrun-made", gn_printf("%" PRId64, now_s));
    set_text(tags, "gnrrun-deadline", gn_printf("%" PRId64, spec->deadline_s));
    gn_json_set(o, "tags", tags);
    return o;
}

struct gn_json *gn_azure_firewall(const char *location)
{
    struct gn_json *rule = gn_json_object(), *all = gn_json_object();

    gn_json_set_int(rule, "priority", 1000);
    gn_json_set_str(rule, "protocol", "Tcp");
    gn_json_set_str(rule, "access", "Allow");
    gn_json_set_str(rule, "direction", "Inbound");
    gn_json_set_str(rule, "sourceAddressPrefix", "*");
    gn_json_set_str(rule, "sourcePortRange", "*");
    gn_json_set_str(rule, "destinationAddressPrefix", "*");
    gn_json_set_str(rule, "destinationPortRange", "22");
    gn_json_set(all, "securityRules", list_of(part("ssh", rule)));
    return resource(location, all);
}

struct gn_json *gn_azure_network(const char *location)
{
    struct gn_json *all = gn_json_object(), *space = gn_json_object(), *subnet = gn_json_object();

    gn_json_set(space, "addressPrefixes", list_of(gn_json_string("10.0.0.0/16")));
    gn_json_set_str(subnet, "addressPrefix", "10.0.0.0/24");
    gn_json_set(all, "addressSpace", space);
    gn_json_set(all, "subnets", list_of(part("default", subnet)));
    return resource(location, all);
}

/* "publisher:offer:sku:version" */
static struct gn_json *image_of(const char *text)
{
    static const char *const keys[] = {"publisher", "offer", "sku", "version"};
    struct gn_json *o = gn_json_object();

    for (size_t i = 0; i < 4; i++) {
        size_t n = strcspn(text, ":");

        set_text(o, keys[i], *text ? gn_strndup(text, n) : gn_strdup("latest"));
        text += n + (text[n] == ':');
    }
    return o;
}

static struct gn_json *storage(const struct gn_lease_spec *spec, const char *image)
{
    struct gn_json *o = gn_json_object(), *disk = gn_json_object(), *managed = gn_json_object();

    if (!image)
        image = spec->offer.gpus || *spec->offer.gpu ? IMAGE_GPU : IMAGE_CPU;
    gn_json_set_str(managed, "storageAccountType", "StandardSSD_LRS");
    gn_json_set_str(disk, "createOption", "FromImage");
    gn_json_set_int(disk, "diskSizeGB", spec->disk_gb ? spec->disk_gb : DISK_GB);
    gn_json_set(disk, "managedDisk", managed);
    gn_json_set_str(disk, "deleteOption", "Delete");
    gn_json_set(o, "imageReference", image_of(image));
    gn_json_set(o, "osDisk", disk);
    return o;
}

static struct gn_json *os_profile(const struct gn_lease_spec *spec)
{
    struct gn_json *o = gn_json_object(), *linux_ = gn_json_object(), *ssh = gn_json_object();
    struct gn_json *key = gn_json_object();
    struct gn_buf data = GN_BUF_INIT((size_t)128 << 10);

    gn_buf_addb64(&data, spec->user_data, strlen(spec->user_data), false);
    gn_json_set_str(o, "computerName", spec->name);
    gn_json_set_str(o, "adminUsername", spec->user);
    gn_json_set_str(o, "customData", data.ptr);
    gn_buf_wipe(&data);
    set_text(key, "path", gn_printf("/home/%s/.ssh/authorized_keys", spec->user));
    gn_json_set_str(key, "keyData", spec->login_key);
    gn_json_set(ssh, "publicKeys", list_of(key));
    gn_json_set_bool(linux_, "disablePasswordAuthentication", true);
    gn_json_set(linux_, "ssh", ssh);
    gn_json_set(o, "linuxConfiguration", linux_);
    return o;
}

static struct gn_json *address(void)
{
    struct gn_json *o = gn_json_object(), *sku = gn_json_object(), *all = gn_json_object();

    gn_json_set_str(sku, "name", "Standard");
    gn_json_set_str(all, "deleteOption", "Delete");
    gn_json_set_str(all, "publicIPAllocationMethod", "Static");
    gn_json_set_str(o, "name", "pip");
    gn_json_set(o, "sku", sku);
    gn_json_set(o, "properties", all);
    return o;
}

static struct gn_json *network_profile(const char *group)
{
    struct gn_json *o = gn_json_object(), *nic = gn_json_object(), *ip = gn_json_object();
    const char *net = "providers/Microsoft.Network";

    gn_json_set_bool(ip, "primary", true);
    gn_json_set(ip, "subnet",
                id_of(gn_printf("%s/%s/virtualNetworks/vnet/subnets/default", group, net)));
    gn_json_set(ip, "publicIPAddressConfiguration", address());
    gn_json_set_bool(nic, "primary", true);
    gn_json_set_str(nic, "deleteOption", "Delete");
    gn_json_set(nic, "networkSecurityGroup",
                id_of(gn_printf("%s/%s/networkSecurityGroups/nsg", group, net)));
    gn_json_set(nic, "ipConfigurations", list_of(part("ip", ip)));
    gn_json_set_str(o, "networkApiVersion", "2022-11-01");
    gn_json_set(o, "networkInterfaceConfigurations", list_of(part("nic", nic)));
    return o;
}

struct gn_json *gn_azure_machine(const struct gn_lease_spec *spec, const char *location,
                                 const char *group, const char *image)
{
    struct gn_json *all = gn_json_object(), *hardware = gn_json_object();

    gn_json_set_str(hardware, "vmSize", spec->offer.machine);
    gn_json_set(all, "hardwareProfile", hardware);
    gn_json_set(all, "storageProfile", storage(spec, image));
    gn_json_set(all, "osProfile", os_profile(spec));
    gn_json_set(all, "networkProfile", network_profile(group));
    if (spec->offer.spot) {
        struct gn_json *bill = gn_json_object();

        gn_json_set_int(bill, "maxPrice", -1);
        gn_json_set_str(all, "priority", "Spot");
        gn_json_set_str(all, "evictionPolicy", "Delete");
        gn_json_set(all, "billingProfile", bill);
    }
    return resource(location, all);
}
