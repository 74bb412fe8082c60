// Decision trees in one form, whatever operator they come from.
#ifndef MOKA_OPS_ML_FOREST_H_
#define MOKA_OPS_ML_FOREST_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ops/attributes.h"

namespace moka {

enum class Branch : uint8_t { kLessEqual, kLess, kGreaterEqual, kGreater, kEqual, kNotEqual, kMember };

struct Vote {
  int64_t target;
  double weight;
};

// Children: a node where >= 0, else leaf ~child.
struct TreeNode {
  int64_t feature = 0;
  double value = 0;
  Branch branch = Branch::kLessEqual;
  bool missing_is_true = false;  // where NaN goes
  int64_t yes = 0, no = 0;
  size_t first_member = 0, end_member = 0;  // of kMember
};
struct Leaf {
  size_t first_vote, end_vote;
};

struct Forest {
  std::vector<TreeNode> nodes;
  std::vector<Leaf> leaves;
  std::vector<Vote> votes;
  std::vector<double> members;
  std::vector<int64_t> roots;  // as children
  int64_t max_feature = -1;

  // Of TreeEnsemble.
  static Result<Forest> FromEnsemble(const Attributes& attrs, int64_t targets);
  // Of TreeEnsembleClassifier (`votes` "class") and TreeEnsembleRegressor ("target").
  static Result<Forest> FromTables(const Attributes& attrs, std::string_view votes, int64_t targets);

  // The leaf of tree `tree`; fails where the nodes form a circle.
  Result<const Leaf*> Find(size_t tree, const std::function<double(int64_t)>& feature) const;

 private:
  Status Check(int64_t targets) const;
};

enum class Aggregate : uint8_t { kAverage, kSum, kMin, kMax };

// Sums (or the like) of the votes of all trees; has[t]: whether any leaf voted for target t.
Status Collect(const Forest& forest, Aggregate aggregate, const std::function<double(int64_t)>& feature,
               std::span<double> scores, std::span<bool> has);

}  // namespace moka

#endif  // MOKA_OPS_ML_FOREST_H_
