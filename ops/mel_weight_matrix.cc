// MelWeightMatrix: src num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz (scalars); dst
// [dft_length / 2 + 1, num_mel_bins]: triangles over the bins of a spectrum, evenly spaced in mel = 2595 log10(1 + f /
// 700).
#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Result<Dim> Scalar(InferContext& ctx, size_t i) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> elements, ctx.Elements(i));
  if (elements.size() != 1) return InvalidModel("src ", i, " has ", elements.size(), " elements, expected 1");
  if (elements[0].is_constant() && elements[0].constant() < 0) {
    return InvalidModel("src ", i, " is ", elements[0].constant());
  }
  return elements[0];
}

Status InferMelWeightMatrix(InferContext& ctx) {
  for (size_t i = 0; i < 5; ++i) MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 0, 1));
  for (size_t i = 0; i < 3; ++i) MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kIndexTypes));
  for (size_t i = 3; i < 5; ++i) MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kFloatTypes));
  MOKA_RETURN_IF_ERROR(ReadType(*ctx.attrs, "output_datatype", DataType::kF32, &ctx.dst[0].type));
  if (ctx.dst[0].type == DataType::kString || ctx.dst[0].type == DataType::kBool) {
    return InvalidModel("attribute 'output_datatype' is ", NameOf(ctx.dst[0].type), ", expected numbers");
  }
  MOKA_ASSIGN_OR_RETURN(const Dim bins, Scalar(ctx, 0));
  MOKA_ASSIGN_OR_RETURN(const Dim length, Scalar(ctx, 1));
  ctx.dst[0].dims = {Dim::FloorDiv(length, 2) + Dim(1), bins};
  return Status();
}

double Mel(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double Hertz(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

template <class Float>
Status MelWeightMatrixReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc& y = call.dst[0];
  const auto scalar = [&](size_t i) { return Load<double>(call.src[i], reference.src[i], 0); };
  const int64_t rows = y.dims[0], bins = y.dims[1];
  const double length = scalar(1), rate = scalar(2), low = Mel(scalar(3)), high = Mel(scalar(4));
  if (!(rate > 0)) return InvalidArgument("src 2 (sample_rate) is ", rate);
  const double step = (high - low) / static_cast<double>(bins + 2);
  const auto row_of = [&](int64_t i) {
    const double row = std::floor((length + 1) * Hertz(low + static_cast<double>(i) * step) / rate);
    return ConvertElement<int64_t>(std::clamp(row, -1.0, static_cast<double>(rows)));
  };
  ForEachIndex(y, [&](const Index& at) {
    const int64_t row = at[0], left = row_of(at[1]), center = row_of(at[1] + 1), right = row_of(at[1] + 2);
    double weight = 0;
    if (row == center && (left == center || right == center)) {
      weight = 1;
    } else if (row >= left && row < center) {
      weight = static_cast<double>(row - left) / static_cast<double>(center - left);
    } else if (row >= center && row < right) {
      weight = static_cast<double>(right - row) / static_cast<double>(right - center);
    }
    Store<double>(y, reference.dst[0], OffsetOf(y, at), weight);
  });
  return Status();
}

}  // namespace

const OpSchema* MelWeightMatrixSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "MelWeightMatrix",
      .min_src = 5,
      .max_src = 5,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferMelWeightMatrix,
      MOKA_REFERENCES(MelWeightMatrixReference)  //
  };
  return &kSchema;
}

}  // namespace moka
