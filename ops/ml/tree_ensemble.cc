// TreeEnsemble, TreeEnsembleRegressor, TreeEnsembleClassifier.
#include <algorithm>
#include <iterator>
#include <memory>
#include <string_view>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/ml/class_labels.h"
#include "ops/ml/forest.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr int64_t kMaxTargets = 1 << 20;

struct EnsembleParams {
  int64_t targets = 1;
  Aggregate aggregate = Aggregate::kSum;
  PostTransform transform = PostTransform::kNone;
  AttributeList base;
};

Status CheckTargets(int64_t targets) {
  if (targets >= 1 && targets <= kMaxTargets) return Status();
  return InvalidModel("attribute 'n_targets' is ", targets, ", expected 1 to ", kMaxTargets);
}

Status ReadEnsemble(const Attributes& attrs, EnsembleParams* params) {
  int64_t aggregate = 1, transform = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "n_targets", 1, &params->targets));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "aggregate_function", 1, &aggregate));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "post_transform", 0, &transform));
  if (aggregate < 0 || aggregate > 3) return InvalidModel("attribute 'aggregate_function' is ", aggregate);
  if (transform < 0 || transform > 4) return InvalidModel("attribute 'post_transform' is ", transform);
  params->aggregate = static_cast<Aggregate>(aggregate);
  params->transform = static_cast<PostTransform>(transform);
  return CheckTargets(params->targets);
}

Status ReadBase(const Attributes& attrs, EnsembleParams* params) {
  MOKA_ASSIGN_OR_RETURN(params->base, AttributeList::Find(attrs, {"base_values", "base_values_as_tensor"}));
  const int64_t size = params->base.size();
  if (!params->base.present() || size == 0 || size == params->targets || size == 1) return Status();
  return InvalidModel("attribute 'base_values' has ", size, " elements, expected ", params->targets);
}

Status ReadRegressor(const Attributes& attrs, EnsembleParams* params) {
  constexpr std::string_view kNames[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  std::string_view aggregate;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "n_targets", 1, &params->targets));
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "aggregate_function", "SUM", &aggregate));
  const auto found = std::find(std::begin(kNames), std::end(kNames), aggregate);
  if (found == std::end(kNames)) return InvalidModel("attribute 'aggregate_function' is '", aggregate, "'");
  params->aggregate = static_cast<Aggregate>(found - std::begin(kNames));
  MOKA_RETURN_IF_ERROR(ReadPostTransform(attrs, &params->transform));
  MOKA_RETURN_IF_ERROR(CheckTargets(params->targets));
  return ReadBase(attrs, params);
}

Result<Forest> ForestOf(const Attributes& attrs, bool is_ensemble, int64_t targets) {
  return is_ensemble ? Forest::FromEnsemble(attrs, targets) : Forest::FromTables(attrs, "target", targets);
}

Status CheckFeatures(const Forest& forest, int64_t features) {
  if (forest.max_feature < features) return Status();
  return InvalidArgument("src 0 has ", features, " features, the trees use feature ", forest.max_feature);
}

template <bool kEnsemble>
Status InferTrees(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(kEnsemble ? CheckType(ctx, 0, {DataType::kF32, DataType::kF64, DataType::kF16})
                                 : CheckType(ctx, 0, kMlNumbers));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1, 2));
  EnsembleParams params;
  MOKA_RETURN_IF_ERROR(kEnsemble ? ReadEnsemble(*ctx.attrs, &params) : ReadRegressor(*ctx.attrs, &params));
  MOKA_ASSIGN_OR_RETURN(const Forest forest, ForestOf(*ctx.attrs, kEnsemble, params.targets));
  const std::vector<Dim>& x = ctx.src[0]->dims;
  if (x.back().is_constant()) MOKA_RETURN_IF_ERROR(CheckFeatures(forest, x.back().constant()));
  ctx.dst[0].type = kEnsemble ? ctx.src[0]->type : DataType::kF32;
  ctx.dst[0].dims = {x.size() == 1 ? Dim(1) : x[0], Dim(params.targets)};
  return Status();
}

// Reads features of one row.
std::function<double(int64_t)> RowReader(const TensorDesc& x, const void* src, const MlRows& rows, int64_t row) {
  return [&x, src, rows, row](int64_t feature) {
    return Load<double>(x, src, row * rows.row_stride + feature * rows.column_stride);
  };
}

template <bool kEnsemble>
Status RunTrees(const ReferenceCall& reference) {
  const Attributes& attrs = *reference.call.attrs;
  EnsembleParams params;
  MOKA_RETURN_IF_ERROR(kEnsemble ? ReadEnsemble(attrs, &params) : ReadRegressor(attrs, &params));
  MOKA_ASSIGN_OR_RETURN(const Forest forest, ForestOf(attrs, kEnsemble, params.targets));
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const MlRows rows = MlRows::Of(x);
  MOKA_RETURN_IF_ERROR(CheckFeatures(forest, rows.columns));
  const auto targets = static_cast<size_t>(params.targets);
  std::vector<double> scores(targets);
  const std::unique_ptr<bool[]> has(new bool[targets]);
  for (int64_t row = 0; row < rows.rows; ++row) {
    std::fill(scores.begin(), scores.end(), 0);
    std::fill_n(has.get(), targets, false);
    MOKA_RETURN_IF_ERROR(
        Collect(forest, params.aggregate, RowReader(x, reference.src[0], rows, row), scores, {has.get(), targets}));
    for (size_t t = 0; t < targets && params.base.size() > 0; ++t) {
      scores[t] += params.base.Number(params.base.size() == 1 ? 0 : static_cast<int64_t>(t));
    }
    ApplyPostTransform(params.transform, scores);
    for (size_t t = 0; t < targets; ++t) {
      Store<double>(y, reference.dst[0], row * y.strides[0] + static_cast<int64_t>(t) * y.strides[1], scores[t]);
    }
  }
  return Status();
}

