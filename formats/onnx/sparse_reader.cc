#include "formats/onnx/sparse_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/tensor_size.h"
#include "formats/onnx/fields.h"
#include "formats/onnx/tensor_reader.h"
#include "formats/onnx/wire.h"
#include "ops/element.h"
#include "ops/string_tensor.h"

namespace moka::onnx {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 30;

struct SparseProto {
  HostTensor values, indices;
  Shape dims;
};

Status ParseSparse(std::string_view bytes, ReadContext& context, SparseProto* sparse, std::string_view* name) {
  std::string_view unused;
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case SparseTensorFields::kValues: {
        MOKA_ASSIGN_OR_RETURN(sparse->values, ReadTensor(fields.Bytes(), context, name));
        break;
      }
      case SparseTensorFields::kIndices: {
        MOKA_ASSIGN_OR_RETURN(sparse->indices, ReadTensor(fields.Bytes(), context, &unused));
        break;
      }
      case SparseTensorFields::kDims:
        fields.AppendInts(&sparse->dims);
        break;
      default:
        fields.Skip();
    }
  }
  return Status();
}

Status CheckSparse(const SparseProto& sparse, const ModelOptions& options) {
  const TensorDesc &values = sparse.values.desc, &indices = sparse.indices.desc;
  const auto rank = static_cast<int64_t>(sparse.dims.size());
  if (!values.present() || !indices.present()) return InvalidModel("a sparse tensor without values or indices");
  if (values.type == DataType::kString) return Unsupported("sparse tensors of strings");
  if (rank > kMaxRank) return Unsupported("sparse tensors of rank ", rank);
  if (values.rank != 1) return InvalidModel("the values have rank ", values.rank, ", expected 1");
  const bool flat = indices.rank == 1, tuples = indices.rank == 2 && indices.dims[1] == rank;
  if (indices.type != DataType::kI64 || (!flat && !tuples) || indices.dims[0] != values.dims[0]) {
    return InvalidModel("the indices are ", NameOf(indices.type), ToString(indices.shape()), ", expected i64[",
                        values.dims[0], "] or i64[", values.dims[0], ", ", rank, "]");
  }
  const Result<TensorSize> size = SizeOfTensor(values.type, sparse.dims);
  if (!size.ok()) return InvalidModel(size.status().message());
  if (size->bytes > std::min(options.max_tensor_bytes, kMaxBytes)) {
    return Unsupported("a sparse tensor of ", size->bytes, " bytes with its zeros");
  }
  return Status();
}

// The position of value i among all elements; -1: outside.
int64_t PositionOf(const SparseProto& sparse, const TensorDesc& dense, int64_t i) {
  if (sparse.indices.desc.rank == 1) {
    const auto position = LoadRaw<int64_t>(sparse.indices.data, i);
    return position < dense.NumElements() ? position : -1;
  }
  int64_t position = 0;
  for (int64_t d = 0; d < dense.rank; ++d) {
    const auto index = LoadRaw<int64_t>(sparse.indices.data, i * dense.rank + d);
    const int64_t dim = dense.dims[static_cast<size_t>(d)];
    if (index < 0 || index >= dim) return -1;
    position = position * dim + index;
  }
  return position;
}

Result<HostTensor> Fill(const SparseProto& sparse) {
  const DataType type = sparse.values.desc.type;
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(type, sparse.dims));
  const TensorDesc dense = MakeDense(type, sparse.dims);
  const size_t element = SizeOf(type);
  int64_t last = -1;
  for (int64_t i = 0; i < sparse.values.desc.NumElements(); ++i) {
    const int64_t position = PositionOf(sparse, dense, i);
    if (position <= last) return InvalidModel("index ", i, " is outside of the shape, or not behind the one before it");
    std::memcpy(static_cast<std::byte*>(tensor.data()) + static_cast<size_t>(position) * element,
                static_cast<const std::byte*>(sparse.values.data) + static_cast<size_t>(i) * element, element);
    last = position;
  }
  return HostTensorOf(std::make_shared<const Tensor>(std::move(tensor)));
}

}  // namespace

Result<HostTensor> ReadSparseTensor(std::string_view bytes, ReadContext& context, std::string_view* name) {
  return Guard([&]() -> Result<HostTensor> {
    SparseProto sparse;
    MOKA_RETURN_IF_ERROR(ParseSparse(bytes, context, &sparse, name));
    MOKA_RETURN_IF_ERROR(CheckSparse(sparse, context.options));
    return Fill(sparse);
  });
}

}  // namespace moka::onnx
