#include "ops/quantized_product.h"

#include <algorithm>

#include "base/status.h"
#include "ops/conv.h"
#include "ops/dynamic_quantize_linear.h"
#include "ops/gemm.h"
#include "ops/infer.h"
#include "ops/matmul.h"
#include "ops/params.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

struct RolesRow {
  const char* domain;
  const char* name;
  ProductRoles roles;
};
constexpr RolesRow kRoles[] = {
    {"", "ConvInteger", {.a_zero = 2, .b_zero = 3}},
    {"", "MatMulInteger", {.a_zero = 2, .b_zero = 3}},
    {"",
     "QLinearConv",
     {.a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5, .y_scale = 6, .y_zero = 7, .bias = 8}},
    {"", "QLinearMatMul", {.a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5, .y_scale = 6, .y_zero = 7}},
    {"com.microsoft", "DynamicQuantizeMatMul", {.b_scale = 2, .b_zero = 3, .bias = 4}},
    {"com.microsoft", "MatMulIntegerToFloat", {.a_scale = 2, .a_zero = 4, .b_scale = 3, .b_zero = 5, .bias = 6}},
    {"com.microsoft",
     "QGemm",
     {.a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5, .y_scale = 7, .y_zero = 8, .bias = 6}},
    {"moka",
     "QLinearConv",
     {.a_scale = 1,
      .a_zero = 2,
      .b = 3,
      .b_scale = 4,
      .b_zero = 5,
      .y_scale = 6,
      .y_zero = 7,
      .bias = 8,
      .residual = 9,
      .residual_scale = 10,
      .residual_zero = 11,
      .sum_scale = 12,
      .sum_zero = 13}},
};

size_t At(int i) { return static_cast<size_t>(i); }

// ---- Inference ----------------------------------------------------------------------------------------------------

// Scales and zero points of a matrix: a scalar, a vector of one element per row (of src a) or column, or, with the
// matrix's rank, one per row or column of each matrix.
Status CheckMatrixParameter(InferContext& ctx, int i, std::initializer_list<DataType> types, int matrix, bool columns,
                            const char* what) {
  if (i < 0 || !ctx.has_src(At(i))) return Status();
  const SymbolicTensor &parameter = *ctx.src[At(i)], &m = *ctx.src[At(matrix)];
  if (parameter.rank() > 1) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, At(i), types));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, At(i), m.rank(), m.rank()));
    for (size_t d = 0; d < m.dims.size(); ++d) {
      const bool one = d + 1 == m.dims.size() ? !columns : columns && d + 2 == m.dims.size();
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, parameter.dims[d], one ? Dim(1) : m.dims[d],
                                        StrCat("dimension ", d, " of src ", i, " (", what, ")")));
    }
    return Status();
  }
  const Dim one(1);
  const Dim& count = m.rank() < 2 ? one : columns ? m.dims.back() : m.dims[m.dims.size() - 2];
  return CheckParameter(ctx, At(i), types, &count, what);
}

constexpr std::initializer_list<DataType> kScales = {DataType::kF32, DataType::kF16, DataType::kBF16};

Status RequireSource(const InferContext& ctx, int i, const char* what) {
  return i < 0 || ctx.has_src(At(i)) ? Status() : InvalidModel("src ", i, " is missing, the ", what);
}

Status CheckMatrices(InferContext& ctx, const ProductRoles& roles, bool dynamic) {
  MOKA_RETURN_IF_ERROR(RequireSource(ctx, roles.b, "right matrix"));
  MOKA_RETURN_IF_ERROR(
      CheckType(ctx, At(roles.a), dynamic ? std::initializer_list<DataType>{DataType::kF32} : kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, At(roles.b), kByteTypes));
  MOKA_RETURN_IF_ERROR(RequireSource(ctx, roles.a_scale, "scale of src a"));
  MOKA_RETURN_IF_ERROR(RequireSource(ctx, roles.b_scale, "scale of src b"));
  MOKA_RETURN_IF_ERROR(CheckMatrixParameter(ctx, roles.a_scale, kScales, roles.a, false, "scale of a"));
  MOKA_RETURN_IF_ERROR(CheckMatrixParameter(ctx, roles.b_scale, kScales, roles.b, true, "scale of b"));
  MOKA_RETURN_IF_ERROR(CheckMatrixParameter(ctx, roles.a_zero, kByteTypes, roles.a, false, "zero point of a"));
  MOKA_RETURN_IF_ERROR(CheckMatrixParameter(ctx, roles.b_zero, kByteTypes, roles.b, true, "zero point of b"));
  if (roles.a_zero >= 0 && ctx.has_src(At(roles.a_zero))) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, At(roles.a_zero), At(roles.a)));
  }
  if (roles.b_zero >= 0 && ctx.has_src(At(roles.b_zero))) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, At(roles.b_zero), At(roles.b)));
  }
  return Status();
}

