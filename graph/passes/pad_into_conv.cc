#include <algorithm>

#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/pad.h"

namespace moka {
namespace {

// Pads of the spatial dimensions, begins then ends, where Pad does nothing but add zeros there.
bool ZeroSpatialPads(const Graph& graph, const Node& pad, std::vector<int64_t>* pads) {
  const SymbolicCall call(graph, pad);
  const Result<PadParams> params = PadParams::From(call.call());
  if (!params.ok() || params->mode != PadMode::kConstant || !params->value_known || params->value != 0) return false;
  const auto rank = static_cast<size_t>(call.call().src[0].rank);
  for (const auto* side : {&params->begin, &params->end}) {
    for (size_t d = 0; d < rank; ++d) {
      if (d < 2 ? (*side)[d] != 0 : (*side)[d] < 0) return false;
      if (d >= 2) pads->push_back((*side)[d]);
    }
  }
  return true;
}

// Adds `extra` to the convolution's own pads; false where auto_pad computes them from the padded size.
bool AddPads(Node& conv, const std::vector<int64_t>& extra) {
  const Result<std::string> auto_pad = conv.attrs.String("auto_pad", "NOTSET");
  if (!auto_pad.ok() || (*auto_pad != "NOTSET" && *auto_pad != "VALID")) return false;
  Result<std::vector<int64_t>> pads = conv.attrs.Ints("pads", std::vector<int64_t>(extra.size(), 0));
  if (!pads.ok() || pads->size() != extra.size()) return false;
  if (*auto_pad == "VALID") pads->assign(extra.size(), 0);
  for (size_t i = 0; i < extra.size(); ++i) {
    if (__builtin_add_overflow((*pads)[i], extra[i], &(*pads)[i])) return false;
  }
  conv.attrs.Erase("auto_pad");
  conv.attrs.Set("pads", *pads);
  return true;
}

}  // namespace

Status FoldPadIntoConv(Graph& graph) {
  Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& conv = graph.nodes[n];
    if (!IsOp(conv, "Conv")) continue;
    const int p = uses.Producer(conv.src[0]);
    if (p < 0 || !IsOp(graph.nodes[static_cast<size_t>(p)], "Pad")) continue;
    const Node& pad = graph.nodes[static_cast<size_t>(p)];
    std::vector<int64_t> extra;
    if (uses.OnlyReader(conv.src[0]) != static_cast<int>(n)) continue;
    if (!ZeroSpatialPads(graph, pad, &extra) || !AddPads(conv, extra)) continue;
    uses.RemoveReader(conv.src[0], static_cast<int>(n));
    conv.src[0] = pad.src[0];
    uses.AddReader(conv.src[0], static_cast<int>(n));
    AppendNames(&conv, pad);
  }
  return RemoveDeadNodes(graph);
}

}  // namespace moka
