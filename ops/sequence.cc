// Sequences of tensors, and optionals.
#include <algorithm>
#include <array>

#include "base/status.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/params.h"

namespace moka {
namespace {

// An index into n elements, counted from the end when negative; n itself is allowed where `end` is.
Result<size_t> Position(const HostCall& call, size_t src, size_t n, bool end) {
  MOKA_ASSIGN_OR_RETURN(const int64_t position, SrcScalar(call, src, "position"));
  const auto size = static_cast<int64_t>(n), last = end ? size : size - 1;
  if (position < -size || position > last) {
    return InvalidArgument("src ", src, " (position) is ", position, ", expected ", -size, " to ", last);
  }
  return static_cast<size_t>(position < 0 ? position + size : position);
}

// ---- Making and taking apart --------------------------------------------------------------------------------------

Status ExecuteConstruct(HostCall& call) {
  std::vector<Datum> elements;
  for (size_t i = 0; i < call.src.size(); ++i) {
    MOKA_ASSIGN_OR_RETURN(const Tensor* tensor, call.SrcTensor(i));
    if (tensor->type() != call.src[0]->type()) {
      return InvalidArgument("src ", i, " is ", NameOf(tensor->type()), ", but src 0 is ", NameOf(call.src[0]->type()));
    }
    elements.push_back(*call.src[i]);
  }
  call.dst[0] = Datum::Sequence(call.src[0]->type(), std::move(elements));
  return Status();
}

Status ExecuteEmpty(HostCall& call) {
  DataType type = DataType::kF32;
  MOKA_RETURN_IF_ERROR(ReadType(*call.attrs, "dtype", DataType::kF32, &type));
  call.dst[0] = Datum::Sequence(type, {});
  return Status();
}

Status ExecuteAt(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Datum>* elements, SrcSequence(call, 0));
  MOKA_ASSIGN_OR_RETURN(const size_t position, Position(call, 1, elements->size(), false));
  call.dst[0] = (*elements)[position];
  return Status();
}

Status ExecuteInsert(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Datum>* elements, SrcSequence(call, 0));
  MOKA_ASSIGN_OR_RETURN(const Tensor* tensor, call.SrcTensor(1));
  if (!elements->empty() && tensor->type() != call.src[0]->type()) {
    return InvalidArgument("src 1 is ", NameOf(tensor->type()), ", but src 0 is ", ToString(*call.src[0]));
  }
  size_t position = elements->size();
  if (call.has_src(2)) {
    MOKA_ASSIGN_OR_RETURN(position, Position(call, 2, elements->size(), true));
  }
  std::vector<Datum> inserted = *elements;
  inserted.insert(inserted.begin() + static_cast<ptrdiff_t>(position), *call.src[1]);
  call.dst[0] = Datum::Sequence(tensor->type(), std::move(inserted));
  return Status();
}

Status ExecuteErase(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Datum>* elements, SrcSequence(call, 0));
  if (elements->empty()) return InvalidArgument("src 0 is an empty sequence");
  size_t position = elements->size() - 1;
  if (call.has_src(1)) {
    MOKA_ASSIGN_OR_RETURN(position, Position(call, 1, elements->size(), false));
  }
  std::vector<Datum> rest = *elements;
  rest.erase(rest.begin() + static_cast<ptrdiff_t>(position));
  call.dst[0] = Datum::Sequence(call.src[0]->type(), std::move(rest));
  return Status();
}

Status ExecuteLength(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Datum>* elements, SrcSequence(call, 0));
  MOKA_ASSIGN_OR_RETURN(Tensor length, MakeScalar(DataType::kI64, static_cast<int64_t>(elements->size())));
  call.dst[0] = Datum(std::move(length));
  return Status();
}

// ---- Tensors to sequences and back --------------------------------------------------------------------------------

constexpr int64_t kMaxParts = 1 << 20;  // a dimension may be large where the tensor is empty

