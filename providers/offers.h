/*
 * offers.h - which of many machine types would do.
 */
#ifndef GN_PROVIDERS_OFFERS_H
#define GN_PROVIDERS_OFFERS_H

#include "gnrrun/provider.h"

/*
 * Can the run that needs this (NULL: anything) go on it?  machine: the one type that the target names, which
 * then is all that counts; or NULL.  A GPU that nobody asked for is not paid for.
 */
bool gn_offer_fits(const struct gn_offer *o, const char *machine, const struct gn_needs *needs);

/* Those from number `from` on, cheapest first; what nobody knows the price of comes last. */
void gn_offers_sort(struct gn_offers *all, size_t from);

#endif
