// Files that are damaged or hostile: every one ends in a Status, and the Status says where.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/platform.h"
#include "formats/onnx/graph_reader.h"
#include "formats/onnx/reader.h"
#include "tests/formats/onnx_writer.h"

namespace moka {
namespace {

using test::DimSpecs;
using test::GraphBuilder;
using test::ModelBuilder;
using test::TensorSpec;

constexpr int64_t kFloat = 1;

Status Read(const std::string& bytes, const ModelOptions& options = {}) {
  return ReadOnnx({bytes, "", nullptr}, options).status();
}

// A sound model: x -> Identity -> y. Tests add what is wrong.
ModelBuilder Sound() {
  ModelBuilder model;
  model.AddInput("x", {1, 4});
  model.AddNode("Identity", {"x"}, {"y"}, {}, "copy");
  model.AddOutput("y");
  return model;
}

void ExpectRefused(const ModelBuilder& model, StatusCode code, std::initializer_list<const char*> words) {
  const Status status = Read(model.Serialize());
  EXPECT_EQ(status.code(), code) << status.message();
  for (const char* word : words) EXPECT_NE(status.message().find(word), std::string::npos) << status.message();
}

TEST(BadModel, TheStartingPointIsSound) { EXPECT_TRUE(Read(Sound().Serialize()).ok()); }

TEST(BadModel, TruncatedAnywhere) {
  auto body = std::make_shared<GraphBuilder>();
  body->AddNode("Identity", {"x"}, {"inner"});
  body->AddOutput("inner");
  ModelBuilder model = Sound();
  model.AddInitializer<float>("w", {2, 2}, {1, 2, 3, 4});
  model.AddNode("Concat", {"x", "w"}, {"c"}, {{"axis", 0}, {"more", body}, {"floats", std::vector<float>{1, 2}}});
  const std::string bytes = model.Serialize();
  ASSERT_TRUE(Read(bytes).ok()) << Read(bytes).message();
  for (size_t n = 0; n < bytes.size(); ++n) (void)Read(bytes.substr(0, n));
  EXPECT_FALSE(Read(bytes.substr(0, bytes.size() / 2)).ok());
}

TEST(BadModel, IsNoModelAtAll) {
  for (const std::string& bytes : {std::string(), std::string("not a model"), std::string(1000, '\0'),
                                   std::string(1000, '\xff'), std::string("\x08\x08", 2)}) {
    EXPECT_EQ(Read(bytes).code(), StatusCode::kInvalidModel) << Read(bytes).message();
  }
}

TEST(BadModel, WrongWireTypes) {
  // Each field of each message once as a varint, once as 64 bits, once as 32 bits.
  const auto each = [](auto&& place) {
    for (uint32_t field = 1; field <= 26; ++field) {
      for (int type = 0; type < 3; ++type) {
        std::string bytes;
        protozero::pbf_writer writer(bytes);
        if (type == 0) writer.add_uint64(field, 77);
        if (type == 1) writer.add_fixed64(field, 77);
        if (type == 2) writer.add_fixed32(field, 77);
        ModelBuilder model = Sound();
        std::string tail = place(model, bytes);
        (void)Read(model.Serialize() + tail);
      }
    }
  };
  using F = onnx::GraphFields;
  each([](ModelBuilder&, const std::string& bytes) { return bytes; });
  for (const uint32_t field : {F::kNode, F::kInitializer, F::kInput, F::kOutput, F::kValueInfo}) {
    each([field](ModelBuilder& model, const std::string& bytes) {
      model.AddField(field, bytes);
      return std::string();
    });
  }
  each([](ModelBuilder& model, const std::string& bytes) {
    std::string node;
    protozero::pbf_writer(node).add_message(onnx::NodeFields::kAttribute, bytes);
    model.AddField(onnx::GraphFields::kNode, node);
    return std::string();
  });
  ModelBuilder model = Sound();
  std::string node;
  protozero::pbf_writer(node).add_int64(onnx::NodeFields::kOpType, 3);
  model.AddField(F::kNode, node);
  ExpectRefused(model, StatusCode::kInvalidModel, {"node '#1'", "field 4", "wire type 0"});
}

TEST(BadModel, AttributesThatContradictThemselves) {
  using F = onnx::AttributeFields;
  const auto with = [](auto&& write) {
    std::string attribute, node;
    protozero::pbf_writer writer(attribute);
    write(writer);
    protozero::pbf_writer node_writer(node);
    node_writer.add_string(onnx::NodeFields::kOpType, "Identity");
    node_writer.add_string(onnx::NodeFields::kName, "bad");
    node_writer.add_string(onnx::NodeFields::kInput, "x");
    node_writer.add_string(onnx::NodeFields::kOutput, "z");
    node_writer.add_message(onnx::NodeFields::kAttribute, attribute);
    ModelBuilder model = Sound();
    model.AddField(onnx::GraphFields::kNode, node);
    return model;
  };
  const auto expect = [&](auto&& write, const char* word) {
    ExpectRefused(with(write), StatusCode::kInvalidModel, {"node 'bad' (Identity)", "attribute 'a'", word});
  };
  expect([](auto& w) { w.add_string(F::kName, "a"); }, "neither");
  expect([](auto& w) { w.add_string(F::kName, "a"), w.add_int64(F::kInt, 1), w.add_int32(F::kType, 1); }, "FLOAT");
  expect([](auto& w) { w.add_string(F::kName, "a"), w.add_int64(F::kInt, 1), w.add_float(F::kFloat, 1); }, "and a");
  expect([](auto& w) { w.add_string(F::kName, "a"), w.add_int32(F::kType, 99); }, "99");
  expect([](auto& w) { w.add_string(F::kName, "a"), w.add_float(F::kInt, 1); }, "wire type");
  expect([](auto& w) { w.add_string(F::kName, "a"), w.add_string(F::kRefName, "b"); }, "function");
}

TEST(BadModel, MoreAttributesThanAnyOperatorHas) {
  test::AttributeSpecs attributes;
  for (int i = 0; i <= onnx::kMaxAttributes; ++i) attributes.push_back({"a" + std::to_string(i), i});
  ModelBuilder model = Sound();
  model.AddNode("Identity", {"x"}, {"z"}, attributes, "greedy");
  ExpectRefused(model, StatusCode::kInvalidModel, {"greedy", "attributes"});
}

TEST(BadModel, CyclesAndMissingValues) {
  ModelBuilder cycle = Sound();
  cycle.AddNode("Identity", {"b"}, {"a"}, {}, "one");
  cycle.AddNode("Identity", {"a"}, {"b"}, {}, "two");
  ExpectRefused(cycle, StatusCode::kInvalidModel, {"(Identity)"});
  ModelBuilder self = Sound();
  self.AddNode("Identity", {"a"}, {"a"}, {}, "self");
  ExpectRefused(self, StatusCode::kInvalidModel, {"self"});
  ModelBuilder missing = Sound();
  missing.AddNode("Identity", {"nobody"}, {"z"}, {}, "lost");
  ExpectRefused(missing, StatusCode::kInvalidModel, {"lost", "nobody"});
  ModelBuilder absent = Sound();
  absent.AddNode("Concat", {"x", "", "x"}, {"z"}, {{"axis", 0}}, "hole");
  ExpectRefused(absent, StatusCode::kInvalidModel, {"hole", "input 1"});
  ModelBuilder few = Sound();
  few.AddNode("Conv", {"x"}, {"z"}, {}, "few");
  ExpectRefused(few, StatusCode::kInvalidModel, {"few", "inputs"});
  ModelBuilder output = Sound();
  output.AddOutput("nothing");
  ExpectRefused(output, StatusCode::kInvalidModel, {"nothing"});
  ModelBuilder none;
  none.AddInput("x", {1});
  ExpectRefused(none, StatusCode::kInvalidModel, {"no outputs"});
}

TEST(BadModel, DuplicateNames) {
  ModelBuilder results = Sound();
  results.AddNode("Identity", {"x"}, {"y"}, {}, "second");
  ExpectRefused(results, StatusCode::kInvalidModel, {"second", "'y'"});
  ModelBuilder within = Sound();
  within.AddNode("Split", {"x"}, {"z", "z"}, {{"axis", 1}}, "twins");
  ExpectRefused(within, StatusCode::kInvalidModel, {"twins", "'z'"});
  ModelBuilder input = Sound();
  input.AddInput("x", {1});
  ExpectRefused(input, StatusCode::kInvalidModel, {"input 'x'", "twice"});
  ModelBuilder output = Sound();
  output.AddOutput("y");
  ExpectRefused(output, StatusCode::kInvalidModel, {"output 'y'", "twice"});
  ModelBuilder weight = Sound();
  weight.AddInitializer<float>("w", {1}, {1});
  weight.AddInitializer<float>("w", {1}, {2});
  ExpectRefused(weight, StatusCode::kInvalidModel, {"initializer 'w'", "twice"});
  ModelBuilder overwritten = Sound();
  overwritten.AddInitializer<float>("w", {1}, {1});
  overwritten.AddNode("Identity", {"x"}, {"w"}, {}, "writer");
  ExpectRefused(overwritten, StatusCode::kInvalidModel, {"writer", "'w'"});
  ModelBuilder constant = Sound();
  constant.AddNode("Constant", {}, {"x"}, {{"value_int", 1}}, "overlay");
  ExpectRefused(constant, StatusCode::kInvalidModel, {"overlay", "'x'"});
}

TEST(BadModel, TensorsThatContradictTheirShape) {
  constexpr int64_t kHuge = int64_t{1} << 60;
  const std::string four(16, 'x');
  const struct {
    TensorSpec tensor;
    StatusCode code;
    const char* word;
  } kCases[] = {
      {{kFloat, {2, 3}, four, {}, {}}, StatusCode::kInvalidModel, "16 bytes"},
      {{kFloat, {3}, four, {}, {}}, StatusCode::kInvalidModel, "16 bytes"},
      {{kFloat, {-4}, four, {}, {}}, StatusCode::kInvalidModel, "negative"},
      {{kFloat, {kHuge}, four, {}, {}}, StatusCode::kInvalidModel, "limit"},
      {{kFloat, {kHuge, kHuge, 4}, four, {}, {}}, StatusCode::kInvalidModel, "63 bits"},
      {{kFloat, {0, kHuge, kHuge}, "", {}, {}}, StatusCode::kInvalidModel, "63 bits"},
      {{kFloat, {int64_t{1} << 32, int64_t{1} << 32}, "", {}, {}}, StatusCode::kInvalidModel, "63 bits"},
      {{kFloat, {1, 1, 1, 1, 1, 1, 1, 1, 4}, four, {}, {}}, StatusCode::kUnsupported, "rank 9"},
      {{0, {4}, four, {}, {}}, StatusCode::kUnsupported, "UNDEFINED"},
      {{14, {2}, four, {}, {}}, StatusCode::kUnsupported, "COMPLEX64"},
      {{-1, {16}, four, {}, {}}, StatusCode::kUnsupported, "number -1"},
      {{kFloat, {kHuge}, "", {}, std::string("\x22\x04") + "aaaa"}, StatusCode::kInvalidModel, "limit"},
      {{kFloat, {2}, "", {}, std::string("\x22\x04") + "aaaa"}, StatusCode::kInvalidModel, "1 elements"},
      {{kFloat, {1}, "", {}, std::string("\x22\x05") + "aaaaa"}, StatusCode::kInvalidModel, "packed"},
      {{kFloat, {1}, "", {}, std::string("\x2a\x01\x07")}, StatusCode::kInvalidModel, "int32_data"},
      {{kFloat, {1}, "", {}, std::string("\x22\x04") + "aaaa\x4a\x04" + "aaaa"}, StatusCode::kInvalidModel, "at once"},
      {{3, {1}, "", {}, std::string("\x2a\x02\x80\x02", 4)}, StatusCode::kInvalidModel, "does not fit"},
      {{3, {1}, "", {}, std::string("\x2a\x01\x80", 3)}, StatusCode::kInvalidModel, "0 elements"},
      {{kFloat, {1}, "", {}, std::string("\x1a\x00", 2)}, StatusCode::kUnsupported, "segments"},
  };
  for (const auto& c : kCases) {
    const std::string bytes = c.tensor.Encode("w");
    const Status direct = ReadTensorProto({bytes, "weights.pb", nullptr}).status();
    EXPECT_EQ(direct.code(), c.code) << direct.message();
    EXPECT_NE(direct.message().find(c.word), std::string::npos) << direct.message();
    EXPECT_NE(direct.message().find("weights.pb: tensor 'w'"), std::string::npos) << direct.message();
    ModelBuilder model = Sound();
    model.AddTensor("w", c.tensor);
    model.AddNode("Concat", {"x", "w"}, {"z"}, {{"axis", 0}});
    ExpectRefused(model, c.code, {"initializer 'w'", c.word});
  }
}

TEST(BadModel, DeclaredShapes) {
  constexpr int64_t kHuge = int64_t{1} << 60;
  for (const DimSpecs& dims : {DimSpecs{-2, 4}, DimSpecs{kHuge}, DimSpecs{kHuge, kHuge}, DimSpecs{"n", INT64_MIN}}) {
    ModelBuilder input = Sound();
    input.AddInput("z", dims);
    ExpectRefused(input, StatusCode::kInvalidModel, {"graph input 'z'"});
    ModelBuilder between = Sound();
    between.AddValueInfo("x", dims);
    ExpectRefused(between, StatusCode::kInvalidModel, {"value_info 'x'"});
    ModelBuilder output = Sound();
    output.AddNode("Identity", {"x"}, {"z"});
    output.AddOutput("z", DataType::kF32, dims);
    ExpectRefused(output, StatusCode::kInvalidModel, {"graph output 'z'"});
  }
  ModelBuilder rank = Sound();
  rank.AddInput("z", DimSpecs(9, 1));
  ExpectRefused(rank, StatusCode::kUnsupported, {"'z'", "rank 9"});
}

TEST(BadModel, GraphsNestedTooDeep) {
  const auto nested = [](int depth) {
    auto graph = std::make_shared<GraphBuilder>();
    graph->AddOutput("x");
    for (int i = 0; i < depth; ++i) {
      auto outer = std::make_shared<GraphBuilder>();
      outer->AddNode("Identity", {"x"}, {"y"}, {{"body", graph}});
      outer->AddOutput("y");
      graph = outer;
    }
    ModelBuilder model = Sound();
    model.AddNode("Identity", {"x"}, {"z"}, {{"body", graph}});
    return Read(model.Serialize());
  };
  EXPECT_TRUE(nested(ModelOptions().max_nesting - 1).ok()) << nested(ModelOptions().max_nesting - 1).message();
  EXPECT_EQ(nested(ModelOptions().max_nesting).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(nested(200).code(), StatusCode::kInvalidModel);
}

TEST(BadModel, LimitsOfTheCaller) {
  ModelOptions options;
  options.max_nodes = 1;
  EXPECT_TRUE(Read(Sound().Serialize(), options).ok());
  ModelBuilder two = Sound();
  two.AddNode("Identity", {"x"}, {"z"});
  EXPECT_EQ(Read(two.Serialize(), options).code(), StatusCode::kInvalidModel);
  options = {};
  options.max_tensor_bytes = 15;
  EXPECT_EQ(Read(Sound().Serialize(), options).code(), StatusCode::kInvalidModel) << "x has 16 bytes";
}

TEST(BadModel, OperatorsOfMokaItselfAreNotForFiles) {
  ModelBuilder model = Sound();
  model.AddOpset("moka", 1);
  model.AddNode("Elementwise", {"x"}, {"z"}, {}, "inner", "moka");
  ExpectRefused(model, StatusCode::kUnsupported, {"inner", "Elementwise", "moka"});
}

TEST(BadModel, ConstantsThatAreNone) {
  for (const test::AttributeSpecs& attributes :
       {test::AttributeSpecs{}, test::AttributeSpecs{{"value", 1}}, test::AttributeSpecs{{"value_int", 1.f}},
        test::AttributeSpecs{{"value_int", 1}, {"value_float", 1.f}}}) {
    ModelBuilder model = Sound();
    model.AddNode("Constant", {}, {"c"}, attributes, "k");
    ExpectRefused(model, StatusCode::kInvalidModel, {"node 'k' (Constant)"});
  }
}

// ---- External data ------------------------------------------------------------------------------------------------

class ExternalData : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "moka_external_data_test_" + std::to_string(::getpid());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ + "/model/weights");
    Write("/model/weights/w.bin", std::string(8, '\0') + std::string(16, 'w'));
    Write("/secret.bin", std::string(64, 's'));
    std::filesystem::create_symlink("../secret.bin", root_ + "/model/link.bin");
    std::filesystem::create_symlink("weights/w.bin", root_ + "/model/inner.bin");
    std::filesystem::create_symlink("..", root_ + "/model/up");
    std::filesystem::create_directories(root_ + "/model2");
    Write("/model2/w.bin", std::string(64, '2'));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(root_ + path, bytes).ok());
  }
  Result<Graph> Load(std::vector<std::pair<std::string, std::string>> external, bool with_path = true) {
    ModelBuilder model = Sound();
    model.AddTensor("w", {kFloat, {1, 4}, "", std::move(external), ""});
    model.AddNode("Concat", {"x", "w"}, {"z"}, {{"axis", 0}});
    bytes_ = model.Serialize();
    return ReadOnnx({bytes_, with_path ? root_ + "/model/m.onnx" : "", nullptr}, {});
  }
  std::string root_, bytes_;
};

