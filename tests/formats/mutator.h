// Damages ONNX models in ways that keep them protobuf messages: lengths are right, contents are not.
#ifndef MOKA_TESTS_FORMATS_MUTATOR_H_
#define MOKA_TESTS_FORMATS_MUTATOR_H_

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/onnx/fields.h"

namespace moka::test {

class Mutator {
 public:
  // `bytes`: a ModelProto. Every Mutate starts from it again.
  Mutator(const std::string& bytes, uint32_t seed) : random_(seed), original_(Parse(bytes, kModel)) {}

  std::string Mutate() {
    root_ = original_;
    for (int n = 1 + Below(3); n > 0; --n) MutateOnce();
    std::string out;
    Write(root_, &out);
    return out;
  }

 private:
  enum Kind {
    kModel,
    kOpset,
    kGraph,
    kNode,
    kAttribute,
    kTensor,
    kValueInfo,
    kType,
    kTensorType,
    kShape,
    kDim,
    kBytes
  };
  struct Field;
  using Message = std::vector<Field>;
  struct Field {
    uint32_t number = 0;
    protozero::pbf_wire_type wire_type = protozero::pbf_wire_type::varint;
    uint64_t value = 0;  // of varints and fixed numbers
    std::string bytes;   // of kBytes
    Kind kind = kBytes;
    Message message;  // of all other kinds
  };

  static Kind KindOf(Kind parent, uint32_t field) {
    constexpr struct {
      Kind parent;
      uint32_t field;
      Kind kind;
    } kRows[] = {{kModel, onnx::ModelFields::kGraph, kGraph},
                 {kModel, onnx::ModelFields::kOpsetImport, kOpset},
                 {kGraph, onnx::GraphFields::kNode, kNode},
                 {kGraph, onnx::GraphFields::kInitializer, kTensor},
                 {kGraph, onnx::GraphFields::kInput, kValueInfo},
                 {kGraph, onnx::GraphFields::kOutput, kValueInfo},
                 {kGraph, onnx::GraphFields::kValueInfo, kValueInfo},
                 {kNode, onnx::NodeFields::kAttribute, kAttribute},
                 {kAttribute, onnx::AttributeFields::kTensor, kTensor},
                 {kAttribute, onnx::AttributeFields::kGraph, kGraph},
                 {kValueInfo, onnx::ValueInfoFields::kType, kType},
                 {kType, onnx::TypeFields::kTensor, kTensorType},
                 {kTensorType, onnx::TensorTypeFields::kShape, kShape},
                 {kShape, onnx::ShapeFields::kDim, kDim}};
    for (const auto& row : kRows) {
      if (row.parent == parent && row.field == field) return row.kind;
    }
    return kBytes;
  }

  static Message Parse(std::string_view bytes, Kind kind) {
    Message message;
    protozero::pbf_reader reader(bytes.data(), bytes.size());
    while (reader.next()) {
      Field& field = message.emplace_back();
      field.number = reader.tag();
      field.wire_type = reader.wire_type();
      switch (field.wire_type) {
        case protozero::pbf_wire_type::varint:
          field.value = reader.get_uint64();
          break;
        case protozero::pbf_wire_type::fixed64:
          field.value = reader.get_fixed64();
          break;
        case protozero::pbf_wire_type::fixed32:
          field.value = reader.get_fixed32();
          break;
        default: {
          const auto view = reader.get_view();
          field.kind = KindOf(kind, field.number);
          if (field.kind == kBytes) {
            field.bytes.assign(view.data(), view.size());
          } else {
            field.message = Parse({view.data(), view.size()}, field.kind);
          }
        }
      }
    }
    return message;
  }

  static void Write(const Message& message, std::string* out) {
    for (const Field& field : message) {
      protozero::pbf_writer writer(*out);
      switch (field.wire_type) {
        case protozero::pbf_wire_type::varint:
          writer.add_uint64(field.number, field.value);
          break;
        case protozero::pbf_wire_type::fixed64:
          writer.add_fixed64(field.number, field.value);
          break;
        case protozero::pbf_wire_type::fixed32:
          writer.add_fixed32(field.number, static_cast<uint32_t>(field.value));
          break;
        default: {
          std::string inner;
          Write(field.message, &inner);
          writer.add_bytes(field.number, field.kind == kBytes ? field.bytes : inner);
        }
      }
    }
  }

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }

  // A message anywhere in the tree that has fields; deeper ones are likelier than the few at the top.
  Message* Pick(Message* message) {
    std::vector<Message*> found;
    Collect(message, &found);
    return found[static_cast<size_t>(Below(static_cast<int>(found.size())))];
  }
  static void Collect(Message* message, std::vector<Message*>* found) {
    if (message->empty()) return;
    found->push_back(message);
    for (Field& field : *message) Collect(&field.message, found);
  }
  static void CollectStrings(const Message& message, std::vector<std::string>* strings) {
    for (const Field& field : message) {
      if (field.kind == kBytes && !field.bytes.empty() && field.bytes.size() < 64) strings->push_back(field.bytes);
      CollectStrings(field.message, strings);
    }
  }

  void MutateOnce() {
    if (root_.empty()) return;
    Message& message = *Pick(&root_);
    const size_t i = static_cast<size_t>(Below(static_cast<int>(message.size())));
    switch (Below(8)) {
      case 0:
        message.erase(message.begin() + static_cast<ptrdiff_t>(i));
        break;
      case 1:
        message.push_back(Field(message[i]));
        break;
      case 2:
        std::swap(message[i], message[static_cast<size_t>(Below(static_cast<int>(message.size())))]);
        break;
      default:
        MutateField(&message[i]);
    }
  }

  void MutateField(Field* field) {
    if (field->wire_type != protozero::pbf_wire_type::length_delimited) {
      field->value = Number(field->value);
    } else if (field->kind != kBytes) {
      if (Below(4) == 0) field->message.clear();
    } else if (Below(2) == 0) {
      std::vector<std::string> strings;
      CollectStrings(root_, &strings);
      if (!strings.empty()) field->bytes = strings[static_cast<size_t>(Below(static_cast<int>(strings.size())))];
    } else if (!field->bytes.empty()) {
      const size_t at = static_cast<size_t>(Below(static_cast<int>(field->bytes.size())));
      constexpr char kInteresting[] = {'\0', '\1', '\2', '\x7f', '\x80', '\xff'};
      if (Below(4) == 0) {
        field->bytes.resize(at);
      } else {
        field->bytes[at] = kInteresting[Below(6)];
      }
    }
  }

  uint64_t Number(uint64_t old) {
    constexpr int64_t kInteresting[] = {0,     1,       2,         3,         4,         5,        6,   7,
                                        8,     16,      -1,        -2,        -3,        -4,       255, 1000,
                                        65536, 1 << 24, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    const int choice = Below(static_cast<int>(std::size(kInteresting)) + 8);
    if (choice < 4) return old + 1;
    if (choice < 8) return old - 1;
    return static_cast<uint64_t>(kInteresting[choice - 8]);
  }

  std::mt19937 random_;
  Message original_, root_;
};

}  // namespace moka::test

#endif  // MOKA_TESTS_FORMATS_MUTATOR_H_