// Sizes of the parts along a dimension of `size`.
Result<std::vector<int64_t>> PartSizes(const HostCall& call, int64_t size) {
  std::vector<int64_t> parts;
  const Tensor* split = nullptr;
  if (call.has_src(1)) {
    MOKA_ASSIGN_OR_RETURN(split, call.SrcTensor(1));
  }
  if (split != nullptr && split->shape().size() == 1) {
    int64_t left = size;
    for (int64_t i = 0; i < split->size(); ++i) {
      if (split->type() != DataType::kI32 && split->type() != DataType::kI64) break;
      const int64_t part = split->type() == DataType::kI32 ? split->as<int32_t>()[i] : split->as<int64_t>()[i];
      if (part < 0 || part > left)
        return InvalidArgument("src 1 (split): element ", i, " is ", part, ", ", left, " are left");
      left -= part;
      parts.push_back(part);
    }
    if (left != 0 || static_cast<int64_t>(parts.size()) != split->size()) {
      return InvalidArgument("src 1 (split): ", ToString(*call.src[1]), " leaves ", left, " of ", size);
    }
    return parts;
  }
  int64_t chunk = 1;
  if (split != nullptr) {
    MOKA_ASSIGN_OR_RETURN(chunk, SrcScalar(call, 1, "split"));
  }
  if (chunk <= 0) return InvalidArgument("src 1 (split) is ", chunk, ", expected a positive number");
  if (size / chunk >= kMaxParts)
    return InvalidArgument("src 0 has ", size, " parts of ", chunk, ", at most ", kMaxParts);
  for (int64_t at = 0; at < size; at += parts.back()) parts.push_back(std::min(chunk, size - at));
  return parts;
}

Status ExecuteSplit(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* src, call.SrcTensor(0));
  int64_t attribute = 0;
  bool keepdims = true;
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "axis", 0, &attribute));
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "keepdims", true, &keepdims));
  const Shape& shape = src->shape();
  MOKA_ASSIGN_OR_RETURN(const int resolved,
                        NormalizeAxis(attribute, static_cast<int>(shape.size()), "attribute 'axis'"));
  const auto axis = static_cast<size_t>(resolved);
  MOKA_ASSIGN_OR_RETURN(const std::vector<int64_t> parts, PartSizes(call, shape[axis]));
  const bool squeeze = !keepdims && !call.has_src(1);
  const int64_t outer = ElementsOf(shape, 0, axis), inner = ElementsOf(shape, axis + 1, shape.size());
  std::vector<Datum> elements;
  int64_t at = 0;
  for (const int64_t part : parts) {
    Shape part_shape = shape;
    part_shape[axis] = part;
    if (squeeze) part_shape.erase(part_shape.begin() + resolved);
    MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(src->type(), std::move(part_shape)));
    for (int64_t i = 0; tensor.size() > 0 && i < outer; ++i) {
      CopyRange(*src, (i * shape[axis] + at) * inner, &tensor, i * part * inner, part * inner);
    }
    elements.emplace_back(std::move(tensor));
    at += part;
  }
  call.dst[0] = Datum::Sequence(src->type(), std::move(elements));
  return Status();
}

// Shape of the concatenation; the elements must agree in all dimensions but `axis`, in all where it is new.
Result<Shape> ConcatShape(const std::vector<Datum>& elements, size_t axis, bool new_axis) {
  Shape result = elements[0].tensor().shape();
  if (!new_axis) result[axis] = 0;
  for (size_t i = 0; i < elements.size(); ++i) {
    Shape shape = elements[i].tensor().shape();
    bool fits = shape.size() == result.size() && elements[i].type() == elements[0].type();
    if (fits && !new_axis) fits = !__builtin_add_overflow(result[axis], shape[axis], &result[axis]);
    if (fits && !new_axis) shape[axis] = result[axis];
    if (!fits || shape != result) {
      return InvalidArgument("src 0: element ", i, " is ", ToString(elements[i]), ", element 0 is ",
                             ToString(elements[0]));
    }
  }
  if (new_axis) result.insert(result.begin() + static_cast<ptrdiff_t>(axis), static_cast<int64_t>(elements.size()));
  return result;
}

