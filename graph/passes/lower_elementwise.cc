#include <algorithm>

#include "graph/constants.h"
#include "graph/passes/channel_affine.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"
#include "ops/element.h"
#include "ops/micro_builder.h"

namespace moka {
namespace {

bool IsF32(const Graph& graph, ValueId id) { return id == kNoValue || graph.value(id).tensor.type == DataType::kF32; }

bool AllF32(const Graph& graph, const Node& node) {
  return std::all_of(node.src.begin(), node.src.end(), [&](ValueId id) { return IsF32(graph, id); }) &&
         IsF32(graph, node.dst[0]);
}

// Min, Max and Sum of more sources than a program has become a chain, where all have the shape of the result.
void SplitManySources(Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    const auto like_result = [&](ValueId id) {
      return id != kNoValue && graph.value(id).tensor.dims == graph.value(node.dst[0]).tensor.dims;
    };
    const bool folds = IsOp(node, "Max") || IsOp(node, "Min") || IsOp(node, "Sum");
    if (folds && AllF32(graph, node) && std::all_of(node.src.begin(), node.src.end(), like_result)) {
      for (int part = 0; node.src.size() > kMicroMaxSources; ++part) {
        Node first = node;
        first.name = StrCat(node.name, "/part", part);
        const ValueId sum = graph.AddValue(first.name);
        graph.value(sum).tensor = graph.value(node.dst[0]).tensor;
        graph.value(sum).inferred = true;
        first.dst = {sum};
        first.src.resize(kMicroMaxSources);
        node.src.erase(node.src.begin(), node.src.begin() + kMicroMaxSources);
        node.src.insert(node.src.begin(), sum);
        nodes.push_back(std::move(first));
      }
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
}

// The exponent of a power of floats may be an integer: programs read floats only.
void CastExponents(Graph& graph) {
  constexpr uint64_t kMostBytes = 1 << 20;
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    if (IsOp(node, "Pow") && IsF32(graph, node.src[0]) && !IsF32(graph, node.src[1])) {
      Node cast;
      cast.op = FindOp("", "Cast");
      cast.name = StrCat(node.name, "/exponent");
      cast.attrs.Set("to", int64_t{1});  // f32 in the standard's numbers
      cast.src = {node.src[1]};
      cast.dst = {graph.AddValue(cast.name)};
      Value& value = graph.value(cast.dst[0]);
      value.tensor.type = DataType::kF32;
      value.tensor.dims = graph.value(node.src[1]).tensor.dims;
      value.inferred = true;
      node.src[1] = cast.dst[0];
      EvaluationBudget budget = {kMostBytes, kMostBytes, static_cast<double>(kMostBytes)};
      const std::shared_ptr<const HostTensor> known[] = {graph.value(cast.src[0]).constant};
      if (known[0] != nullptr) {
        const auto folded = EvaluateNode(graph, cast, known, &budget);
        if (folded.ok()) node.src[1] = graph.AddConstant(cast.name, *folded->front());
      }
      if (node.src[1] == cast.dst[0]) nodes.push_back(std::move(cast));
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
}

// One constant per channel, shaped to broadcast along dimension 1 of a tensor of this rank.
ValueId ChannelConstant(Graph& graph, std::string name, const std::vector<double>& values, int rank) {
  Shape shape(static_cast<size_t>(rank - 1), 1);
  shape[0] = static_cast<int64_t>(values.size());
  void* data = nullptr;
  const std::shared_ptr<HostTensor> tensor = AllocateConstant(DataType::kF32, shape, &data);
  if (tensor == nullptr) return kNoValue;
  for (size_t c = 0; c < values.size(); ++c) StoreRaw(data, static_cast<int64_t>(c), static_cast<float>(values[c]));
  return graph.AddConstant(std::move(name), *tensor);
}

void BecomeElementwise(Node& node, std::vector<ValueId> sources, const MicroProgram& program) {
  if (node.fused.empty()) node.fused.push_back(node.name);
  node.op = FindOp("moka", "Elementwise");
  node.attrs = {};
  node.src = std::move(sources);
  node.program = program;
  node.program_begin = 0;
}

// Scalars that do not decide the rank of the result become constants of the program.
bool IsProgramConstant(const Graph& graph, const Node& node, ValueId id, float* scalar) {
  if (!IsScalar(graph.value(id), scalar)) return false;
  const int rank = graph.value(id).tensor.rank();
  return std::any_of(node.src.begin(), node.src.end(), [&](ValueId other) {
    float ignored = 0;
    return other != kNoValue && graph.value(other).tensor.rank() >= rank && !IsScalar(graph.value(other), &ignored);
  });
}

bool LowerOperator(Graph& graph, Node& node) {
  if (node.op->lower == nullptr || !IsF32(graph, node.dst[0])) return false;
  MicroBuilder builder;
  std::vector<ValueId> sources;
  std::vector<uint8_t> codes;
  for (const ValueId id : node.src) {
    float scalar = 0;
    const auto known = std::find(sources.begin(), sources.end(), id);
    if (id == kNoValue) {
      codes.push_back(0);
    } else if (known != sources.end()) {
      codes.push_back(MicroSource(static_cast<int>(known - sources.begin())));
    } else if (IsProgramConstant(graph, node, id, &scalar)) {
      codes.push_back(builder.Constant(scalar));
    } else if (!IsF32(graph, id)) {
      return false;
    } else {
      codes.push_back(builder.AddSource());
      sources.push_back(id);
    }
  }
  if (!builder.ok() || sources.empty()) return false;
  builder.MapSources(codes.data(), static_cast<int>(codes.size()));
  const SymbolicCall call(graph, node);
  MicroProgram program;
  if (!node.op->lower(call.call(), builder) || !builder.Finish(&program) || program.empty()) return false;
  BecomeElementwise(node, std::move(sources), program);
  return true;
}

void LowerBatchNorm(Graph& graph, Node& node) {
  const std::optional<ChannelAffine> affine = BatchNormAffine(graph, node);
  if (!affine || !AllF32(graph, node)) return;
  const int rank = graph.value(node.src[0]).tensor.rank();
  const ValueId scale = ChannelConstant(graph, StrCat(node.name, "/scale"), affine->scale, rank);
  const ValueId shift = ChannelConstant(graph, StrCat(node.name, "/shift"), affine->shift, rank);
  if (scale == kNoValue || shift == kNoValue) return;
  MicroBuilder builder;
  const uint8_t x = builder.AddSource(), a = builder.AddSource(), b = builder.AddSource();
  builder.SetResult(builder.Emit(MicroOp::kMulAdd, x, a, b));
  MicroProgram program;
  if (builder.Finish(&program)) BecomeElementwise(node, {node.src[0], scale, shift}, program);
}

}  // namespace

Status LowerElementwise(Graph& graph) {
  CastExponents(graph);
  SplitManySources(graph);
  for (Node& node : graph.nodes) {
    if (!LowerOperator(graph, node)) LowerBatchNorm(graph, node);
  }
  return Status();
}

}  // namespace moka
