// Operators that prepare features: ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer, Normalizer,
// OneHotEncoder, Scaler.
#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/ml/attribute_list.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr std::initializer_list<DataType> kMlNumbersAndStrings = {DataType::kF32, DataType::kF64, DataType::kI64,
                                                                  DataType::kI32, DataType::kString};

// Element `index` counts along the last dimension.
size_t LastIndex(const TensorDesc& desc, const Index& at) {
  return desc.rank == 0 ? 0 : static_cast<size_t>(at[static_cast<size_t>(desc.rank - 1)]);
}

// A list of floats, or of integers, with one element or one for each feature.
Status CheckPerFeature(InferContext& ctx, const AttributeList& list, std::string_view name) {
  if (list.size() == 1 || (list.size() == 0 && !list.present())) return Status();
  if (list.size() == 0 || ctx.src[0]->rank() == 0)
    return InvalidModel("attribute '", name, "' has ", list.size(), " elements");
  return RequireEqual(ctx, Dim(list.size()), ctx.src[0]->dims.back(), StrCat("elements of attribute '", name, "'"));
}
double PerFeature(const AttributeList& list, size_t feature, double fallback) {
  if (list.size() == 0) return fallback;
  return list.Number(list.size() == 1 ? 0 : static_cast<int64_t>(feature));
}

// ---- ArrayFeatureExtractor ----------------------------------------------------------------------------------------

Status InferExtractor(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kMlNumbersAndStrings));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 1, {DataType::kI64}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1));
  Dim indices = 1;
  for (const Dim& dim : ctx.src[1]->dims) indices = indices * dim;
  ctx.dst[0].type = ctx.src[0]->type;
  ctx.dst[0].dims = ctx.src[0]->dims;
  ctx.dst[0].dims.back() = indices;
  if (ctx.src[0]->rank() == 1) ctx.dst[0].dims.insert(ctx.dst[0].dims.begin(), Dim(1));
  return Status();
}

template <class Float>
Status ExtractorReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &indices = reference.call.src[1], &y = reference.call.dst[0];
  const auto last = static_cast<size_t>(x.rank - 1);
  std::vector<int64_t> columns;
  Status status;
  ForEachIndex(indices, [&](const Index& at) {
    const int64_t column = Load<int64_t>(indices, reference.src[1], OffsetOf(indices, at));
    if (column < 0 || column >= x.dims[last]) {
      status = InvalidArgument("src 1: element ", columns.size(), " is ", column, ", expected 0 to ", x.dims[last] - 1);
    }
    columns.push_back(column);
  });
  MOKA_RETURN_IF_ERROR(status);
  const size_t added = static_cast<size_t>(y.rank - x.rank);
  return WithStorageType(x.type, [&](auto element) {
    using T = decltype(element);
    ForEachIndex(y, [&](const Index& at) {
      int64_t from = columns[LastIndex(y, at)] * x.strides[last];
      for (size_t i = 0; i < last; ++i) from += at[i + added] * x.strides[i];
      StoreRaw<T>(reference.dst[0], OffsetOf(y, at), LoadRaw<T>(reference.src[0], from));
    });
    return Status();
  });
}

// ---- Elementwise --------------------------------------------------------------------------------------------------

Status InferBinarizer(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kMlNumbers));
  float threshold = 0;
  MOKA_RETURN_IF_ERROR(ReadFloat(*ctx.attrs, "threshold", 0, &threshold));
  return InferSameAsSource(ctx);
}

template <class Float>
Status BinarizerReference(const ReferenceCall& reference) {
  float threshold = 0;
  MOKA_RETURN_IF_ERROR(ReadFloat(*reference.call.attrs, "threshold", 0, &threshold));
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  ForEachOffset<2>({y, x}, [&](const std::array<int64_t, 2>& at) {
    Store<double>(y, reference.dst[0], at[0], Load<double>(x, reference.src[0], at[1]) > threshold ? 1 : 0);
  });
  return Status();
}