Status ExecuteConcat(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Datum>* elements, SrcSequence(call, 0));
  int64_t attribute = 0;
  bool new_axis = false;
  if (!call.attrs->Has("axis")) return InvalidModel("attribute 'axis' is missing");
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "axis", 0, &attribute));
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "new_axis", false, &new_axis));
  if (elements->empty()) return InvalidArgument("src 0 is an empty sequence");
  for (const Datum& element : *elements) {
    if (!element.is_tensor()) return InvalidArgument("src 0 holds ", ToString(element), ", expected tensors");
  }
  const int rank = static_cast<int>((*elements)[0].tensor().shape().size()) + (new_axis ? 1 : 0);
  MOKA_ASSIGN_OR_RETURN(const int resolved, NormalizeAxis(attribute, rank, "attribute 'axis'"));
  const auto axis = static_cast<size_t>(resolved);
  MOKA_ASSIGN_OR_RETURN(const Shape shape, ConcatShape(*elements, axis, new_axis));
  MOKA_ASSIGN_OR_RETURN(Tensor result, call.NewTensor((*elements)[0].type(), shape));
  const int64_t outer = ElementsOf(shape, 0, axis), row = ElementsOf(shape, axis, shape.size());
  int64_t at = 0;
  for (const Datum& element : *elements) {
    const Tensor& tensor = element.tensor();
    const int64_t part = ElementsOf(tensor.shape(), axis, tensor.shape().size());
    for (int64_t i = 0; tensor.size() > 0 && i < outer; ++i) CopyRange(tensor, i * part, &result, i * row + at, part);
    at += part;
  }
  call.dst[0] = Datum(std::move(result));
  return Status();
}

// ---- Optionals ----------------------------------------------------------------------------------------------------

Status ExecuteOptional(HostCall& call) {
  call.dst[0] = call.has_src(0) ? *call.src[0] : Datum();
  return Status();
}

Status ExecuteHasElement(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(Tensor has, MakeScalar(DataType::kBool, call.has_src(0) ? 1 : 0));
  call.dst[0] = Datum(std::move(has));
  return Status();
}

Status ExecuteGetElement(HostCall& call) {
  if (!call.has_src(0)) return InvalidArgument("src 0 is an optional without a value");
  call.dst[0] = *call.src[0];
  return Status();
}

constexpr OpSchema Schema(const char* name, int min_src, int max_src, Status (*execute)(HostCall&)) {
  return {.domain = "",
          .name = name,
          .min_src = min_src,
          .max_src = max_src,
          .min_dst = 1,
          .max_dst = 1,
          .execute = execute};
}

}  // namespace

#define MOKA_SEQUENCE_OP(name, min_src, max_src, execute)                         \
  const OpSchema* name##Schema() {                                                \
    static constexpr OpSchema kSchema = Schema(#name, min_src, max_src, execute); \
    return &kSchema;                                                              \
  }

MOKA_SEQUENCE_OP(ConcatFromSequence, 1, 1, ExecuteConcat)
MOKA_SEQUENCE_OP(Optional, 0, 1, ExecuteOptional)
MOKA_SEQUENCE_OP(OptionalGetElement, 1, 1, ExecuteGetElement)
MOKA_SEQUENCE_OP(OptionalHasElement, 0, 1, ExecuteHasElement)
MOKA_SEQUENCE_OP(SequenceAt, 2, 2, ExecuteAt)
MOKA_SEQUENCE_OP(SequenceConstruct, 1, -1, ExecuteConstruct)
MOKA_SEQUENCE_OP(SequenceEmpty, 0, 0, ExecuteEmpty)
MOKA_SEQUENCE_OP(SequenceErase, 1, 2, ExecuteErase)
MOKA_SEQUENCE_OP(SequenceInsert, 2, 3, ExecuteInsert)
MOKA_SEQUENCE_OP(SequenceLength, 1, 1, ExecuteLength)
MOKA_SEQUENCE_OP(SplitToSequence, 1, 2, ExecuteSplit)
#undef MOKA_SEQUENCE_OP

}  // namespace moka
