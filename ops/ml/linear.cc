// LinearClassifier and LinearRegressor.
#include <algorithm>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/ml/class_labels.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

struct LinearParams {
  AttributeList coefficients, intercepts;  // [outputs][features], [outputs] or none
  int64_t outputs = 1;
  PostTransform transform = PostTransform::kNone;
  ClassLabels labels;  // of classifiers

  int64_t features() const { return coefficients.size() / outputs; }
};

Status ReadLinear(const Attributes& attrs, LinearParams* params) {
  MOKA_ASSIGN_OR_RETURN(params->coefficients, AttributeList::Find(attrs, {"coefficients"}));
  MOKA_ASSIGN_OR_RETURN(params->intercepts, AttributeList::Find(attrs, {"intercepts"}));
  for (const AttributeList* list : {&params->coefficients, &params->intercepts}) {
    if (list->present() && list->type() != DataType::kF32) {
      return InvalidModel("attribute 'coefficients' or 'intercepts' holds ", NameOf(list->type()));
    }
  }
  if (params->coefficients.size() == 0) return InvalidModel("attribute 'coefficients' is missing or empty");
  return ReadPostTransform(attrs, &params->transform);
}

Status CheckOutputs(const LinearParams& params) {
  if (params.outputs < 1 || params.coefficients.size() % params.outputs != 0) {
    return InvalidModel("attribute 'coefficients' has ", params.coefficients.size(), " elements for ", params.outputs,
                        " outputs");
  }
  const int64_t intercepts = params.intercepts.size();
  if (intercepts == 0 || intercepts == params.outputs) return Status();
  return InvalidModel("attribute 'intercepts' has ", intercepts, " elements, expected ", params.outputs);
}

Result<LinearParams> ReadRegressor(const Attributes& attrs) {
  LinearParams params;
  MOKA_RETURN_IF_ERROR(ReadLinear(attrs, &params));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "targets", 1, &params.outputs));
  MOKA_RETURN_IF_ERROR(CheckOutputs(params));
  return params;
}

// One set of coefficients, where there are two classes, speaks for the second one.
Result<LinearParams> ReadClassifier(const Attributes& attrs) {
  LinearParams params;
  MOKA_RETURN_IF_ERROR(ReadLinear(attrs, &params));
  MOKA_ASSIGN_OR_RETURN(params.labels, ClassLabels::From(attrs, "classlabels_ints", "classlabels_strings"));
  params.outputs = params.labels.size() == 2 && params.intercepts.size() == 1 ? 1 : params.labels.size();
  MOKA_RETURN_IF_ERROR(CheckOutputs(params));
  return params;
}

Status CheckFeatures(InferContext& ctx, const LinearParams& params) {
  return RequireEqual(ctx, ctx.src[0]->dims.back(), Dim(params.features()), "features of src 0");
}

Status InferRegressor(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckMlRows(ctx, 0));
  MOKA_ASSIGN_OR_RETURN(const LinearParams params, ReadRegressor(*ctx.attrs));
  MOKA_RETURN_IF_ERROR(CheckFeatures(ctx, params));
  ctx.dst[0].type = DataType::kF32;
  ctx.dst[0].dims = {ctx.src[0]->rank() == 1 ? Dim(1) : ctx.src[0]->dims[0], Dim(params.outputs)};
  return Status();
}

Status InferLinearClassifier(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckMlRows(ctx, 0));
  MOKA_ASSIGN_OR_RETURN(const LinearParams params, ReadClassifier(*ctx.attrs));
  MOKA_RETURN_IF_ERROR(CheckFeatures(ctx, params));
  return InferClassifier(ctx, params.labels);
}

template <class Acc>
void ScoreRow(const ReferenceCall& reference, const LinearParams& params, int64_t row, std::vector<double>* scores) {
  const TensorDesc& x = reference.call.src[0];
  const MlRows rows = MlRows::Of(x);
  scores->assign(static_cast<size_t>(params.outputs), 0);
  for (int64_t i = 0; i < params.outputs; ++i) {
    Acc sum = params.intercepts.size() > 0 ? static_cast<Acc>(params.intercepts.Number(i)) : Acc{};
    for (int64_t j = 0; j < rows.columns; ++j) {
      const Acc value = Load<Acc>(x, reference.src[0], row * rows.row_stride + j * rows.column_stride);
      sum += value * static_cast<Acc>(params.coefficients.Number(i * rows.columns + j));
    }
    (*scores)[static_cast<size_t>(i)] = sum;
  }
}

template <class Float>
Status LinearRegressorReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const LinearParams params, ReadRegressor(*reference.call.attrs));
  const TensorDesc& y = reference.call.dst[0];
  std::vector<double> scores;
  for (int64_t row = 0; row < y.dims[0]; ++row) {
    ScoreRow<Float>(reference, params, row, &scores);
    ApplyPostTransform(params.transform, scores);
    for (size_t i = 0; i < scores.size(); ++i) {
      Store<double>(y, reference.dst[0], row * y.strides[0] + static_cast<int64_t>(i) * y.strides[1], scores[i]);
    }
  }
  return Status();
}

template <class Float>
Status LinearClassifierReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const LinearParams params, ReadClassifier(*reference.call.attrs));
  const MlRows rows = MlRows::Of(reference.call.src[0]);
  std::vector<double> scores;
  for (int64_t row = 0; row < rows.rows; ++row) {
    ScoreRow<Float>(reference, params, row, &scores);
    int64_t best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    if (params.outputs == 1 && params.labels.size() == 2) {
      best = scores[0] > 0 ? 1 : 0;
      FillBinaryScores(params.transform, true, scores[0], &scores);
    } else {
      ApplyPostTransform(params.transform, scores);
    }
    params.labels.StoreResult(reference, row, best, scores);
  }
  return Status();
}

}  // namespace

const OpSchema* MlLinearClassifierSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "LinearClassifier",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 2,
      .layout = LayoutRule::kStrided,
      .infer = InferLinearClassifier,
      MOKA_REFERENCES(LinearClassifierReference)  //
          .varies = GivesStringLabels,
  };
  return &kSchema;
}

const OpSchema* MlLinearRegressorSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "LinearRegressor",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferRegressor,
      MOKA_REFERENCES(LinearRegressorReference)  //
  };
  return &kSchema;
}

}  // namespace moka
