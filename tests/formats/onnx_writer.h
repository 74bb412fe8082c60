// Writes small ONNX models for tests, sound ones and damaged ones.
//
//   ModelBuilder model;  // opset 17
//   model.AddInput("x", {"batch", 3, 8, 8});
//   model.AddInitializer("w", {4, 3, 3, 3}, weights);
//   model.AddNode("Conv", {"x", "w"}, {"y"}, {{"pads", {1, 1, 1, 1}}});
//   model.AddOutput("y");
//   std::string bytes = model.Serialize();
#ifndef MOKA_TESTS_FORMATS_ONNX_WRITER_H_
#define MOKA_TESTS_FORMATS_ONNX_WRITER_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "formats/onnx/fields.h"
#include "formats/onnx/types.h"
#include "moka/tensor.h"

namespace moka::test {

template <class T>
constexpr DataType TypeOf() {
  if constexpr (std::is_same_v<T, float>) return DataType::kF32;
  if constexpr (std::is_same_v<T, double>) return DataType::kF64;
  if constexpr (std::is_same_v<T, int64_t>) return DataType::kI64;
  if constexpr (std::is_same_v<T, int32_t>) return DataType::kI32;
  if constexpr (std::is_same_v<T, int16_t>) return DataType::kI16;
  if constexpr (std::is_same_v<T, int8_t>) return DataType::kI8;
  if constexpr (std::is_same_v<T, uint8_t>) return DataType::kU8;
  return DataType::kNone;
}

// A dimension: 3, "batch", or "" for one without a name.
struct DimSpec {
  DimSpec(int64_t value) : value(value) {}                                // NOLINT(google-explicit-constructor)
  DimSpec(int value) : value(value) {}                                    // NOLINT(google-explicit-constructor)
  DimSpec(const char* symbol) : value(0), symbol(std::string(symbol)) {}  // NOLINT(google-explicit-constructor)
  int64_t value;
  std::optional<std::string> symbol;
};
using DimSpecs = std::vector<DimSpec>;

// The fields of a TensorProto. `raw`: little-endian elements.
struct TensorSpec {
  int64_t data_type = 0;  // TensorProto.DataType
  std::vector<int64_t> dims;
  std::string raw;
  std::vector<std::pair<std::string, std::string>> external;  // not empty: no raw data is written
  std::string extra;                                          // more fields, already encoded

  template <class T>
  static TensorSpec Of(std::vector<int64_t> dims, const std::vector<T>& values) {
    return {onnx::ToOnnx(TypeOf<T>()),
            std::move(dims),
            std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)),
            {},
            {}};
  }

  std::string Encode(const std::string& name) const {
    using F = onnx::TensorFields;
    std::string bytes;
    protozero::pbf_writer writer(bytes);
    writer.add_packed_int64(F::kDims, dims.begin(), dims.end());
    writer.add_int32(F::kDataType, static_cast<int32_t>(data_type));
    if (!name.empty()) writer.add_string(F::kName, name);
    for (const auto& [key, value] : external) {
      protozero::pbf_writer entry(writer, F::kExternalData);
      entry.add_string(onnx::StringEntryFields::kKey, key);
      entry.add_string(onnx::StringEntryFields::kValue, value);
    }
    if (!external.empty()) {
      writer.add_int32(F::kDataLocation, static_cast<int32_t>(onnx::kLocationExternal));
    } else if (extra.empty()) {
      writer.add_bytes(F::kRawData, raw);
    }
    return bytes + extra;
  }
};

class GraphBuilder;

struct AttributeSpec {
  using Value = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                             std::vector<std::string>, TensorSpec, std::shared_ptr<GraphBuilder>>;
  AttributeSpec(std::string name, int value) : name(std::move(name)), value(int64_t{value}) {}
  AttributeSpec(std::string name, int64_t value) : name(std::move(name)), value(value) {}
  AttributeSpec(std::string name, float value) : name(std::move(name)), value(value) {}
  AttributeSpec(std::string name, const char* value) : name(std::move(name)), value(std::string(value)) {}
  AttributeSpec(std::string name, std::initializer_list<int64_t> value)
      : name(std::move(name)), value(std::vector<int64_t>(value)) {}
  AttributeSpec(std::string name, Value value) : name(std::move(name)), value(std::move(value)) {}

  std::string Encode() const;

  std::string name;
  Value value;
};
using AttributeSpecs = std::vector<AttributeSpec>;

