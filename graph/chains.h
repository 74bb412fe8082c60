// Finds steps that run depth first (ops/chain.h), and lays out their strips and rings.
#ifndef MOKA_GRAPH_CHAINS_H_
#define MOKA_GRAPH_CHAINS_H_

#include <span>

#include "graph/schedule.h"

namespace moka {

// Of a scheduled draft without addresses. A chain's values between its steps become rings in the scratch of its first
// step, and its steps one group of the schedule. The choice depends on shapes, on Limits::chain_cache and on the number
// of workers, the elements on none of them.
void FormChains(Draft& draft, Schedule& schedule, std::span<Device* const> devices, std::span<const int> workers);

}  // namespace moka

#endif  // MOKA_GRAPH_CHAINS_H_