Result<AttributeList> FloatList(const Attributes& attrs, std::string_view name) {
  MOKA_ASSIGN_OR_RETURN(const AttributeList list, AttributeList::Find(attrs, {name}));
  if (list.present() && list.type() != DataType::kF32) return InvalidModel("attribute '", name, "' has the wrong type");
  return list;
}

Status InferScaler(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kMlNumbers));
  for (const char* name : {"scale", "offset"}) {
    MOKA_ASSIGN_OR_RETURN(const AttributeList list, FloatList(*ctx.attrs, name));
    MOKA_RETURN_IF_ERROR(CheckPerFeature(ctx, list, name));
  }
  ctx.dst[0].type = DataType::kF32;
  ctx.dst[0].dims = ctx.src[0]->dims;
  return Status();
}

template <class Float>
Status ScalerReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const AttributeList scale, FloatList(*reference.call.attrs, "scale"));
  MOKA_ASSIGN_OR_RETURN(const AttributeList offset, FloatList(*reference.call.attrs, "offset"));
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  ForEachIndex(y, [&](const Index& at) {
    const size_t feature = LastIndex(y, at);
    const double value = Load<double>(x, reference.src[0], OffsetOf(x, at)) - PerFeature(offset, feature, 0);
    Store<double>(y, reference.dst[0], OffsetOf(y, at), value * PerFeature(scale, feature, 1));
  });
  return Status();
}

struct ImputerParams {
  AttributeList imputed;
  bool floats = true;
  double replaced = 0;
  int64_t replaced_int = 0;

  static Result<ImputerParams> From(const Attributes& attrs, DataType type) {
    ImputerParams params;
    params.floats = type == DataType::kF32 || type == DataType::kF64;
    const std::string_view name = params.floats ? "imputed_value_floats" : "imputed_value_int64s";
    MOKA_ASSIGN_OR_RETURN(params.imputed, AttributeList::Find(attrs, {name}));
    if (params.imputed.size() == 0) return InvalidModel("attribute '", name, "' is missing or empty");
    float replaced = 0;
    MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "replaced_value_float", 0, &replaced));
    MOKA_RETURN_IF_ERROR(ReadInt(attrs, "replaced_value_int64", 0, &params.replaced_int));
    params.replaced = replaced;
    return params;
  }
};

Status InferImputer(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kMlNumbers));
  MOKA_ASSIGN_OR_RETURN(const ImputerParams params, ImputerParams::From(*ctx.attrs, ctx.src[0]->type));
  MOKA_RETURN_IF_ERROR(CheckPerFeature(ctx, params.imputed, "imputed_value"));
  return InferSameAsSource(ctx);
}

template <class Float>
Status ImputerReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const ImputerParams params, ImputerParams::From(*reference.call.attrs, x.type));
  const bool nan = std::isnan(params.replaced);
  ForEachIndex(y, [&](const Index& at) {
    const int64_t from = OffsetOf(x, at), to = OffsetOf(y, at);
    const int64_t i = params.imputed.size() == 1 ? 0 : static_cast<int64_t>(LastIndex(y, at));
    if (params.floats) {
      const double value = Load<double>(x, reference.src[0], from);
      const bool found = nan ? std::isnan(value) : value == params.replaced;
      Store<double>(y, reference.dst[0], to, found ? params.imputed.Number(i) : value);
    } else {
      const int64_t value = Load<int64_t>(x, reference.src[0], from);
      Store<int64_t>(y, reference.dst[0], to, value == params.replaced_int ? params.imputed.Int(i) : value);
    }
  });
  return Status();
}

// ---- Normalizer ---------------------------------------------------------------------------------------------------

enum class Norm { kMax, kL1, kL2 };

Status ReadNorm(const Attributes& attrs, Norm* norm) {
  std::string_view name;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "norm", "MAX", &name));
  if (name != "MAX" && name != "L1" && name != "L2") return InvalidModel("attribute 'norm' is '", name, "'");
  *norm = name == "MAX" ? Norm::kMax : name == "L1" ? Norm::kL1 : Norm::kL2;
  return Status();
}