// A GraphProto: the model's own, or the value of an attribute.
class GraphBuilder {
 public:
  void AddInput(const std::string& name, const DimSpecs& dims, DataType type = DataType::kF32) {
    AddValue(onnx::GraphFields::kInput, name, type, &dims);
  }
  void AddOutput(const std::string& name, DataType type = DataType::kF32) {
    AddValue(onnx::GraphFields::kOutput, name, type, nullptr);
  }
  void AddOutput(const std::string& name, DataType type, const DimSpecs& dims) {
    AddValue(onnx::GraphFields::kOutput, name, type, &dims);
  }
  void AddValueInfo(const std::string& name, const DimSpecs& dims, DataType type = DataType::kF32) {
    AddValue(onnx::GraphFields::kValueInfo, name, type, &dims);
  }
  template <class T>
  void AddInitializer(const std::string& name, std::vector<int64_t> dims, const std::vector<T>& values) {
    AddTensor(name, TensorSpec::Of<T>(std::move(dims), values));
  }
  void AddTensor(const std::string& name, const TensorSpec& tensor) {
    AddField(onnx::GraphFields::kInitializer, tensor.Encode(name));
  }
  void AddNode(const std::string& op, const std::vector<std::string>& src, const std::vector<std::string>& dst,
               const AttributeSpecs& attributes = {}, const std::string& name = "", const std::string& domain = "") {
    AddField(onnx::GraphFields::kNode, EncodeNode(op, src, dst, attributes, name, domain));
  }
  static std::string EncodeNode(const std::string& op, const std::vector<std::string>& src,
                                const std::vector<std::string>& dst, const AttributeSpecs& attributes,
                                const std::string& name, const std::string& domain) {
    using F = onnx::NodeFields;
    std::string bytes;
    protozero::pbf_writer writer(bytes);
    for (const std::string& value : src) writer.add_string(F::kInput, value);
    for (const std::string& value : dst) writer.add_string(F::kOutput, value);
    if (!name.empty()) writer.add_string(F::kName, name);
    writer.add_string(F::kOpType, op);
    if (!domain.empty()) writer.add_string(F::kDomain, domain);
    for (const AttributeSpec& attribute : attributes) writer.add_message(F::kAttribute, attribute.Encode());
    return bytes;
  }
  // Any field of length-delimited bytes, for what the functions above cannot say.
  void AddField(uint32_t field, const std::string& bytes) { protozero::pbf_writer(bytes_).add_bytes(field, bytes); }

  const std::string& bytes() const { return bytes_; }

 private:
  void AddValue(uint32_t field, const std::string& name, DataType type, const DimSpecs* dims) {
    std::string tensor;
    protozero::pbf_writer tensor_writer(tensor);
    tensor_writer.add_int32(onnx::TensorTypeFields::kElementType, onnx::ToOnnx(type));
    if (dims != nullptr) tensor_writer.add_message(onnx::TensorTypeFields::kShape, EncodeShape(*dims));
    std::string bytes;
    protozero::pbf_writer writer(bytes);
    writer.add_string(onnx::ValueInfoFields::kName, name);
    protozero::pbf_writer(writer, onnx::ValueInfoFields::kType).add_message(onnx::TypeFields::kTensor, tensor);
    AddField(field, bytes);
  }

  // Messages that may be empty are written whole: a pbf_writer for a part leaves an empty one out.
  static std::string EncodeShape(const DimSpecs& dims) {
    std::string shape;
    for (const DimSpec& dim : dims) {
      std::string entry;
      protozero::pbf_writer writer(entry);
      if (!dim.symbol.has_value()) {
        writer.add_int64(onnx::DimensionFields::kValue, dim.value);
      } else if (!dim.symbol->empty()) {
        writer.add_string(onnx::DimensionFields::kParam, *dim.symbol);
      }
      protozero::pbf_writer(shape).add_message(onnx::ShapeFields::kDim, entry);
    }
    return shape;
  }

  std::string bytes_;
};