Status CheckOutput(InferContext& ctx, const ProductRoles& roles) {
  MOKA_RETURN_IF_ERROR(RequireSource(ctx, roles.y_scale, "scale of dst 0"));
  MOKA_RETURN_IF_ERROR(CheckParameter(ctx, At(roles.y_scale), kScales, nullptr, "scale of dst 0"));
  MOKA_RETURN_IF_ERROR(CheckParameter(ctx, At(roles.y_zero), kByteTypes, nullptr, "zero point of dst 0"));
  ctx.dst[0].type = ctx.has_src(At(roles.y_zero)) ? ctx.src[At(roles.y_zero)]->type : DataType::kU8;
  return Status();
}

template <int kRow>
Status InferMatrices(InferContext& ctx) {
  const ProductRoles& roles = kRoles[kRow].roles;
  const bool integer = roles.b_scale < 0, dynamic = !integer && roles.a_scale < 0;
  MOKA_RETURN_IF_ERROR(CheckMatrices(ctx, roles, dynamic));
  MOKA_ASSIGN_OR_RETURN(ctx.dst[0].dims, InferMatMulDims(ctx, At(roles.b)));
  if (roles.y_scale >= 0) return CheckOutput(ctx, roles);
  ctx.dst[0].type = integer ? DataType::kI32 : DataType::kF32;
  if (roles.bias < 0 || !ctx.has_src(At(roles.bias))) return Status();
  const Dim& columns = ctx.src[At(roles.b)]->dims.back();
  return CheckParameter(ctx, At(roles.bias), {DataType::kF32}, &columns, "bias");
}

template <int kRow>
Status InferConvolution(InferContext& ctx) {
  const ProductRoles& roles = kRoles[kRow].roles;
  MOKA_RETURN_IF_ERROR(CheckType(ctx, At(roles.a), kByteTypes));
  MOKA_RETURN_IF_ERROR(RequireSource(ctx, roles.b, "weights"));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, At(roles.b), kByteTypes));
  const size_t bias = roles.bias < 0 ? SIZE_MAX : At(roles.bias);
  if (ctx.has_src(bias)) MOKA_RETURN_IF_ERROR(CheckType(ctx, bias, {DataType::kI32}));
  MOKA_ASSIGN_OR_RETURN(ctx.dst[0].dims, InferConvDims(ctx, At(roles.b), bias));
  const Dim outputs = ctx.src[At(roles.b)]->dims[0];
  if (roles.y_scale < 0) {
    ctx.dst[0].type = DataType::kI32;
    if (ctx.has_src(At(roles.a_zero))) MOKA_RETURN_IF_ERROR(CheckSameType(ctx, At(roles.a_zero), At(roles.a)));
    if (ctx.has_src(At(roles.b_zero))) MOKA_RETURN_IF_ERROR(CheckSameType(ctx, At(roles.b_zero), At(roles.b)));
    MOKA_RETURN_IF_ERROR(CheckParameter(ctx, At(roles.a_zero), kByteTypes, nullptr, "zero point of src 0"));
    return CheckParameter(ctx, At(roles.b_zero), kByteTypes, &outputs, "zero point of src 1");
  }
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, At(roles.a_scale), At(roles.a)));
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, At(roles.b_scale), At(roles.b), &outputs));
  MOKA_RETURN_IF_ERROR(InferQuantizedType(ctx, At(roles.y_scale)));
  if (roles.residual < 0 || !ctx.has_src(At(roles.residual))) return Status();
  const SymbolicTensor& residual = *ctx.src[At(roles.residual)];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, At(roles.residual), kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, At(roles.residual), static_cast<int>(ctx.dst[0].dims.size()),
                                 static_cast<int>(ctx.dst[0].dims.size())));
  for (size_t d = 0; d < residual.dims.size(); ++d) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, residual.dims[d], ctx.dst[0].dims[d],
                                      StrCat("dimension ", d, " of src ", roles.residual, " (residual)")));
  }
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, At(roles.residual_scale), At(roles.residual)));
  return InferQuantizedType(ctx, At(roles.sum_scale));
}

