#include "ops/dft.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr int64_t kLongest = std::numeric_limits<int32_t>::max();

// A source that is one integer.
Status CheckScalar(InferContext& ctx, size_t i) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kIndexTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 0, 1));
  for (const Dim& dim : ctx.src[i]->dims) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dim, 1, StrCat("elements of src ", i)));
  }
  return Status();
}

Result<int64_t> ScalarOf(const OpCall& call, int i, std::string_view operand, int64_t fallback) {
  if (!call.has_src(i)) return fallback;
  IntList list;
  MOKA_RETURN_IF_ERROR(ReadInts(call, i, operand, &list));
  if (list.size != 1) return InvalidModel("src ", i, " (", operand, ") has ", list.size, " elements, expected 1");
  return list[0];
}

Status CheckLength(const Dim& length, std::string_view what) {
  if (!length.is_constant() || (length.constant() >= 1 && length.constant() <= kLongest)) return Status();
  return InvalidModel(what, " is ", length.constant(), ", expected 1 to ", kLongest);
}

// Of the last dimension: real, or real and imaginary.
Status CheckParts(const Dim& parts) {
  if (!parts.is_constant() || parts == Dim(1) || parts == Dim(2)) return Status();
  return InvalidModel("src 0: the last dimension is ", parts.constant(), ", not 1 (real) or 2 (complex)");
}

// ---- DFT ----------------------------------------------------------------------------------------------------------

Result<int> CheckAxis(int64_t axis, int rank) {
  MOKA_ASSIGN_OR_RETURN(const int resolved, NormalizeAxis(axis, rank, "src 2 (axis)"));
  if (resolved == rank - 1) return InvalidModel("src 2 (axis) is the last dimension, that of real and imaginary parts");
  return resolved;
}

Status ReadDftFlags(const Attributes& attrs, bool* inverse, bool* onesided) {
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "inverse", false, inverse));
  return ReadFlag(attrs, "onesided", false, onesided);
}

Status InferDft(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  MOKA_RETURN_IF_ERROR(CheckParts(ctx.src[0]->dims.back()));
  bool inverse = false, onesided = false;
  MOKA_RETURN_IF_ERROR(ReadDftFlags(*ctx.attrs, &inverse, &onesided));
  int64_t axis_value = -2;
  if (ctx.has_src(2)) {
    MOKA_RETURN_IF_ERROR(CheckScalar(ctx, 2));
    MOKA_ASSIGN_OR_RETURN(const std::vector<int64_t> axis, ctx.Ints(2));
    if (axis.size() != 1) return InvalidModel("src 2 (axis) has ", axis.size(), " elements, expected 1");
    axis_value = axis[0];
  }
  MOKA_ASSIGN_OR_RETURN(const int axis, CheckAxis(axis_value, x.rank()));
  const Dim& input = x.dims[static_cast<size_t>(axis)];
  Dim length = inverse && onesided ? (input - Dim(1)) * Dim(2) : input;
  if (ctx.has_src(1)) {
    MOKA_RETURN_IF_ERROR(CheckScalar(ctx, 1));
    MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> given, ctx.Elements(1));
    if (given.size() != 1) return InvalidModel("src 1 (dft_length) has ", given.size(), " elements, expected 1");
    length = given[0];
  }
  MOKA_RETURN_IF_ERROR(CheckLength(length, "src 1 (dft_length)"));
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = x.dims;
  ctx.dst[0].dims[static_cast<size_t>(axis)] = onesided && !inverse ? Dim::FloorDiv(length, 2) + Dim(1) : length;
  ctx.dst[0].dims.back() = onesided && inverse ? 1 : 2;
  return Status();
}

// A view of the parts of rows: all dimensions but the axis, and one element of the last.
TensorDesc RowStarts(const TensorDesc& desc, int axis) {
  TensorDesc rows = desc;
  rows.dims[static_cast<size_t>(axis)] = rows.dims[static_cast<size_t>(desc.rank - 1)] = 1;
  return rows;
}

// The index of row `number` of the dimensions of `rows`.
Index IndexAt(const TensorDesc& rows, int64_t number) {
  Index at{};
  for (size_t d = static_cast<size_t>(rows.rank); d-- > 0;) {
    at[d] = number % rows.dims[d];
    number /= rows.dims[d];
  }
  return at;
}

struct Buffers {
  FftPlan plan;
  std::vector<Complex> table, work, data;

  explicit Buffers(int64_t n)
      : plan(n),
        table(static_cast<size_t>(plan.TableSize())),
        work(static_cast<size_t>(plan.WorkSize())),
        data(static_cast<size_t>(n)) {
    plan.MakeTable(table.data(), work.data());
  }
};

