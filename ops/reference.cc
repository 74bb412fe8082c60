#include "ops/reference.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ops/element.h"

namespace moka {
namespace {

// Element k of the returned descs belongs to source k of the program, broadcast to dst[0]; element num_sources is
// dst[0] itself.
Result<std::array<TensorDesc, kMicroMaxSources + 1>> ProgramOperands(const OpCall& call) {
  const TensorDesc& dst = call.dst[0];
  const MicroProgram& program = *call.program;
  std::array<TensorDesc, kMicroMaxSources + 1> operands;
  operands.fill(dst);
  if (call.src.size() < static_cast<size_t>(call.program_begin + program.num_sources)) {
    return Internal("the program of node '", call.name, "' reads more sources than the node has");
  }
  for (int k = 0; k < program.num_sources; ++k) {
    const TensorDesc& src = call.src[static_cast<size_t>(call.program_begin + k)];
    if (src.type != DataType::kF32 || !BroadcastView(src, dst.shape(), &operands[static_cast<size_t>(k + 1)])) {
      return InvalidArgument("node '", call.name, "': ", ToString(src), " does not broadcast to ", ToString(dst));
    }
  }
  return operands;
}

}  // namespace

Status ApplyProgram(const ReferenceCall& reference, bool has_result) {
  const OpCall& call = reference.call;
  if (call.dst[0].type != DataType::kF32) return Unsupported("a micro-program on ", NameOf(call.dst[0].type));
  MOKA_ASSIGN_OR_RETURN(const auto operands, ProgramOperands(call));
  const MicroProgram& program = *call.program;
  ForEachOffset(operands, [&](const std::array<int64_t, kMicroMaxSources + 1>& at) {
    double sources[kMicroMaxSources] = {};
    for (int k = 0; k < program.num_sources; ++k) {
      const auto i = static_cast<size_t>(k);
      sources[k] = LoadRaw<float>(reference.src[static_cast<size_t>(call.program_begin) + i], at[i + 1]);
    }
    const double r0 = has_result ? LoadRaw<float>(reference.dst[0], at[0]) : 0;
    StoreRaw(reference.dst[0], at[0], static_cast<float>(MicroRun(program, r0, sources)));
  });
  return Status();
}

Status RunReference(const ReferenceCall& reference, bool oracle) {
  const OpCall& call = reference.call;
  auto* const run = oracle ? call.op->oracle : call.op->reference;
  if (run == nullptr) return Unsupported("operator ", call.op->name, " has no reference in this build");
  // Dimensions beside one of 0 may be of any size: nothing may count or allocate along them.
  if (std::all_of(call.dst.begin(), call.dst.end(), [](const TensorDesc& dst) { return dst.NumElements() == 0; })) {
    return Status();
  }
  const bool stands_alone = call.program_begin == 0 && std::string_view(call.op->domain) == "moka";
  if (call.program == nullptr || stands_alone) return run(reference);
  ReferenceCall bare = reference;
  const auto own = static_cast<size_t>(call.program_begin);
  bare.call.program = nullptr;
  bare.call.program_begin = 0;
  bare.call.src = call.src.first(own);
  bare.call.constants = call.constants.first(std::min(own, call.constants.size()));
  bare.src = reference.src.first(own);
  MOKA_RETURN_IF_ERROR(run(bare));
  return ApplyProgram(reference, /*has_result=*/true);
}

}  // namespace moka
