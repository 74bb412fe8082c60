#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace moka {
namespace {

template <class T>
bool Same(const T& a, const T& b) {
  return a == b;
}
bool Same(const HostTensor& a, const HostTensor& b) {
  return a.data == b.data && a.desc.type == b.desc.type && SameShape(a.desc, b.desc);
}

bool SameAttributes(const Attributes& a, const Attributes& b) {
  if (a.all().size() != b.all().size()) return false;
  return std::all_of(a.all().begin(), a.all().end(), [&](const auto& entry) {
    const AttributeValue* other = b.Find(entry.first);
    return other != nullptr && other->index() == entry.second.index() &&
           std::visit([&](const auto& value) { return Same(value, std::get<std::decay_t<decltype(value)>>(*other)); },
                      entry.second);
  });
}

bool SameNode(const Node& a, const Node& b) {
  return a.op == b.op && !Varies(*a.op, a.attrs) && a.src == b.src && a.dst.size() == b.dst.size() &&
         a.program_begin == b.program_begin && std::memcmp(&a.program, &b.program, sizeof(MicroProgram)) == 0 &&
         SameAttributes(a.attrs, b.attrs);
}

size_t HashOf(const Node& node) {
  size_t hash = std::hash<const void*>()(node.op);
  for (const ValueId id : node.src) hash = hash * 1000003 + static_cast<size_t>(id);
  return hash;
}

}  // namespace

Status MergeCommonNodes(Graph& graph) {
  Uses uses(graph);
  std::unordered_multimap<size_t, size_t> seen;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    const bool gives_output = std::any_of(node.dst.begin(), node.dst.end(), [&](ValueId id) {
      return id != kNoValue && uses.output[static_cast<size_t>(id)];
    });
    const size_t hash = HashOf(node);
    const auto [first, last] = seen.equal_range(hash);
    const auto same =
        std::find_if(first, last, [&](const auto& entry) { return SameNode(graph.nodes[entry.second], node); });
    if (same == last) {
      seen.emplace(hash, n);
      continue;
    }
    const Node& original = graph.nodes[same->second];
    bool replaceable = !gives_output;
    for (size_t i = 0; i < node.dst.size(); ++i) {
      replaceable = replaceable && (node.dst[i] == kNoValue || original.dst[i] != kNoValue);
    }
    if (!replaceable) continue;
    for (size_t i = 0; i < node.dst.size(); ++i) {
      if (node.dst[i] != kNoValue) uses.Redirect(graph, node.dst[i], original.dst[i]);
    }
    for (const ValueId id : node.src) uses.RemoveReader(id, static_cast<int>(n));
    node.op = nullptr;
  }
  EraseRemoved(graph);
  return Status();
}

}  // namespace moka