Status InferNormalizer(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckMlRows(ctx, 0));
  Norm norm;
  MOKA_RETURN_IF_ERROR(ReadNorm(*ctx.attrs, &norm));
  ctx.dst[0].type = DataType::kF32;
  ctx.dst[0].dims = ctx.src[0]->dims;
  return Status();
}

template <class Float>
Status NormalizerReference(const ReferenceCall& reference) {
  Norm norm;
  MOKA_RETURN_IF_ERROR(ReadNorm(*reference.call.attrs, &norm));
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const MlRows from = MlRows::Of(x), to = MlRows::Of(y);
  if (x.NumElements() == 0) return Status();
  for (int64_t row = 0; row < from.rows; ++row) {
    const auto at = [&](int64_t j) {
      return Load<double>(x, reference.src[0], row * from.row_stride + j * from.column_stride);
    };
    double divisor = norm == Norm::kMax && from.columns > 0 ? at(0) : 0;
    for (int64_t j = 0; j < from.columns; ++j) {
      const double value = at(j);
      divisor = norm == Norm::kMax  ? std::max(divisor, value)
                : norm == Norm::kL1 ? divisor + std::abs(value)
                                    : divisor + value * value;
    }
    if (norm == Norm::kL2) divisor = std::sqrt(divisor);
    for (int64_t j = 0; j < from.columns; ++j) {
      Store<double>(y, reference.dst[0], row * to.row_stride + j * to.column_stride,
                    divisor == 0 ? at(j) : at(j) / divisor);
    }
  }
  return Status();
}

// ---- OneHotEncoder ------------------------------------------------------------------------------------------------

Result<AttributeList> Categories(const Attributes& attrs, DataType src) {
  const std::string_view name = src == DataType::kString ? "cats_strings" : "cats_int64s";
  MOKA_ASSIGN_OR_RETURN(const AttributeList categories, AttributeList::Find(attrs, {name}));
  if (categories.size() == 0) return InvalidModel("attribute '", name, "' is missing or empty");
  return categories;
}

Status InferOneHotEncoder(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kMlNumbersAndStrings));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 0, kMaxRank - 1));
  MOKA_ASSIGN_OR_RETURN(const AttributeList categories, Categories(*ctx.attrs, ctx.src[0]->type));
  bool zeros = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*ctx.attrs, "zeros", true, &zeros));
  ctx.dst[0].type = DataType::kF32;
  ctx.dst[0].dims = ctx.src[0]->dims;
  ctx.dst[0].dims.emplace_back(categories.size());
  return Status();
}

template <class Float>
Status OneHotEncoderReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const AttributeList categories, Categories(*reference.call.attrs, x.type));
  bool zeros = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*reference.call.attrs, "zeros", true, &zeros));
  std::unordered_map<std::string, int64_t> columns;
  for (int64_t i = 0; i < categories.size(); ++i) columns.try_emplace(KeyOf(categories, i), i);
  const int64_t step = y.strides[static_cast<size_t>(x.rank)];
  Status status;
  ForEachIndex(x, [&](const Index& at) {
    const int64_t from = OffsetOf(x, at), to = OffsetOf(y, [&] {
                                            Index first = at;
                                            first[static_cast<size_t>(x.rank)] = 0;
                                            return first;
                                          }());
    for (int64_t i = 0; i < categories.size(); ++i) Store<double>(y, reference.dst[0], to + i * step, 0);
    const auto found = columns.find(x.type == DataType::kString ? KeyOf(x, reference.src[0], from)
                                                                : IntKey(Load<int64_t>(x, reference.src[0], from)));
    if (found != columns.end()) return Store<double>(y, reference.dst[0], to + found->second * step, 1);
    if (!zeros) status = InvalidArgument("src 0 holds a value that is no category, and attribute 'zeros' is 0");
  });
  return status;
}

// ---- FeatureVectorizer --------------------------------------------------------------------------------------------

constexpr int64_t kWidest = int64_t{1} << 40;  // sums of it do not overflow