class ModelBuilder : public GraphBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 17) { AddOpset("", opset); }

  void SetIrVersion(int64_t version) { ir_version_ = version; }
  void AddOpset(const std::string& domain, int64_t version) {
    protozero::pbf_writer model(header_);
    protozero::pbf_writer opset(model, onnx::ModelFields::kOpsetImport);
    if (!domain.empty()) opset.add_string(onnx::OperatorSetFields::kDomain, domain);
    opset.add_int64(onnx::OperatorSetFields::kVersion, version);
  }
  void AddMetadata(const std::string& key, const std::string& value) {
    protozero::pbf_writer model(header_);
    protozero::pbf_writer entry(model, onnx::ModelFields::kMetadata);
    entry.add_string(onnx::StringEntryFields::kKey, key);
    entry.add_string(onnx::StringEntryFields::kValue, value);
  }
  // `body`: a FunctionBuilder's bytes; empty: enough to name a function.
  void AddFunction(const std::string& domain, const std::string& name, const std::string& body = "") {
    std::string function = body;
    protozero::pbf_writer writer(function);
    writer.add_string(onnx::FunctionFields::kName, name);
    writer.add_string(onnx::FunctionFields::kDomain, domain);
    protozero::pbf_writer(header_).add_message(onnx::ModelFields::kFunctions, function);
  }

  std::string Serialize() const {
    std::string out;
    protozero::pbf_writer writer(out);
    writer.add_int64(onnx::ModelFields::kIrVersion, ir_version_);
    writer.add_message(onnx::ModelFields::kGraph, bytes());
    return out + header_;
  }

 private:
  int64_t ir_version_ = 8;
  std::string header_;
};

// The body of a function: a FunctionProto without its name.
class FunctionBuilder {
 public:
  FunctionBuilder(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs, int64_t opset) {
    protozero::pbf_writer writer(bytes_);
    for (const std::string& input : inputs) writer.add_string(onnx::FunctionFields::kInput, input);
    for (const std::string& output : outputs) writer.add_string(onnx::FunctionFields::kOutput, output);
    protozero::pbf_writer import(writer, onnx::FunctionFields::kOpsetImport);
    import.add_int64(onnx::OperatorSetFields::kVersion, opset);
  }
  void AddImport(const std::string& domain) {
    protozero::pbf_writer writer(bytes_);
    protozero::pbf_writer import(writer, onnx::FunctionFields::kOpsetImport);
    import.add_string(onnx::OperatorSetFields::kDomain, domain);
    import.add_int64(onnx::OperatorSetFields::kVersion, 1);
  }
  // references: attributes of the node that are those of the call, {own name, name in the call}.
  void AddNode(const std::string& op, const std::vector<std::string>& src, const std::vector<std::string>& dst,
               const AttributeSpecs& attributes = {},
               const std::vector<std::pair<std::string, std::string>>& references = {},
               const std::string& domain = "") {
    std::string node = GraphBuilder::EncodeNode(op, src, dst, attributes, "", domain);
    protozero::pbf_writer writer(node);
    for (const auto& [own, of_call] : references) {
      protozero::pbf_writer attribute(writer, onnx::NodeFields::kAttribute);
      attribute.add_string(onnx::AttributeFields::kName, own);
      attribute.add_string(onnx::AttributeFields::kRefName, of_call);
    }
    protozero::pbf_writer(bytes_).add_message(onnx::FunctionFields::kNode, node);
  }
  void AddDefault(const AttributeSpec& attribute) {
    protozero::pbf_writer(bytes_).add_message(onnx::FunctionFields::kAttributeProto, attribute.Encode());
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

inline std::string AttributeSpec::Encode() const {
  using F = onnx::AttributeFields;
  using Kind = onnx::AttributeKind;
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  writer.add_string(F::kName, name);
  const auto type = [&](Kind kind) { writer.add_int32(F::kType, static_cast<int32_t>(kind)); };
  if (const auto* i = std::get_if<int64_t>(&value)) {
    writer.add_int64(F::kInt, *i);
    type(Kind::kInt);
  } else if (const auto* f = std::get_if<float>(&value)) {
    writer.add_float(F::kFloat, *f);
    type(Kind::kFloat);
  } else if (const auto* s = std::get_if<std::string>(&value)) {
    writer.add_bytes(F::kString, *s);
    type(Kind::kString);
  } else if (const auto* is = std::get_if<std::vector<int64_t>>(&value)) {
    for (const int64_t x : *is) writer.add_int64(F::kInts, x);
    type(Kind::kInts);
  } else if (const auto* fs = std::get_if<std::vector<float>>(&value)) {
    for (const float x : *fs) writer.add_float(F::kFloats, x);
    type(Kind::kFloats);
  } else if (const auto* ss = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& x : *ss) writer.add_bytes(F::kStrings, x);
    type(Kind::kStrings);
  } else if (const auto* t = std::get_if<TensorSpec>(&value)) {
    writer.add_message(F::kTensor, t->Encode(""));
    type(Kind::kTensor);
  } else {
    writer.add_message(F::kGraph, std::get<std::shared_ptr<GraphBuilder>>(value)->bytes());
    type(Kind::kGraph);
  }
  return bytes;
}

}  // namespace moka::test

#endif  // MOKA_TESTS_FORMATS_ONNX_WRITER_H_
