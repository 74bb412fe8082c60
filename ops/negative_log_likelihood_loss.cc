#include <cmath>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/loss.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Result<LossParams> LossParams::From(const Attributes& attrs) {
  LossParams params;
  std::string_view name;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "reduction", "mean", &name));
  if (name != "none" && name != "sum" && name != "mean") {
    return InvalidModel("attribute 'reduction' is '", name, "', expected none, sum or mean");
  }
  params.reduction = name == "none" ? LossReduction::kNone : name == "sum" ? LossReduction::kSum : LossReduction::kMean;
  int64_t ignored = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "ignore_index", 0, &ignored));
  if (attrs.Has("ignore_index")) params.ignored = ignored;
  return params;
}

namespace {

Status InferLoss(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  const SymbolicTensor &scores = *ctx.src[0], &classes = *ctx.src[1];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, scores.rank() - 1, scores.rank() - 1));
  std::vector<Dim> dims = scores.dims;
  dims.erase(dims.begin() + 1);
  for (size_t i = 0; i < dims.size(); ++i) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, classes.dims[i], dims[i], StrCat("dimension ", i, " of src 1")));
  }
  if (ctx.has_src(2)) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 1, 1));
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[2]->dims[0], scores.dims[1], "elements of src 2 (weights)"));
  }
  MOKA_ASSIGN_OR_RETURN(const LossParams params, LossParams::From(*ctx.attrs));
  ctx.dst[0].type = scores.type;
  if (params.reduction == LossReduction::kNone) ctx.dst[0].dims = std::move(dims);
  if (ctx.dst.size() > 1) {
    ctx.dst[1].type = scores.type;
    ctx.dst[1].dims = scores.dims;
  }
  return Status();
}

// What is taken from a score to make its logarithm of softmax.
template <class Acc>
Acc LogOfSum(const TensorDesc& x, const void* src, int64_t base) {
  Acc largest = Lowest<Acc>(), sum{};
  const auto load = [&](int64_t c) { return Load<Acc>(x, src, base + c * x.strides[1]); };
  for (int64_t c = 0; c < x.dims[1]; ++c) largest = load(c) > largest || load(c) != load(c) ? load(c) : largest;
  for (int64_t c = 0; c < x.dims[1]; ++c) sum += std::exp(load(c) - largest);
  return largest + std::log(sum);
}

template <class Acc>
class LossLoops {
 public:
  LossLoops(const ReferenceCall& reference, const LossParams& params)
      : call_(reference.call),
        reference_(reference),
        params_(params),
        softmax_(std::string_view(call_.op->name) == "SoftmaxCrossEntropyLoss") {}

  Status Run() {
    const TensorDesc& classes = call_.src[1];
    Status status;
    ForEachIndex(classes, [&](const Index& at) {
      if (Status one = Sample(at); !one.ok() && status.ok()) status = one;
    });
    MOKA_RETURN_IF_ERROR(status);
    if (params_.reduction == LossReduction::kNone) return Status();
    Store<Acc>(call_.dst[0], reference_.dst[0], 0, params_.reduction == LossReduction::kMean ? sum_ / weights_ : sum_);
    return Status();
  }

 private:
  Status Sample(const Index& at) {
    const TensorDesc &x = call_.src[0], &classes = call_.src[1];
    int64_t base = at[0] * x.strides[0];
    for (size_t i = 1; i < static_cast<size_t>(classes.rank); ++i) base += at[i] * x.strides[i + 1];
    const Acc less = softmax_ ? LogOfSum<Acc>(x, reference_.src[0], base) : Acc{};
    if (call_.dst.size() > 1 && call_.dst[1].present()) StoreLogarithms(at, base, less);
    const int64_t target = Load<int64_t>(classes, reference_.src[1], OffsetOf(classes, at));
    const bool ignored = params_.ignored && target == *params_.ignored;
    Acc loss{};
    if (!ignored) {
      if (target < 0 || target >= x.dims[1]) {
        return InvalidArgument("src 1: class ", target, ", expected 0 to ", x.dims[1] - 1);
      }
      const Acc weight =
          call_.has_src(2) ? Load<Acc>(call_.src[2], reference_.src[2], target * call_.src[2].strides[0]) : Acc(1);
      loss = (less - Load<Acc>(x, reference_.src[0], base + target * x.strides[1])) * weight;
      sum_ += loss;
      weights_ += weight;
    }
    if (params_.reduction == LossReduction::kNone) {
      Store<Acc>(call_.dst[0], reference_.dst[0], OffsetOf(call_.dst[0], at), loss);
    }
    return Status();
  }

  void StoreLogarithms(const Index& at, int64_t base, Acc less) {
    const TensorDesc &x = call_.src[0], &y = call_.dst[1];
    int64_t to = at[0] * y.strides[0];
    for (size_t i = 2; i < static_cast<size_t>(y.rank); ++i) to += at[i - 1] * y.strides[i];
    for (int64_t c = 0; c < x.dims[1]; ++c) {
      Store<Acc>(y, reference_.dst[1], to + c * y.strides[1],
                 Load<Acc>(x, reference_.src[0], base + c * x.strides[1]) - less);
    }
  }

  const OpCall& call_;
  const ReferenceCall& reference_;
  LossParams params_;
  bool softmax_;
  Acc sum_{}, weights_{};
};

template <class Float>
Status LossReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const LossParams params, LossParams::From(*reference.call.attrs));
  return reference.call.src[0].type == DataType::kF64 ? LossLoops<double>(reference, params).Run()
                                                      : LossLoops<Float>(reference, params).Run();
}

Cost LossCost(const OpCall& call) { return {5 * static_cast<double>(call.src[0].NumElements())}; }

constexpr OpSchema Schema(const char* name, int max_dst) {
  return {
      .domain = "",
      .name = name,
      .min_src = 2,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = max_dst,
      .layout = LayoutRule::kStrided,
      .infer = InferLoss,
      MOKA_REFERENCES(LossReference)  //
          .cost = LossCost,
  };
}

}  // namespace

const OpSchema* NegativeLogLikelihoodLossSchema() {
  static constexpr OpSchema kSchema = Schema("NegativeLogLikelihoodLoss", 1);
  return &kSchema;
}

const OpSchema* SoftmaxCrossEntropyLossSchema() {
  static constexpr OpSchema kSchema = Schema("SoftmaxCrossEntropyLoss", 2);
  return &kSchema;
}

}  // namespace moka
