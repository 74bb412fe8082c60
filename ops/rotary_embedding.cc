#include "ops/rotary_embedding.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr size_t kX = kRotaryX, kCos = kRotaryCos, kSin = kRotarySin, kPositions = kRotaryPositions;

struct RotaryAttributes {
  int64_t heads = 0;    // of a source of rank 3
  int64_t rotated = 0;  // elements of a head; 0: all
  bool interleaved = false;

  static Result<RotaryAttributes> From(const Attributes& attrs, int rank) {
    RotaryAttributes result;
    MOKA_RETURN_IF_ERROR(ReadInt(attrs, "num_heads", 0, &result.heads));
    if (rank == 3 && result.heads < 1) {
      return InvalidModel("attribute 'num_heads' is ", result.heads, ", expected at least 1");
    }
    MOKA_RETURN_IF_ERROR(ReadInt(attrs, "rotary_embedding_dim", 0, &result.rotated));
    if (result.rotated < 0 || result.rotated % 2 != 0) {
      return InvalidModel("attribute 'rotary_embedding_dim' is ", result.rotated, ", expected an even number");
    }
    MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "interleaved", false, &result.interleaved));
    return result;
  }
};

Status InferRotary(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, kX, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kX, 3, 4));
  const std::vector<Dim>& x = ctx.src[kX]->dims;
  MOKA_ASSIGN_OR_RETURN(const RotaryAttributes attrs, RotaryAttributes::From(*ctx.attrs, ctx.src[kX]->rank()));
  const bool packed = x.size() == 3, positions = ctx.has_src(kPositions);
  const Dim &batch = x[0], &length = packed ? x[1] : x[2];
  const Dim size = packed ? Dim::FloorDiv(x[2], Dim(attrs.heads)) : x[3];
  if (packed) MOKA_RETURN_IF_ERROR(RequireEqual(ctx, size * Dim(attrs.heads), x[2], "dimension 2 of src 0 in heads"));
  if (size.is_constant() && attrs.rotated > size.constant()) {
    return InvalidModel("attribute 'rotary_embedding_dim' is ", attrs.rotated, ", a head has ", size.constant());
  }
  MOKA_RETURN_IF_ERROR(RequireAtMost(ctx, attrs.rotated, size, "attribute 'rotary_embedding_dim'"));
  const Dim rotated = attrs.rotated == 0 ? size : Dim(attrs.rotated), half = Dim::FloorDiv(rotated, Dim(2));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, half * Dim(2), rotated, "rotated elements of a head in pairs"));
  for (size_t i = kCos; i <= kSin; ++i) {
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, kX));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, positions ? 2 : 3, positions ? 2 : 3));
    const std::vector<Dim>& dims = ctx.src[i]->dims;
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims.back(), half, StrCat("last dimension of src ", i)));
    if (positions) continue;
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims[0], batch, StrCat("dimension 0 of src ", i)));
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims[1], length, StrCat("dimension 1 of src ", i)));
  }
  if (positions) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, kPositions, {DataType::kI64}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kPositions, 2, 2));
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[kPositions]->dims[0], batch, "dimension 0 of src 3 (position_ids)"));
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[kPositions]->dims[1], length, "dimension 1 of src 3 (position_ids)"));
  }
  return InferSameAsSource(ctx);
}

// As [batch, length, heads, size].
TensorDesc TokensOf(const TensorDesc& desc, int64_t heads) {
  TensorDesc result = desc;
  result.rank = 4;
  if (desc.rank == 4) {
    result.dims = {desc.dims[0], desc.dims[2], desc.dims[1], desc.dims[3]};
    result.strides = {desc.strides[0], desc.strides[2], desc.strides[1], desc.strides[3]};
    return result;
  }
  const int64_t size = desc.dims[2] / heads;
  result.dims = {desc.dims[0], desc.dims[1], heads, size};
  result.strides = {desc.strides[0], desc.strides[1], size * desc.strides[2], desc.strides[2]};
  return result;
}

