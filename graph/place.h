// Gives the values of a scheduled draft their lives and addresses.
#ifndef MOKA_GRAPH_PLACE_H_
#define MOKA_GRAPH_PLACE_H_

#include <span>

#include "graph/schedule.h"

namespace moka {

// Decides which results overwrite a source in place, lays out the arenas, and fills in operands.
void PlaceValues(Draft& draft, const Schedule& schedule, std::span<Device* const> devices);

}  // namespace moka

#endif  // MOKA_GRAPH_PLACE_H_
