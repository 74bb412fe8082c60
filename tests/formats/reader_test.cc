#include "formats/onnx/reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "tests/formats/onnx_writer.h"

namespace moka {
namespace {

using test::GraphBuilder;
using test::ModelBuilder;
using test::TensorSpec;

Result<Graph> Read(const std::string& bytes, const ModelOptions& options = {}) {
  return ReadOnnx({bytes, "", nullptr}, options);
}

template <class T>
std::vector<T> Contents(const HostTensor& tensor) {
  std::vector<T> out(static_cast<size_t>(tensor.desc.NumElements()));
  if (!out.empty()) std::memcpy(out.data(), tensor.data, out.size() * sizeof(T));
  return out;
}

const HostTensor& ConstantOf(const Graph& graph, std::string_view name) {
  return *graph.value(graph.FindValue(name)).constant;
}

TEST(OnnxReader, ReadsWhatTheWriterWrote) {
  ModelBuilder model;
  model.AddInput("x", {"batch", 2, "", 4});
  model.AddInitializer<float>("w", {3, 2, 1, 1}, {1, 2, 3, 4, 5, 6});
  model.AddNode("Conv", {"x", "w", ""}, {"c"}, {{"pads", {0, 1, 0, 1}}, {"auto_pad", "NOTSET"}, {"group", 1}}, "conv1");
  model.AddNode("Identity", {"c"}, {"y"});
  model.AddOutput("y", DataType::kF32, test::DimSpecs{"batch", 3, "h", 6});
  const std::string bytes = model.Serialize();
  Result<Graph> graph = Read(bytes);
  ASSERT_TRUE(graph.ok()) << graph.status().message();

  ASSERT_EQ(graph->nodes.size(), 2u);
  const Node& conv = graph->nodes[0];
  EXPECT_STREQ(conv.op->name, "Conv");
  EXPECT_EQ(conv.name, "conv1");
  ASSERT_EQ(conv.src.size(), 2u) << "absent inputs at the end are dropped";
  EXPECT_EQ(graph->value(conv.src[0]).name, "x");
  EXPECT_EQ(*conv.attrs.Ints("pads", {}), (std::vector<int64_t>{0, 1, 0, 1}));
  EXPECT_EQ(*conv.attrs.String("auto_pad", ""), "NOTSET");
  EXPECT_EQ(*conv.attrs.Int("group", 0), 1);
  EXPECT_NE(graph->nodes[1].name.find("Identity"), std::string::npos) << "made from the operator";

  ASSERT_EQ(graph->inputs.size(), 1u);
  const Value& x = graph->value(graph->inputs[0]);
  EXPECT_EQ(x.declared_type, DataType::kF32);
  ASSERT_EQ(x.declared_dims.size(), 4u);
  EXPECT_EQ(x.declared_dims[0].ToString(graph->symbols), "batch");
  EXPECT_EQ(x.declared_dims[1].constant(), 2);
  EXPECT_FALSE(x.declared_dims[2].is_constant());
  const Value& y = graph->value(graph->outputs.at(0));
  EXPECT_TRUE(y.declared_dims[0] == x.declared_dims[0]) << "one symbol for one name";

  const HostTensor& w = ConstantOf(*graph, "w");
  EXPECT_EQ(w.desc.shape(), (Shape{3, 2, 1, 1}));
  EXPECT_EQ(Contents<float>(w), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(OnnxReader, DoesNotCopyWeightsAndKeepsTheirOwner) {
  ModelBuilder model;
  model.AddInput("x", {2});
  model.AddInitializer<float>("raw", {2}, {1, 2});
  std::string floats;
  const std::vector<float> values = {3, 4};
  protozero::pbf_writer(floats).add_packed_float(onnx::TensorFields::kFloatData, values.begin(), values.end());
  model.AddTensor("packed", {onnx::ToOnnx(DataType::kF32), {2}, "", {}, floats});
  model.AddNode("Concat", {"x", "raw", "packed"}, {"y"}, {{"axis", 0}});
  model.AddOutput("y");
  auto bytes = std::make_shared<const std::string>(model.Serialize());
  std::weak_ptr<const std::string> watch = bytes;
  const char* begin = bytes->data();
  const char* end = begin + bytes->size();
  Result<Graph> graph = ReadOnnx({*bytes, "", bytes}, {});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  bytes.reset();
  ASSERT_FALSE(watch.expired()) << "the constants hold the bytes";
  for (const char* name : {"raw", "packed"}) {
    const char* data = static_cast<const char*>(ConstantOf(*graph, name).data);
    EXPECT_TRUE(data >= begin && data + 8 <= end) << name;
  }
  EXPECT_EQ(Contents<float>(ConstantOf(*graph, "packed")), values);
  *graph = Graph();
  EXPECT_TRUE(watch.expired());
}

TEST(OnnxReader, InitializersThatAreInputsAreConstants) {
  for (const int64_t ir_version : {3, 8}) {
    ModelBuilder model;
    model.SetIrVersion(ir_version);
    model.AddInput("x", {2});
    model.AddInput("w", {2});
    model.AddInitializer<float>("w", {2}, {1, 2});
    model.AddNode("Concat", {"x", "w"}, {"y"}, {{"axis", 0}});
    model.AddOutput("y");
    Result<Graph> graph = Read(model.Serialize());
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    ASSERT_EQ(graph->inputs.size(), 1u);
    EXPECT_EQ(graph->value(graph->inputs[0]).name, "x");
    EXPECT_NE(graph->value(graph->FindValue("w")).constant, nullptr);
  }
}

TEST(OnnxReader, DecodesTypedFieldsPackedOrNot) {
  using F = onnx::TensorFields;
  const auto tensor = [](DataType type, std::vector<int64_t> dims, auto&& write) {
    std::string extra;
    protozero::pbf_writer writer(extra);
    write(writer);
    const std::string bytes = TensorSpec{onnx::ToOnnx(type), std::move(dims), "", {}, extra}.Encode("t");
    Result<HostTensor> result = ReadTensorProto({bytes, "", std::make_shared<std::string>(bytes)});
    EXPECT_TRUE(result.ok()) << result.status().message();
    // The copy of a tensor that points into `bytes` must not outlive it.
    return std::make_pair(result.ok() ? *result : HostTensor{}, bytes);
  };
  const std::vector<int32_t> ints = {-1, 0, 127};
  auto [i8, i8_bytes] =
      tensor(DataType::kI8, {3}, [&](auto& w) { w.add_packed_int32(F::kInt32Data, ints.begin(), ints.end()); });
  EXPECT_EQ(Contents<int8_t>(i8), (std::vector<int8_t>{-1, 0, 127}));
  auto [i32, i32_bytes] = tensor(DataType::kI32, {3}, [&](auto& w) {
    for (const int32_t x : ints) w.add_int32(F::kInt32Data, x);
  });
  EXPECT_EQ(Contents<int32_t>(i32), ints);
  auto [u64, u64_bytes] = tensor(DataType::kU64, {1}, [&](auto& w) { w.add_uint64(F::kUint64Data, UINT64_MAX); });
  EXPECT_EQ(Contents<uint64_t>(u64), std::vector<uint64_t>{UINT64_MAX});
  auto [f64, f64_bytes] = tensor(DataType::kF64, {2}, [&](auto& w) {
    w.add_double(F::kDoubleData, 0.5);
    w.add_double(F::kDoubleData, -2);
  });
  EXPECT_EQ(Contents<double>(f64), (std::vector<double>{0.5, -2}));
  auto [f32, f32_bytes] = tensor(DataType::kF32, {3}, [&](auto& w) {
    const std::vector<float> two = {1, 2};
    w.add_packed_float(F::kFloatData, two.begin(), two.end());
    w.add_float(F::kFloatData, 3);
  });
  EXPECT_EQ(Contents<float>(f32), (std::vector<float>{1, 2, 3}));
  auto [f16, f16_bytes] = tensor(DataType::kF16, {1}, [&](auto& w) { w.add_int32(F::kInt32Data, 0x3c00); });
  EXPECT_EQ(Contents<uint16_t>(f16), std::vector<uint16_t>{0x3c00});
  auto [truth, truth_bytes] = tensor(DataType::kBool, {2}, [&](auto& w) {
    w.add_int32(F::kInt32Data, 0);
    w.add_int32(F::kInt32Data, 5);
  });
  EXPECT_EQ(Contents<uint8_t>(truth), (std::vector<uint8_t>{0, 1}));
  auto [raw_truth, raw_bytes] =
      tensor(DataType::kBool, {3}, [&](auto& w) { w.add_bytes(F::kRawData, std::string("\x00\x02\x01", 3)); });
  EXPECT_EQ(Contents<uint8_t>(raw_truth), (std::vector<uint8_t>{0, 1, 1}));
  auto [empty, empty_bytes] = tensor(DataType::kF32, {0, 4}, [](auto&) {});
  EXPECT_EQ(empty.desc.NumElements(), 0);
}

TEST(OnnxReader, ConstantNodesBecomeConstants) {
  ModelBuilder model;
  model.AddInput("x", {1});
  model.AddNode("Constant", {}, {"a"}, {{"value", TensorSpec::Of<float>({2}, {1, 2})}});
  model.AddNode("Constant", {}, {"b"}, {{"value_float", 3.f}});
  model.AddNode("Constant", {}, {"c"}, {{"value_floats", std::vector<float>{4, 5}}});
  model.AddNode("Constant", {}, {"d"}, {{"value_int", 6}});
  model.AddNode("Constant", {}, {"e"}, {{"value_ints", {7, 8}}});
  model.AddNode("Concat", {"x", "a", "c"}, {"y"}, {{"axis", 0}});
  model.AddOutput("y");
  const std::string bytes = model.Serialize();
  Result<Graph> graph = Read(bytes);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->nodes.size(), 1u);
  EXPECT_EQ(Contents<float>(ConstantOf(*graph, "a")), (std::vector<float>{1, 2}));
  EXPECT_EQ(Contents<float>(ConstantOf(*graph, "b")), std::vector<float>{3});
  EXPECT_EQ(ConstantOf(*graph, "b").desc.rank, 0);
  EXPECT_EQ(Contents<float>(ConstantOf(*graph, "c")), (std::vector<float>{4, 5}));
  EXPECT_EQ(Contents<int64_t>(ConstantOf(*graph, "d")), std::vector<int64_t>{6});
  EXPECT_EQ(Contents<int64_t>(ConstantOf(*graph, "e")), (std::vector<int64_t>{7, 8}));
}

TEST(OnnxReader, KeepsSubgraphsOfAttributes) {
  auto body = std::make_shared<GraphBuilder>();
  body->AddNode("Identity", {"x"}, {"inner"});
  body->AddOutput("inner");
  ModelBuilder model;
  model.AddInput("x", {1});
  model.AddNode("Identity", {"x"}, {"y"}, {{"body", body}}, "holder");
  model.AddOutput("y");
  const std::string bytes = model.Serialize();
  Result<Graph> graph = Read(bytes);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const AttributeValue* value = graph->nodes[0].attrs.Find("body");
  ASSERT_NE(value, nullptr);
  const auto* subgraph = std::get_if<std::shared_ptr<const SubgraphAttribute>>(value);
  ASSERT_NE(subgraph, nullptr);
  ASSERT_EQ((*subgraph)->graph.nodes.size(), 1u);
  EXPECT_NE((*subgraph)->graph.FindValue("inner"), kNoValue);
}

TEST(OnnxReader, SortsNodesAndMakesNamesUnique) {
  ModelBuilder model;
  model.AddInput("x", {1});
  model.AddNode("Identity", {"b"}, {"y"}, {}, "same");
  model.AddNode("Identity", {"x"}, {"a"}, {}, "same");
  model.AddNode("Identity", {"a"}, {"b"}, {}, "same");
  model.AddOutput("y");
  Result<Graph> graph = Read(model.Serialize());
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->nodes.size(), 3u);
  EXPECT_EQ(graph->value(graph->nodes[2].dst[0]).name, "y");
  EXPECT_NE(graph->nodes[0].name, graph->nodes[1].name);
  EXPECT_NE(graph->nodes[1].name, graph->nodes[2].name);
}

TEST(OnnxReader, CountsUnknownOperatorsAndNamesTheFirst) {
  ModelBuilder model(16);
  model.AddInput("x", {1});
  model.AddNode("Frobnicate", {"x"}, {"a"}, {}, "frob");
  model.AddNode("Identity", {"a"}, {"b"});
  model.AddNode("Twist", {"b"}, {"c"}, {}, "twist", "org.example");
  model.AddNode("Frobnicate", {"c"}, {"y"});
  model.AddOutput("y");
  const Status status = Read(model.Serialize()).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_EQ(status.message(),
            "model in memory: node 'frob' (operator Frobnicate, domain ai.onnx, opset 16): moka has no such operator; "
            "the same holds for 2 other nodes (also Twist)");
}

TEST(OnnxReader, RefusesCallsThatDoNotFitTheFunction) {
  ModelBuilder model;
  model.AddFunction("local", "MyOp");
  model.AddOpset("local", 1);
  model.AddInput("x", {1});
  model.AddNode("MyOp", {"x"}, {"y"}, {}, "f", "local");
  model.AddOutput("y");
  const Status status = Read(model.Serialize()).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidModel);
  EXPECT_EQ(status.message(), "model in memory: node 'f' (MyOp): 1 inputs and 1 outputs, the function has 0 and 0");
}

TEST(OnnxReader, StringsAreTensorsToo) {
  const auto with = [](int64_t count) {
    const std::string field = {static_cast<char>(onnx::TensorFields::kStringData << 3 | 2), 3, 'a', 'b', 'c'};
    ModelBuilder model;
    model.AddTensor("labels", {onnx::ToOnnx(DataType::kString), {count}, "", {}, field + field});
    model.AddNode("Identity", {"labels"}, {"y"});
    model.AddOutput("y");
    return Read(model.Serialize());
  };
  const Result<Graph> graph = with(2);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const HostTensor& labels = *graph->value(graph->FindValue("labels")).constant;
  ASSERT_EQ(labels.desc.NumElements(), 2);
  EXPECT_EQ(*static_cast<const std::string* const*>(labels.data)[1], "abc");
  EXPECT_NE(with(3).status().message().find("string_data has 2 elements, the shape [3] needs 3"), std::string::npos);
}

TEST(OnnxReader, UnpacksElementsOfLessThanAByte) {
  const auto read = [](DataType type, int64_t count, const std::string& raw) {
    const std::string bytes = TensorSpec{onnx::ToOnnx(type), {count}, raw, {}, {}}.Encode("t");
    Result<HostTensor> tensor = ReadTensorProto({bytes, "", nullptr});
    EXPECT_TRUE(tensor.ok()) << tensor.status().message();
    const auto* first = static_cast<const int8_t*>(tensor->data);
    return std::vector<int>(first, first + count);
  };
  EXPECT_EQ(read(DataType::kI4, 3, "\x8f\x07"), (std::vector<int>{-1, -8, 7}));
  EXPECT_EQ(read(DataType::kU4, 3, "\x8f\x07"), (std::vector<int>{15, 8, 7}));
  EXPECT_EQ(read(DataType::kI2, 5, "\xe4\x02"), (std::vector<int>{0, 1, -2, -1, -2}));
  EXPECT_EQ(read(DataType::kU2, 5, "\xe4\x02"), (std::vector<int>{0, 1, 2, 3, 2}));
  EXPECT_FALSE(
      ReadTensorProto({TensorSpec{onnx::ToOnnx(DataType::kI4), {3}, "a", {}, {}}.Encode("t"), "", nullptr}).ok());
}

TEST(OnnxReader, AcceptsKnownOpsetsAndRefusesOthers) {
  const auto with = [](int64_t opset, int64_t ir_version) {
    ModelBuilder model(opset);
    model.SetIrVersion(ir_version);
    model.AddInput("x", {1});
    model.AddNode("Identity", {"x"}, {"y"});
    model.AddOutput("y");
    return Read(model.Serialize()).status();
  };
  EXPECT_TRUE(with(1, 3).ok());
  EXPECT_TRUE(with(26, 12).ok());
  EXPECT_EQ(with(1000, 12).code(), StatusCode::kUnsupported);
  EXPECT_EQ(with(0, 12).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(with(17, 2).code(), StatusCode::kUnsupported);
  EXPECT_EQ(with(17, 0).code(), StatusCode::kInvalidModel);
}

}  // namespace
}  // namespace moka
