#include "graph/passes/pattern.h"

namespace moka {

const Node* Pattern::Made(ValueId id, std::string_view op) const {
  const int producer = uses_.Producer(id);
  if (producer < 0) return nullptr;
  const Node& node = graph_.nodes[static_cast<size_t>(producer)];
  return IsOp(node, op) && node.program_begin < 0 && node.dst.size() == 1 ? &node : nullptr;
}

const Node* Pattern::MadeForOne(ValueId id, std::string_view op) const {
  const Node* node = Made(id, op);
  return node != nullptr && uses_.OnlyReader(id) >= 0 ? node : nullptr;
}

std::vector<std::pair<ValueId, ValueId>> Pattern::Orders(const Node& node) {
  if (node.src.size() != 2 || node.src[0] == kNoValue || node.src[1] == kNoValue) return {};
  return {{node.src[0], node.src[1]}, {node.src[1], node.src[0]}};
}

bool Pattern::Broadcasts(ValueId id, const std::vector<Dim>& dims) const {
  const std::vector<Dim>& own = Dims(id);
  if (own.size() > dims.size()) return false;
  const size_t shift = dims.size() - own.size();
  for (size_t i = 0; i < own.size(); ++i) {
    if (own[i] != dims[shift + i] && own[i] != Dim(1)) return false;
  }
  return true;
}

}  // namespace moka
