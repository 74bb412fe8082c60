// The rate of multiply-adds that the cores reach when nothing but registers is involved.
#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/peak.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "base/platform.h"
#include "cpu/peak.h"
#include "cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

// Independent sums, more than latency times throughput asks for. They converge, so no value becomes denormal or large.
double MultiplyAdds(int64_t rounds, float* out) {
  const D d;
  constexpr int kSums = 12;
  const V factor = hn::Set(d, out[0]), term = hn::Set(d, out[1]);
  V acc[kSums];
  MOKA_UNROLL for (int i = 0; i < kSums; ++i) acc[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round) {
    MOKA_UNROLL for (int i = 0; i < kSums; ++i) acc[i] = hn::MulAdd(acc[i], factor, term);
  }
  V sum = acc[0];
  MOKA_UNROLL for (int i = 1; i < kSums; ++i) sum = hn::Add(sum, acc[i]);
  hn::StoreU(sum, d, out);
  return 2.0 * kSums * kLanes * static_cast<double>(rounds);
}

MultiplyAddsFn GetMultiplyAdds() { return &MultiplyAdds; }
#else
MultiplyAddsFn GetMultiplyAdds() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "cpu/device.h"

namespace moka::cpu {
HWY_EXPORT(GetMultiplyAdds);
MultiplyAddsFn ChosenMultiplyAdds() { return HWY_DYNAMIC_DISPATCH(GetMultiplyAdds)(); }

double MeasurePeak(const Simd& simd, Queue& queue) {
  if (simd.multiply_adds == nullptr) return 0;
  constexpr int64_t kRounds = 200000;
  struct Context {
    MultiplyAddsFn run;
    std::atomic<int64_t> flops{0};

    static void Task(void* context, int64_t, int) {
      auto* self = static_cast<Context*>(context);
      float values[kMaxPeakLanes] = {0.5f, 1.0f};
      self->flops.fetch_add(static_cast<int64_t>(self->run(kRounds, values)));
    }
  };
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    Context context;
    context.run = simd.multiply_adds;
    const double start = NowMicroseconds();
    ExecutorOf(queue).Run(queue.workers(), &Context::Task, &context);
    best = std::max(best, static_cast<double>(context.flops.load()) / (NowMicroseconds() - start) * 1e-3);
  }
  return best;
}

}  // namespace moka::cpu
#endif
