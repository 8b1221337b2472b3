/*
 * gcebody.h - the body of instances.insert.
 */
#ifndef GN_PROVIDERS_GCEBODY_H
#define GN_PROVIDERS_GCEBODY_H

#include "gnrrun/json.h"
#include "gnrrun/provider.h"

/*
 * The caller's.  image, network: of the target, or NULL.  left_s: after that the provider deletes it
 * (30 s to 120 days).  No service account: no credential is ever on the machine.
 */
struct gn_json *gn_gce_body(const struct gn_lease_spec *spec, const char *image,
                            const char *network, int64_t left_s);

#endif
