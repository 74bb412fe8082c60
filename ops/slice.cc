#include "ops/slice.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

// Exporters write the largest i32 or i64 for "to the end": both mean it, whatever the dimension is.
constexpr int64_t kEnd = std::numeric_limits<int32_t>::max();
// Longer steps act like this one: sums stay far from overflow.
constexpr int64_t kLongStep = int64_t{1} << 40;

int64_t ClampStep(int64_t step) { return std::clamp(step, -kLongStep, kLongStep); }

// Which dimension entry i of starts, ends and steps speaks of; without axes the first ones.
Status ReadAxes(const IntList& axes, int count, int rank, std::array<int, kMaxRank>* resolved) {
  if (axes.present && axes.size != count) {
    return InvalidModel("src 3 (axes) has ", axes.size, " elements, src 1 (starts) has ", count);
  }
  if (count > rank) return InvalidModel("src 1 (starts) has ", count, " elements, src 0 has rank ", rank);
  uint32_t mask = 0;
  MOKA_RETURN_IF_ERROR(ResolveAxes(axes.span(), rank, "src 3 (axes)", &mask));
  for (int i = 0; i < count; ++i) {
    const int64_t axis = axes.present ? axes[i] : i;
    (*resolved)[static_cast<size_t>(i)] = static_cast<int>(axis < 0 ? axis + rank : axis);
  }
  return Status();
}

Status CheckSteps(const IntList& steps, int count) {
  if (!steps.present) return Status();
  if (steps.size != count) {
    return InvalidModel("src 4 (steps) has ", steps.size, " elements, src 1 (starts) has ", count);
  }
  for (const int64_t step : steps.span()) {
    if (step == 0) return InvalidModel("src 4 (steps) has a step of 0");
  }
  return Status();
}

// Counts from the end of a dimension of size d when negative. Where the sign is not known:
// min(1, max(0, -value)) is 1 for negative integers and 0 for others.
Dim FromFront(const Dim& value, const Dim& d) {
  if (value.is_constant()) {
    if (value.constant() >= kEnd) return d;
    if (value.constant() <= -kEnd) return -1;
    return value.constant() < 0 ? value + d : value;
  }
  if (value.IsNonNegative()) return value;
  return value + d * Dim::Min(1, Dim::Max(0, Dim(0) - value));
}

// The rest of clamping falls away: where start > d or end < 0 the difference is negative, and the result empty.
Dim SliceLength(const Dim& start, const Dim& end, int64_t step, const Dim& d) {
  if (step > 0) {
    const Dim length = Dim::Min(FromFront(end, d), d) - Dim::Max(FromFront(start, d), 0);
    return Dim::Max(0, Dim::CeilDiv(length, step));
  }
  const Dim length = Dim::Min(FromFront(start, d), d - Dim(1)) - Dim::Max(FromFront(end, d), -1);
  return Dim::Max(0, Dim::CeilDiv(length, -step));
}

struct AxisRange {
  int64_t start, count;
};

AxisRange ConcreteRange(int64_t start, int64_t end, int64_t step, int64_t d) {
  const auto from_front = [d](int64_t value) {
    if (value >= kEnd) return d;
    if (value <= -kEnd) return int64_t{-1};
    return value < 0 ? value + d : value;
  };
  start = from_front(start);
  end = from_front(end);
  if (step > 0) {
    start = std::clamp<int64_t>(start, 0, d);
    end = std::clamp<int64_t>(end, 0, d);
    return {start, std::max<int64_t>((end - start + step - 1) / step, 0)};
  }
  start = std::clamp<int64_t>(start, -1, d - 1);
  end = std::clamp<int64_t>(end, -1, d - 1);
  return {start, std::max<int64_t>((start - end - step - 1) / -step, 0)};
}

void TrackElements(InferContext& ctx, const Dim& start, const Dim& end, int64_t step) {
  const std::optional<std::vector<Dim>> elements = KnownElements(*ctx.src[0]);
  if (!elements || !start.is_constant() || !end.is_constant()) return;
  const AxisRange range = ConcreteRange(start.constant(), end.constant(), step, static_cast<int64_t>(elements->size()));
  std::vector<Dim> part;
  for (int64_t i = 0; i < range.count; ++i) part.push_back((*elements)[static_cast<size_t>(range.start + i * step)]);
  ctx.dst[0].elements = std::move(part);
}

