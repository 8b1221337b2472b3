/* policy.c - what the user said about choosing. */
#include <string.h>

#include "gnrrun/choose.h"

static const char *const kind_of[] = {
    [GN_RUNG_LOCAL_CPU] = "local",   [GN_RUNG_LOCAL_GPU] = "local", [GN_RUNG_SHARED_CPU] = "campus",
    [GN_RUNG_SHARED_GPU] = "campus", [GN_RUNG_QUEUE] = "campus",    [GN_RUNG_COLAB] = "free",
    [GN_RUNG_PAID] = "paid"};

static int rank_of(const struct gn_strs *prefer, const char *kind)
{
    for (size_t i = 0; i < prefer->n; i++) {
        if (strcmp(prefer->v[i], kind) == 0)
            return (int)i;
    }
    return prefer->n ? -1 : 0;
}

void gn_choose_policy_of(const struct gn_config *c, int64_t asked_microusd, int gpus,
                         struct gn_choose_policy *out)
{
    const struct gn_choose_keys *project = &c->choose, *user = &c->users_choose;
    const struct gn_strs *prefer = project->prefer.n ? &project->prefer : &user->prefer;
    int64_t within =
        project->local_if_within_s ? project->local_if_within_s : user->local_if_within_s;

    *out = (struct gn_choose_policy){
        .gpus = gpus, .local_if_within_s = (double)within, .max_cost_microusd = -1};
    if (user->has_max_cost)
        out->max_cost_microusd = user->max_cost_microusd;
    if (project->has_max_cost && project->max_cost_microusd < out->max_cost_microusd)
        out->max_cost_microusd = project->max_cost_microusd;
    if (asked_microusd >= 0)
        out->max_cost_microusd = asked_microusd;
    for (size_t i = 0; i < sizeof kind_of / sizeof *kind_of; i++)
        out->rank[i] = rank_of(prefer, kind_of[i]);
}
