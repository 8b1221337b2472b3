#include <string.h>

#include "gnrrun/scheduler.h"

#define GN_SCHEDULER(name) extern const struct gn_scheduler gn_scheduler_##name;
#include "providers/scheduler/schedulers.def"
#undef GN_SCHEDULER

static const struct gn_scheduler *const table[] = {
#define GN_SCHEDULER(name) &gn_scheduler_##name,
#include "providers/scheduler/schedulers.def"
#undef GN_SCHEDULER
};

const struct gn_scheduler *gn_scheduler_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}
