#include "cpu/simd.h"

#include "cpu/targets.h"
// After targets.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/simd.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "cpu/bf16_tile.h"
#include "cpu/byte_tile.h"
#include "cpu/byte_vector.h"
#include "cpu/depthwise.h"
#include "cpu/dot_tile.h"
#include "cpu/lanes.h"
#include "cpu/recurrent.h"
#include "cpu/row.h"
#include "cpu/sample.h"
#include "cpu/simd-inl.h"
#include "cpu/tile.h"
#include "cpu/vector.h"
#include "cpu/winograd.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
const char* GetTargetName() { return MOKA_SIMD ? hwy::TargetName(HWY_TARGET) : nullptr; }
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <mutex>

#include "cpu/device.h"

namespace moka::cpu {
HWY_EXPORT(GetTargetName);

namespace {

#if HWY_TARGETS == HWY_STATIC_TARGET
Simd TablesOf(int64_t) { return ChosenSimd(); }
int64_t Supported() { return HWY_STATIC_TARGET; }
#else
// Highway dispatches through one table index for the whole process; it is narrowed here for a moment.
Simd TablesOf(int64_t target) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  const Simd simd = ChosenSimd();
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return simd;
}
int64_t Supported() { return hwy::SupportedTargets() & HWY_TARGETS; }
#endif

}  // namespace

Simd ChosenSimd() {
  Simd simd;
  simd.target = HWY_DYNAMIC_DISPATCH(GetTargetName)();
  simd.tile = ChosenTileTable();
  simd.dots = ChosenDotTable();
  simd.depthwise = ChosenDepthwiseTable();
  simd.recurrent = ChosenRecurrentTable();
  simd.vector = ChosenVectorTable();
  simd.lanes = ChosenLaneTable();
  simd.sample = ChosenSampleTable();
  simd.row = ChosenRowTable();
  simd.bytes = ChosenByteTable();
  simd.byte_vector = ChosenByteVectorTable();
  simd.winograd = ChosenWinogradTable();
  simd.bf16 = ChosenBf16Table();
  simd.run_micro = ChosenRunMicro();
  simd.multiply_adds = ChosenMultiplyAdds();
  return simd;
}

Simd SimdForTarget(std::string_view target) {
  if (const size_t slash = target.find('/'); slash != target.npos) {
    const std::string_view variant = target.substr(slash);
    Simd simd = SimdForTarget(target.substr(0, slash));
    if (simd.target == nullptr) return {};
    if (variant == "/halves" && simd.tile->variant != nullptr) {
      simd.tile = simd.tile->variant(true);
    } else if (variant == "/plain") {
      if (simd.bytes->plain != nullptr) simd.bytes = simd.bytes->plain();
      if (simd.bf16->plain != nullptr) simd.bf16 = simd.bf16->plain();
      if (simd.tile->variant != nullptr) simd.tile = simd.tile->variant(false);
    } else {
      return {};
    }
    return simd;
  }
  for (int64_t targets = Supported(); targets != 0; targets &= targets - 1) {
    const int64_t one = targets & -targets;
    if (target == hwy::TargetName(one)) return TablesOf(one);
  }
  return {};
}

std::vector<std::string> SimdTargets() {
  std::vector<std::string> names;
  for (int64_t targets = Supported(); targets != 0; targets &= targets - 1) {
    const Simd simd = TablesOf(targets & -targets);
    if (simd.target != nullptr) names.push_back(simd.target);
  }
  return names;
}

}  // namespace moka::cpu
#endif
