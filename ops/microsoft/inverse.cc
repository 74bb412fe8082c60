// Inverse: of the matrices in the last two dimensions.
#include <cmath>
#include <utility>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferInverse(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  const std::vector<Dim>& x = ctx.src[0]->dims;
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, x[x.size() - 2], x.back(), "rows of src 0"));
  return InferSameAsSource(ctx);
}

// Gauss and Jordan's elimination of [matrix | identity] with partial pivoting; a singular matrix gives infinities.
void Invert(std::vector<double>& rows, size_t n) {
  const size_t width = 2 * n;
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t i = k + 1; i < n; ++i) {
      if (std::abs(rows[i * width + k]) > std::abs(rows[pivot * width + k])) pivot = i;
    }
    for (size_t j = 0; pivot != k && j < width; ++j) std::swap(rows[k * width + j], rows[pivot * width + j]);
    const double factor = 1 / rows[k * width + k];
    for (size_t j = 0; j < width; ++j) rows[k * width + j] *= factor;
    for (size_t i = 0; i < n; ++i) {
      const double below = rows[i * width + k];
      for (size_t j = 0; i != k && j < width; ++j) rows[i * width + j] -= below * rows[k * width + j];
    }
  }
}

template <class Float>
Status InverseReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const auto row = static_cast<size_t>(x.rank - 2), column = row + 1;
  const int64_t n = x.dims[row];
  TensorDesc matrices = x;
  matrices.dims[row] = matrices.dims[column] = n > 0 ? 1 : 0;
  ForEachIndex(matrices, [&](const Index& at) {
    const auto size = static_cast<size_t>(n);
    std::vector<double> rows(2 * size * size);
    const int64_t from = OffsetOf(x, at), to = OffsetOf(y, at);
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = 0; j < size; ++j) {
        const int64_t offset = static_cast<int64_t>(i) * x.strides[row] + static_cast<int64_t>(j) * x.strides[column];
        rows[i * 2 * size + j] = Load<double>(x, reference.src[0], from + offset);
      }
      rows[i * 2 * size + size + i] = 1;
    }
    Invert(rows, size);
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = 0; j < size; ++j) {
        const int64_t offset = static_cast<int64_t>(i) * y.strides[row] + static_cast<int64_t>(j) * y.strides[column];
        Store<double>(y, reference.dst[0], to + offset, rows[i * 2 * size + size + j]);
      }
    }
  });
  return Status();
}

}  // namespace

const OpSchema* MicrosoftInverseSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "com.microsoft",
      .name = "Inverse",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferInverse,
      MOKA_REFERENCES(InverseReference)  //
  };
  return &kSchema;
}

}  // namespace moka
