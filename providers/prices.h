/*
 * prices.h - the table of machine types and of what they cost (prices.csv).
 *
 * A provider that can ask for today's price puts that in the place of the table's.
 */
#ifndef GN_PROVIDERS_PRICES_H
#define GN_PROVIDERS_PRICES_H

#include "gnrrun/provider.h"

/*
 * Append an offer for each machine type of the provider that needs can run on (all when needs is NULL),
 * or for `machine` alone when that is given, cheapest first.  region: where it shall be; a price of another
 * region is raised by a quarter and its date says so, for regions differ by less than that in most places
 * (recalled) and an estimate must not be too low.  A machine that the table does not know has no price.
 */
void gn_prices_offer(const char *provider, const char *machine, const char *region,
                     const struct gn_needs *needs, struct gn_offers *out);

#endif
