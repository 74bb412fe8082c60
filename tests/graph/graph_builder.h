// Small graphs written in code.
#ifndef MOKA_TESTS_GRAPH_GRAPH_BUILDER_H_
#define MOKA_TESTS_GRAPH_GRAPH_BUILDER_H_

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/constants.h"
#include "graph/graph.h"
#include "ops/element.h"

namespace moka {

using NamedAttributes = std::vector<std::pair<const char*, AttributeValue>>;

class GraphBuilder {
 public:
  Dim Symbol(const char* name) { return Dim::Symbol(graph_.symbols.Intern(name)); }

  ValueId Input(std::string name, std::vector<Dim> dims, DataType type = DataType::kF32) {
    const ValueId id = graph_.AddValue(std::move(name));
    Value& value = graph_.value(id);
    value.declared_type = type;
    value.declared_rank = true;
    value.declared_dims = std::move(dims);
    graph_.inputs.push_back(id);
    return id;
  }

  // Random f32 in [low, high).
  ValueId Weights(const Shape& shape, float low = -1, float high = 1) {
    void* data = nullptr;
    auto tensor = AllocateConstant(DataType::kF32, shape, &data);
    std::uniform_real_distribution<float> number(low, high);
    for (int64_t i = 0; i < tensor->desc.NumElements(); ++i) static_cast<float*>(data)[i] = number(rng_);
    return graph_.AddConstant(NextName("w"), *tensor);
  }
  ValueId Scalar(float value) {
    void* data = nullptr;
    auto tensor = AllocateConstant(DataType::kF32, {}, &data);
    *static_cast<float*>(data) = value;
    return graph_.AddConstant(NextName("c"), *tensor);
  }
  ValueId Ints(const std::vector<int64_t>& values) {
    void* data = nullptr;
    auto tensor = AllocateConstant(DataType::kI64, {static_cast<int64_t>(values.size())}, &data);
    std::copy(values.begin(), values.end(), static_cast<int64_t*>(data));
    return graph_.AddConstant(NextName("i"), *tensor);
  }

  // Any type; `values` are rounded to it.
  ValueId Constant(DataType type, const Shape& shape, const std::vector<double>& values) {
    void* data = nullptr;
    auto tensor = AllocateConstant(type, shape, &data);
    for (size_t i = 0; i < values.size(); ++i) Store<double>(tensor->desc, data, static_cast<int64_t>(i), values[i]);
    return graph_.AddConstant(NextName("k"), *tensor);
  }

  ValueId Node(const char* op, std::vector<ValueId> src, const NamedAttributes& attributes = {}) {
    return Nodes(op, std::move(src), attributes, 1)[0];
  }
  std::vector<ValueId> Nodes(const char* op, std::vector<ValueId> src, const NamedAttributes& attributes, int results) {
    moka::Node node;
    node.op = FindOp("", op);
    EXPECT_NE(node.op, nullptr) << op;
    node.name = NextName(op);
    node.src = std::move(src);
    for (const auto& [name, value] : attributes) node.attrs.Set(name, value);
    for (int i = 0; i < results; ++i) node.dst.push_back(graph_.AddValue(NextName("v")));
    graph_.nodes.push_back(node);
    return node.dst;
  }

  // Weights scaled to keep the variance.
  ValueId Conv(ValueId x, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t group = 1,
               bool bias = false) {
    const float limit = 1.7f / std::sqrt(static_cast<float>(in / group * kernel * kernel));
    std::vector<ValueId> src = {x, Weights({out, in / group, kernel, kernel}, -limit, limit)};
    if (bias) src.push_back(Weights({out}));
    const int64_t pad = kernel / 2;
    return Node("Conv", src,
                {{"group", group},
                 {"strides", std::vector<int64_t>{stride, stride}},
                 {"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
  }
  ValueId BatchNorm(ValueId x, int64_t channels) {
    return Node("BatchNormalization", {x, Weights({channels}, 0.5f, 1.5f), Weights({channels}), Weights({channels}),
                                       Weights({channels}, 0.5f, 2)});
  }
  ValueId ConvBnRelu(ValueId x, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t group = 1) {
    return Node("Relu", {BatchNorm(Conv(x, in, out, kernel, stride, group), out)});
  }

  Graph Unchecked(const std::vector<ValueId>& outputs) {
    graph_.outputs = outputs;
    return std::move(graph_);
  }
  Graph Finish(const std::vector<ValueId>& outputs) {
    graph_.outputs = outputs;
    const Status sorted = SortAndCheck(graph_);
    EXPECT_TRUE(sorted.ok()) << sorted.message();
    const Result<InferResult> inferred = InferShapes(graph_);
    EXPECT_TRUE(inferred.ok()) << inferred.status().message();
    EXPECT_TRUE(!inferred.ok() || inferred->shape_inputs.empty());
    return std::move(graph_);
  }

 private:
  std::string NextName(const char* prefix) { return std::string(prefix) + std::to_string(next_++); }

  Graph graph_;
  std::mt19937 rng_{11};
  int next_ = 0;
};

inline int CountOps(const Graph& graph, std::string_view name) {
  int count = 0;
  for (const Node& node : graph.nodes) count += node.op->name == name ? 1 : 0;
  return count;
}

}  // namespace moka

#endif  // MOKA_TESTS_GRAPH_GRAPH_BUILDER_H_