template <class Float>
Status DftReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const DftParams params, DftParams::From(reference.call));
  Buffers buffers(params.n);
  for (int64_t row = 0; row < TransformRows(reference.call); ++row) {
    RunDftRow(reference.call.src[0], reference.call.dst[0], params, buffers.plan, buffers.table.data(),
              buffers.data.data(), buffers.work.data(), reference.src[0], reference.dst[0], row);
  }
  return Status();
}

// ---- STFT ---------------------------------------------------------------------------------------------------------

// The length of a frame: source 3, else that of the window, else that of the signal.
Result<Dim> FrameLength(InferContext& ctx) {
  if (ctx.has_src(3)) {
    MOKA_RETURN_IF_ERROR(CheckScalar(ctx, 3));
    MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> length, ctx.Elements(3));
    if (length.size() != 1) return InvalidModel("src 3 (frame_length) has ", length.size(), " elements, expected 1");
    return length[0];
  }
  return ctx.has_src(2) ? ctx.src[2]->dims[0] : ctx.src[0]->dims[1];
}

Status InferStft(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2, 3));
  if (x.rank() == 3) MOKA_RETURN_IF_ERROR(CheckParts(x.dims[2]));
  MOKA_RETURN_IF_ERROR(CheckScalar(ctx, 1));
  MOKA_ASSIGN_OR_RETURN(const std::vector<int64_t> step, ctx.Ints(1));
  if (step.size() != 1 || step[0] < 1 || step[0] > kLongest) {
    return InvalidModel("src 1 (frame_step) is not one number from 1 to ", kLongest);
  }
  if (ctx.has_src(2)) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 2, 0));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, 2, 1, 1));
  }
  bool onesided = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "onesided", true, &onesided));
  MOKA_ASSIGN_OR_RETURN(const Dim length, FrameLength(ctx));
  MOKA_RETURN_IF_ERROR(CheckLength(length, "the length of a frame"));
  const Dim room = x.dims[1] - length;
  if (room.is_constant() && room.constant() < 0) return InvalidModel("src 0 is shorter than one frame");
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], Dim::FloorDiv(room, step[0]) + Dim(1),
                     onesided ? Dim::FloorDiv(length, 2) + Dim(1) : length, 2};
  return Status();
}

template <class Float>
Status StftReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const StftParams params, StftParams::From(reference.call));
  Buffers buffers(params.n);
  const bool has_window = reference.call.has_src(2);
  const void* window = has_window ? reference.src[2] : nullptr;
  const TensorDesc* window_desc = has_window ? &reference.call.src[2] : nullptr;
  for (int64_t row = 0; row < TransformRows(reference.call); ++row) {
    RunStftRow(reference.call.src[0], window_desc, reference.call.dst[0], params, buffers.plan, buffers.table.data(),
               buffers.data.data(), buffers.work.data(), reference.src[0], window, reference.dst[0], row);
  }
  return Status();
}

template <class Params>
Cost TransformCost(const OpCall& call) {
  const Result<Params> params = Params::From(call);
  if (!params.ok()) return {};
  double passes = 1;
  for (int64_t n = params->n; n > 1; n /= 2) ++passes;
  return {5 * passes * static_cast<double>(params->n) * static_cast<double>(TransformRows(call))};
}

}  // namespace

Result<DftParams> DftParams::From(const OpCall& call) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  DftParams params;
  bool onesided = false;
  MOKA_RETURN_IF_ERROR(CheckParts(x.dims[static_cast<size_t>(x.rank - 1)]));
  MOKA_RETURN_IF_ERROR(ReadDftFlags(*call.attrs, &params.inverse, &onesided));
  MOKA_ASSIGN_OR_RETURN(const int64_t axis, ScalarOf(call, 2, "axis", -2));
  MOKA_ASSIGN_OR_RETURN(params.axis, CheckAxis(axis, x.rank));
  const size_t along = static_cast<size_t>(params.axis);
  params.half = params.inverse && onesided;
  const int64_t whole = params.half || !onesided ? y.dims[along] : x.dims[along];
  MOKA_ASSIGN_OR_RETURN(params.n, ScalarOf(call, 1, "dft_length", whole));
  MOKA_RETURN_IF_ERROR(CheckLength(params.n, "src 1 (dft_length)"));
  params.results = y.dims[along];
  params.count = std::min(x.dims[along], params.half ? params.n / 2 + 1 : params.n);
  return params;
}

// 1: real numbers, which need no dimension of their own.
static int64_t PartsOf(const TensorDesc& signal) { return signal.rank == 3 ? signal.dims[2] : 1; }

