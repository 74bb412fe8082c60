// What the rows of a result need of its sources, for running a step in a chain (ops/chain.h).
#ifndef MOKA_CPU_ROW_MAPS_H_
#define MOKA_CPU_ROW_MAPS_H_

#include <vector>

#include "cpu/micro.h"
#include "ops/chain.h"
#include "ops/conv.h"

namespace moka::cpu {

// Per source of a convolution with an epilogue. Empty where its images have other than two dimensions, or where a
// source of the epilogue does not go row by row with the result.
std::vector<RowMap> ConvRowMaps(const OpCall& call, const ConvParams& params, const MicroLaunch& epilogue);
// Per source of a program alone, likewise.
std::vector<RowMap> ProgramRowMaps(const OpCall& call, const MicroLaunch& program);

}  // namespace moka::cpu

#endif  // MOKA_CPU_ROW_MAPS_H_
