#include "formats/onnx/wire.h"

#include <limits>
#include <protozero/varint.hpp>

#include "base/str_cat.h"

namespace moka::onnx {

bool Fields::Next() {
  if (!reader_.next()) return false;
  if (!IsPacked()) return true;
  // protozero cuts lengths to 32 bits and compares them as ptrdiff_t, which has 32 bits on some targets.
  const protozero::data_view rest = reader_.data();
  const char* p = rest.data();
  const char* end = p + rest.size();
  const uint64_t length = protozero::decode_varint(&p, end);
  if (length > static_cast<uint64_t>(end - p) || length > std::numeric_limits<protozero::pbf_length_type>::max()) {
    throw WireError(StrCat("field ", field(), " has ", length, " bytes where ", end - p, " are left"));
  }
  return true;
}

void Fields::Expect(protozero::pbf_wire_type type) const {
  if (reader_.wire_type() == type) return;
  throw WireError(StrCat("field ", reader_.tag(), " has wire type ", static_cast<int>(reader_.wire_type()), ", not ",
                         static_cast<int>(type)));
}

void Fields::AppendInts(std::vector<int64_t>* values) {
  if (!IsPacked()) return values->push_back(Int());
  for (const int64_t value : reader_.get_packed_int64()) values->push_back(value);
}

void Fields::AppendFloats(std::vector<float>* values) {
  if (!IsPacked()) return values->push_back(Float());
  for (const float value : reader_.get_packed_float()) values->push_back(value);
}

}  // namespace moka::onnx
