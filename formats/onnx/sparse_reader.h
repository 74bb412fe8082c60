// SparseTensorProto.
#ifndef MOKA_FORMATS_ONNX_SPARSE_READER_H_
#define MOKA_FORMATS_ONNX_SPARSE_READER_H_

#include <string_view>

#include "formats/onnx/context.h"

namespace moka::onnx {

// The tensor with all of its zeros; its name is that of its values, a view of `bytes`. kUnsupported: strings, and
// tensors of more than 1 GiB with their zeros, so that a small file cannot take any amount of memory.
Result<HostTensor> ReadSparseTensor(std::string_view bytes, ReadContext& context, std::string_view* name);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_SPARSE_READER_H_
