// SVMClassifier and SVMRegressor, as libsvm computes them.
#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/ml/class_labels.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

enum class SvmKernel { kLinear, kPoly, kRbf, kSigmoid };

struct SvmParams {
  SvmKernel kernel = SvmKernel::kLinear;
  double gamma = 0, coef0 = 0, degree = 0;
  AttributeList coefficients, vectors, rho, prob_a, prob_b, per_class;
  PostTransform transform = PostTransform::kNone;
  int64_t supports = 0;  // support vectors; 0: the coefficients are those of a plane
  int64_t features = 0;
  bool one_class = false;
  ClassLabels labels;  // of classifiers

  int64_t classes() const { return labels.size(); }
  int64_t pairs() const { return classes() * (classes() - 1) / 2; }
  bool has_probabilities() const { return prob_a.size() > 0 && supports > 0; }
};

Status ReadSvm(const Attributes& attrs, SvmParams* p) {
  constexpr std::string_view kKernels[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
  std::string_view kernel;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "kernel_type", "LINEAR", &kernel));
  const auto found = std::find(std::begin(kKernels), std::end(kKernels), kernel);
  if (found == std::end(kKernels)) return InvalidModel("attribute 'kernel_type' is '", kernel, "'");
  p->kernel = static_cast<SvmKernel>(found - std::begin(kKernels));
  MOKA_ASSIGN_OR_RETURN(const AttributeList params, AttributeList::Find(attrs, {"kernel_params"}));
  if (params.size() != 0 && params.size() != 3) {
    return InvalidModel("attribute 'kernel_params' has ", params.size(), " elements, expected 3");
  }
  if (params.size() == 3) {
    p->gamma = params.Number(0);
    p->coef0 = params.Number(1);
    p->degree = params.Number(2);
  }
  MOKA_ASSIGN_OR_RETURN(p->coefficients, AttributeList::Find(attrs, {"coefficients"}));
  MOKA_ASSIGN_OR_RETURN(p->vectors, AttributeList::Find(attrs, {"support_vectors"}));
  MOKA_ASSIGN_OR_RETURN(p->rho, AttributeList::Find(attrs, {"rho"}));
  if (p->coefficients.size() == 0) return InvalidModel("attribute 'coefficients' is missing or empty");
  if (p->rho.size() == 0) return InvalidModel("attribute 'rho' is missing or empty");
  return ReadPostTransform(attrs, &p->transform);
}

Status SetFeatures(int64_t elements, int64_t rows, std::string_view attribute, SvmParams* p) {
  if (rows < 1 || elements < rows || elements % rows != 0) {
    return InvalidModel("attribute '", attribute, "' has ", elements, " elements for ", rows, " rows");
  }
  p->features = elements / rows;
  return Status();
}

Result<SvmParams> ReadRegressor(const Attributes& attrs) {
  SvmParams p;
  MOKA_RETURN_IF_ERROR(ReadSvm(attrs, &p));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "n_supports", 0, &p.supports));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "one_class", false, &p.one_class));
  if (p.supports < 0) return InvalidModel("attribute 'n_supports' is ", p.supports);
  if (p.supports == 0) {
    p.kernel = SvmKernel::kLinear;
    p.features = p.coefficients.size();
    return p;
  }
  MOKA_RETURN_IF_ERROR(SetFeatures(p.vectors.size(), p.supports, "support_vectors", &p));
  if (p.coefficients.size() < p.supports) {
    return InvalidModel("attribute 'coefficients' has ", p.coefficients.size(), " elements, expected ", p.supports);
  }
  return p;
}

