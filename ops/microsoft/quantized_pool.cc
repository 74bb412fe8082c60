#include "ops/quantized_pool.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

bool IsMax(const OpSchema& op) { return std::string_view(op.name) == "NhwcMaxPool"; }
bool IsGlobal(const OpSchema& op) { return std::string_view(op.name) == "QLinearGlobalAveragePool"; }

Status ReadChannelsLast(const OpSchema* op, const Attributes& attrs, bool* last) {
  *last = true;
  return op != nullptr && IsMax(*op) ? Status() : ReadFlag(attrs, "channels_last", false, last);
}

// The dimension of x that is number `i` of N, C, spatial...
size_t Position(size_t i, size_t rank, bool channels_last) {
  return !channels_last || i == 0 ? i : i == 1 ? rank - 1 : i - 1;
}

Status InferPool(InferContext& ctx, bool max, bool global) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3, 2 + kMaxSpatial));
  bool last = max;
  if (!max) MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "channels_last", false, &last));
  const std::vector<Dim>& x = ctx.src[0]->dims;
  std::vector<Dim>& y = ctx.dst[0].dims;
  y = x;
  WindowAttributes window;
  if (!global)
    MOKA_RETURN_IF_ERROR(WindowAttributes::Read(*ctx.attrs, static_cast<int>(x.size()) - 2, nullptr, &window));
  for (size_t i = 2; i < x.size(); ++i) {
    const size_t at = Position(i, x.size(), last);
    y[at] = Dim(1);
    if (global) continue;
    if (window.window.pads_begin[i - 2] >= window.window.Span(static_cast<int>(i - 2)) ||
        window.window.pads_end[i - 2] >= window.window.Span(static_cast<int>(i - 2))) {
      return InvalidModel("attribute 'pads' along spatial dimension ", i - 2, " is not smaller than the window");
    }
    MOKA_ASSIGN_OR_RETURN(y[at], window.OutputDim(x[at], static_cast<int>(i - 2)));
  }
  if (max) {
    ctx.dst[0].type = ctx.src[0]->type;
    return Status();
  }
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, 1, 0));
  return InferQuantizedType(ctx, 3);
}

Status InferNhwcMaxPool(InferContext& ctx) { return InferPool(ctx, true, false); }
Status InferAveragePool(InferContext& ctx) { return InferPool(ctx, false, false); }
Status InferGlobalAveragePool(InferContext& ctx) { return InferPool(ctx, false, true); }

// Calls inside(position in x) for the taps of result `o` that lie inside; returns how many an average counts.
template <class F>
int64_t ForEachTap(const QuantizedPool& pool, const Index& o, F&& inside) {
  const PoolParams& p = pool.params;
  TensorDesc taps;
  taps.rank = p.rank;
  std::copy_n(p.kernel.begin(), p.rank, taps.dims.begin());
  int64_t counted = 0;
  ForEachIndex(taps, [&](const Index& tap) {
    bool in = true, counts = p.count_include_pad;
    int64_t at = 0;
    for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) {
      const int64_t position = o[i + 2] * p.strides[i] - p.pads_begin[i] + tap[i] * p.dilations[i];
      in = in && position >= 0 && position < pool.x.dims[i + 2];
      counts = counts && position < pool.x.dims[i + 2] + p.pads_end[i];
      at += position * pool.x.strides[i + 2];
    }
    counted += in || counts ? 1 : 0;
    if (in) inside(at);
  });
  return counted;
}

Status PoolReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const QuantizedPool pool, QuantizedPool::From(call));
  const QuantRange range = QuantRangeOf(pool.y.type);
  const auto x_zero = ScalarSource<int64_t>(reference, 2), y_zero = ScalarSource<int64_t>(reference, 4);
  const auto x_scale = ScalarSource<float>(reference, 1), y_scale = ScalarSource<float>(reference, 3);
  ForEachIndex(pool.y, [&](const Index& o) {
    const int64_t base = o[0] * pool.x.strides[0] + o[1] * pool.x.strides[1];
    int64_t sum = 0, best = range.lo;
    const int64_t counted = ForEachTap(pool, o, [&](int64_t at) {
      const int64_t value = Load<int64_t>(pool.x, reference.src[0], base + at);
      best = std::max(best, value);
      sum += value - x_zero;
    });
    if (!pool.params.max) {
      const float scaled = static_cast<float>(sum) * PoolScale(x_scale, y_scale, std::max<int64_t>(counted, 1));
      best = QuantizeScaled(scaled, y_zero, range);
    }
    Store<int64_t>(pool.y, reference.dst[0], OffsetOf(pool.y, o), best);
  });
  return Status();
}

Cost PoolCost(const OpCall& call) {
  const Result<QuantizedPool> pool = QuantizedPool::From(call);
  return {(pool.ok() ? static_cast<double>(pool->params.Points()) : 1) *
          static_cast<double>(call.dst[0].NumElements())};
}

constexpr OpSchema Schema(const char* name, int min_src, int max_src, LayoutRule layout,
                          Status (*infer)(InferContext&)) {
  return {
      .domain = "com.microsoft",
      .name = name,
      .min_src = min_src,
      .max_src = max_src,
      .min_dst = 1,
      .max_dst = 1,
      .layout = layout,
      .infer = infer,
#ifdef MOKA_REFERENCE
      .reference = PoolReference,
      .oracle = PoolReference,
#endif
      .cost = PoolCost,
  };
}

}  // namespace

Result<QuantizedPool> QuantizedPool::From(const OpCall& call) {
  QuantizedPool pool;
  bool last = false;
  MOKA_RETURN_IF_ERROR(ReadChannelsLast(call.op, *call.attrs, &last));
  pool.x = call.src[0];
  pool.y = call.dst[0];
  const size_t rank = static_cast<size_t>(pool.x.rank);
  for (size_t i = 0; i < rank; ++i) {
    const size_t at = Position(i, rank, last);
    pool.x.dims[i] = call.src[0].dims[at];
    pool.x.strides[i] = call.src[0].strides[at];
    pool.y.dims[i] = call.dst[0].dims[at];
    pool.y.strides[i] = call.dst[0].strides[at];
  }
  PoolParams& p = pool.params;
  p.max = IsMax(*call.op);
  p.global = IsGlobal(*call.op);
  if (p.global) {
    p.rank = pool.x.rank - 2;
    std::copy_n(pool.x.dims.begin() + 2, p.rank, p.kernel.begin());
    return pool;
  }
  WindowAttributes attributes;
  MOKA_RETURN_IF_ERROR(WindowAttributes::Read(*call.attrs, pool.x.rank - 2, nullptr, &attributes));
  MOKA_RETURN_IF_ERROR(attributes.Resolve(pool.x.dims.data() + 2, &p));
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "count_include_pad", false, &p.count_include_pad));
  return pool;
}

const OpSchema* MicrosoftNhwcMaxPoolSchema() {
  static constexpr OpSchema kSchema = Schema("NhwcMaxPool", 1, 1, LayoutRule::kRowMajor, InferNhwcMaxPool);
  return &kSchema;
}
const OpSchema* MicrosoftQLinearAveragePoolSchema() {
  static constexpr OpSchema kSchema = Schema("QLinearAveragePool", 4, 5, LayoutRule::kStrided, InferAveragePool);
  return &kSchema;
}
const OpSchema* MicrosoftQLinearGlobalAveragePoolSchema() {
  static constexpr OpSchema kSchema =
      Schema("QLinearGlobalAveragePool", 4, 5, LayoutRule::kStrided, InferGlobalAveragePool);
  return &kSchema;
}

}  // namespace moka
