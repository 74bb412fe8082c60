// A plan in the words of moka/inspect.h.
#ifndef MOKA_GRAPH_PLAN_INFO_H_
#define MOKA_GRAPH_PLAN_INFO_H_

#include <vector>

#include "graph/prepared_plan.h"
#include "moka/inspect.h"

namespace moka {

// samples: microseconds of profiled runs, per step; or empty.
PlanInfo MakePlanInfo(const PreparedPlan& prepared, const std::vector<std::vector<double>>& samples);

}  // namespace moka

#endif  // MOKA_GRAPH_PLAN_INFO_H_
