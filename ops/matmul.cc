#include "ops/matmul.h"

#include <algorithm>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferMatMul(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kWideNumberTypes));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, 1, 0));
  MOKA_ASSIGN_OR_RETURN(ctx.dst[0].dims, InferMatMulDims(ctx, 1));
  ctx.dst[0].type = ctx.src[0]->type;
  return Status();
}

template <class Acc>
void MatMulLoops(const MatMulParams& p, const ReferenceCall& reference, int64_t a_at, int64_t b_at, int64_t dst_at) {
  const OpCall& call = reference.call;
  for (int64_t m = 0; m < p.m; ++m) {
    for (int64_t n = 0; n < p.n; ++n) {
      Acc sum{};
      for (int64_t k = 0; k < p.k; ++k) {
        sum = WrappingAdd(sum, WrappingMul(Load<Acc>(call.src[0], reference.src[0], a_at + m * p.a_row + k * p.a_col),
                                           Load<Acc>(call.src[1], reference.src[1], b_at + k * p.b_row + n * p.b_col)));
      }
      Store<Acc>(call.dst[0], reference.dst[0], dst_at + m * p.dst_row + n * p.dst_col, sum);
    }
  }
}

template <class Float>
Status MatMulReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const MatMulParams p, MatMulParams::From(call));
  TensorDesc batch;
  batch.rank = p.batch_rank;
  batch.dims = p.batch;
  return WithAccumulator<Float>(call.src[0].type, [&](auto accumulator) {
    ForEachIndex(batch, [&](const Index& at) {
      int64_t a_at = 0, b_at = 0, dst_at = 0;
      for (size_t i = 0; i < static_cast<size_t>(p.batch_rank); ++i) {
        a_at += at[i] * p.a_batch[i];
        b_at += at[i] * p.b_batch[i];
        dst_at += at[i] * p.dst_batch[i];
      }
      MatMulLoops<decltype(accumulator)>(p, reference, a_at, b_at, dst_at);
    });
    return Status();
  });
}

Cost MatMulCost(const OpCall& call) {
  const TensorDesc& a = call.src[0];
  const double k = static_cast<double>(a.dims[static_cast<size_t>(a.rank - 1)]);
  return {2 * k * static_cast<double>(call.dst[0].NumElements())};
}

// Batch dimension i of `rank` as that of an operand with fewer of them: its stride, 0 where it is broadcast.
int64_t BatchStride(const TensorDesc& desc, int operand_rank, int rank, int i) {
  const int own = i - (rank - operand_rank);
  if (own < 0 || desc.dims[static_cast<size_t>(own)] == 1) return 0;
  return desc.strides[static_cast<size_t>(own)];
}

}  // namespace

Result<std::vector<Dim>> InferMatMulDims(InferContext& ctx, size_t b_index) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, b_index, 1));
  const std::vector<Dim>&a = ctx.src[0]->dims, &b = ctx.src[b_index]->dims;
  const bool row = a.size() == 1, column = b.size() == 1;
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, a.back(), column ? b.back() : b[b.size() - 2],
                                    StrCat("columns of src 0 and rows of src ", b_index)));
  const std::span<const Dim> a_batch(a.data(), row ? 0 : a.size() - 2);
  const std::span<const Dim> b_batch(b.data(), column ? 0 : b.size() - 2);
  MOKA_ASSIGN_OR_RETURN(std::vector<Dim> dims, BroadcastDims(ctx, a_batch, b_batch));
  if (!row) dims.push_back(a[a.size() - 2]);
  if (!column) dims.push_back(b.back());
  return dims;
}

int64_t MatMulParams::Batches() const {
  int64_t batches = 1;
  for (int i = 0; i < batch_rank; ++i) batches *= batch[static_cast<size_t>(i)];
  return batches;
}

Result<MatMulParams> MatMulParams::From(const OpCall& call, size_t b_index) {
  const TensorDesc &a = call.src[0], &b = call.src[b_index], &dst = call.dst[0];
  MatMulParams p;
  const bool row = a.rank == 1, column = b.rank == 1;
  const size_t a_last = static_cast<size_t>(a.rank - 1), b_last = static_cast<size_t>(b.rank - 1);
  p.k = a.dims[a_last];
  p.a_col = a.strides[a_last];
  p.m = row ? 1 : a.dims[a_last - 1];
  p.a_row = row ? 0 : a.strides[a_last - 1];
  p.n = column ? 1 : b.dims[b_last];
  p.b_col = column ? 0 : b.strides[b_last];
  p.b_row = column ? b.strides[0] : b.strides[b_last - 1];
  const int a_rank = row ? 0 : a.rank - 2, b_rank = column ? 0 : b.rank - 2;
  p.batch_rank = std::max(a_rank, b_rank);
  for (int i = 0; i < p.batch_rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    p.batch[k] = dst.dims[k];
    p.dst_batch[k] = dst.strides[k];
    p.a_batch[k] = BatchStride(a, a_rank, p.batch_rank, i);
    p.b_batch[k] = BatchStride(b, b_rank, p.batch_rank, i);
  }
  int next = p.batch_rank;
  if (!row) p.dst_row = dst.strides[static_cast<size_t>(next++)];
  if (!column) p.dst_col = dst.strides[static_cast<size_t>(next)];
  return p;
}

const OpSchema* MatMulSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "MatMul",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferMatMul,
      MOKA_REFERENCES(MatMulReference)  //
          .cost = MatMulCost,
  };
  return &kSchema;
}

}  // namespace moka
