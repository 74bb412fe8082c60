#include "ops/grid_sample.h"

#include <array>
#include <iterator>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferGridSample(InferContext& ctx) {
  const SymbolicTensor &x = *ctx.src[0], &grid = *ctx.src[1];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3, 5));
  MOKA_RETURN_IF_ERROR(WithAccumulator<float>(x.type, [](auto) { return Status(); }));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, x.rank(), x.rank()));
  MOKA_RETURN_IF_ERROR(SampleParams::From(*ctx.attrs).status());
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, grid.dims[0], x.dims[0], "batch of src 1 (grid) and of src 0"));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, grid.dims.back(), x.rank() - 2, "last dimension of src 1 (grid)"));
  for (size_t d = 2; d < x.dims.size(); ++d) {
    if (x.dims[d] == Dim(0)) return InvalidModel("dimension ", d, " of src 0 is empty: nothing to sample");
  }
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], x.dims[1]};
  ctx.dst[0].dims.insert(ctx.dst[0].dims.end(), grid.dims.begin() + 1, grid.dims.end() - 1);
  return Status();
}

template <class T>
struct TapList {
  std::array<int64_t, 4> indices{};
  std::array<T, 4> weights{};
};

template <class Acc, class T>
Acc WeightedSum(const TensorDesc& x, const void* src, int64_t offset, const TapList<T>* lists, int taps, int d) {
  if (d == x.rank) return Load<Acc>(x, src, offset);
  Acc sum{};
  for (int k = 0; k < taps; ++k) {
    const size_t i = static_cast<size_t>(k);
    if (lists->weights[i] == 0) continue;
    sum += static_cast<Acc>(lists->weights[i]) *
           WeightedSum<Acc>(x, src, offset + lists->indices[i] * x.strides[static_cast<size_t>(d)], lists + 1, taps,
                            d + 1);
  }
  return sum;
}

// Positions are computed in T, the type of the grid, so that what rounds to an input does so everywhere alike.
template <class Acc, class T>
void GridSampleLoops(const SampleParams& params, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &grid = reference.call.src[1], &y = reference.call.dst[0];
  const int spatial = x.rank - 2;
  TapList<T> lists[3];
  ForEachIndex(y, [&](const Index& at) {
    int64_t cell = at[0] * grid.strides[0];
    for (int i = 0; i < spatial; ++i) {
      cell += at[static_cast<size_t>(i + 2)] * grid.strides[static_cast<size_t>(i + 1)];
    }
    for (int i = 0; i < spatial; ++i) {  // x comes first in the grid, and last in the tensor
      const int64_t step = (spatial - 1 - i) * grid.strides[static_cast<size_t>(grid.rank - 1)];
      const int64_t size = x.dims[static_cast<size_t>(i + 2)];
      const T position = params.Position(Load<T>(grid, reference.src[1], cell + step), size);
      params.TapsAt(position, size, lists[i].indices.data(), lists[i].weights.data());
    }
    Store<Acc>(
        y, reference.dst[0], OffsetOf(y, at),
        WeightedSum<Acc>(x, reference.src[0], at[0] * x.strides[0] + at[1] * x.strides[1], lists, params.Taps(), 2));
  });
}

template <class Float>
Status GridSampleReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const SampleParams params, SampleParams::From(*reference.call.attrs));
  if (reference.call.src[0].NumElements() == 0 && reference.call.dst[0].NumElements() != 0) {
    return InvalidArgument("src 0 has no elements to sample");
  }
  const bool wide = reference.call.src[1].type == DataType::kF64;
  if (reference.call.src[0].type == DataType::kF32) {
    wide ? GridSampleLoops<Float, double>(params, reference) : GridSampleLoops<Float, float>(params, reference);
  } else {
    wide ? GridSampleLoops<double, double>(params, reference) : GridSampleLoops<double, float>(params, reference);
  }
  return Status();
}

Cost GridSampleCost(const OpCall& call) {
  return {2 * static_cast<double>(1 << (call.src[0].rank - 2)) * static_cast<double>(call.dst[0].NumElements())};
}

}  // namespace

Result<SampleParams> SampleParams::From(const Attributes& attrs) {
  static constexpr std::string_view kModes[] = {"linear", "nearest", "cubic"};
  static constexpr std::string_view kPaddings[] = {"zeros", "border", "reflection"};
  SampleParams params;
  MOKA_RETURN_IF_ERROR(ReadEnum(attrs, "mode", kModes, &params.mode));
  MOKA_RETURN_IF_ERROR(ReadEnum(attrs, "padding_mode", kPaddings, &params.padding));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "align_corners", false, &params.align_corners));
  return params;
}

const OpSchema* GridSampleSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "GridSample",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kChannelsLast,
      .infer = InferGridSample,
      MOKA_REFERENCES(GridSampleReference)  //
          .cost = GridSampleCost,
  };
  return &kSchema;
}

}  // namespace moka