Result<SvmParams> ReadClassifier(const Attributes& attrs) {
  SvmParams p;
  MOKA_RETURN_IF_ERROR(ReadSvm(attrs, &p));
  MOKA_ASSIGN_OR_RETURN(p.labels, ClassLabels::From(attrs, "classlabels_ints", "classlabels_strings"));
  MOKA_ASSIGN_OR_RETURN(p.prob_a, AttributeList::Find(attrs, {"prob_a"}));
  MOKA_ASSIGN_OR_RETURN(p.prob_b, AttributeList::Find(attrs, {"prob_b"}));
  MOKA_ASSIGN_OR_RETURN(p.per_class, AttributeList::Find(attrs, {"vectors_per_class"}));
  constexpr int64_t kMostVectors = 1 << 30;
  if (p.classes() > (1 << 15)) return InvalidModel(p.classes(), " classes");
  for (int64_t i = 0; i < p.per_class.size(); ++i) {
    const int64_t vectors = p.per_class.Int(i);
    if (vectors < 0 || vectors > kMostVectors - p.supports)
      return InvalidModel("attribute 'vectors_per_class': ", vectors);
    p.supports += vectors;
  }
  if (p.supports == 0) {
    p.kernel = SvmKernel::kLinear;
    MOKA_RETURN_IF_ERROR(SetFeatures(p.coefficients.size(), p.classes(), "coefficients", &p));
    return p;
  }
  MOKA_RETURN_IF_ERROR(SetFeatures(p.vectors.size(), p.supports, "support_vectors", &p));
  if (p.per_class.size() != p.classes() || p.classes() < 2) {
    return InvalidModel("attribute 'vectors_per_class' has ", p.per_class.size(), " elements for ", p.classes(),
                        " classes");
  }
  if (p.coefficients.size() < (p.classes() - 1) * p.supports || p.rho.size() < p.pairs()) {
    return InvalidModel("attributes 'coefficients' and 'rho' have ", p.coefficients.size(), " and ", p.rho.size(),
                        " elements for ", p.classes(), " classes");
  }
  if (p.prob_a.size() != p.prob_b.size() || (p.prob_a.size() > 0 && p.prob_a.size() < p.pairs())) {
    return InvalidModel("attributes 'prob_a' and 'prob_b' have ", p.prob_a.size(), " and ", p.prob_b.size(),
                        " elements");
  }
  return p;
}

// ---- Kernels ------------------------------------------------------------------------------------------------------

double KernelOf(const SvmParams& p, const std::vector<double>& x, const AttributeList& other, int64_t first) {
  double dot = 0;
  for (size_t j = 0; j < x.size(); ++j) {
    const double y = other.Number(first + static_cast<int64_t>(j));
    dot += p.kernel == SvmKernel::kRbf ? (x[j] - y) * (x[j] - y) : x[j] * y;
  }
  switch (p.kernel) {
    case SvmKernel::kPoly:
      return std::pow(p.gamma * dot + p.coef0, p.degree);
    case SvmKernel::kRbf:
      return std::exp(-p.gamma * dot);
    case SvmKernel::kSigmoid:
      return std::tanh(p.gamma * dot + p.coef0);
    case SvmKernel::kLinear:
      break;
  }
  return dot;
}

std::vector<double> RowOf(const ReferenceCall& reference, const MlRows& rows, int64_t row) {
  std::vector<double> x(static_cast<size_t>(rows.columns));
  for (int64_t j = 0; j < rows.columns; ++j) {
    x[static_cast<size_t>(j)] =
        Load<double>(reference.call.src[0], reference.src[0], row * rows.row_stride + j * rows.column_stride);
  }
  return x;
}

// ---- Regression ---------------------------------------------------------------------------------------------------

Status InferSvm(InferContext& ctx, const SvmParams& params) {
  MOKA_RETURN_IF_ERROR(CheckMlRows(ctx, 0));
  return RequireEqual(ctx, ctx.src[0]->dims.back(), Dim(params.features), "features of src 0");
}

Status InferSvmRegressor(InferContext& ctx) {
  MOKA_ASSIGN_OR_RETURN(const SvmParams params, ReadRegressor(*ctx.attrs));
  MOKA_RETURN_IF_ERROR(InferSvm(ctx, params));
  ctx.dst[0].type = DataType::kF32;
  ctx.dst[0].dims = {ctx.src[0]->rank() == 1 ? Dim(1) : ctx.src[0]->dims[0], Dim(1)};
  return Status();
}

