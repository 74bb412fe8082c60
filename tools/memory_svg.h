// The memory plan as a drawing: time (steps) to the right, addresses upwards, one box a value.
#ifndef MOKA_TOOLS_MEMORY_SVG_H_
#define MOKA_TOOLS_MEMORY_SVG_H_

#include <string>

#include "moka/inspect.h"

namespace moka::tools {

std::string MemorySvg(const PlanInfo& plan, const std::string& title);

}  // namespace moka::tools

#endif  // MOKA_TOOLS_MEMORY_SVG_H_
