#include <array>
#include <optional>

#include "graph/constants.h"
#include "graph/passes/channel_affine.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/element.h"
#include "ops/window.h"

namespace moka {
namespace {

// A linear function of windows of x: a convolution, or a number for each channel, which is one of a single tap.
struct Branch {
  ValueId x = kNoValue;
  std::optional<ChannelAffine> affine;
  const HostTensor *weights = nullptr, *bias = nullptr;  // of a convolution
  int64_t group = 1;
  Window window;

  int64_t channels() const {  // of the result
    return affine ? static_cast<int64_t>(affine->scale.size()) : weights->desc.dims[0];
  }
  int64_t inputs() const { return affine ? 1 : weights->desc.dims[1]; }  // of each group
  double Weight(int64_t i) const {
    return affine ? affine->scale[static_cast<size_t>(i)] : static_cast<double>(LoadRaw<float>(weights->data, i));
  }
  double Bias(int64_t channel) const {
    if (affine) return affine->shift[static_cast<size_t>(channel)];
    return bias == nullptr ? 0 : static_cast<double>(LoadRaw<float>(bias->data, channel));
  }
};

std::optional<Branch> ConvBranch(const Graph& graph, const Node& node) {
  Branch branch;
  branch.x = node.src[0];
  branch.weights = ConstantF32(graph, node.src[1]);
  const bool has_bias = node.src.size() > 2 && node.src[2] != kNoValue;
  branch.bias = has_bias ? ConstantF32(graph, node.src[2]) : nullptr;
  const Result<int64_t> group = node.attrs.Int("group", 1);
  if (node.program_begin >= 0 || branch.weights == nullptr || has_bias != (branch.bias != nullptr)) return {};
  const TensorDesc& weights = branch.weights->desc;
  if (!group.ok() || *group < 1 || weights.rank < 3 || weights.NumElements() == 0) return {};
  if (has_bias && branch.bias->desc.NumElements() != weights.dims[0]) return {};
  branch.group = *group;
  WindowAttributes window;
  if (!WindowAttributes::Read(node.attrs, weights.rank - 2, &weights.dims[2], &window).ok()) return {};
  if (window.auto_pad != AutoPad::kNone && window.auto_pad != AutoPad::kValid) return {};
  branch.window = window.window;
  if (window.auto_pad == AutoPad::kValid) branch.window.pads_begin = branch.window.pads_end = {};
  return branch;
}

std::optional<Branch> BranchOf(const Graph& graph, const Node& node) {
  if (IsOp(node, "Conv")) return ConvBranch(graph, node);
  Branch branch;
  branch.affine = BatchNormAffine(graph, node);
  if (!branch.affine) return {};
  branch.x = branch.affine->x;
  branch.group = branch.channels();
  return branch;
}

// The tap of `large` that reads what the first one of `small` reads, where each tap of `small` has such a one and both
// make results of the same sizes, whatever x is.
bool Contains(const Window& large, const Window& small, std::array<int64_t, kMaxSpatial>* at) {
  for (size_t i = 0; i < kMaxSpatial; ++i) {
    const int64_t shift = large.pads_begin[i] - small.pads_begin[i], step = large.dilations[i];
    const int d = static_cast<int>(i);
    if (large.strides[i] != small.strides[i] || shift < 0 || shift % step != 0) return false;
    if (small.kernel[i] > 1 && small.dilations[i] != step) return false;
    if (shift / step + small.kernel[i] > large.kernel[i]) return false;
    if (large.pads_begin[i] + large.pads_end[i] - large.Span(d) !=
        small.pads_begin[i] + small.pads_end[i] - small.Span(d)) {
      return false;
    }
    (*at)[i] = shift / step;
  }
  return true;
}

struct Merged {
  std::shared_ptr<HostTensor> weights, bias;
};

// The convolution `large * large_sign + small * small_sign`, of the window of `large`.
std::optional<Merged> Merge(const Branch& large, double large_sign, const Branch& small, double small_sign) {
  std::array<int64_t, kMaxSpatial> at{};
  const int64_t channels = large.channels();
  // A branch of as many groups as channels, results and inputs, adds to one input of each result.
  const bool channelwise = small.group == channels && small.inputs() == 1;
  const bool same_inputs = small.group == large.group && small.inputs() == large.inputs();
  const bool keeps_channels = large.inputs() * large.group == channels;
  if (large.affine || small.channels() != channels || (!same_inputs && !(channelwise && keeps_channels))) return {};
  if (channels % large.group != 0 || !Contains(large.window, small.window, &at)) return {};
  void *weights = nullptr, *bias = nullptr;
  Merged merged{AllocateConstant(DataType::kF32, large.weights->desc.shape(), &weights),
                AllocateConstant(DataType::kF32, {channels}, &bias)};
  if (merged.weights == nullptr || merged.bias == nullptr) return {};
  for (int64_t i = 0; i < large.weights->desc.NumElements(); ++i) {
    StoreRaw(weights, i, static_cast<float>(large_sign * large.Weight(i)));
  }
  const auto &k = large.window.kernel, &from = small.window.kernel;
  for (int64_t m = 0; m < channels; ++m) {
    StoreRaw(bias, m, static_cast<float>(large_sign * large.Bias(m) + small_sign * small.Bias(m)));
    const int64_t first = same_inputs ? 0 : m % large.inputs();
    for (int64_t c = 0; c < small.inputs(); ++c) {
      for (int64_t tap = 0; tap < small.window.Points(); ++tap) {
        const int64_t z = tap / (from[1] * from[2]) + at[0], y = tap / from[2] % from[1] + at[1],
                      x = tap % from[2] + at[2];
        const int64_t to = (((m * large.inputs() + first + c) * k[0] + z) * k[1] + y) * k[2] + x;
        const double sum = large_sign * large.Weight(to) +
                           small_sign * small.Weight((m * small.inputs() + c) * small.window.Points() + tap);
        StoreRaw(weights, to, static_cast<float>(sum));
      }
    }
  }
  return merged;
}

}  // namespace

Status MergeBranches(Graph& graph) {
  Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& sum = graph.nodes[n];
    if (!IsOp(sum, "Add") && !IsOp(sum, "Sub")) continue;
    const double sign[] = {1, IsOp(sum, "Sub") ? -1.0 : 1.0};
    int makers[2];
    std::optional<Branch> branches[2];
    for (size_t i = 0; i < 2; ++i) {
      makers[i] = uses.OnlyReader(sum.src[i]) == static_cast<int>(n) ? uses.Producer(sum.src[i]) : -1;
      if (makers[i] >= 0) branches[i] = BranchOf(graph, graph.nodes[static_cast<size_t>(makers[i])]);
    }
    if (makers[0] == makers[1] || !branches[0] || !branches[1] || branches[0]->x != branches[1]->x) continue;
    size_t large = 0;
    std::optional<Merged> merged = Merge(*branches[0], sign[0], *branches[1], sign[1]);
    if (!merged) merged = Merge(*branches[large = 1], sign[1], *branches[0], sign[0]);
    if (!merged) continue;
    Node &conv = graph.nodes[static_cast<size_t>(makers[large])],
         &other = graph.nodes[static_cast<size_t>(makers[1 - large])];
    const std::string name = StrCat(graph.value(conv.src[1]).name, "/merged");
    conv.src = {conv.src[0], graph.AddConstant(name, *merged->weights),
                graph.AddConstant(StrCat(name, "/bias"), *merged->bias)};
    AppendNames(&conv, other);
    AppendNames(&conv, sum);
    conv.dst[0] = sum.dst[0];
    uses.producer[static_cast<size_t>(sum.dst[0])] = makers[large];
    uses.RemoveReader(branches[large]->x, makers[1 - large]);
    other.op = sum.op = nullptr;
  }
  EraseRemoved(graph);
  return RemoveDeadNodes(graph);
}

}  // namespace moka