Status InferSlice(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  for (size_t i = 1; i < 3; ++i) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kIndexTypes));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 1, 1));
  }
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> starts, ctx.Elements(1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> ends, ctx.Elements(2));
  if (starts.size() != ends.size()) {
    return InvalidModel("src 1 (starts) has ", starts.size(), " elements, src 2 (ends) has ", ends.size());
  }
  IntList axes, steps;
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 3, "axes", &axes));
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 4, "steps", &steps));
  const int count = static_cast<int>(std::min<size_t>(starts.size(), kMaxRank + 1));
  std::array<int, kMaxRank> along{};
  MOKA_RETURN_IF_ERROR(ReadAxes(axes, count, x.rank(), &along));
  MOKA_RETURN_IF_ERROR(CheckSteps(steps, count));
  SymbolicTensor& y = ctx.dst[0];
  y.type = x.type;
  y.dims = x.dims;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const int64_t step = ClampStep(steps.present ? steps.values[i] : 1);
    Dim& dim = y.dims[static_cast<size_t>(along[i])];
    dim = SliceLength(starts[i], ends[i], step, dim);
    if (x.rank() == 1) TrackElements(ctx, starts[i], ends[i], step);
  }
  if (count == 0) y.elements = KnownElements(x);
  return Status();
}

bool SliceAsView(const OpCall& call, int, TensorDesc* dst, int64_t* offset) {
  const Result<SliceParams> params = SliceParams::From(call);
  if (!params.ok()) return false;
  for (size_t i = 0; i < static_cast<size_t>(params->rank); ++i) {
    if (params->step[i] < 0 && params->count[i] > 1) return false;
  }
  params->Part(call, dst, offset);
  return true;
}

template <class Float>
Status SliceReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const SliceParams params, SliceParams::From(reference.call));
  TensorDesc part;
  int64_t offset = 0;
  params.Part(reference.call, &part, &offset);
  return CopyElements(
      part, static_cast<const std::byte*>(reference.src[0]) + offset * static_cast<int64_t>(SizeOf(part.type)),
      reference.call.dst[0], reference.dst[0]);
}

}  // namespace

Result<SliceParams> SliceParams::From(const OpCall& call) {
  const TensorDesc& x = call.src[0];
  IntList starts, ends, axes, steps;
  MOKA_RETURN_IF_ERROR(ReadInts(call, 1, "starts", &starts));
  MOKA_RETURN_IF_ERROR(ReadInts(call, 2, "ends", &ends));
  MOKA_RETURN_IF_ERROR(ReadInts(call, 3, "axes", &axes));
  MOKA_RETURN_IF_ERROR(ReadInts(call, 4, "steps", &steps));
  std::array<int, kMaxRank> along{};
  MOKA_RETURN_IF_ERROR(ReadAxes(axes, starts.size, x.rank, &along));
  MOKA_RETURN_IF_ERROR(CheckSteps(steps, starts.size));
  SliceParams params;
  params.rank = x.rank;
  params.count = x.dims;
  params.step.fill(1);
  for (int i = 0; i < starts.size; ++i) {
    const size_t k = static_cast<size_t>(along[static_cast<size_t>(i)]);
    params.step[k] = ClampStep(steps.present ? steps[i] : 1);
    const AxisRange range = ConcreteRange(starts[i], ends[i], params.step[k], x.dims[k]);
    params.start[k] = range.start;
    params.count[k] = range.count;
  }
  return params;
}

void SliceParams::Part(const OpCall& call, TensorDesc* part, int64_t* offset) const {
  *part = call.src[0];
  *offset = 0;
  for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
    part->dims[i] = count[i];
    // The step of a single element may be far out of memory.
    if (count[i] > 1) part->strides[i] *= step[i];
    if (count[i] > 0) *offset += start[i] * call.src[0].strides[i];
  }
}

const OpSchema* SliceSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Slice",
      .min_src = 3,
      .max_src = 5,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferSlice,
      MOKA_REFERENCES(SliceReference)  //
          .view = SliceAsView,
  };
  return &kSchema;
}

}  // namespace moka