template <int kRow>
Status InferGemm(InferContext& ctx) {
  const ProductRoles& roles = kRoles[kRow].roles;
  MOKA_ASSIGN_OR_RETURN(const ProductAttributes attributes, ProductAttributes::Read(*ctx.attrs));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, At(roles.a), kByteTypes));
  MOKA_RETURN_IF_ERROR(RequireSource(ctx, roles.b, "right matrix"));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, At(roles.b), kByteTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, At(roles.a), 2, 2));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, At(roles.b), 2, 2));
  const std::vector<Dim>&a = ctx.src[At(roles.a)]->dims, &b = ctx.src[At(roles.b)]->dims;
  const Dim columns = b[attributes.trans_b ? 0 : 1];
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, a[attributes.trans_a ? 0 : 1], b[attributes.trans_b ? 1 : 0],
                                    StrCat("columns of src 0 and rows of src ", roles.b)));
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, At(roles.a_scale), At(roles.a)));
  MOKA_RETURN_IF_ERROR(CheckScaleAndZero(ctx, At(roles.b_scale), At(roles.b), &columns));
  ctx.dst[0].dims = {a[attributes.trans_a ? 1 : 0], columns};
  if (ctx.has_src(At(roles.bias))) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, At(roles.bias), {DataType::kI32}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, At(roles.bias), 0, 2));
    MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> dims,
                          BroadcastDims(ctx, ctx.dst[0].dims, ctx.src[At(roles.bias)]->dims));
    for (size_t d = 0; d < dims.size(); ++d) {
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims[d], ctx.dst[0].dims[d], StrCat("dimension ", d, " of src 6 (C)")));
    }
  }
  if (ctx.has_src(At(roles.y_scale))) return InferQuantizedType(ctx, At(roles.y_scale));
  ctx.dst[0].type = DataType::kF32;
  return Status();
}

// ---- References ---------------------------------------------------------------------------------------------------

// Source b, whose zero points are read by `dim` of the result.
struct Operands {
  Parameter<int64_t> a_zero, b_zero;
  Parameter<float> a_scale, b_scale;

  Operands(const ReferenceCall& reference, const ProductRoles& roles, int a_dim, int b_dim)
      : a_zero(reference, roles.a_zero, reference.call.dst[0], a_dim),
        b_zero(reference, roles.b_zero, reference.call.dst[0], b_dim),
        a_scale(reference, roles.a_scale, reference.call.dst[0], a_dim, 1.0f),
        b_scale(reference, roles.b_scale, reference.call.dst[0], b_dim, 1.0f) {}
  bool valid() const { return a_zero.valid() && b_zero.valid() && a_scale.valid() && b_scale.valid(); }
};

// Turns sums into results.
class Finish {
 public:
  static Result<Finish> Make(const ReferenceCall& reference, const ProductRoles& roles) {
    Finish finish(reference, roles);
    MOKA_ASSIGN_OR_RETURN(finish.attributes_, ProductAttributes::Read(*reference.call.attrs));
    const QuantRange range = QuantRangeOf(reference.call.dst[0].type);
    const bool has_sum = finish.HasResidual();
    const DataType type = has_sum && reference.call.has_src(roles.y_zero) ? reference.call.src[At(roles.y_zero)].type
                          : has_sum                                       ? DataType::kU8
                                                                          : reference.call.dst[0].type;
    finish.range_ = Clamped(QuantRangeOf(type), finish.attributes_.lo, finish.attributes_.hi);
    finish.sum_range_ = Clamped(range, finish.attributes_.sum_lo, finish.attributes_.sum_hi);
    return finish;
  }

  void operator()(const Index& at, int64_t sum, float a_scale, float b_scale) const {
    const OpCall& call = reference_.call;
    const TensorDesc& y = call.dst[0];
    const int64_t to = OffsetOf(y, at);
    const int32_t wrapped = WrapToI32(sum);
    if (y.type == DataType::kI32) return StoreRaw<int32_t>(reference_.dst[0], to, wrapped);
    if (y.type == DataType::kF32) {
      const float scaled = static_cast<float>(wrapped) * ProductScale(attributes_.alpha, a_scale, b_scale, 1);
      return StoreRaw<float>(reference_.dst[0], to, scaled);
    }
    const auto y_scale = ScalarSource<float>(reference_, roles_.y_scale, 1.0f);
    const auto y_zero = ScalarSource<int64_t>(reference_, roles_.y_zero);
    const float scaled = static_cast<float>(wrapped) * ProductScale(attributes_.alpha, a_scale, b_scale, y_scale);
    const int64_t value = QuantizeScaled(scaled, y_zero, range_);
    Store<int64_t>(y, reference_.dst[0], to, HasResidual() ? Add(at, value - y_zero, y_scale) : value);
  }

