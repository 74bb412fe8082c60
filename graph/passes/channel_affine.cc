#include "graph/passes/channel_affine.h"

#include <algorithm>
#include <cmath>

#include "graph/constants.h"
#include "graph/passes/rewrite.h"
#include "ops/batch_normalization.h"
#include "ops/element.h"

namespace moka {

std::optional<ChannelAffine> BatchNormAffine(const Graph& graph, const Node& node) {
  if (!IsOp(node, "BatchNormalization")) return std::nullopt;
  const Result<BatchNormParams> params = BatchNormParams::From(node.attrs);
  if (!params.ok() || params->training) return std::nullopt;
  const HostTensor* sources[4];
  for (size_t i = 0; i < 4; ++i) {
    sources[i] = ConstantF32(graph, node.src[i + 1]);
    if (sources[i] == nullptr) return std::nullopt;
    if (sources[i]->desc.NumElements() != sources[0]->desc.NumElements()) return std::nullopt;
  }
  ChannelAffine affine;
  affine.x = node.src[0];
  for (int64_t c = 0; c < sources[0]->desc.NumElements(); ++c) {
    const auto at = [&](int i) { return static_cast<double>(LoadRaw<float>(sources[i]->data, c)); };
    const double scale = at(0) / std::sqrt(at(3) + static_cast<double>(params->epsilon));
    affine.scale.push_back(scale);
    affine.shift.push_back(at(1) - at(2) * scale);
  }
  return affine;
}

namespace {

constexpr int64_t kMostChannels = 1 << 20;

// The constant's number for each of `channels` channels of a tensor of `rank` dimensions; empty where it varies
// along another dimension.
std::vector<double> PerChannel(const HostTensor& constant, int rank, int64_t channels) {
  const TensorDesc& desc = constant.desc;
  const int channel = 1 - (rank - desc.rank);  // dimension of the constant that belongs to the channels
  if (desc.type != DataType::kF32 || desc.rank > rank || channels < 1 || channels > kMostChannels) return {};
  for (int i = 0; i < desc.rank; ++i) {
    const int64_t dim = desc.dims[static_cast<size_t>(i)];
    if (dim != 1 && !(i == channel && dim == channels)) return {};
  }
  std::vector<double> numbers;
  const bool scalar = desc.NumElements() == 1;
  for (int64_t c = 0; c < channels; ++c) numbers.push_back(LoadRaw<float>(constant.data, scalar ? 0 : c));
  return numbers;
}

}  // namespace

std::optional<ChannelAffine> AffineOf(const Graph& graph, const Node& node) {
  if (std::optional<ChannelAffine> norm = BatchNormAffine(graph, node)) return norm;
  const bool add = IsOp(node, "Add"), sub = IsOp(node, "Sub"), mul = IsOp(node, "Mul"), div = IsOp(node, "Div");
  if (!add && !sub && !mul && !div) return std::nullopt;
  const bool constant_first = graph.value(node.src[0]).constant != nullptr;
  if (constant_first && div) return std::nullopt;
  const std::shared_ptr<const HostTensor> constant = graph.value(node.src[constant_first ? 0 : 1]).constant;
  ChannelAffine affine;
  affine.x = node.src[constant_first ? 1 : 0];
  const SymbolicTensor& x = graph.value(affine.x).tensor;
  if (constant == nullptr || x.rank() < 2 || !x.dims[1].is_constant()) return std::nullopt;
  const std::vector<double> numbers = PerChannel(*constant, x.rank(), x.dims[1].constant());
  if (numbers.empty() || (div && std::count(numbers.begin(), numbers.end(), 0.0) > 0)) return std::nullopt;
  affine.scale.assign(numbers.size(), sub && constant_first ? -1.0 : 1.0);
  affine.shift.assign(numbers.size(), 0.0);
  for (size_t c = 0; c < numbers.size(); ++c) {
    if (add || sub) affine.shift[c] = sub && !constant_first ? -numbers[c] : numbers[c];
    if (mul) affine.scale[c] = numbers[c];
    if (div) affine.scale[c] = 1 / numbers[c];
  }
  return affine;
}

}  // namespace moka
