#include "ops/softmax.h"

#include <cmath>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ReadAxis(const Attributes& attrs, int rank, int* axis) {
  int64_t value = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", -1, &value));
  MOKA_ASSIGN_OR_RETURN(*axis, NormalizeAxis(value, rank, "attribute 'axis'"));
  return Status();
}

Status InferSoftmax(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  int axis = 0;
  MOKA_RETURN_IF_ERROR(ReadAxis(*ctx.attrs, ctx.src[0]->rank(), &axis));
  return InferSameAsSource(ctx);
}

template <class Acc>
void SoftmaxRow(bool log, const TensorDesc& x, const void* src, int64_t x_step, const TensorDesc& y, void* dst,
                int64_t y_step, int64_t n, int64_t x_at, int64_t y_at) {
  Acc largest = Lowest<Acc>(), sum{};
  for (int64_t i = 0; i < n; ++i) {
    const Acc value = Load<Acc>(x, src, x_at + i * x_step);
    if (value > largest || value != value) largest = value;
  }
  for (int64_t i = 0; i < n; ++i) sum += std::exp(Load<Acc>(x, src, x_at + i * x_step) - largest);
  const Acc log_sum = std::log(sum);
  for (int64_t i = 0; i < n; ++i) {
    const Acc shifted = Load<Acc>(x, src, x_at + i * x_step) - largest;
    Store<Acc>(y, dst, y_at + i * y_step, log ? shifted - log_sum : std::exp(shifted) / sum);
  }
}

template <class Float>
Status SoftmaxReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const SoftmaxParams params, SoftmaxParams::From(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (x.NumElements() == 0) return Status();
  const size_t axis = static_cast<size_t>(params.axis);
  TensorDesc rows = x;
  rows.dims[axis] = 1;
  const auto run = [&](auto accumulator) {
    ForEachIndex(rows, [&](const Index& at) {
      SoftmaxRow<decltype(accumulator)>(params.log, x, reference.src[0], x.strides[axis], y, reference.dst[0],
                                        y.strides[axis], x.dims[axis], OffsetOf(x, at), OffsetOf(y, at));
    });
  };
  x.type == DataType::kF64 ? run(double{}) : run(Float{});
  return Status();
}

Cost SoftmaxCost(const OpCall& call) { return {5 * static_cast<double>(call.dst[0].NumElements())}; }

constexpr OpSchema Schema(const char* name) {
  return {
      .domain = "",
      .name = name,
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferSoftmax,
      MOKA_REFERENCES(SoftmaxReference)  //
          .cost = SoftmaxCost,
  };
}

}  // namespace

Result<SoftmaxParams> SoftmaxParams::From(const OpCall& call) {
  SoftmaxParams params;
  MOKA_RETURN_IF_ERROR(ReadAxis(*call.attrs, call.src[0].rank, &params.axis));
  params.log = std::string_view(call.op->name) == "LogSoftmax";
  return params;
}

const OpSchema* SoftmaxSchema() {
  static constexpr OpSchema kSchema = Schema("Softmax");
  return &kSchema;
}

const OpSchema* LogSoftmaxSchema() {
  static constexpr OpSchema kSchema = Schema("LogSoftmax");
  return &kSchema;
}

}  // namespace moka
