#include "ops/pad.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status ReadMode(const Attributes& attrs, PadMode* mode) {
  std::string_view text;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "mode", "constant", &text));
  static constexpr std::string_view kNames[] = {"constant", "reflect", "edge", "wrap"};
  const auto* found = std::find(std::begin(kNames), std::end(kNames), text);
  if (found == std::end(kNames)) {
    return InvalidModel("attribute 'mode' is '", text, "', expected constant, reflect, edge or wrap");
  }
  *mode = static_cast<PadMode>(found - std::begin(kNames));
  return Status();
}

// The dimensions that pads speak of; without axes all of them.
Status ReadAxes(const IntList& axes, int rank, size_t pads, std::array<int, kMaxRank>* along, int* count) {
  uint32_t mask = 0;
  MOKA_RETURN_IF_ERROR(ResolveAxes(axes.span(), rank, "src 3 (axes)", &mask));
  *count = axes.present ? axes.size : rank;
  if (pads != 2 * static_cast<size_t>(*count)) {
    return InvalidModel("src 1 (pads) has ", pads, " elements, expected two for each of ", *count, " axes");
  }
  for (int i = 0; i < *count; ++i) {
    const int64_t axis = axes.present ? axes[i] : i;
    (*along)[static_cast<size_t>(i)] = static_cast<int>(axis < 0 ? axis + rank : axis);
  }
  return Status();
}

Status CheckPadded(const Dim& before, const Dim& after, size_t axis, PadMode mode) {
  if (!after.is_constant()) return Status();
  if (after.constant() < 0)
    return InvalidModel("src 1 (pads) leave ", after.constant(), " elements of dimension ", axis);
  if (mode != PadMode::kConstant && before == Dim(0) && after.constant() > 0) {
    return InvalidModel("dimension ", axis, " of src 0 is empty: nothing to repeat");
  }
  return Status();
}

Status InferPad(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  PadMode mode{};
  MOKA_RETURN_IF_ERROR(ReadMode(*ctx.attrs, &mode));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 1, 1, 1));
  if (ctx.has_src(2)) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 0, 1));
    for (const Dim& dim : ctx.src[2]->dims) MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dim, 1, "elements of src 2"));
  }
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> pads, ctx.Elements(1));
  IntList axes;
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 3, "axes", &axes));
  std::array<int, kMaxRank> along{};
  int count = 0;
  MOKA_RETURN_IF_ERROR(ReadAxes(axes, x.rank(), pads.size(), &along, &count));
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = x.dims;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const size_t axis = static_cast<size_t>(along[i]);
    Dim& dim = ctx.dst[0].dims[axis];
    dim = dim + pads[i] + pads[i + static_cast<size_t>(count)];
    MOKA_RETURN_IF_ERROR(CheckPadded(x.dims[axis], dim, axis, mode));
    if (mode != PadMode::kConstant) {
      const std::string what = StrCat("dimension ", axis, " of an empty src 0");
      MOKA_RETURN_IF_ERROR(RequireAtMost(ctx, Dim::Min(dim, 1), x.dims[axis], what));
    }
  }
  return Status();
}

template <class Float>
Status PadReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const PadParams params, PadParams::From(call));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  return WithStorageType(x.type, [&](auto zero) {
    using T = decltype(zero);
    T value{};
    if (call.has_src(2)) value = LoadRaw<T>(reference.src[2], 0);
    ForEachIndex(y, [&](const Index& at) {
      int64_t from = 0;
      bool inside = true;
      for (int d = 0; d < x.rank; ++d) {
        const size_t k = static_cast<size_t>(d);
        const int64_t i = params.Source(d, at[k], x.dims[k]);
        inside = inside && i >= 0;
        from += i * x.strides[k];
      }
      StoreRaw<T>(reference.dst[0], OffsetOf(y, at), inside ? LoadRaw<T>(reference.src[0], from) : value);
    });
    return Status();
  });
}

int64_t Modulo(int64_t a, int64_t n) { return (a % n + n) % n; }

}  // namespace

Result<PadParams> PadParams::From(const OpCall& call) {
  PadParams params;
  MOKA_RETURN_IF_ERROR(ReadMode(*call.attrs, &params.mode));
  IntList pads, axes;
  MOKA_RETURN_IF_ERROR(ReadInts(call, 1, "pads", &pads));
  MOKA_RETURN_IF_ERROR(ReadInts(call, 3, "axes", &axes));
  std::array<int, kMaxRank> along{};
  int count = 0;
  MOKA_RETURN_IF_ERROR(ReadAxes(axes, call.src[0].rank, static_cast<size_t>(pads.size), &along, &count));
  for (int i = 0; i < count; ++i) {
    const size_t axis = static_cast<size_t>(along[static_cast<size_t>(i)]);
    params.begin[axis] = pads[i];
    params.end[axis] = pads[i + count];
  }
  if (!call.has_src(2)) return params;
  const HostTensor* constant = call.constants.size() > 2 ? call.constants[2] : nullptr;
  params.value_known = constant != nullptr && constant->data != nullptr;
  if (params.value_known) params.value = Load<double>(constant->desc, constant->data, 0);
  return params;
}

int64_t PadParams::Source(int d, int64_t i, int64_t n) const {
  const int64_t at = i - begin[static_cast<size_t>(d)];
  if (at >= 0 && at < n) return at;
  switch (mode) {
    case PadMode::kConstant:
      return -1;
    case PadMode::kEdge:
      return std::clamp<int64_t>(at, 0, n - 1);
    case PadMode::kWrap:
      return Modulo(at, n);
    case PadMode::kReflect: {
      if (n == 1) return 0;
      const int64_t folded = Modulo(at, 2 * (n - 1));
      return folded < n ? folded : 2 * (n - 1) - folded;
    }
  }
  return -1;
}

const OpSchema* PadSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Pad",
      .min_src = 2,
      .max_src = 4,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferPad,
      MOKA_REFERENCES(PadReference)  //
  };
  return &kSchema;
}

}  // namespace moka