TEST_F(ExternalData, IsMappedFromTheModelsFolder) {
  for (const char* location : {"weights/w.bin", "./weights/../weights/w.bin", "inner.bin", "up/model/weights/w.bin"}) {
    for (const bool with_length : {true, false}) {
      std::vector<std::pair<std::string, std::string>> external = {{"location", location}, {"offset", "8"}};
      if (with_length) external.push_back({"length", "16"});
      Result<Graph> graph = Load(external);
      ASSERT_TRUE(graph.ok()) << graph.status().message();
      const HostTensor& w = *graph->value(graph->FindValue("w")).constant;
      EXPECT_EQ(std::string(static_cast<const char*>(w.data), 16), std::string(16, 'w'));
    }
  }
}

TEST_F(ExternalData, OutsideTheFolderIsRefused) {
  for (const std::string& location :
       {std::string("../secret.bin"), root_ + "/secret.bin", std::string("/etc/passwd"), std::string("link.bin"),
        std::string("up/secret.bin"), std::string("weights/../../secret.bin"), std::string("../model2/w.bin"),
        std::string(""), std::string("weights"), std::string("."), std::string("absent.bin"),
        std::string("weights/w.bin\0/x", 15)}) {
    Result<Graph> graph = Load({{"location", location}});
    ASSERT_FALSE(graph.ok()) << location;
    EXPECT_NE(graph.status().message().find("initializer 'w'"), std::string::npos) << graph.status().message();
    EXPECT_NE(graph.status().message().find("m.onnx"), std::string::npos) << graph.status().message();
  }
  EXPECT_FALSE(Load({{"offset", "0"}}).ok()) << "no location";
  EXPECT_EQ(Load({{"location", "weights/w.bin"}, {"offset", "8"}}, false).status().code(), StatusCode::kUnsupported);
}

TEST_F(ExternalData, PastTheEndIsRefused) {
  const struct {
    const char *offset, *length;
  } kCases[] = {{"9", "16"},
                {"24", "16"},
                {"25", "16"},
                {"18446744073709551615", "16"},
                {"18446744073709551600", "16"},
                {"18446744073709551616", "16"},
                {"-8", "16"},
                {"0x8", "16"},
                {"8 ", "16"},
                {"", "16"},
                {"8", "15"},
                {"8", "17"},
                {"8", "18446744073709551615"},
                {"0", "99999999999999999999"}};
  for (const auto& c : kCases) {
    Result<Graph> graph = Load({{"location", "weights/w.bin"}, {"offset", c.offset}, {"length", c.length}});
    EXPECT_EQ(graph.status().code(), StatusCode::kInvalidModel) << c.offset << " " << c.length;
    EXPECT_NE(graph.status().message().find("initializer 'w'"), std::string::npos) << graph.status().message();
  }
  EXPECT_FALSE(Load({{"location", "weights/w.bin"}, {"offset", "9"}}).ok());
}

}  // namespace
}  // namespace moka