template <class Float>
Status SvmRegressorReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const SvmParams p, ReadRegressor(*reference.call.attrs));
  const TensorDesc& y = reference.call.dst[0];
  const MlRows rows = MlRows::Of(reference.call.src[0]);
  for (int64_t row = 0; row < rows.rows; ++row) {
    const std::vector<double> x = RowOf(reference, rows, row);
    double score = p.rho.Number(0);
    for (int64_t i = 0; i < p.supports; ++i)
      score += p.coefficients.Number(i) * KernelOf(p, x, p.vectors, i * p.features);
    if (p.supports == 0) score += KernelOf(p, x, p.coefficients, 0);
    if (p.one_class) score = score > 0 ? 1 : -1;
    ApplyPostTransform(p.transform, {&score, 1});
    Store<double>(y, reference.dst[0], row * y.strides[0], score);
  }
  return Status();
}

// ---- Classification -----------------------------------------------------------------------------------------------

// Without probabilities there is a score for each pair of classes; a single score is given with its opposite.
int64_t NumScores(const SvmParams& p) {
  if (p.classes() == 1) return 2;
  const bool by_pair = p.supports > 0 && !p.has_probabilities();
  return by_pair && p.classes() > 2 ? p.pairs() : p.classes();
}

Status InferSvmClassifier(InferContext& ctx) {
  MOKA_ASSIGN_OR_RETURN(const SvmParams params, ReadClassifier(*ctx.attrs));
  MOKA_RETURN_IF_ERROR(InferSvm(ctx, params));
  MOKA_RETURN_IF_ERROR(InferClassifier(ctx, params.labels));
  if (ctx.dst.size() > 1) ctx.dst[1].dims[1] = Dim(NumScores(params));
  return Status();
}

// The score of each pair (i, j): above 0 it speaks for i.
std::vector<double> PairScores(const SvmParams& p, const std::vector<double>& x) {
  std::vector<double> kernels(static_cast<size_t>(p.supports)), scores;
  for (int64_t v = 0; v < p.supports; ++v) kernels[static_cast<size_t>(v)] = KernelOf(p, x, p.vectors, v * p.features);
  std::vector<int64_t> first(1, 0);
  for (int64_t i = 0; i < p.classes(); ++i) first.push_back(first.back() + p.per_class.Int(i));
  const auto part = [&](int64_t of, int64_t row) {
    double sum = 0;
    for (int64_t v = first[static_cast<size_t>(of)]; v < first[static_cast<size_t>(of) + 1]; ++v) {
      sum += kernels[static_cast<size_t>(v)] * p.coefficients.Number(row * p.supports + v);
    }
    return sum;
  };
  for (int64_t i = 0; i + 1 < p.classes(); ++i) {
    for (int64_t j = i + 1; j < p.classes(); ++j) {
      scores.push_back(part(i, j - 1) + part(j, i) + p.rho.Number(static_cast<int64_t>(scores.size())));
    }
  }
  return scores;
}

