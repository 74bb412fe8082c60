// Element types: TensorProto.DataType and moka's.
#ifndef MOKA_FORMATS_ONNX_TYPES_H_
#define MOKA_FORMATS_ONNX_TYPES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "moka/tensor.h"

namespace moka::onnx {

// kNone for types that moka has no name for (complex) and for numbers
// that the standard does not define.
DataType FromOnnx(int64_t data_type);
// 0 (UNDEFINED) for kNone.
int32_t ToOnnx(DataType type);
// The standard's name of the type, also where FromOnnx gives kNone: "COMPLEX64"; "number 99" where it has none.
std::string OnnxTypeName(int64_t data_type);
// By the standard's name ("FLOAT", as Cast-1 spells it); 0 when there is none.
int64_t OnnxTypeOfName(std::string_view name);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_TYPES_H_
