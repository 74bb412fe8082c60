// RandomNormal, RandomUniform, their Like forms, Bernoulli, Multinomial.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/random_source.h"
#include "ops/reference.h"

namespace moka {
namespace {

bool IsUnseeded(const Attributes& attrs) { return !attrs.Has("seed"); }

Status ReadResultType(InferContext& ctx, DataType fallback, std::initializer_list<DataType> allowed) {
  MOKA_RETURN_IF_ERROR(ReadType(*ctx.attrs, "dtype", fallback, &ctx.dst[0].type));
  const DataType type = ctx.dst[0].type;
  if (std::find(allowed.begin(), allowed.end(), type) != allowed.end()) return Status();
  return InvalidModel("attribute 'dtype': a result of type ", NameOf(type));
}

Status CheckAttributes(const Attributes& attrs, std::initializer_list<std::string_view> floats) {
  for (const std::string_view name : floats) {
    float value = 0;
    MOKA_RETURN_IF_ERROR(ReadFloat(attrs, name, 0, &value));
  }
  return Status();
}

// ---- Distributions ------------------------------------------------------------------------------------------------

Status InferShaped(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckAttributes(*ctx.attrs, {"seed", "mean", "scale", "low", "high"}));
  MOKA_RETURN_IF_ERROR(ReadResultType(ctx, DataType::kF32, kFloatTypes));
  IntList shape;
  MOKA_RETURN_IF_ERROR(ReadInts(*ctx.attrs, "shape", &shape));
  if (!shape.present) return InvalidModel("attribute 'shape' is missing");
  if (shape.size > kMaxRank) return Unsupported("attribute 'shape': rank ", shape.size, ", at most ", kMaxRank);
  for (const int64_t dim : shape.span()) {
    if (dim < 0) return InvalidModel("attribute 'shape' has an element of ", dim);
    ctx.dst[0].dims.emplace_back(dim);
  }
  return Status();
}

Status InferLike(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckAttributes(*ctx.attrs, {"seed", "mean", "scale", "low", "high"}));
  ctx.dst[0].dims = ctx.src[0]->dims;
  return ReadResultType(ctx, ctx.src[0]->type, kFloatTypes);
}

// Calls f(number, offset) for the elements of dst, with their position in row-major order.
template <class F>
void ForEachResult(const TensorDesc& dst, F&& f) {
  int64_t i = 0;
  ForEachIndex(dst, [&](const Index& at) { f(i++, OffsetOf(dst, at)); });
}

template <class Float>
Status NormalReference(const ReferenceCall& reference) {
  const Attributes& attrs = *reference.call.attrs;
  MOKA_ASSIGN_OR_RETURN(const RandomSource random, RandomSource::From(attrs));
  float mean = 0, scale = 1;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "mean", 0, &mean));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "scale", 1, &scale));
  const TensorDesc& dst = reference.call.dst[0];
  ForEachResult(
      dst, [&](int64_t i, int64_t at) { Store<double>(dst, reference.dst[0], at, mean + scale * random.Normal(i)); });
  return Status();
}

template <class Float>
Status UniformReference(const ReferenceCall& reference) {
  const Attributes& attrs = *reference.call.attrs;
  MOKA_ASSIGN_OR_RETURN(const RandomSource random, RandomSource::From(attrs));
  float low = 0, high = 1;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "low", 0, &low));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "high", 1, &high));
  const double width = double{high} - low;
  const TensorDesc& dst = reference.call.dst[0];
  ForEachResult(
      dst, [&](int64_t i, int64_t at) { Store<double>(dst, reference.dst[0], at, low + width * random.Uniform(i)); });
  return Status();
}

// ---- Draws from given probabilities -------------------------------------------------------------------------------

constexpr std::initializer_list<DataType> kCountable = {
    DataType::kF32, DataType::kF64, DataType::kF16, DataType::kBF16, DataType::kI8,  DataType::kI16, DataType::kI32,
    DataType::kI64, DataType::kU8,  DataType::kU16, DataType::kU32,  DataType::kU64, DataType::kBool};

