// StringStringEntryProto: a name and a value.
#ifndef MOKA_FORMATS_ONNX_STRING_ENTRY_H_
#define MOKA_FORMATS_ONNX_STRING_ENTRY_H_

#include <string_view>

namespace moka::onnx {

// Views of the message.
struct StringEntry {
  std::string_view key, value;
};

// Throws WireError.
StringEntry ReadStringEntry(std::string_view bytes);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_STRING_ENTRY_H_
