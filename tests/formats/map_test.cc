// Maps in files: as types of inputs and outputs, and as data.
#include <gtest/gtest.h>

#include <string>

#include "formats/onnx/reader.h"
#include "tests/formats/onnx_writer.h"

namespace moka {
namespace {

using onnx::MapFields;
using test::ModelBuilder;
using test::TensorSpec;

// A ValueInfoProto of a map to f32, as it is or in a sequence.
std::string MapInfo(const char* name, DataType key, bool in_sequence) {
  std::string tensor, values, map, type, info;
  protozero::pbf_writer(tensor).add_int32(onnx::TensorTypeFields::kElementType, onnx::ToOnnx(DataType::kF32));
  protozero::pbf_writer(values).add_message(onnx::TypeFields::kTensor, tensor);
  protozero::pbf_writer(map).add_int32(onnx::MapTypeFields::kKeyType, onnx::ToOnnx(key));
  protozero::pbf_writer(map).add_message(onnx::MapTypeFields::kValueType, values);
  protozero::pbf_writer(type).add_message(onnx::TypeFields::kMap, map);
  if (in_sequence) {
    std::string sequence;
    protozero::pbf_writer(sequence).add_message(onnx::ContainerFields::kElementType, type);
    type.clear();
    protozero::pbf_writer(type).add_message(onnx::TypeFields::kSequence, sequence);
  }
  protozero::pbf_writer writer(info);
  writer.add_string(onnx::ValueInfoFields::kName, name);
  writer.add_message(onnx::ValueInfoFields::kType, type);
  return info;
}

struct MapSpec {
  DataType key = DataType::kI64;
  std::vector<int64_t> numbers = {};
  std::vector<std::string> texts = {};
  std::vector<TensorSpec> values = {};
};

std::string Encode(const MapSpec& spec) {
  std::string sequence, map;
  for (const TensorSpec& value : spec.values) {
    protozero::pbf_writer(sequence).add_message(onnx::DatumFields::kTensor, value.Encode(""));
  }
  protozero::pbf_writer writer(map);
  writer.add_int32(MapFields::kKeyType, onnx::ToOnnx(spec.key));
  writer.add_packed_int64(MapFields::kKeys, spec.numbers.begin(), spec.numbers.end());
  for (const std::string& text : spec.texts) writer.add_string(MapFields::kStringKeys, text);
  writer.add_message(MapFields::kValues, sequence);
  return map;
}

TensorSpec Number(float value) { return TensorSpec::Of<float>({}, {value}); }

Result<Datum> Read(const std::string& bytes, ValueKind kind) { return ReadDatumProto({bytes, "", nullptr}, kind); }

TEST(Maps, AreInputsAndOutputsOfModels) {
  ModelBuilder model;
  model.AddOpset("ai.onnx.ml", 1);
  model.AddField(onnx::GraphFields::kInput, MapInfo("x", DataType::kString, false));
  model.AddField(onnx::GraphFields::kOutput, MapInfo("z", DataType::kI64, true));
  model.AddNode("DictVectorizer", {"x"}, {"y"}, {{"string_vocabulary", std::vector<std::string>{"a", "b"}}}, "v",
                "ai.onnx.ml");
  model.AddNode("ZipMap", {"y"}, {"z"}, {{"classlabels_int64s", {3, 4}}}, "m", "ai.onnx.ml");
  const std::string bytes = model.Serialize();
  const Result<Graph> graph = ReadOnnx({bytes, "", nullptr}, {});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->value(graph->inputs[0]).declared_kind, ValueKind::kMap);
  EXPECT_EQ(graph->value(graph->inputs[0]).declared_type, DataType::kF32);
  EXPECT_EQ(graph->value(graph->outputs[0]).declared_kind, ValueKind::kSequence);
}

TEST(Maps, FromOtherKeysAreRefused) {
  ModelBuilder model;
  model.AddField(onnx::GraphFields::kInput, MapInfo("x", DataType::kI16, false));
  model.AddNode("Identity", {"x"}, {"y"});
  model.AddOutput("y");
  const std::string bytes = model.Serialize();
  const Result<Graph> graph = ReadOnnx({bytes, "", nullptr}, {});
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.status().message().find("a map from INT16"), std::string::npos) << graph.status().message();
}

TEST(Maps, AreReadAsData) {
  const auto ints = Read(Encode({.numbers = {5, -2}, .values = {Number(1), Number(2)}}), ValueKind::kMap);
  ASSERT_TRUE(ints.ok()) << ints.status().message();
  EXPECT_EQ(ToString(*ints), "map of 2 i64 to f32");
  EXPECT_EQ(ints->keys().as<int64_t>()[1], -2);
  EXPECT_EQ(ints->values().as<float>()[1], 2);
  std::string sequence;
  for (const char* key : {"a", "b"}) {
    const std::string map = Encode({.key = DataType::kString, .texts = {key}, .values = {Number(3)}});
    protozero::pbf_writer(sequence).add_message(onnx::DatumFields::kMap, map);
  }
  const auto maps = Read(sequence, ValueKind::kSequence);
  ASSERT_TRUE(maps.ok()) << maps.status().message();
  ASSERT_EQ(maps->sequence().size(), 2u);
  EXPECT_EQ(maps->sequence()[1].keys().as<std::string>()[0], "b");
}

TEST(Maps, ThatContradictThemselvesAreRefused) {
  const std::pair<const char*, MapSpec> rows[] = {
      {"2 keys and 1 values", {.numbers = {1, 2}, .values = {Number(1)}}},
      {"other keys", {.numbers = {1}, .texts = {"a"}, .values = {Number(1)}}},
      {"a map from FLOAT", {.key = DataType::kF32, .values = {}}},
      {"not one f32", {.numbers = {1}, .values = {TensorSpec::Of<float>({2}, {1, 2})}}},
      {"not one f32", {.numbers = {1, 2}, .values = {Number(1), TensorSpec::Of<int64_t>({}, {1})}}},
  };
  for (const auto& [expected, spec] : rows) {
    const auto datum = Read(Encode(spec), ValueKind::kMap);
    ASSERT_FALSE(datum.ok()) << expected;
    EXPECT_NE(datum.status().message().find(expected), std::string::npos) << datum.status().message();
  }
}

}  // namespace
}  // namespace moka