 private:
  Finish(const ReferenceCall& reference, const ProductRoles& roles) : reference_(reference), roles_(roles) {}

  static QuantRange Clamped(QuantRange range, int64_t lo, int64_t hi) {
    range.lo = std::clamp(lo, range.lo, range.hi);
    range.hi = std::clamp(hi, range.lo, range.hi);
    return range;
  }
  bool HasResidual() const { return roles_.residual >= 0 && reference_.call.has_src(roles_.residual); }
  int64_t Add(const Index& at, int64_t value, float y_scale) const {
    const TensorDesc& desc = reference_.call.src[At(roles_.residual)];
    const auto scale = ScalarSource<float>(reference_, roles_.residual_scale, 1.0f);
    const auto zero = ScalarSource<int64_t>(reference_, roles_.residual_zero);
    const auto sum_scale = ScalarSource<float>(reference_, roles_.sum_scale, 1.0f);
    const int64_t other = Load<int64_t>(desc, reference_.src[At(roles_.residual)], OffsetOf(desc, at)) - zero;
    const float sum =
        static_cast<float>(value) * (y_scale / sum_scale) + static_cast<float>(other) * (scale / sum_scale);
    return QuantizeScaled(sum, ScalarSource<int64_t>(reference_, roles_.sum_zero), sum_range_);
  }

  const ReferenceCall& reference_;
  const ProductRoles& roles_;
  ProductAttributes attributes_;
  QuantRange range_, sum_range_;
};

// One batch of matrices: strides and offsets of both.
struct Matrices {
  int64_t k, a_row, a_col, b_row, b_col;
};

int64_t Dot(const ReferenceCall& reference, const ProductRoles& roles, const Matrices& m, int64_t a_at, int64_t b_at,
            int64_t a_zero, int64_t b_zero) {
  const TensorDesc &a = reference.call.src[At(roles.a)], &b = reference.call.src[At(roles.b)];
  int64_t sum = 0;
  for (int64_t k = 0; k < m.k; ++k) {
    sum += (Load<int64_t>(a, reference.src[At(roles.a)], a_at + k * m.a_col) - a_zero) *
           (Load<int64_t>(b, reference.src[At(roles.b)], b_at + k * m.b_row) - b_zero);
  }
  return sum;
}

Status MatricesReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const ProductRoles& roles = ProductRolesOf(*call.op);
  MOKA_ASSIGN_OR_RETURN(const MatMulParams p, MatMulParams::From(call, At(roles.b)));
  MOKA_ASSIGN_OR_RETURN(const Finish finish, Finish::Make(reference, roles));
  const TensorDesc& y = call.dst[0];
  const bool row = call.src[At(roles.a)].rank == 1, column = call.src[At(roles.b)].rank == 1;
  const int m_dim = row ? -1 : p.batch_rank, n_dim = column ? -1 : y.rank - 1;
  const Operands operands(reference, roles, m_dim, n_dim);
  if (!operands.valid()) return Unsupported("scales or zero points that do not broadcast to the result");
  const Matrices matrices = {p.k, p.a_row, p.a_col, p.b_row, p.b_col};
  const Parameter<float> bias(reference, y.type == DataType::kF32 ? roles.bias : -1, y, n_dim);
  ForEachIndex(y, [&](const Index& at) {
    int64_t a_at = m_dim < 0 ? 0 : at[At(m_dim)] * p.a_row, b_at = n_dim < 0 ? 0 : at[At(n_dim)] * p.b_col;
    for (size_t i = 0; i < At(p.batch_rank); ++i) {
      a_at += at[i] * p.a_batch[i];
      b_at += at[i] * p.b_batch[i];
    }
    finish(at, Dot(reference, roles, matrices, a_at, b_at, operands.a_zero[at], operands.b_zero[at]),
           operands.a_scale[at], operands.b_scale[at]);
    if (y.type != DataType::kF32) return;
    const int64_t to = OffsetOf(y, at);
    StoreRaw<float>(reference.dst[0], to, LoadRaw<float>(reference.dst[0], to) + bias[at]);
  });
  return Status();
}

