#include "formats/onnx/string_entry.h"

#include "formats/onnx/fields.h"
#include "formats/onnx/wire.h"

namespace moka::onnx {

StringEntry ReadStringEntry(std::string_view bytes) {
  StringEntry entry;
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case StringEntryFields::kKey:
        entry.key = fields.Bytes();
        break;
      case StringEntryFields::kValue:
        entry.value = fields.Bytes();
        break;
      default:
        fields.Skip();
    }
  }
  return entry;
}

}  // namespace moka::onnx