Result<std::vector<Dim>> VectorizerSizes(const InferContext& ctx) {
  std::vector<Dim> sizes;
  MOKA_ASSIGN_OR_RETURN(const AttributeList given, AttributeList::Find(*ctx.attrs, {"inputdimensions"}));
  if (given.present() && (given.type() != DataType::kI64 || given.size() != static_cast<int64_t>(ctx.src.size()))) {
    return InvalidModel("attribute 'inputdimensions' has ", given.size(), " elements, expected ", ctx.src.size());
  }
  for (size_t i = 0; i < ctx.src.size(); ++i) {
    sizes.push_back(given.present() ? Dim(given.Int(static_cast<int64_t>(i))) : ctx.src[i]->dims.back());
    if (sizes.back().is_constant() && (sizes.back().constant() < 0 || sizes.back().constant() > kWidest)) {
      return InvalidModel("attribute 'inputdimensions' has an element of ", sizes.back().constant());
    }
  }
  return sizes;
}

Status InferVectorizer(InferContext& ctx) {
  for (size_t i = 0; i < ctx.src.size(); ++i) {
    if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing");
    MOKA_RETURN_IF_ERROR(CheckMlRows(ctx, i));
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 0));
  }
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> sizes, VectorizerSizes(ctx));
  const auto rows = [&](size_t i) { return ctx.src[i]->rank() == 1 ? Dim(1) : ctx.src[i]->dims[0]; };
  Dim columns = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, rows(i), rows(0), StrCat("rows of src ", i)));
    columns = columns + sizes[i];
  }
  ctx.dst[0].type = DataType::kF32;
  ctx.dst[0].dims = {rows(0), columns};
  return Status();
}

// A source that is narrower than inputdimensions says is followed by zeros, a wider one is cut.
template <class Float>
Status VectorizerReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const AttributeList given, AttributeList::Find(*reference.call.attrs, {"inputdimensions"}));
  const TensorDesc& y = reference.call.dst[0];
  int64_t column = 0;
  for (size_t i = 0; i < reference.call.src.size(); ++i) {
    const TensorDesc& x = reference.call.src[i];
    const MlRows rows = MlRows::Of(x);
    const int64_t width = given.present() ? given.Int(static_cast<int64_t>(i)) : rows.columns;
    for (int64_t row = 0; row < rows.rows; ++row) {
      for (int64_t j = 0; j < width; ++j) {
        const int64_t from = row * rows.row_stride + j * rows.column_stride;
        Store<double>(y, reference.dst[0], row * y.strides[0] + (column + j) * y.strides[1],
                      j < rows.columns ? Load<double>(x, reference.src[i], from) : 0);
      }
    }
    column += width;
  }
  return Status();
}

}  // namespace

#define MOKA_ML_OP(op, sources, most_sources, inference, function)       \
  const OpSchema* Ml##op##Schema() {                                     \
    static constexpr OpSchema kSchema = {.domain = "ai.onnx.ml",         \
                                         .name = #op,                    \
                                         .min_src = sources,             \
                                         .max_src = most_sources,        \
                                         .min_dst = 1,                   \
                                         .max_dst = 1,                   \
                                         .layout = LayoutRule::kStrided, \
                                         .infer = inference,             \
                                         MOKA_REFERENCES(function)};     \
    return &kSchema;                                                     \
  }

MOKA_ML_OP(ArrayFeatureExtractor, 2, 2, InferExtractor, ExtractorReference)
MOKA_ML_OP(Binarizer, 1, 1, InferBinarizer, BinarizerReference)
MOKA_ML_OP(FeatureVectorizer, 1, -1, InferVectorizer, VectorizerReference)
MOKA_ML_OP(Imputer, 1, 1, InferImputer, ImputerReference)
MOKA_ML_OP(Normalizer, 1, 1, InferNormalizer, NormalizerReference)
MOKA_ML_OP(OneHotEncoder, 1, 1, InferOneHotEncoder, OneHotEncoderReference)
MOKA_ML_OP(Scaler, 1, 1, InferScaler, ScalerReference)
#undef MOKA_ML_OP

}  // namespace moka
