#include "ops/pool.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

using Position = std::array<int64_t, kMaxSpatial>;

Status CheckImage(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3));
  if (ctx.src[0]->rank() > 2 + kMaxSpatial) {
    return Unsupported("src 0: ", ctx.src[0]->rank() - 2, " spatial dimensions, at most ", kMaxSpatial);
  }
  return Status();
}

Status InferWindow(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckImage(ctx));
  const SymbolicTensor& x = *ctx.src[0];
  WindowAttributes window;
  MOKA_RETURN_IF_ERROR(WindowAttributes::Read(*ctx.attrs, x.rank() - 2, nullptr, &window));
  for (size_t i = 0; i < static_cast<size_t>(window.window.rank); ++i) {
    const int64_t span = window.window.Span(static_cast<int>(i));
    if (window.window.pads_begin[i] >= span || window.window.pads_end[i] >= span) {
      return InvalidModel("attribute 'pads' along spatial dimension ", i, " is not smaller than the window's span of ",
                          span);
    }
  }
  SymbolicTensor& y = ctx.dst[0];
  y.type = x.type;
  y.dims = {x.dims[0], x.dims[1]};
  for (int i = 0; i < window.window.rank; ++i) {
    MOKA_ASSIGN_OR_RETURN(Dim dim, window.OutputDim(x.dims[static_cast<size_t>(i + 2)], i));
    y.dims.push_back(std::move(dim));
  }
  return Status();
}

Status InferMaxPool(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(
      ctx, 0, {DataType::kF32, DataType::kF64, DataType::kF16, DataType::kBF16, DataType::kI8, DataType::kU8}));
  int64_t order = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "storage_order", 0, &order));
  if (order != 0 && order != 1) return InvalidModel("attribute 'storage_order' is ", order, ", expected 0 or 1");
  MOKA_RETURN_IF_ERROR(InferWindow(ctx));
  if (ctx.dst.size() > 1) {
    ctx.dst[1].type = DataType::kI64;
    ctx.dst[1].dims = ctx.dst[0].dims;
  }
  return Status();
}

Status InferAveragePool(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  return InferWindow(ctx);
}

Status ReadPower(const Attributes& attrs, int64_t* power) {
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "p", 2, power));
  if (*power < 1) return InvalidModel("attribute 'p' is ", *power, ", expected at least 1");
  return Status();
}

Status InferLpPool(InferContext& ctx) {
  int64_t power = 0;
  MOKA_RETURN_IF_ERROR(ReadPower(*ctx.attrs, &power));
  return InferAveragePool(ctx);
}

Status InferGlobalPool(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckImage(ctx));
  const SymbolicTensor& x = *ctx.src[0];
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims.assign(x.dims.size(), Dim(1));
  std::copy_n(x.dims.begin(), 2, ctx.dst[0].dims.begin());
  return Status();
}

Status InferGlobalLpPool(InferContext& ctx) {
  int64_t power = 0;
  MOKA_RETURN_IF_ERROR(ReadPower(*ctx.attrs, &power));
  return InferGlobalPool(ctx);
}

// The part of one window that lies inside the input: along each dimension the first input and the number of taps.
struct Taps {
  Position first{}, count{1, 1, 1};
  int64_t divisor = 1;  // of an average
};

Taps TapsOf(const PoolParams& p, const Index& o, const Position& input) {
  Taps taps;
  for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) {
    const int64_t start = o[i + 2] * p.strides[i] - p.pads_begin[i];
    const int64_t dilation = p.dilations[i];
    const auto taps_before = [&](int64_t end) {
      return std::clamp<int64_t>((end - start + dilation - 1) / dilation, 0, p.kernel[i]);
    };
    const int64_t skipped = start < 0 ? taps_before(0) : 0;
    taps.first[i] = start + skipped * dilation;
    taps.count[i] = std::max<int64_t>(taps_before(std::max(input[i], start)) - skipped, 0);
    taps.divisor *= p.count_include_pad ? taps_before(std::max(input[i] + p.pads_end[i], start)) : taps.count[i];
  }
  return taps;
}

template <class F>
void ForEachTap(const PoolParams& p, const Taps& taps, F&& f) {
  for (int64_t k0 = 0; k0 < taps.count[0]; ++k0) {
    for (int64_t k1 = 0; k1 < taps.count[1]; ++k1) {
      for (int64_t k2 = 0; k2 < taps.count[2]; ++k2) {
        f(Position{taps.first[0] + k0 * p.dilations[0], taps.first[1] + k1 * p.dilations[1],
                   taps.first[2] + k2 * p.dilations[2]});
      }
    }
  }
}

struct PoolShape {
  Position input{1, 1, 1}, strides{};

  explicit PoolShape(const TensorDesc& x) {
    for (int i = 2; i < x.rank; ++i) {
      input[static_cast<size_t>(i - 2)] = x.dims[static_cast<size_t>(i)];
      strides[static_cast<size_t>(i - 2)] = x.strides[static_cast<size_t>(i)];
    }
  }
  int64_t Offset(const Position& at) const { return at[0] * strides[0] + at[1] * strides[1] + at[2] * strides[2]; }
  // Of the element in its channel, row-major or with the first dimension fastest.
  int64_t Number(const Position& at, bool column_major) const {
    return column_major ? (at[2] * input[1] + at[1]) * input[0] + at[0] : (at[0] * input[1] + at[1]) * input[2] + at[2];
  }
};

