// Reshape, Flatten, Squeeze, Unsqueeze: the same elements in the same order under another shape.
#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status Finish(InferContext& ctx, std::vector<Dim> dims) {
  if (dims.size() > kMaxRank) return Unsupported("the result has rank ", dims.size(), ", at most ", kMaxRank);
  const SymbolicTensor& x = *ctx.src[0];
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = std::move(dims);
  ctx.dst[0].elements = KnownElements(x);
  return Status();
}

bool Is(const Dim& dim, int64_t value) { return dim.is_constant() && dim.constant() == value; }

// Products of a and b without the factors that both have: so [N, C, H] to [N, ?] gives C * H, not N * C * H / N.
std::pair<Dim, Dim> Quotient(const std::vector<Dim>& a, std::vector<Dim> b) {
  Dim numerator = 1;
  for (const Dim& dim : a) {
    const auto it = dim.is_constant() ? b.end() : std::find(b.begin(), b.end(), dim);
    if (it == b.end()) {
      numerator = numerator * dim;
    } else {
      b.erase(it);
    }
  }
  return {numerator, Product(b)};
}

// The dimension given as -1: what is left of the source's elements.
Status ResolveUnknown(InferContext& ctx, std::vector<Dim>* dims, size_t unknown) {
  std::vector<Dim> known = *dims;
  known.erase(known.begin() + static_cast<std::ptrdiff_t>(unknown));
  const auto [left, divisor] = Quotient(ctx.src[0]->dims, known);
  if (Is(divisor, 0)) return InvalidModel("src 1 (shape): -1 beside a dimension of 0 has no single answer");
  if (left.is_constant() && divisor.is_constant() && left.constant() % divisor.constant() != 0) {
    return InvalidModel("src 1 (shape): ", left.constant(), " elements do not divide into rows of ",
                        divisor.constant());
  }
  (*dims)[unknown] = Dim::FloorDiv(left, divisor);
  return RequireEqual(ctx, left, (*dims)[unknown] * divisor, "elements of src 0 and of src 1 (shape)");
}

Status InferReshape(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  bool allow_zero = false;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "allowzero", false, &allow_zero));
  MOKA_ASSIGN_OR_RETURN(std::vector<Dim> dims, ctx.Elements(1));
  const SymbolicTensor& x = *ctx.src[0];
  std::optional<size_t> unknown;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (Is(dims[i], 0) && !allow_zero) {
      if (i >= x.dims.size()) return InvalidModel("src 1 (shape): 0 at ", i, " copies no dimension of src 0");
      dims[i] = x.dims[i];
    } else if (Is(dims[i], -1)) {
      if (unknown) return InvalidModel("src 1 (shape): more than one -1");
      unknown = i;
    } else if (dims[i].is_constant() && dims[i].constant() < 0) {
      return InvalidModel("src 1 (shape): dimension of ", dims[i].constant());
    }
  }
  if (unknown) {
    MOKA_RETURN_IF_ERROR(ResolveUnknown(ctx, &dims, *unknown));
  } else {
    const auto [from, to] = Quotient(x.dims, dims);
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, from, to, "elements of src 0 and of src 1 (shape)"));
  }
  return Finish(ctx, std::move(dims));
}

Status InferFlatten(InferContext& ctx) {
  const std::vector<Dim>& dims = ctx.src[0]->dims;
  int64_t axis = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "axis", 1, &axis));
  const int64_t rank = static_cast<int64_t>(dims.size());
  if (axis < -rank || axis > rank) {
    return InvalidModel("attribute 'axis' is ", axis, ", expected ", -rank, " to ", rank);
  }
  const std::span<const Dim> all(dims);
  const size_t split = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  return Finish(ctx, {Product(all.first(split)), Product(all.subspan(split))});
}

