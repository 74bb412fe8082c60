// TensorProto.
#ifndef MOKA_FORMATS_ONNX_TENSOR_READER_H_
#define MOKA_FORMATS_ONNX_TENSOR_READER_H_

#include <string_view>

#include "formats/onnx/context.h"

namespace moka::onnx {

// The tensor; its name, a view of `bytes`, goes to *name as soon as it is known (also when reading fails later).
// Little-endian raw data and packed float data are used where they lie; other forms are decoded. Types without a
// DataType are kUnsupported.
Result<HostTensor> ReadTensor(std::string_view bytes, ReadContext& context, std::string_view* name);

// A constant of its own memory.
Result<HostTensor> MakeTensor(DataType type, const Shape& shape, const void* data);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_TENSOR_READER_H_
