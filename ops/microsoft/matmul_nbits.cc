#include "ops/microsoft/matmul_nbits.h"

#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/quantization.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr std::initializer_list<DataType> kTypes = {DataType::kF32, DataType::kF16, DataType::kBF16};
enum : size_t { kA, kB, kScales, kZeros, kGroups, kBias };

Status CheckCount(InferContext& ctx, size_t i, const Dim& count, const char* what) {
  return RequireEqual(ctx, Product(ctx.src[i]->dims), count, StrCat("elements of src ", i, " (", what, ")"));
}

Status InferMatMulNBits(InferContext& ctx) {
  MatMulNBitsParams p;
  MOKA_RETURN_IF_ERROR(MatMulNBitsParams::Read(*ctx.attrs, &p));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, kA, kTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kA, 1));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, kB, {DataType::kU8}));
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kScales, kA));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[kA]->dims.back(), Dim(p.k), "columns of src 0 and attribute 'K'"));
  MOKA_RETURN_IF_ERROR(CheckCount(ctx, kB, Dim(p.n * p.Blocks() * p.BlockBytes()), "B"));
  MOKA_RETURN_IF_ERROR(CheckCount(ctx, kScales, Dim(p.n * p.Blocks()), "scales"));
  if (ctx.has_src(kZeros)) {
    const bool packed = ctx.src[kZeros]->type == DataType::kU8;
    if (!packed) MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kZeros, kA));
    MOKA_RETURN_IF_ERROR(CheckCount(ctx, kZeros, Dim(p.n * (packed ? p.ZeroBytes() : p.Blocks())), "zero_points"));
  }
  if (ctx.has_src(kGroups)) return Unsupported("src 4 (g_idx)");
  if (ctx.has_src(kBias)) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kBias, kA));
    MOKA_RETURN_IF_ERROR(CheckCount(ctx, kBias, Dim(p.n), "bias"));
  }
  ctx.dst[0].type = ctx.src[kA]->type;
  ctx.dst[0].dims = ctx.src[kA]->dims;
  ctx.dst[0].dims.back() = Dim(p.n);
  return Status();
}

// A source as a flat list: operands of this operator are dense.
double FlatElement(const ReferenceCall& reference, size_t i, int64_t at) {
  TensorDesc flat = reference.call.src[i];
  return Load<double>(flat, reference.src[i], at);
}

double ZeroAt(const ReferenceCall& reference, const MatMulNBitsParams& p, int64_t n, int64_t block) {
  if (!reference.call.has_src(static_cast<int>(kZeros))) return static_cast<double>(int64_t{1} << (p.bits - 1));
  if (reference.call.src[kZeros].type != DataType::kU8) return FlatElement(reference, kZeros, n * p.Blocks() + block);
  const auto* packed = static_cast<const uint8_t*>(reference.src[kZeros]) + n * p.ZeroBytes();
  return static_cast<double>(p.ElementAt(packed, block));
}

template <class Float>
Status MatMulNBitsReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MatMulNBitsParams p;
  MOKA_RETURN_IF_ERROR(MatMulNBitsParams::Read(*call.attrs, &p));
  const TensorDesc &a = call.src[kA], &y = call.dst[0];
  for (const size_t i : {size_t{kB}, size_t{kScales}, size_t{kZeros}}) {
    if (call.has_src(static_cast<int>(i)) && !IsDense(call.src[i])) return Unsupported("src ", i, " is not dense");
  }
  const size_t last = static_cast<size_t>(a.rank - 1);
  ForEachIndex(y, [&](const Index& at) {
    Index row = at;
    row[last] = 0;
    const int64_t from = OffsetOf(a, row), n = at[last];
    Float sum{};
    for (int64_t block = 0; block < p.Blocks(); ++block) {
      const auto* packed = static_cast<const uint8_t*>(reference.src[kB]) + (n * p.Blocks() + block) * p.BlockBytes();
      const auto scale = static_cast<Float>(FlatElement(reference, kScales, n * p.Blocks() + block));
      const auto zero = static_cast<Float>(ZeroAt(reference, p, n, block));
      const int64_t count = std::min(p.block, p.k - block * p.block);
      for (int64_t i = 0; i < count; ++i) {
        const auto weight = (static_cast<Float>(p.ElementAt(packed, i)) - zero) * scale;
        sum += weight * Load<Float>(a, reference.src[kA], from + (block * p.block + i) * a.strides[last]);
      }
    }
    if (call.has_src(static_cast<int>(kBias))) sum += static_cast<Float>(FlatElement(reference, kBias, n));
    Store<Float>(y, reference.dst[0], OffsetOf(y, at), sum);
  });
  return Status();
}

Cost MatMulNBitsCost(const OpCall& call) {
  const TensorDesc& a = call.src[kA];
  return {2 * static_cast<double>(a.dims[static_cast<size_t>(a.rank - 1)]) *
          static_cast<double>(call.dst[0].NumElements())};
}

}  // namespace

Status MatMulNBitsParams::Read(const Attributes& attrs, MatMulNBitsParams* params) {
  constexpr int64_t kLargest = int64_t{1} << 28;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "K", 0, &params->k));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "N", 0, &params->n));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "bits", 4, &params->bits));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "block_size", 0, &params->block));
  if (params->k < 1 || params->k > kLargest) return InvalidModel("attribute 'K' is ", params->k);
  if (params->n < 1 || params->n > kLargest) return InvalidModel("attribute 'N' is ", params->n);
  if (params->bits != 2 && params->bits != 4 && params->bits != 8) {
    return Unsupported("attribute 'bits' is ", params->bits, ", supported: 2, 4, 8");
  }
  if (params->block < 16 || params->block > kLargest || (params->block & (params->block - 1)) != 0) {
    return InvalidModel("attribute 'block_size' is ", params->block, ", expected a power of two from 16 on");
  }
  return Status();
}

const OpSchema* MicrosoftMatMulNBitsSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "com.microsoft",
      .name = "MatMulNBits",
      .min_src = 3,
      .max_src = 6,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferMatMulNBits,
      MOKA_REFERENCES(MatMulNBitsReference)  //
          .cost = MatMulNBitsCost,
  };
  return &kSchema;
}

}  // namespace moka
