// Proves a plan safe to run, from its steps and addresses alone. Shares no code with the planner.
#ifndef MOKA_GRAPH_VERIFIER_H_
#define MOKA_GRAPH_VERIFIER_H_

#include <cstdint>
#include <span>

#include "graph/plan.h"

namespace moka {

// Replays the plan's reads and writes over a map of who owns which bytes, and checks that
// - every read finds all bytes as the value's writer left them: written, and not overwritten since;
// - steps that may run at the same time (no barrier between them) touch no common byte that one of them writes;
// - parts of one value are disjoint and complete, views lie within what they show;
// - operands are aligned, within their slots, within max_binding, on their step's device;
// - every output is written, and weights + arenas stay within memory_limit (0: none).
// Returns kInternal naming the step and the value: a refused plan is a defect of the planner.
Status VerifyPlan(const Plan& plan, std::span<const Limits> limits, uint64_t memory_limit);

}  // namespace moka

#endif  // MOKA_GRAPH_VERIFIER_H_
