// HannWindow, HammingWindow, BlackmanWindow: src size (a scalar); dst [size]: sums of cosines over one period.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

// a[0] - a[1] * cos(t) + a[2] * cos(2 t), where t runs over one period.
struct Cosines {
  const char* name;
  double a[3];
};
constexpr Cosines kWindows[] = {
    {"HannWindow", {0.5, 0.5, 0}},
    {"HammingWindow", {25.0 / 46, 21.0 / 46, 0}},
    {"BlackmanWindow", {0.42, 0.5, 0.08}},
};

Status InferWindowFunction(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 0, 1));
  bool periodic = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "periodic", true, &periodic));
  MOKA_RETURN_IF_ERROR(ReadType(*ctx.attrs, "output_datatype", DataType::kF32, &ctx.dst[0].type));
  if (ctx.dst[0].type == DataType::kString || ctx.dst[0].type == DataType::kBool) {
    return InvalidModel("attribute 'output_datatype' is ", NameOf(ctx.dst[0].type), ", expected numbers");
  }
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> size, ctx.Elements(0));
  if (size.size() != 1) return InvalidModel("src 0 (size) has ", size.size(), " elements, expected 1");
  if (size[0].is_constant() && size[0].constant() < 0) return InvalidModel("src 0 (size) is ", size[0].constant());
  ctx.dst[0].dims = {size[0]};
  return Status();
}

template <class Float>
Status WindowFunctionReference(const ReferenceCall& reference) {
  const TensorDesc& y = reference.call.dst[0];
  bool periodic = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*reference.call.attrs, "periodic", true, &periodic));
  const std::string_view name = reference.call.op->name;
  const Cosines& window = *std::find_if(std::begin(kWindows), std::end(kWindows) - 1,
                                        [&](const Cosines& candidate) { return candidate.name == name; });
  const auto period = static_cast<double>(std::max<int64_t>(periodic ? y.dims[0] : y.dims[0] - 1, 1));
  const double step = 2 * std::acos(-1.0) / period;
  for (int64_t i = 0; i < y.dims[0]; ++i) {
    const double t = static_cast<double>(i) * step;
    Store<double>(y, reference.dst[0], i * y.strides[0],
                  window.a[0] - window.a[1] * std::cos(t) + window.a[2] * std::cos(2 * t));
  }
  return Status();
}

constexpr OpSchema Schema(const char* name) {
  return {
      .domain = "",
      .name = name,
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferWindowFunction,
      MOKA_REFERENCES(WindowFunctionReference)  //
  };
}

}  // namespace

const OpSchema* HannWindowSchema() {
  static constexpr OpSchema kSchema = Schema("HannWindow");
  return &kSchema;
}

const OpSchema* HammingWindowSchema() {
  static constexpr OpSchema kSchema = Schema("HammingWindow");
  return &kSchema;
}

const OpSchema* BlackmanWindowSchema() {
  static constexpr OpSchema kSchema = Schema("BlackmanWindow");
  return &kSchema;
}

}  // namespace moka