// Src 0 becomes u8 with a scale of its own, then it is MatMulIntegerToFloat.
Status DynamicReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc& a = call.src[0];
  float lowest = 0, highest = 0;
  ForEachIndex(a, [&](const Index& at) {
    const auto value = LoadRaw<float>(reference.src[0], OffsetOf(a, at));
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  });
  const DynamicScale scale = DynamicScaleOf(lowest, highest);
  std::vector<uint8_t> bytes(static_cast<size_t>(a.NumElements()));
  const TensorDesc quantized = MakeDense(DataType::kU8, a.shape());
  ForEachIndex(a, [&](const Index& at) {
    const float scaled = LoadRaw<float>(reference.src[0], OffsetOf(a, at)) / scale.scale;
    bytes[static_cast<size_t>(OffsetOf(quantized, at))] =
        static_cast<uint8_t>(QuantizeScaled(scaled, scale.zero, {0, 255}));
  });
  const auto optional = [&](size_t i) { return i < call.src.size() ? call.src[i] : TensorDesc{}; };
  const auto data = [&](size_t i) { return i < call.src.size() ? reference.src[i] : nullptr; };
  const TensorDesc descs[] = {
      quantized,   call.src[1], MakeDense(DataType::kF32, {}), call.src[2], MakeDense(DataType::kU8, {}),
      optional(3), optional(4)};
  const void* const sources[] = {bytes.data(), data(1), &scale.scale, data(2), &scale.zero, data(3), data(4)};
  ReferenceCall product = reference;
  product.call.op = FindOp("com.microsoft", "MatMulIntegerToFloat");
  product.call.src = descs;
  product.src = sources;
  return MatricesReference(product);
}

Status GemmReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const ProductRoles& roles = ProductRolesOf(*call.op);
  MOKA_ASSIGN_OR_RETURN(const ProductAttributes attributes, ProductAttributes::Read(*call.attrs));
  MOKA_ASSIGN_OR_RETURN(const Finish finish, Finish::Make(reference, roles));
  const TensorDesc &a = call.src[At(roles.a)], &b = call.src[At(roles.b)];
  const size_t ak = attributes.trans_a ? 0 : 1, bk = attributes.trans_b ? 1 : 0;
  const Matrices matrices = {a.dims[ak], a.strides[1 - ak], a.strides[ak], b.strides[bk], b.strides[1 - bk]};
  const Operands operands(reference, roles, -1, 1);
  const Parameter<int64_t> bias(reference, roles.bias, call.dst[0], 1);
  if (!operands.valid() || !bias.valid()) return Unsupported("src 6 (C) does not broadcast to the result");
  ForEachIndex(call.dst[0], [&](const Index& at) {
    const int64_t sum = Dot(reference, roles, matrices, at[0] * matrices.a_row, at[1] * matrices.b_col,
                            operands.a_zero[at], operands.b_zero[at]);
    finish(at, sum + bias[at], operands.a_scale[at], operands.b_scale[at]);
  });
  return Status();
}

// The sum over one window of all channels of a group.
int64_t WindowSum(const ReferenceCall& reference, const ProductRoles& roles, const ConvParams& p, const Index& o,
                  int64_t a_zero, int64_t b_zero) {
  const TensorDesc &x = reference.call.src[At(roles.a)], &w = reference.call.src[At(roles.b)];
  const int64_t channels = w.dims[1], first = o[1] / (w.dims[0] / p.group) * channels;
  TensorDesc taps = w;  // [channels, kernel...] of one output
  taps.dims[0] = 1;
  int64_t sum = 0;
  ForEachIndex(taps, [&](const Index& tap) {
    int64_t at = o[0] * x.strides[0] + (first + tap[1]) * x.strides[1];
    for (size_t i = 0; i < At(p.rank); ++i) {
      const int64_t position = o[i + 2] * p.strides[i] - p.pads_begin[i] + tap[i + 2] * p.dilations[i];
      if (position < 0 || position >= x.dims[i + 2]) return;
      at += position * x.strides[i + 2];
    }
    sum += (Load<int64_t>(x, reference.src[At(roles.a)], at) - a_zero) *
           (Load<int64_t>(w, reference.src[At(roles.b)], o[1] * w.strides[0] + OffsetOf(w, tap)) - b_zero);
  });
  return sum;
}