template <class Float>
Status TreeEnsembleReference(const ReferenceCall& reference) {
  return RunTrees<true>(reference);
}
template <class Float>
Status TreeEnsembleRegressorReference(const ReferenceCall& reference) {
  return RunTrees<false>(reference);
}

// ---- TreeEnsembleClassifier ---------------------------------------------------------------------------------------

struct ClassifierParams {
  ClassLabels labels;
  EnsembleParams ensemble;
  // Two classes, and all votes are for the same one, `only`; whether all weights are at least 0.
  bool binary = false, positive = false;
  size_t only = 0;
};

Result<ClassifierParams> ReadClassifier(const Attributes& attrs) {
  ClassifierParams params;
  MOKA_ASSIGN_OR_RETURN(params.labels, ClassLabels::From(attrs, "classlabels_int64s", "classlabels_strings"));
  params.ensemble.targets = params.labels.size();
  MOKA_RETURN_IF_ERROR(ReadPostTransform(attrs, &params.ensemble.transform));
  MOKA_RETURN_IF_ERROR(CheckTargets(params.ensemble.targets));
  MOKA_RETURN_IF_ERROR(ReadBase(attrs, &params.ensemble));
  return params;
}

Status InferTreeClassifier(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckMlRows(ctx, 0));
  MOKA_ASSIGN_OR_RETURN(const ClassifierParams params, ReadClassifier(*ctx.attrs));
  MOKA_ASSIGN_OR_RETURN(const Forest forest, Forest::FromTables(*ctx.attrs, "class", params.ensemble.targets));
  const std::vector<Dim>& x = ctx.src[0]->dims;
  if (x.back().is_constant()) MOKA_RETURN_IF_ERROR(CheckFeatures(forest, x.back().constant()));
  return InferClassifier(ctx, params.labels);
}

// Scores of one row, and the class.
size_t Classify(const ClassifierParams& params, std::vector<double>* scores) {
  const AttributeList& base = params.ensemble.base;
  const PostTransform transform = params.ensemble.transform;
  if (!params.binary) {
    for (size_t i = 0; i < scores->size() && base.size() > 0; ++i) {
      (*scores)[i] += base.Number(base.size() == 1 ? 0 : static_cast<int64_t>(i));
    }
    const auto best = std::max_element(scores->begin(), scores->end()) - scores->begin();
    ApplyPostTransform(transform, *scores);
    return static_cast<size_t>(best);
  }
  // The sum of the votes, whichever class they are for, speaks for the second one.
  double& score = (*scores)[params.only];
  if (base.size() > 0) score += base.Number(base.size() == 1 ? 0 : static_cast<int64_t>(params.only));
  const size_t best = score > (params.positive ? 0.5 : 0) ? 1 : 0;
  if (params.only == 0) {
    FillBinaryScores(transform, params.positive, score, scores);
  } else {
    ApplyPostTransform(transform, *scores);
  }
  return best;
}

template <class Float>
Status TreeEnsembleClassifierReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(ClassifierParams params, ReadClassifier(*reference.call.attrs));
  const int64_t classes = params.ensemble.targets;
  MOKA_ASSIGN_OR_RETURN(const Forest forest, Forest::FromTables(*reference.call.attrs, "class", classes));
  const auto& votes = forest.votes;
  params.binary = classes == 2 && std::all_of(votes.begin(), votes.end(),
                                              [&](const Vote& vote) { return vote.target == votes[0].target; });
  params.only = params.binary && !votes.empty() ? static_cast<size_t>(votes[0].target) : 0;
  params.positive = std::all_of(votes.begin(), votes.end(), [](const Vote& vote) { return vote.weight >= 0; });
  const TensorDesc& x = reference.call.src[0];
  const MlRows rows = MlRows::Of(x);
  MOKA_RETURN_IF_ERROR(CheckFeatures(forest, rows.columns));
  std::vector<double> scores;
  const std::unique_ptr<bool[]> has(new bool[static_cast<size_t>(classes)]);
  for (int64_t row = 0; row < rows.rows; ++row) {
    scores.assign(static_cast<size_t>(classes), 0);
    std::fill_n(has.get(), classes, false);
    MOKA_RETURN_IF_ERROR(Collect(forest, Aggregate::kSum, RowReader(x, reference.src[0], rows, row), scores,
                                 {has.get(), static_cast<size_t>(classes)}));
    const size_t best = Classify(params, &scores);
    params.labels.StoreResult(reference, row, static_cast<int64_t>(best), scores);
  }
  return Status();
}

}  // namespace

const OpSchema* MlTreeEnsembleSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "TreeEnsemble",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferTrees<true>,
      MOKA_REFERENCES(TreeEnsembleReference)  //
  };
  return &kSchema;
}

const OpSchema* MlTreeEnsembleRegressorSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "TreeEnsembleRegressor",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferTrees<false>,
      MOKA_REFERENCES(TreeEnsembleRegressorReference)  //
  };
  return &kSchema;
}

const OpSchema* MlTreeEnsembleClassifierSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "TreeEnsembleClassifier",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 2,
      .layout = LayoutRule::kStrided,
      .infer = InferTreeClassifier,
      MOKA_REFERENCES(TreeEnsembleClassifierReference)  //
          .varies = GivesStringLabels,
  };
  return &kSchema;
}

}  // namespace moka
