#include <optional>

#include "graph/constants.h"
#include "graph/passes/channel_affine.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/element.h"

namespace moka {

namespace {

// A new constant like `original` with f(index of element, value) for each element.
template <class F>
ValueId MapConstant(Graph& graph, const HostTensor& original, const std::string& name, F&& f) {
  void* data = nullptr;
  const std::shared_ptr<HostTensor> to = AllocateConstant(DataType::kF32, original.desc.shape(), &data);
  if (to == nullptr) return kNoValue;
  for (int64_t i = 0; i < to->desc.NumElements(); ++i) {
    StoreRaw(data, i, static_cast<float>(f(i, static_cast<double>(LoadRaw<float>(original.data, i)))));
  }
  return graph.AddConstant(name, *to);
}

// The channel of the result that an element of the weights makes: [M, C / group, kernel...] of Conv, [C, M / group,
// kernel...] of ConvTranspose.
class WeightChannels {
 public:
  // False where the weights do not make `channels` channels.
  bool Set(const Node& conv, const TensorDesc& weights, int64_t channels) {
    transposed_ = IsOp(conv, "ConvTranspose");
    const Result<int64_t> group = conv.attrs.Int("group", 1);
    if (!group.ok() || *group < 1 || weights.rank < 2 || channels == 0 || weights.NumElements() == 0) return false;
    outputs_ = weights.dims[transposed_ ? 1 : 0];
    points_ = weights.NumElements() / weights.dims[0] / weights.dims[1];
    per_output_ = weights.NumElements() / weights.dims[0];
    inputs_ = weights.dims[0] / *group;
    return inputs_ > 0 && outputs_ * (transposed_ ? *group : 1) == channels;
  }
  int64_t operator()(int64_t i) const {
    return transposed_ ? i / per_output_ / inputs_ * outputs_ + i / points_ % outputs_ : i / per_output_;
  }

 private:
  bool transposed_ = false;
  int64_t outputs_ = 1, points_ = 1, per_output_ = 1, inputs_ = 1;
};

// Conv with weights W and bias b, then y * scale + shift: weights W * scale, bias b * scale + shift.
bool Fold(Graph& graph, Node& conv, const ChannelAffine& affine) {
  const HostTensor* weights = ConstantF32(graph, conv.src[1]);
  const bool has_bias = conv.src.size() > 2 && conv.src[2] != kNoValue;
  const HostTensor* old_bias = has_bias ? ConstantF32(graph, conv.src[2]) : nullptr;
  if (conv.program_begin >= 0 || weights == nullptr || has_bias != (old_bias != nullptr)) return false;
  const auto channels = static_cast<int64_t>(affine.scale.size());
  WeightChannels channel_of;
  if (!channel_of.Set(conv, weights->desc, channels)) return false;
  if (has_bias && old_bias->desc.NumElements() != channels) return false;
  const std::string name = graph.value(conv.src[1]).name;
  const ValueId scaled = MapConstant(graph, *weights, StrCat(name, "/scaled"), [&](int64_t i, double w) {
    return w * affine.scale[static_cast<size_t>(channel_of(i))];
  });
  void* data = nullptr;
  const std::shared_ptr<HostTensor> bias = AllocateConstant(DataType::kF32, {channels}, &data);
  if (scaled == kNoValue || bias == nullptr) return false;
  for (int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<size_t>(c);
    const double old = has_bias ? LoadRaw<float>(old_bias->data, c) : 0;
    StoreRaw(data, c, static_cast<float>(old * affine.scale[i] + affine.shift[i]));
  }
  conv.src.resize(3);
  conv.src[1] = scaled;
  conv.src[2] = graph.AddConstant(StrCat(name, "/bias"), *bias);
  return true;
}

}  // namespace

Status FoldAffineIntoConv(Graph& graph) {
  Uses uses(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& after = graph.nodes[n];
    const std::optional<ChannelAffine> affine = AffineOf(graph, after);
    if (!affine) continue;
    const int p = uses.Producer(affine->x);
    if (p < 0 || uses.OnlyReader(affine->x) != static_cast<int>(n)) continue;
    Node& conv = graph.nodes[static_cast<size_t>(p)];
    if ((!IsOp(conv, "Conv") && !IsOp(conv, "ConvTranspose")) || !Fold(graph, conv, *affine)) continue;
    AppendNames(&conv, after);
    conv.dst[0] = after.dst[0];
    uses.producer[static_cast<size_t>(after.dst[0])] = p;
    after.op = nullptr;
  }
  EraseRemoved(graph);
  return RemoveDeadNodes(graph);
}

}  // namespace moka
