/* judge.h - one place by itself: what is said of it before places are compared. */
#ifndef GNRRUN_JUDGE_H
#define GNRRUN_JUDGE_H

#include "gnrrun/choose.h"

void gn_judge(const struct gn_workload *w, const struct gn_choose_policy *policy,
              const struct gn_place *p, struct gn_judgement *out);

#endif