Result<StftParams> StftParams::From(const OpCall& call) {
  StftParams params;
  MOKA_RETURN_IF_ERROR(CheckParts(PartsOf(call.src[0])));
  MOKA_ASSIGN_OR_RETURN(params.step, ScalarOf(call, 1, "frame_step", 1));
  const int64_t whole = call.has_src(2) ? call.src[2].dims[0] : call.src[0].dims[1];
  MOKA_ASSIGN_OR_RETURN(params.n, ScalarOf(call, 3, "frame_length", whole));
  MOKA_RETURN_IF_ERROR(CheckLength(params.n, "the length of a frame"));
  params.results = call.dst[0].dims[2];
  params.windowed = call.has_src(2);
  params.count = params.windowed ? std::min(params.n, call.src[2].dims[0]) : params.n;
  return params;
}

void RunTransform(const TransformRow& row, const FftPlan& plan, const Complex* table, Complex* data, Complex* work,
                  const RowOperand& src_at, const void* src, const RowOperand* window_at, const void* window,
                  const RowOperand& dst_at, void* dst) {
  for (int64_t k = 0; k < row.count; ++k) {
    const int64_t at = src_at.first + k * src_at.step;
    const double imaginary = src_at.parts == 1 ? 0 : Load<double>(*src_at.desc, src, at + src_at.part_step);
    data[k] = {Load<double>(*src_at.desc, src, at), imaginary};
    if (window != nullptr) data[k] *= Load<double>(*window_at->desc, window, window_at->first + k * window_at->step);
  }
  std::fill(data + row.count, data + row.n, Complex());
  if (row.half) {
    data[0] = data[0].real();
    if (row.n % 2 == 0) data[row.n / 2] = data[row.n / 2].real();
    for (int64_t k = 1; 2 * k < row.n; ++k) data[row.n - k] = std::conj(data[k]);
  }
  plan.Run(table, data, work, row.inverse);
  for (int64_t k = 0; k < row.results; ++k) {
    const int64_t at = dst_at.first + k * dst_at.step;
    Store<double>(*dst_at.desc, dst, at, data[k].real());
    if (dst_at.parts == 2) Store<double>(*dst_at.desc, dst, at + dst_at.part_step, data[k].imag());
  }
}

int64_t TransformRows(const OpCall& call) {
  const TensorDesc& y = call.dst[0];
  if (std::string_view(call.op->name) == "STFT") return y.dims[0] * y.dims[1];
  const Result<DftParams> params = DftParams::From(call);
  return params.ok() ? RowStarts(y, params->axis).NumElements() : 0;
}

void RunDftRow(const TensorDesc& x, const TensorDesc& y, const DftParams& params, const FftPlan& plan,
               const Complex* table, Complex* data, Complex* work, const void* src, void* dst, int64_t index) {
  const size_t axis = static_cast<size_t>(params.axis), last = static_cast<size_t>(x.rank - 1);
  const Index at = IndexAt(RowStarts(y, params.axis), index);
  const RowOperand from = {&x, OffsetOf(x, at), x.strides[axis], x.strides[last], x.dims[last]};
  const RowOperand to = {&y, OffsetOf(y, at), y.strides[axis], y.strides[last], y.dims[last]};
  RunTransform(params, plan, table, data, work, from, src, nullptr, nullptr, to, dst);
}

void RunStftRow(const TensorDesc& x, const TensorDesc* window_desc, const TensorDesc& y, const StftParams& params,
                const FftPlan& plan, const Complex* table, Complex* data, Complex* work, const void* src,
                const void* window, void* dst, int64_t index) {
  const int64_t batch = index / y.dims[1], frame = index % y.dims[1];
  const RowOperand from = {&x, batch * x.strides[0] + frame * params.step * x.strides[1], x.strides[1],
                           x.rank == 3 ? x.strides[2] : 0, PartsOf(x)};
  const RowOperand to = {&y, batch * y.strides[0] + frame * y.strides[1], y.strides[2], y.strides[3], 2};
  RowOperand weights{};
  if (window_desc != nullptr) weights = {window_desc, 0, window_desc->strides[0], 0, 1};
  RunTransform(params, plan, table, data, work, from, src, &weights, window, to, dst);
}

const OpSchema* DFTSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "DFT",
      .min_src = 1,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferDft,
      MOKA_REFERENCES(DftReference)  //
          .cost = TransformCost<DftParams>,
  };
  return &kSchema;
}

const OpSchema* STFTSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "STFT",
      .min_src = 2,
      .max_src = 4,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferStft,
      MOKA_REFERENCES(StftReference)  //
          .cost = TransformCost<StftParams>,
  };
  return &kSchema;
}

}  // namespace moka
