// One protobuf message, field by field, with every wire type checked: protozero only asserts them.
#ifndef MOKA_FORMATS_ONNX_WIRE_H_
#define MOKA_FORMATS_ONNX_WIRE_H_

#include <cstdint>
#include <exception>
#include <new>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace moka::onnx {

// The bytes are no protobuf message of the expected form. Never leaves formats/onnx: Guard turns it into a Status.
class WireError : public std::exception {
 public:
  explicit WireError(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

// Calls read(), which may throw what Fields throws, and turns that into kInvalidModel.
template <class F>
auto Guard(F&& read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    return OutOfMemory("no memory to read this");
  } catch (const std::exception& error) {
    return InvalidModel("damaged protobuf message (", error.what(), ")");
  }
}

class Fields {
 public:
  explicit Fields(std::string_view bytes) : reader_(bytes.data(), bytes.size()) {}

  // Moves to the next field, which must then be read or skipped.
  bool Next();
  uint32_t field() const { return reader_.tag(); }
  void Skip() { reader_.skip(); }

  std::string_view Bytes() {
    Expect(protozero::pbf_wire_type::length_delimited);
    const protozero::data_view view = reader_.get_view();
    return {view.data(), view.size()};
  }
  std::string String() { return std::string(Bytes()); }
  int64_t Int() {
    Expect(protozero::pbf_wire_type::varint);
    return reader_.get_int64();
  }
  float Float() {
    Expect(protozero::pbf_wire_type::fixed32);
    return reader_.get_float();
  }
  double Double() {
    Expect(protozero::pbf_wire_type::fixed64);
    return reader_.get_double();
  }
  // A repeated number, packed or one by one: appends what this field holds.
  void AppendInts(std::vector<int64_t>* values);
  void AppendFloats(std::vector<float>* values);

  bool IsPacked() const { return reader_.wire_type() == protozero::pbf_wire_type::length_delimited; }
  void Expect(protozero::pbf_wire_type type) const;

 private:
  protozero::pbf_reader reader_;
};

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_WIRE_H_
