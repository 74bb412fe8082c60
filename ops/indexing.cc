#include "ops/indexing.h"

#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"

namespace moka {

Status IndexOutOfRange(int src, int64_t element, int64_t value, int64_t size) {
  return InvalidArgument("src ", src, " (indices): element ", element, " is ", value, ", expected ", -size, " to ",
                         size - 1);
}

Result<AlongAxisParams> AlongAxisParams::From(const Attributes& attrs, int rank) {
  AlongAxisParams params;
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "axis", 0, &axis));
  MOKA_ASSIGN_OR_RETURN(params.axis, NormalizeAxis(axis, rank, "attribute 'axis'"));
  return params;
}

Result<AlongAxisParams> AlongAxisParams::From(const OpCall& call) {
  const TensorDesc &data = call.src[0], &indices = call.src[1];
  MOKA_ASSIGN_OR_RETURN(const AlongAxisParams params, From(*call.attrs, data.rank));
  for (size_t d = 0; d < static_cast<size_t>(data.rank); ++d) {
    if (d != static_cast<size_t>(params.axis) && indices.dims[d] > data.dims[d]) {
      return InvalidArgument("src 1 (indices): dimension ", d, " is ", indices.dims[d], ", that of src 0 is ",
                             data.dims[d]);
    }
  }
  return params;
}

Result<TupleParams> TupleParams::From(const OpCall& call) {
  TupleParams params;
  int64_t batch_dims = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "batch_dims", 0, &batch_dims));
  const TensorDesc& indices = call.src[1];
  params.batch_dims = static_cast<int>(batch_dims);
  params.depth = static_cast<int>(indices.dims[static_cast<size_t>(indices.rank - 1)]);
  return params;
}

Status TupleParams::Offset(const TensorDesc& indices, const void* data, int64_t offset, const TensorDesc& target,
                           int64_t element, int64_t* result) const {
  const int64_t step = indices.strides[static_cast<size_t>(indices.rank - 1)];
  *result = 0;
  for (int i = 0; i < depth; ++i) {
    const size_t d = static_cast<size_t>(batch_dims + i);
    const int64_t value = LoadRaw<int64_t>(data, offset + i * step), size = target.dims[d];
    if (value < -size || value >= size) return IndexOutOfRange(1, element * depth + i, value, size);
    *result += (value < 0 ? value + size : value) * target.strides[d];
  }
  return Status();
}

Result<ScatterReduction> ReadScatterReduction(const Attributes& attrs) {
  static constexpr std::string_view kNames[] = {"none", "add", "mul", "max", "min"};
  ScatterReduction reduction{};
  MOKA_RETURN_IF_ERROR(ReadEnum(attrs, "reduction", kNames, &reduction));
  return reduction;
}

}  // namespace moka
