// ValueInfoProto: the declared type of an input, an output or a value between nodes.
#ifndef MOKA_FORMATS_ONNX_VALUE_INFO_H_
#define MOKA_FORMATS_ONNX_VALUE_INFO_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "moka/model.h"
#include "moka/tensor.h"

namespace moka::onnx {

struct DeclaredDim {
  bool known = false;
  int64_t value = 0;       // when known
  std::string_view param;  // else; may be empty
};

struct DeclaredValue {
  std::string_view name;
  ValueKind kind = ValueKind::kTensor;
  DataType type = DataType::kNone;  // of the (innermost) tensors; kNone: not stated, or no type that moka has
  std::string refusal;              // why moka cannot hold such a value: "a map", "of type COMPLEX64"; else empty
  bool ranked = false;
  std::vector<DeclaredDim> dims;
};

// Fills *value; views point into `bytes`. Negative dimensions and sizes beyond the limit are kInvalidModel.
Status ReadValueInfo(std::string_view bytes, const ModelOptions& options, DeclaredValue* value);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_VALUE_INFO_H_
