#include "ops/ml/forest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "ops/ml/attribute_list.h"

namespace moka {
namespace {

struct Lists {
  const Attributes& attrs;
  std::string prefix;

  // A list of `size` elements (any where < 0); an absent one is refused unless `optional`.
  Result<AttributeList> Get(std::string_view name, int64_t size, bool optional = false) const {
    const std::string full = prefix + std::string(name), tensor = full + "_as_tensor";
    MOKA_ASSIGN_OR_RETURN(AttributeList list, AttributeList::Find(attrs, {full, tensor}));
    if (!list.present() && optional) return list;
    if (!list.present()) return InvalidModel("attribute '", full, "' is missing");
    if (size >= 0 && list.size() != size) {
      return InvalidModel("attribute '", full, "' has ", list.size(), " elements, expected ", size);
    }
    return list;
  }
};

bool Decide(const Forest& forest, const TreeNode& node, double x) {
  if (std::isnan(x)) return node.missing_is_true;
  switch (node.branch) {
    case Branch::kLessEqual:
      return x <= node.value;
    case Branch::kLess:
      return x < node.value;
    case Branch::kGreaterEqual:
      return x >= node.value;
    case Branch::kGreater:
      return x > node.value;
    case Branch::kEqual:
      return x == node.value;
    case Branch::kNotEqual:
      return x != node.value;
    case Branch::kMember: {
      const auto first = forest.members.begin();
      const auto end = first + static_cast<ptrdiff_t>(node.end_member);
      return std::find(first + static_cast<ptrdiff_t>(node.first_member), end, x) != end;
    }
  }
  return false;
}

// The sets of the nodes that test membership, in the order of the nodes, with NaN between them.
Status ReadMembers(const AttributeList& values, Forest* forest) {
  int64_t at = 0;
  const int64_t size = values.present() ? values.size() : 0;
  for (TreeNode& node : forest->nodes) {
    if (node.branch != Branch::kMember) continue;
    if (at >= size) return InvalidModel("attribute 'membership_values' has fewer sets than there are nodes");
    node.first_member = forest->members.size();
    for (; at < size && !std::isnan(values.Number(at)); ++at) forest->members.push_back(values.Number(at));
    node.end_member = forest->members.size();
    ++at;
  }
  return Status();
}

using NodeKey = std::pair<int64_t, int64_t>;  // tree, node

// What a node of the older operators became: a node, or leaf ~index.
using NodeMap = std::map<NodeKey, int64_t>;

Result<Branch> BranchOf(std::string_view name) {
  constexpr std::string_view kNames[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                         "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return InvalidModel("attribute 'nodes_modes': '", name, "'");
  return static_cast<Branch>(found - std::begin(kNames));
}

Status ReadVotes(const Lists& lists, std::string_view ids_name, const NodeMap& map, Forest* forest) {
  MOKA_ASSIGN_OR_RETURN(const AttributeList ids, lists.Get(ids_name, -1));
  MOKA_ASSIGN_OR_RETURN(const AttributeList trees, lists.Get("treeids", ids.size()));
  MOKA_ASSIGN_OR_RETURN(const AttributeList nodes, lists.Get("nodeids", ids.size()));
  MOKA_ASSIGN_OR_RETURN(const AttributeList weights, lists.Get("weights", ids.size()));
  std::vector<std::vector<Vote>> by_leaf(forest->leaves.size());
  for (int64_t i = 0; i < ids.size(); ++i) {
    const auto found = map.find({trees.Int(i), nodes.Int(i)});
    if (found == map.end() || found->second >= 0) {
      return InvalidModel("attribute '", lists.prefix, "nodeids': node ", nodes.Int(i), " of tree ", trees.Int(i),
                          " is no leaf");
    }
    by_leaf[static_cast<size_t>(~found->second)].push_back({ids.Int(i), weights.Number(i)});
  }
  for (size_t i = 0; i < by_leaf.size(); ++i) {
    forest->leaves[i].first_vote = forest->votes.size();
    forest->votes.insert(forest->votes.end(), by_leaf[i].begin(), by_leaf[i].end());
    forest->leaves[i].end_vote = forest->votes.size();
  }
  return Status();
}

}  // namespace

Result<Forest> Forest::FromEnsemble(const Attributes& attrs, int64_t targets) {
  const Lists nodes{attrs, "nodes_"}, leaves{attrs, "leaf_"}, others{attrs, ""};
  MOKA_ASSIGN_OR_RETURN(const AttributeList features, nodes.Get("featureids", -1));
  const int64_t n = features.size();
  MOKA_ASSIGN_OR_RETURN(const AttributeList modes, nodes.Get("modes", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList splits, nodes.Get("splits", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList yes, nodes.Get("truenodeids", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList no, nodes.Get("falsenodeids", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList yes_is_leaf, nodes.Get("trueleafs", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList no_is_leaf, nodes.Get("falseleafs", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList missing, nodes.Get("missing_value_tracks_true", n, true));
  MOKA_ASSIGN_OR_RETURN(const AttributeList roots, others.Get("tree_roots", -1));
  MOKA_ASSIGN_OR_RETURN(const AttributeList members, others.Get("membership_values", -1, true));
  MOKA_ASSIGN_OR_RETURN(const AttributeList ids, leaves.Get("targetids", -1));
  MOKA_ASSIGN_OR_RETURN(const AttributeList weights, leaves.Get("weights", ids.size()));
  Forest forest;
  const auto child = [](const AttributeList& at, const AttributeList& is_leaf, int64_t i) {
    return is_leaf.Int(i) != 0 ? ~at.Int(i) : at.Int(i);
  };
  for (int64_t i = 0; i < n; ++i) {
    const int64_t mode = modes.Int(i);
    if (mode < 0 || mode > static_cast<int64_t>(Branch::kMember)) {
      return InvalidModel("attribute 'nodes_modes' has an element of ", mode);
    }
    if (yes.Int(i) < 0 || no.Int(i) < 0)
      return InvalidModel("attribute 'nodes_truenodeids' or 'nodes_falsenodeids': negative");
    forest.nodes.push_back({features.Int(i), splits.Number(i), static_cast<Branch>(mode),
                            missing.present() && missing.Int(i) != 0, child(yes, yes_is_leaf, i),
                            child(no, no_is_leaf, i)});
  }
  for (int64_t i = 0; i < ids.size(); ++i) {
    forest.votes.push_back({ids.Int(i), weights.Number(i)});
    forest.leaves.push_back({static_cast<size_t>(i), static_cast<size_t>(i) + 1});
  }
  for (int64_t i = 0; i < roots.size(); ++i) {
    if (roots.Int(i) < 0) return InvalidModel("attribute 'tree_roots' has an element of ", roots.Int(i));
    forest.roots.push_back(roots.Int(i));
  }
  MOKA_RETURN_IF_ERROR(ReadMembers(members, &forest));
  for (const TreeNode& node : forest.nodes) forest.max_feature = std::max(forest.max_feature, node.feature);
  MOKA_RETURN_IF_ERROR(forest.Check(targets));
  return forest;
}

Result<Forest> Forest::FromTables(const Attributes& attrs, std::string_view votes, int64_t targets) {
  const Lists lists{attrs, "nodes_"};
  MOKA_ASSIGN_OR_RETURN(const AttributeList ids, lists.Get("nodeids", -1));
  const int64_t n = ids.size();
  MOKA_ASSIGN_OR_RETURN(const AttributeList trees, lists.Get("treeids", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList features, lists.Get("featureids", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList values, lists.Get("values", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList modes, lists.Get("modes", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList yes, lists.Get("truenodeids", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList no, lists.Get("falsenodeids", n));
  MOKA_ASSIGN_OR_RETURN(const AttributeList missing, lists.Get("missing_value_tracks_true", n, true));
  if (modes.type() != DataType::kString) return InvalidModel("attribute 'nodes_modes' has the wrong type");
  Forest forest;
  NodeMap map;
  for (int64_t i = 0; i < n; ++i) {
    const bool leaf = StringAt(modes.Text(i)) == "LEAF";
    const int64_t index =
        leaf ? ~static_cast<int64_t>(forest.leaves.size()) : static_cast<int64_t>(forest.nodes.size());
    if (!map.try_emplace({trees.Int(i), ids.Int(i)}, index).second) {
      return InvalidModel("attribute 'nodes_nodeids': node ", ids.Int(i), " of tree ", trees.Int(i), " is there twice");
    }
    // The first node of a tree is its root.
    if (i == 0 || trees.Int(i) != trees.Int(i - 1)) forest.roots.push_back(index);
    if (leaf) {
      forest.leaves.push_back({0, 0});
      continue;
    }
    MOKA_ASSIGN_OR_RETURN(const Branch branch, BranchOf(StringAt(modes.Text(i))));
    forest.nodes.push_back({features.Int(i), values.Number(i), branch, missing.present() && missing.Int(i) != 0});
    forest.max_feature = std::max(forest.max_feature, features.Int(i));
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t index = map[{trees.Int(i), ids.Int(i)}];
    if (index < 0) continue;
    const auto yes_at = map.find({trees.Int(i), yes.Int(i)}), no_at = map.find({trees.Int(i), no.Int(i)});
    if (yes_at == map.end() || no_at == map.end()) {
      return InvalidModel("attributes 'nodes_truenodeids', 'nodes_falsenodeids': node ", ids.Int(i), " of tree ",
                          trees.Int(i), " has a child that is not there");
    }
    forest.nodes[static_cast<size_t>(index)].yes = yes_at->second;
    forest.nodes[static_cast<size_t>(index)].no = no_at->second;
  }
  MOKA_RETURN_IF_ERROR(ReadVotes({attrs, std::string(votes) + "_"}, "ids", map, &forest));
  MOKA_RETURN_IF_ERROR(forest.Check(targets));
  return forest;
}

Status Forest::Check(int64_t targets) const {
  const auto exists = [&](int64_t child) {
    return child >= 0 ? child < static_cast<int64_t>(nodes.size()) : ~child < static_cast<int64_t>(leaves.size());
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].feature < 0) return InvalidModel("attribute 'nodes_featureids' has an element of ", nodes[i].feature);
    if (!exists(nodes[i].yes) || !exists(nodes[i].no))
      return InvalidModel("tree node ", i, " has a child that is not there");
  }
  for (const int64_t root : roots) {
    if (!exists(root)) return InvalidModel("attribute 'tree_roots': no node ", root);
  }
  for (const Vote& vote : votes) {
    if (vote.target < 0 || vote.target >= targets) {
      return InvalidModel("a leaf votes for target ", vote.target, " of ", targets);
    }
  }
  return Status();
}

Result<const Leaf*> Forest::Find(size_t tree, const std::function<double(int64_t)>& feature) const {
  int64_t at = roots[tree];
  for (size_t steps = 0; at >= 0; ++steps) {
    if (steps > nodes.size()) return InvalidModel("the nodes of tree ", tree, " form a circle");
    const TreeNode& node = nodes[static_cast<size_t>(at)];
    at = Decide(*this, node, feature(node.feature)) ? node.yes : node.no;
  }
  return &leaves[static_cast<size_t>(~at)];
}

Status Collect(const Forest& forest, Aggregate aggregate, const std::function<double(int64_t)>& feature,
               std::span<double> scores, std::span<bool> has) {
  for (size_t tree = 0; tree < forest.roots.size(); ++tree) {
    MOKA_ASSIGN_OR_RETURN(const Leaf* leaf, forest.Find(tree, feature));
    for (size_t i = leaf->first_vote; i < leaf->end_vote; ++i) {
      const auto target = static_cast<size_t>(forest.votes[i].target);
      const double weight = forest.votes[i].weight;
      double& score = scores[target];
      if (!has[target]) {
        score = weight;
      } else if (aggregate == Aggregate::kMin) {
        score = std::min(score, weight);
      } else if (aggregate == Aggregate::kMax) {
        score = std::max(score, weight);
      } else {
        score += weight;
      }
      has[target] = true;
    }
  }
  if (aggregate == Aggregate::kAverage && !forest.roots.empty()) {
    for (double& score : scores) score /= static_cast<double>(forest.roots.size());
  }
  return Status();
}

}  // namespace moka
