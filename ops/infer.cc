#include "ops/infer.h"

#include <algorithm>

#include "ops/element.h"

namespace moka {

Result<std::vector<Dim>> InferContext::Elements(size_t i) {
  if (!has_src(i)) return InvalidModel("src ", i, " is missing");
  const SymbolicTensor& tensor = *src[i];
  if (tensor.elements) return *tensor.elements;
  if (tensor.constant == nullptr) {
    needed_source = static_cast<int>(i);
    return Unsupported("src ", i, " determines a shape, but its contents are not known");
  }
  const TensorDesc& desc = tensor.constant->desc;
  if (desc.type != DataType::kI32 && desc.type != DataType::kI64 && desc.type != DataType::kBool) {
    return InvalidModel("src ", i, " is ", NameOf(desc.type), ", expected integers");
  }
  std::vector<Dim> elements;
  elements.reserve(static_cast<size_t>(desc.NumElements()));
  ForEachIndex(desc, [&](const Index& index) {
    elements.emplace_back(Load<int64_t>(desc, tensor.constant->data, OffsetOf(desc, index)));
  });
  return elements;
}

Result<std::vector<int64_t>> InferContext::Ints(size_t i) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> elements, Elements(i));
  std::vector<int64_t> ints;
  ints.reserve(elements.size());
  for (const Dim& element : elements) {
    if (!element.is_constant()) {
      needed_source = static_cast<int>(i);
      return Unsupported("src ", i, " holds ", element.ToString(*symbols), " where a number is needed");
    }
    ints.push_back(element.constant());
  }
  return ints;
}

namespace {

Result<Dim> BroadcastDim(InferContext& context, const Dim& a, const Dim& b, size_t axis) {
  if (a == b || (b.is_constant() && b.constant() == 1)) return a;
  if (a.is_constant() && a.constant() == 1) return b;
  const std::string what = StrCat("broadcast of dim ", axis);
  if (a.is_constant() && b.is_constant()) {
    return InvalidModel(what, ": ", a.constant(), " against ", b.constant());
  }
  const Dim result = a.is_constant() ? a : b.is_constant() ? b : Dim::Max(a, b);
  for (const Dim* dim : {&a, &b}) {
    if (*dim != result) context.constraints.push_back({*dim, result, true, what});
  }
  return result;
}

}  // namespace

Result<std::vector<Dim>> BroadcastDims(InferContext& context, std::span<const Dim> a, std::span<const Dim> b) {
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<Dim> dims(a.begin(), a.end());
  const size_t shift = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    MOKA_ASSIGN_OR_RETURN(dims[shift + i], BroadcastDim(context, a[shift + i], b[i], shift + i));
  }
  return dims;
}

Result<std::vector<Dim>> BroadcastSources(InferContext& context, size_t first, size_t last) {
  std::vector<Dim> dims;
  for (size_t i = first; i < last; ++i) {
    if (!context.has_src(i)) continue;
    MOKA_ASSIGN_OR_RETURN(dims, BroadcastDims(context, dims, context.src[i]->dims));
  }
  return dims;
}

Status RequireEqual(InferContext& context, const Dim& a, const Dim& b, std::string_view what) {
  if (a == b) return Status();
  if (a.is_constant() && b.is_constant()) {
    return InvalidModel(what, ": ", a.constant(), ", expected ", b.constant());
  }
  context.constraints.push_back({a, b, false, std::string(what)});
  return Status();
}

Status RequireAtMost(InferContext& context, const Dim& a, const Dim& b, std::string_view what) {
  if (!a.is_constant() || !b.is_constant()) return RequireEqual(context, Dim::Max(a, b), b, what);
  return a.constant() <= b.constant() ? Status() : InvalidModel(what, ": ", a.constant(), ", at most ", b.constant());
}

Status RequireMultiple(InferContext& context, const Dim& a, int64_t factor, std::string_view what) {
  if (!a.is_constant()) return RequireEqual(context, Dim::FloorDiv(a, factor) * Dim(factor), a, what);
  if (a.constant() % factor == 0) return Status();
  return InvalidModel(what, ": ", a.constant(), ", expected a multiple of ", factor);
}

Status RequireBroadcastTo(InferContext& context, size_t src, std::span<const Dim> dims) {
  const std::vector<Dim>& own = context.src[src]->dims;
  if (own.size() > dims.size()) {
    return InvalidModel("src ", src, ": rank ", own.size(), ", at most ", dims.size(), " broadcasts");
  }
  const size_t shift = dims.size() - own.size();
  for (size_t i = 0; i < own.size(); ++i) {
    const Dim &a = own[i], &b = dims[shift + i];
    if (a == b || (a.is_constant() && a.constant() == 1)) continue;
    const std::string what = StrCat("dimension ", i, " of src ", src);
    if (a.is_constant() && b.is_constant()) {
      return InvalidModel(what, ": ", a.constant(), " does not broadcast to ", b.constant());
    }
    context.constraints.push_back({a, b, true, what});
  }
  return Status();
}

Status CheckRank(const InferContext& context, size_t src, int min_rank, int max_rank) {
  const int rank = context.src[src]->rank();
  if (rank >= min_rank && rank <= max_rank) return Status();
  if (min_rank == max_rank) return InvalidModel("src ", src, ": rank ", rank, ", expected ", min_rank);
  return InvalidModel("src ", src, ": rank ", rank, ", expected ", min_rank, " to ", max_rank);
}

Status CheckType(const InferContext& context, size_t src, std::initializer_list<DataType> allowed) {
  const DataType type = context.src[src]->type;
  if (std::find(allowed.begin(), allowed.end(), type) != allowed.end()) return Status();
  std::string names;
  for (DataType t : allowed) names += StrCat(names.empty() ? "" : ", ", NameOf(t));
  return Unsupported("src ", src, " is ", NameOf(type), ", supported: ", names);
}

Status CheckSameType(const InferContext& context, size_t src, size_t other) {
  const DataType a = context.src[src]->type, b = context.src[other]->type;
  if (a == b) return Status();
  return InvalidModel("src ", src, " is ", NameOf(a), ", but src ", other, " is ", NameOf(b));
}

Result<int> NormalizeAxis(int64_t axis, int rank, std::string_view what) {
  if (axis < -rank || axis >= rank) return InvalidModel(what, " ", axis, " is outside rank ", rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Result<std::vector<int>> NormalizeAxes(std::span<const int64_t> axes, int rank, std::string_view what) {
  std::vector<int> result;
  for (int64_t axis : axes) {
    MOKA_ASSIGN_OR_RETURN(const int normal, NormalizeAxis(axis, rank, what));
    if (std::find(result.begin(), result.end(), normal) != result.end()) {
      return InvalidModel(what, ": axis ", axis, " appears twice");
    }
    result.push_back(normal);
  }
  return result;
}

Status InferSameAsSource(InferContext& context) {
  context.dst[0].type = context.src[0]->type;
  context.dst[0].dims = context.src[0]->dims;
  return Status();
}

}  // namespace moka
