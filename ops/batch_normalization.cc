#include "ops/batch_normalization.h"

#include <cmath>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferBatchNorm(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  MOKA_ASSIGN_OR_RETURN(const BatchNormParams params, BatchNormParams::From(*ctx.attrs));
  if (ctx.dst.size() > 1 && !params.training) {
    return InvalidModel("dst 1: running statistics exist only with training_mode = 1");
  }
  const SymbolicTensor& x = *ctx.src[0];
  static constexpr const char* kNames[] = {"", "scale", "B", "input_mean", "input_var"};
  for (size_t i = 1; i < 5; ++i) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kFloatTypes));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 1, 1));
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[i]->dims[0], x.dims[1], StrCat("elements of src ", i, " (", kNames[i], ")")));
  }
  for (size_t i = 1; i < ctx.dst.size(); ++i) {
    ctx.dst[i].type = ctx.src[i + 2]->type;
    ctx.dst[i].dims = ctx.src[i + 2]->dims;
  }
  return InferSameAsSource(ctx);
}

// Mean and variance (of the population) of each channel of X, or the inputs.
struct Statistics {
  std::vector<double> mean, variance;
};
Statistics StatisticsOf(const ReferenceCall& reference, bool training) {
  const OpCall& call = reference.call;
  const TensorDesc& x = call.src[0];
  const auto channels = static_cast<size_t>(x.dims[1]);
  Statistics result{std::vector<double>(channels), std::vector<double>(channels)};
  if (!training) {
    for (size_t c = 0; c < channels; ++c) {
      const auto at = static_cast<int64_t>(c);
      result.mean[c] = Load<double>(call.src[3], reference.src[3], at * call.src[3].strides[0]);
      result.variance[c] = Load<double>(call.src[4], reference.src[4], at * call.src[4].strides[0]);
    }
    return result;
  }
  if (x.NumElements() == 0) return result;
  const double count = static_cast<double>(x.NumElements() / x.dims[1]);
  ForEachIndex(x, [&](const Index& at) {
    result.mean[static_cast<size_t>(at[1])] += Load<double>(x, reference.src[0], OffsetOf(x, at)) / count;
  });
  ForEachIndex(x, [&](const Index& at) {
    const auto c = static_cast<size_t>(at[1]);
    const double distance = Load<double>(x, reference.src[0], OffsetOf(x, at)) - result.mean[c];
    result.variance[c] += distance * distance / count;
  });
  return result;
}

void StoreRunning(const ReferenceCall& reference, size_t dst, const std::vector<double>& current, float momentum) {
  const OpCall& call = reference.call;
  if (dst >= call.dst.size() || !call.dst[dst].present()) return;
  const TensorDesc &before = call.src[dst + 2], &after = call.dst[dst];
  for (size_t c = 0; c < current.size(); ++c) {
    const auto at = static_cast<int64_t>(c);
    const double old = Load<double>(before, reference.src[dst + 2], at * before.strides[0]);
    const double value = old * static_cast<double>(momentum) + current[c] * (1 - static_cast<double>(momentum));
    Store<double>(after, reference.dst[dst], at * after.strides[0], value);
  }
}

template <class Float>
Status BatchNormReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const BatchNormParams params, BatchNormParams::From(*call.attrs));
  const Statistics statistics = StatisticsOf(reference, params.training);
  if (params.training) {
    StoreRunning(reference, 1, statistics.mean, params.momentum);
    StoreRunning(reference, 2, statistics.variance, params.momentum);
  }
  return WithAccumulator<Float>(call.src[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    const auto channel = [&](size_t i, int64_t c) {
      return Load<Acc>(call.src[i], reference.src[i], c * call.src[i].strides[0]);
    };
    const TensorDesc &x = call.src[0], &y = call.dst[0];
    ForEachIndex(x, [&](const Index& at) {
      const int64_t c = at[1];
      const double variance = statistics.variance[static_cast<size_t>(c)] + static_cast<double>(params.epsilon);
      const Acc mean = static_cast<Acc>(statistics.mean[static_cast<size_t>(c)]);
      const Acc scale = channel(1, c) / static_cast<Acc>(std::sqrt(variance));
      const Acc value = (Load<Acc>(x, reference.src[0], OffsetOf(x, at)) - mean) * scale + channel(2, c);
      Store<Acc>(y, reference.dst[0], OffsetOf(y, at), value);
    });
    return Status();
  });
}

Cost BatchNormCost(const OpCall& call) { return {2 * static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

Result<BatchNormParams> BatchNormParams::From(const Attributes& attrs) {
  BatchNormParams params;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "epsilon", 1e-5f, &params.epsilon));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "momentum", 0.9f, &params.momentum));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "training_mode", false, &params.training));
  return params;
}

const OpSchema* BatchNormalizationSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "BatchNormalization",
      .min_src = 5,
      .max_src = 5,
      .min_dst = 1,
      .max_dst = 3,
      .layout = LayoutRule::kSame,
      .infer = InferBatchNorm,
      MOKA_REFERENCES(BatchNormReference)  //
          .cost = BatchNormCost,
  };
  return &kSchema;
}

}  // namespace moka