Status InferSqueeze(InferContext& ctx) {
  const std::vector<Dim>& dims = ctx.src[0]->dims;
  IntList axes;
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 1, "axes", &axes));
  uint32_t mask = 0;
  MOKA_RETURN_IF_ERROR(ResolveAxes(axes.span(), static_cast<int>(dims.size()), "src 1 (axes)", &mask));
  std::vector<Dim> kept;
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool named = (mask >> i & 1) != 0;
    if (named) MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims[i], 1, StrCat("squeezed dimension ", i, " of src 0")));
    if (!axes.present && !dims[i].is_constant()) {
      return Unsupported("src 1 (axes) is absent and dimension ", i, " of src 0 is symbolic: the rank is not known");
    }
    if (!(axes.present ? named : Is(dims[i], 1))) kept.push_back(dims[i]);
  }
  return Finish(ctx, std::move(kept));
}

Status InferUnsqueeze(InferContext& ctx) {
  const std::vector<Dim>& dims = ctx.src[0]->dims;
  IntList axes;
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 1, "axes", &axes));
  const int rank = static_cast<int>(dims.size()) + axes.size;
  if (rank > kMaxRank) return Unsupported("the result has rank ", rank, ", at most ", kMaxRank);
  uint32_t mask = 0;
  MOKA_RETURN_IF_ERROR(ResolveAxes(axes.span(), rank, "src 1 (axes)", &mask));
  std::vector<Dim> result;
  auto next = dims.begin();
  for (int i = 0; i < rank; ++i) result.push_back((mask >> i & 1) != 0 ? Dim(1) : *next++);
  return Finish(ctx, std::move(result));
}

// Walks the offsets of a desc in row-major order of its shape.
class RowMajorWalk {
 public:
  explicit RowMajorWalk(const TensorDesc& desc) : desc_(desc) {}
  int64_t offset() const { return offset_; }
  void Next() {
    for (size_t i = static_cast<size_t>(desc_.rank); i-- > 0;) {
      offset_ += desc_.strides[i];
      if (++index_[i] < desc_.dims[i]) return;
      offset_ -= desc_.strides[i] * desc_.dims[i];
      index_[i] = 0;
    }
  }

 private:
  const TensorDesc& desc_;
  Index index_{};
  int64_t offset_ = 0;
};

template <class Float>
Status ReshapeReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const size_t size = SizeOf(x.type);
  if (size == 0) return Unsupported("type ", NameOf(x.type), " has no reference");
  const auto* src = static_cast<const std::byte*>(reference.src[0]);
  auto* dst = static_cast<std::byte*>(reference.dst[0]);
  RowMajorWalk from(x), to(y);
  for (int64_t n = y.NumElements(); n > 0; --n, from.Next(), to.Next()) {
    std::memcpy(dst + to.offset() * static_cast<int64_t>(size), src + from.offset() * static_cast<int64_t>(size), size);
  }
  return Status();
}

bool ViewAsReshape(const OpCall& call, int, TensorDesc* dst, int64_t* offset) {
  *offset = 0;
  return ReshapeView(call.src[0], call.dst[0].shape(), dst);
}

constexpr OpSchema Schema(const char* name, int min_src, int max_src, Status (*infer)(InferContext&)) {
  return {
      .domain = "",
      .name = name,
      .min_src = min_src,
      .max_src = max_src,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = infer,
      MOKA_REFERENCES(ReshapeReference)  //
          .view = ViewAsReshape,
  };
}

}  // namespace

const OpSchema* ReshapeSchema() {
  static constexpr OpSchema kSchema = Schema("Reshape", 2, 2, InferReshape);
  return &kSchema;
}

const OpSchema* FlattenSchema() {
  static constexpr OpSchema kSchema = Schema("Flatten", 1, 1, InferFlatten);
  return &kSchema;
}

const OpSchema* SqueezeSchema() {
  static constexpr OpSchema kSchema = Schema("Squeeze", 1, 2, InferSqueeze);
  return &kSchema;
}

const OpSchema* UnsqueezeSchema() {
  static constexpr OpSchema kSchema = Schema("Unsqueeze", 2, 2, InferUnsqueeze);
  return &kSchema;
}

}  // namespace moka