// Wu, Lin, Weng: probability estimates for multi-class classification by pairwise coupling (2004), algorithm 2.
std::vector<double> Couple(const std::vector<double>& pairwise, size_t k) {
  std::vector<double> p(k, 1.0 / static_cast<double>(k)), q(k * k), qp(k);
  for (size_t t = 0; t < k; ++t) {
    for (size_t j = 0; j < k; ++j) {
      if (j == t) continue;
      q[t * k + t] += pairwise[j * k + t] * pairwise[j * k + t];
      q[t * k + j] = -pairwise[j * k + t] * pairwise[t * k + j];
    }
  }
  const double tolerance = 0.005 / static_cast<double>(k);
  for (size_t round = 0; round < std::max<size_t>(100, k); ++round) {
    double pqp = 0, error = 0;
    for (size_t t = 0; t < k; ++t) {
      qp[t] = 0;
      for (size_t j = 0; j < k; ++j) qp[t] += q[t * k + j] * p[j];
      pqp += p[t] * qp[t];
    }
    for (size_t t = 0; t < k; ++t) error = std::max(error, std::abs(qp[t] - pqp));
    if (error < tolerance) break;
    for (size_t t = 0; t < k; ++t) {
      const double diff = (pqp - qp[t]) / q[t * k + t];
      p[t] += diff;
      pqp = (pqp + diff * (diff * q[t * k + t] + 2 * qp[t])) / (1 + diff) / (1 + diff);
      for (size_t j = 0; j < k; ++j) {
        qp[j] = (qp[j] + diff * q[t * k + j]) / (1 + diff);
        p[j] /= 1 + diff;
      }
    }
  }
  return p;
}

std::vector<double> Probabilities(const SvmParams& p, const std::vector<double>& scores) {
  constexpr double kLeast = 1e-7;
  const auto k = static_cast<size_t>(p.classes());
  std::vector<double> pairwise(k * k);
  size_t pair = 0;
  for (size_t i = 0; i + 1 < k; ++i) {
    for (size_t j = i + 1; j < k; ++j, ++pair) {
      const auto at = static_cast<int64_t>(pair);
      const double estimate = Logistic(-(scores[pair] * p.prob_a.Number(at) + p.prob_b.Number(at)));
      pairwise[i * k + j] = std::clamp(estimate, kLeast, 1 - kLeast);
      pairwise[j * k + i] = 1 - pairwise[i * k + j];
    }
  }
  return Couple(pairwise, k);
}

int64_t Largest(const std::vector<double>& values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

// The class with most votes of the pairs.
int64_t Elect(const SvmParams& p, const std::vector<double>& scores) {
  std::vector<double> votes(static_cast<size_t>(p.classes()));
  size_t pair = 0;
  for (size_t i = 0; i + 1 < votes.size(); ++i) {
    for (size_t j = i + 1; j < votes.size(); ++j) votes[scores[pair++] > 0 ? i : j] += 1;
  }
  return Largest(votes);
}

template <class Float>
Status SvmClassifierReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const SvmParams p, ReadClassifier(*reference.call.attrs));
  const MlRows rows = MlRows::Of(reference.call.src[0]);
  for (int64_t row = 0; row < rows.rows; ++row) {
    const std::vector<double> x = RowOf(reference, rows, row);
    std::vector<double> scores;
    int64_t best = 0;
    if (p.supports == 0) {
      for (int64_t i = 0; i < p.classes(); ++i) {
        scores.push_back(KernelOf(p, x, p.coefficients, i * p.features) + p.rho.Number(0));
      }
      best = Largest(scores);
    } else {
      scores = PairScores(p, x);
      best = Elect(p, scores);
      if (p.has_probabilities()) scores = Probabilities(p, scores);
    }
    if (scores.empty()) scores.push_back(0);  // one class makes no pair
    if (scores.size() == 1) {
      FillBinaryScores(p.transform, p.transform != PostTransform::kNone, scores[0], &scores);
    } else {
      ApplyPostTransform(p.transform, scores);
    }
    p.labels.StoreResult(reference, row, best, scores);
  }
  return Status();
}

}  // namespace

const OpSchema* MlSVMClassifierSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "SVMClassifier",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 2,
      .layout = LayoutRule::kStrided,
      .infer = InferSvmClassifier,
      MOKA_REFERENCES(SvmClassifierReference)  //
          .varies = GivesStringLabels,
  };
  return &kSchema;
}

const OpSchema* MlSVMRegressorSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "SVMRegressor",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferSvmRegressor,
      MOKA_REFERENCES(SvmRegressorReference)  //
  };
  return &kSchema;
}

}  // namespace moka
