// The results of classifiers: dst 0 the label of each row, dst 1 a score for each class.
#ifndef MOKA_OPS_ML_CLASS_LABELS_H_
#define MOKA_OPS_ML_CLASS_LABELS_H_

#include <span>
#include <vector>

#include "ops/ml/attribute_list.h"

namespace moka {

struct ClassLabels {
  AttributeList list;

  static Result<ClassLabels> From(const Attributes& attrs, std::string_view ints, std::string_view strings);
  int64_t size() const { return list.size(); }
  // The label with number `best` and the scores become row `row` of the results that are there.
  void StoreResult(const ReferenceCall& reference, int64_t row, int64_t best, std::span<const double> scores) const;
};

// Types and shapes of the results for [N, F] or [F].
Status InferClassifier(InferContext& ctx, const ClassLabels& labels);

// Both classes' scores from the second one's: the transform of -s and s; without one, 1 - s and s where `probability`.
void FillBinaryScores(PostTransform transform, bool probability, double score, std::vector<double>* scores);

// Labels that are strings point into the attributes, so they must not outlive the node.
bool GivesStringLabels(const Attributes& attrs);

}  // namespace moka

#endif  // MOKA_OPS_ML_CLASS_LABELS_H_