template <class Acc>
Status RotaryLoops(const RotaryParams& params, const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  const TensorDesc &x = params.x, &y = params.y;
  const TensorDesc &cos_desc = call.src[kCos], &sin_desc = call.src[kSin];
  const int64_t rotated = params.rotated, half = rotated / 2;
  const int64_t cos_step = cos_desc.strides[static_cast<size_t>(cos_desc.rank - 1)];
  const int64_t sin_step = sin_desc.strides[static_cast<size_t>(sin_desc.rank - 1)];
  const void* positions = call.has_src(kRotaryPositions) ? reference.src[kPositions] : nullptr;
  if (x.NumElements() == 0) return Status();
  for (int64_t token = 0; token < x.dims[0] * x.dims[1]; ++token) {
    const int64_t b = token / x.dims[1], s = token % x.dims[1];
    MOKA_ASSIGN_OR_RETURN(const int64_t cos_at, RotaryAngles(call, positions, kRotaryCos, b, s));
    MOKA_ASSIGN_OR_RETURN(const int64_t sin_at, RotaryAngles(call, positions, kRotarySin, b, s));
    for (int64_t h = 0; h < x.dims[2]; ++h) {
      const int64_t src = b * x.strides[0] + s * x.strides[1] + h * x.strides[2];
      const int64_t dst = b * y.strides[0] + s * y.strides[1] + h * y.strides[2];
      const auto load = [&](int64_t i) { return Load<Acc>(x, reference.src[kX], src + i * x.strides[3]); };
      const auto store = [&](int64_t i, Acc value) { Store<Acc>(y, reference.dst[0], dst + i * y.strides[3], value); };
      for (int64_t i = 0; i < half; ++i) {
        const int64_t first = params.interleaved ? 2 * i : i, second = params.interleaved ? 2 * i + 1 : i + half;
        const Acc c = Load<Acc>(cos_desc, reference.src[kCos], cos_at + i * cos_step);
        const Acc d = Load<Acc>(sin_desc, reference.src[kSin], sin_at + i * sin_step);
        const Acc real = load(first), imaginary = load(second);
        store(first, c * real - d * imaginary);
        store(second, d * real + c * imaginary);
      }
      for (int64_t i = rotated; i < x.dims[3]; ++i) store(i, load(i));
    }
  }
  return Status();
}

template <class Float>
Status RotaryReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const RotaryParams params, RotaryParams::From(reference.call));
  const bool wide = reference.call.src[kX].type == DataType::kF64;
  return wide ? RotaryLoops<double>(params, reference) : RotaryLoops<Float>(params, reference);
}

Cost RotaryCost(const OpCall& call) { return {3 * static_cast<double>(call.dst[0].NumElements())}; }

}  // namespace

Result<RotaryParams> RotaryParams::From(const OpCall& call) {
  const TensorDesc& x = call.src[kX];
  MOKA_ASSIGN_OR_RETURN(const RotaryAttributes attrs, RotaryAttributes::From(*call.attrs, x.rank));
  RotaryParams params;
  params.interleaved = attrs.interleaved;
  params.x = TokensOf(x, attrs.heads);
  params.y = TokensOf(call.dst[0], attrs.heads);
  params.rotated = attrs.rotated == 0 ? params.x.dims[3] : attrs.rotated;
  return params;
}

Result<int64_t> RotaryAngles(const OpCall& call, const void* positions, int source, int64_t b, int64_t s) {
  const TensorDesc& cache = call.src[static_cast<size_t>(source)];
  if (!call.has_src(kRotaryPositions)) return b * cache.strides[0] + s * cache.strides[1];
  const TensorDesc& desc = call.src[kPositions];
  const int64_t position = LoadRaw<int64_t>(positions, b * desc.strides[0] + s * desc.strides[1]);
  if (position < 0 || position >= cache.dims[0]) {
    return InvalidArgument("src 3 (position_ids): ", position, ", expected 0 to ", cache.dims[0] - 1);
  }
  return position * cache.strides[0];
}

const OpSchema* RotaryEmbeddingSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "RotaryEmbedding",
      .min_src = 3,
      .max_src = 4,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferRotary,
      MOKA_REFERENCES(RotaryReference)  //
          .cost = RotaryCost,
  };
  return &kSchema;
}

}  // namespace moka
