/*
 * ec2.h - what the files of the provider ec2 share.
 *
 * A machine carries its name in the tag gnrrun:name (and Name), so does its disk; by that it is found when the
 * answer that told its id was lost, and by `gnrrun sweep` in every region.
 */
#ifndef GN_PROVIDERS_EC2_H
#define GN_PROVIDERS_EC2_H

#include "aws.h"
#include "gnrrun/provider.h"

#define GN_EC2_TAG "gnrrun:name"

struct gn_ec2_image {
    char of[300]; /* region and word it was looked up for; "" none yet */
    char id[40], root[64];
    int gb;
};

struct gn_ec2 {
    struct gn_provider base;
    struct gn_aws aws;
    const char *region; /* where new machines are made */
    bool spot, private_address;
    char code[80]; /* of the last error, in their words */
    struct gn_ec2_image image;
    char group[80]; /* id of the security group in region, once it was found */
};

static inline struct gn_ec2 *gn_ec2_of(struct gn_provider *p)
{
    return (struct gn_ec2 *)(void *)p;
}

/* One call; form begins with gn_aws_form() of that action, and is cleared. */
GN_MUST int gn_ec2_call(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                        const char *action, struct gn_buf *form, bool safe, struct gn_xml **out,
                        struct gn_err *err);

/* Each element at path of all pages of the answer.  What fn says ends it. */
typedef int (*gn_ec2_fn)(const struct gn_xml *item, void *arg, struct gn_err *err);
GN_MUST int gn_ec2_pages(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                         const char *action, struct gn_buf *form, const char *path, gn_ec2_fn fn,
                         void *arg, struct gn_err *err);

/* A text of theirs into a field, cut and safe to print. */
void gn_ec2_text(const struct gn_xml *x, const char *path, char *to, size_t size);

/* The target's word, or NULL. */
const char *gn_ec2_setting(const struct gn_ec2 *p, const char *key);

/* Item n (from 0) of a list "a, b c": into out; false after the last. */
bool gn_ec2_word(const char *list, size_t n, char *out, size_t size);

bool gn_ec2_is_made_of(const char *s, const char *chars, size_t max);

/* --- ec2look.c --- */

/* Where a machine is: what its record says, else where new ones are made. */
const char *gn_ec2_region(const struct gn_ec2 *p, const struct gn_lease *l);

/* Appends the machines of that name, in whatever state; those that are gone come last. */
GN_MUST int gn_ec2_find(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                        const char *name, struct gn_leases *out, struct gn_err *err);

int gn_ec2_poll(struct gn_provider *base, const struct gn_ctx *ctx, struct gn_lease *lease,
                struct gn_err *err);
int gn_ec2_list(struct gn_provider *base, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err);

/* --- ec2offers.c --- */

int gn_ec2_offers(struct gn_provider *base, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err);

/* --- ec2image.c --- */

/* The image for a machine type: the target's, else one with drivers for its GPU, else plain Ubuntu. */
GN_MUST int gn_ec2_image(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                         const char *machine, const struct gn_ec2_image **out, struct gn_err *err);

/* --- ec2make.c --- */
int gn_ec2_create(struct gn_provider *base, const struct gn_ctx *ctx,
                  const struct gn_lease_spec *spec, struct gn_lease *out, struct gn_err *err);

/* RunInstances as a form; group and subnet "" where they do not count. */
void gn_ec2_request(const struct gn_ec2 *p, const struct gn_lease_spec *spec,
                    const struct gn_ec2_image *image, const char *group, const char *subnet,
                    struct gn_buf *form);

#endif