template <class Acc>
void MaxPoolLoops(const PoolParams& p, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const bool indices = reference.call.dst.size() > 1 && reference.call.dst[1].present();
  const PoolShape shape(x);
  const int64_t plane = shape.input[0] * shape.input[1] * shape.input[2];
  ForEachIndex(y, [&](const Index& o) {
    const int64_t base = o[0] * x.strides[0] + o[1] * x.strides[1];
    Acc best = Lowest<Acc>();
    int64_t number = 0;
    bool first = true;
    ForEachTap(p, TapsOf(p, o, shape.input), [&](const Position& at) {
      const Acc value = Load<Acc>(x, reference.src[0], base + shape.Offset(at));
      if (!first && !(value > best) && value == value) return;
      if (best != best) return;
      first = false;
      best = value;
      number = shape.Number(at, p.column_major);
    });
    Store<Acc>(y, reference.dst[0], OffsetOf(y, o), best);
    if (!indices) return;
    const TensorDesc& desc = reference.call.dst[1];
    StoreRaw<int64_t>(reference.dst[1], OffsetOf(desc, o), (o[0] * x.dims[1] + o[1]) * plane + number);
  });
}

template <class Acc>
void AveragePoolLoops(const PoolParams& p, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const PoolShape shape(x);
  ForEachIndex(y, [&](const Index& o) {
    const int64_t base = o[0] * x.strides[0] + o[1] * x.strides[1];
    const Taps taps = TapsOf(p, o, shape.input);
    Acc sum{};
    ForEachTap(p, taps, [&](const Position& at) { sum += Load<Acc>(x, reference.src[0], base + shape.Offset(at)); });
    Store<Acc>(y, reference.dst[0], OffsetOf(y, o), taps.divisor == 0 ? Acc{} : sum / static_cast<Acc>(taps.divisor));
  });
}

template <class Acc>
void LpPoolLoops(const PoolParams& p, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const PoolShape shape(x);
  const auto power = static_cast<double>(p.power);
  ForEachIndex(y, [&](const Index& o) {
    const int64_t base = o[0] * x.strides[0] + o[1] * x.strides[1];
    double sum = 0;
    ForEachTap(p, TapsOf(p, o, shape.input), [&](const Position& at) {
      sum += std::pow(std::abs(Load<double>(x, reference.src[0], base + shape.Offset(at))), power);
    });
    Store<Acc>(y, reference.dst[0], OffsetOf(y, o), static_cast<Acc>(std::pow(sum, 1 / power)));
  });
}

template <class Float>
Status PoolReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const PoolParams params, PoolParams::From(reference.call));
  return WithAccumulator<Float>(reference.call.src[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    if (params.power != 0) {
      LpPoolLoops<Acc>(params, reference);
    } else {
      params.max ? MaxPoolLoops<Acc>(params, reference) : AveragePoolLoops<Acc>(params, reference);
    }
    return Status();
  });
}

Cost PoolCost(const OpCall& call) {
  const Result<PoolParams> params = PoolParams::From(call);
  const double points = params.ok() ? static_cast<double>(params->Points()) : 1;
  return {points * static_cast<double>(call.dst[0].NumElements())};
}

constexpr OpSchema Schema(const char* name, int max_dst, Status (*infer)(InferContext&)) {
  return {
      .domain = "",
      .name = name,
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = max_dst,
      .layout = LayoutRule::kChannelsLast,
      .infer = infer,
      MOKA_REFERENCES(PoolReference)  //
          .cost = PoolCost,
  };
}

}  // namespace

Result<PoolParams> PoolParams::From(const OpCall& call) {
  PoolParams params;
  const TensorDesc& x = call.src[0];
  const std::string_view name = call.op->name;
  params.max = name.ends_with("MaxPool");
  params.global = name.starts_with("Global");
  if (name.ends_with("LpPool")) MOKA_RETURN_IF_ERROR(ReadPower(*call.attrs, &params.power));
  if (params.global) {
    params.rank = x.rank - 2;
    std::copy_n(x.dims.begin() + 2, params.rank, params.kernel.begin());
    return params;
  }
  WindowAttributes attributes;
  MOKA_RETURN_IF_ERROR(WindowAttributes::Read(*call.attrs, x.rank - 2, nullptr, &attributes));
  MOKA_RETURN_IF_ERROR(attributes.Resolve(x.dims.data() + 2, &params));
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "count_include_pad", false, &params.count_include_pad));
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "storage_order", false, &params.column_major));
  return params;
}

const OpSchema* MaxPoolSchema() {
  static constexpr OpSchema kSchema = Schema("MaxPool", 2, InferMaxPool);
  return &kSchema;
}

const OpSchema* AveragePoolSchema() {
  static constexpr OpSchema kSchema = Schema("AveragePool", 1, InferAveragePool);
  return &kSchema;
}

const OpSchema* LpPoolSchema() {
  static constexpr OpSchema kSchema = Schema("LpPool", 1, InferLpPool);
  return &kSchema;
}

const OpSchema* GlobalLpPoolSchema() {
  static constexpr OpSchema kSchema = Schema("GlobalLpPool", 1, InferGlobalLpPool);
  return &kSchema;
}

const OpSchema* GlobalAveragePoolSchema() {
  static constexpr OpSchema kSchema = Schema("GlobalAveragePool", 1, InferGlobalPool);
  return &kSchema;
}

const OpSchema* GlobalMaxPoolSchema() {
  static constexpr OpSchema kSchema = Schema("GlobalMaxPool", 1, InferGlobalPool);
  return &kSchema;
}

}  // namespace moka
