/*
 * azurebody.h - what is put into a resource group.  All are the caller's.
 */
#ifndef GN_PROVIDERS_AZUREBODY_H
#define GN_PROVIDERS_AZUREBODY_H

#include "gnrrun/json.h"
#include "gnrrun/provider.h"

struct gn_json *gn_azure_group(const struct gn_lease_spec *spec, const char *location,
                               int64_t now_s);
/* Only SSH comes in. */
struct gn_json *gn_azure_firewall(const char *location);
struct gn_json *gn_azure_network(const char *location);
/* group: its path from /subscriptions on; image: "publisher:offer:sku:version", or NULL. */
struct gn_json *gn_azure_machine(const struct gn_lease_spec *spec, const char *location,
                                 const char *group, const char *image);

#endif