Status InferBernoulli(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckAttributes(*ctx.attrs, {"seed"}));
  ctx.dst[0].dims = ctx.src[0]->dims;
  return ReadResultType(ctx, ctx.src[0]->type, kCountable);
}

template <class Float>
Status BernoulliReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const RandomSource random, RandomSource::From(*reference.call.attrs));
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  int64_t i = 0;
  ForEachOffset<2>({y, x}, [&](const std::array<int64_t, 2>& at) {
    const bool drawn = random.Uniform(i++) < Load<double>(x, reference.src[0], at[1]);
    Store<double>(y, reference.dst[0], at[0], drawn ? 1 : 0);
  });
  return Status();
}

Status InferMultinomial(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2, 2));
  MOKA_RETURN_IF_ERROR(CheckAttributes(*ctx.attrs, {"seed"}));
  int64_t samples = 1;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "sample_size", 1, &samples));
  if (samples < 1) return InvalidModel("attribute 'sample_size' is ", samples, ", expected a positive number");
  if (ctx.src[0]->dims[1] == Dim(0)) return InvalidModel("src 0: no classes");
  ctx.dst[0].dims = {ctx.src[0]->dims[0], Dim(samples)};
  return ReadResultType(ctx, DataType::kI32, kIndexTypes);
}

// Each sample is where a uniform number falls among the running sums of exp(x - largest).
template <class Float>
Status MultinomialReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const RandomSource random, RandomSource::From(*reference.call.attrs));
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  if (x.dims[1] == 0) return InvalidArgument("src 0: no classes");
  std::vector<double> sums(static_cast<size_t>(x.dims[1]));
  for (int64_t row = 0; row < x.dims[0]; ++row) {
    const auto at = [&](int64_t i) { return Load<double>(x, reference.src[0], row * x.strides[0] + i * x.strides[1]); };
    double largest = at(0), sum = 0;
    for (int64_t i = 1; i < x.dims[1]; ++i) largest = std::max(largest, at(i));
    for (int64_t i = 0; i < x.dims[1]; ++i) sums[static_cast<size_t>(i)] = sum += std::exp(at(i) - largest);
    for (int64_t j = 0; j < y.dims[1]; ++j) {
      const double drawn = random.Uniform(row * y.dims[1] + j) * sum;
      const auto found = std::upper_bound(sums.begin(), sums.end() - 1, drawn);
      Store<int64_t>(y, reference.dst[0], row * y.strides[0] + j * y.strides[1], found - sums.begin());
    }
  }
  return Status();
}

#ifdef MOKA_REFERENCE
#define MOKA_RANDOM_REFERENCES(function) function<float>, function<double>
#else
#define MOKA_RANDOM_REFERENCES(function) nullptr, nullptr
#endif

constexpr OpSchema Schema(const char* name, int sources, Status (*infer)(InferContext&),
                          Status (*reference)(const ReferenceCall&), Status (*oracle)(const ReferenceCall&)) {
  return {.domain = "",
          .name = name,
          .min_src = sources,
          .max_src = sources,
          .min_dst = 1,
          .max_dst = 1,
          .layout = LayoutRule::kStrided,
          .infer = infer,
          .reference = reference,
          .oracle = oracle,
          .varies = IsUnseeded};
}

}  // namespace

#define MOKA_RANDOM_OP(name, sources, infer, reference)                                                   \
  const OpSchema* name##Schema() {                                                                        \
    static constexpr OpSchema kSchema = Schema(#name, sources, infer, MOKA_RANDOM_REFERENCES(reference)); \
    return &kSchema;                                                                                      \
  }

MOKA_RANDOM_OP(Bernoulli, 1, InferBernoulli, BernoulliReference)
MOKA_RANDOM_OP(Multinomial, 1, InferMultinomial, MultinomialReference)
MOKA_RANDOM_OP(RandomNormal, 0, InferShaped, NormalReference)
MOKA_RANDOM_OP(RandomNormalLike, 1, InferLike, NormalReference)
MOKA_RANDOM_OP(RandomUniform, 0, InferShaped, UniformReference)
MOKA_RANDOM_OP(RandomUniformLike, 1, InferLike, UniformReference)
#undef MOKA_RANDOM_OP

}  // namespace moka
