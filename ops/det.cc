// Det: src X [..., n, n]; dst [...], the determinants.
#include <cmath>
#include <utility>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferDet(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, kFloatTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 2));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, x.dims.end()[-2], x.dims.back(), "rows and columns of src 0"));
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims.assign(x.dims.begin(), x.dims.end() - 2);
  return Status();
}

// Gaussian elimination with the largest pivot of each column.
double Determinant(std::vector<double>* matrix, int64_t n) {
  double* m = matrix->data();
  double product = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t r = k + 1; r < n; ++r) {
      if (std::abs(m[r * n + k]) > std::abs(m[pivot * n + k])) pivot = r;
    }
    if (pivot != k) {
      for (int64_t c = k; c < n; ++c) std::swap(m[pivot * n + c], m[k * n + c]);
      product = -product;
    }
    const double diagonal = m[k * n + k];
    product *= diagonal;
    if (diagonal == 0) return product;
    for (int64_t r = k + 1; r < n; ++r) {
      const double factor = m[r * n + k] / diagonal;
      for (int64_t c = k + 1; c < n; ++c) m[r * n + c] -= factor * m[k * n + c];
    }
  }
  return product;
}

template <class Float>
Status DetReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  const size_t row = static_cast<size_t>(x.rank - 2), column = row + 1;
  const int64_t n = x.dims[column];
  std::vector<double> matrix(static_cast<size_t>(n * n));
  ForEachIndex(y, [&](const Index& at) {
    int64_t first = 0;
    for (size_t d = 0; d < row; ++d) first += at[d] * x.strides[d];
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t c = 0; c < n; ++c) {
        matrix[static_cast<size_t>(r * n + c)] =
            Load<double>(x, reference.src[0], first + r * x.strides[row] + c * x.strides[column]);
      }
    }
    Store<double>(y, reference.dst[0], OffsetOf(y, at), Determinant(&matrix, n));
  });
  return Status();
}

}  // namespace

const OpSchema* DetSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Det",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferDet,
      MOKA_REFERENCES(DetReference)  //
  };
  return &kSchema;
}

}  // namespace moka