Status ConvolutionReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const ProductRoles& roles = ProductRolesOf(*call.op);
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call, At(roles.b)));
  MOKA_ASSIGN_OR_RETURN(const Finish finish, Finish::Make(reference, roles));
  const Operands operands(reference, roles, -1, 1);
  const Parameter<int64_t> bias(reference, roles.bias, call.dst[0], 1);
  ForEachIndex(call.dst[0], [&](const Index& at) {
    const int64_t sum = WindowSum(reference, roles, params, at, operands.a_zero[at], operands.b_zero[at]);
    finish(at, sum + bias[at], operands.a_scale[at], operands.b_scale[at]);
  });
  return Status();
}

Cost ProductCost(const OpCall& call) {
  const ProductRoles& roles = ProductRolesOf(*call.op);
  const TensorDesc& b = call.src[At(roles.b)];
  const bool convolution = std::string_view(call.op->name).find("Conv") != std::string_view::npos;
  double k = convolution ? 1 : static_cast<double>(std::max<int64_t>(b.dims[0], 1));
  for (int d = 1; convolution && d < b.rank; ++d) k *= static_cast<double>(b.dims[At(d)]);
  const TensorDesc& a = call.src[At(roles.a)];
  if (!convolution && a.rank > 0) k = static_cast<double>(a.dims[At(a.rank - 1)]);
  return {2 * k * static_cast<double>(call.dst[0].NumElements())};
}

constexpr OpSchema Schema(int row, int min_src, int max_src, LayoutRule layout, Status (*infer)(InferContext&),
                          [[maybe_unused]] Status (*reference)(const ReferenceCall&)) {
  return {
      .domain = kRoles[row].domain,
      .name = kRoles[row].name,
      .min_src = min_src,
      .max_src = max_src,
      .min_dst = 1,
      .max_dst = 1,
      .layout = layout,
      .image_src = 1u | (kRoles[row].roles.residual >= 0 ? 1u << kRoles[row].roles.residual : 0u),
      .infer = infer,
#ifdef MOKA_REFERENCE
      .reference = reference,
      .oracle = reference,
#endif
      .cost = ProductCost,
  };
}

}  // namespace

const ProductRoles& ProductRolesOf(const OpSchema& op) {
  const std::string_view domain = op.domain, name = op.name;
  const auto row = std::find_if(std::begin(kRoles), std::end(kRoles),
                                [&](const RolesRow& r) { return domain == r.domain && name == r.name; });
  static constexpr ProductRoles kNone;
  return row == std::end(kRoles) ? kNone : row->roles;
}

Result<ProductAttributes> ProductAttributes::Read(const Attributes& attrs) {
  ProductAttributes result;
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "transA", false, &result.trans_a));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "transB", false, &result.trans_b));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "alpha", 1, &result.alpha));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "lo", INT64_MIN, &result.lo));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "hi", INT64_MAX, &result.hi));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "sum_lo", INT64_MIN, &result.sum_lo));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "sum_hi", INT64_MAX, &result.sum_hi));
  return result;
}

#define MOKA_PRODUCT(function, row, min_src, max_src, layout, infer, reference)                                   \
  const OpSchema* function() {                                                                                    \
    static constexpr OpSchema kSchema = Schema(row, min_src, max_src, LayoutRule::layout, infer<row>, reference); \
    return &kSchema;                                                                                              \
  }
MOKA_PRODUCT(ConvIntegerSchema, 0, 2, 4, kChannelsLast, InferConvolution, ConvolutionReference)
MOKA_PRODUCT(MatMulIntegerSchema, 1, 2, 4, kRowMajor, InferMatrices, MatricesReference)
MOKA_PRODUCT(QLinearConvSchema, 2, 8, 9, kChannelsLast, InferConvolution, ConvolutionReference)
MOKA_PRODUCT(QLinearMatMulSchema, 3, 8, 8, kRowMajor, InferMatrices, MatricesReference)
MOKA_PRODUCT(MicrosoftDynamicQuantizeMatMulSchema, 4, 3, 5, kRowMajor, InferMatrices, DynamicReference)
MOKA_PRODUCT(MicrosoftMatMulIntegerToFloatSchema, 5, 4, 7, kRowMajor, InferMatrices, MatricesReference)
MOKA_PRODUCT(MicrosoftQGemmSchema, 6, 6, 9, kRowMajor, InferGemm, GemmReference)
MOKA_PRODUCT(MokaQLinearConvSchema, 7, 8, 14, kChannelsLast, InferConvolution, ConvolutionReference)
#undef MOKA_PRODUCT

}  // namespace moka
