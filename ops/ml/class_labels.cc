#include "ops/ml/class_labels.h"

#include "ops/element.h"

namespace moka {

Result<ClassLabels> ClassLabels::From(const Attributes& attrs, std::string_view ints, std::string_view strings) {
  ClassLabels labels;
  MOKA_ASSIGN_OR_RETURN(labels.list, AttributeList::Find(attrs, {ints, strings}));
  if (!labels.list.present() || labels.size() == 0) {
    return InvalidModel("attribute '", ints, "' or '", strings, "' is missing or empty");
  }
  const DataType type = labels.list.type();
  if (type != DataType::kI64 && type != DataType::kString) {
    return InvalidModel("attribute '", ints, "' holds ", NameOf(type));
  }
  return labels;
}

void ClassLabels::StoreResult(const ReferenceCall& reference, int64_t row, int64_t best,
                              std::span<const double> scores) const {
  const auto& dst = reference.call.dst;
  if (dst[0].present()) list.StoreTo(reference.dst[0], dst[0], row * dst[0].strides[0], best);
  if (dst.size() < 2 || !dst[1].present()) return;
  for (size_t i = 0; i < scores.size(); ++i) {
    Store<double>(dst[1], reference.dst[1], row * dst[1].strides[0] + static_cast<int64_t>(i) * dst[1].strides[1],
                  scores[i]);
  }
}

Status InferClassifier(InferContext& ctx, const ClassLabels& labels) {
  const std::vector<Dim>& x = ctx.src[0]->dims;
  const Dim rows = x.size() == 1 ? Dim(1) : x[0];
  ctx.dst[0].type = labels.list.type();
  ctx.dst[0].dims = {rows};
  if (ctx.dst.size() > 1) {
    ctx.dst[1].type = DataType::kF32;
    ctx.dst[1].dims = {rows, Dim(labels.size())};
  }
  return Status();
}

void FillBinaryScores(PostTransform transform, bool probability, double score, std::vector<double>* scores) {
  if (transform == PostTransform::kProbit) {
    *scores = {Probit(1 - score), Probit(score)};
  } else if (transform == PostTransform::kLogistic) {
    *scores = {Logistic(-score), Logistic(score)};
  } else if (probability) {
    *scores = {1 - score, score};
  } else {
    *scores = {-score, score};
  }
}

bool GivesStringLabels(const Attributes& attrs) { return attrs.Has("classlabels_strings"); }

}  // namespace moka
