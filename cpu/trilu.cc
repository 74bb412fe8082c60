// Trilu: row by row, each one zeros, a part of the source, zeros.
#include "ops/trilu.h"

#include <algorithm>
#include <cstring>

#include "cpu/kernel.h"
#include "cpu/nest.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitBytes = 65536;
enum : size_t { kSrc, kDst };

struct TriluLaunch {
  TriluParams params;
  int64_t element, has_k;
  Nest<2> matrices;
  int64_t rows, columns, src_row, dst_row;
  int64_t count, rows_per_unit;
};

Status ChooseTrilu(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const size_t row = static_cast<size_t>(x.rank - 2), column = row + 1;
  if (x.dims[column] > 1 && (x.strides[column] != 1 || y.strides[column] != 1)) {
    return Unsupported("the stride of columns is ", x.strides[column], " in src 0 and ", y.strides[column], " in dst");
  }
  TriluLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, TriluParams::From(*call.attrs));
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  launch.has_k = call.has_src(1) ? 1 : 0;
  for (size_t d = 0; d < row; ++d) launch.matrices.Add(x.dims[d], {x.strides[d], y.strides[d]});
  launch.rows = x.dims[row];
  launch.columns = x.dims[column];
  launch.src_row = x.strides[row];
  launch.dst_row = y.strides[row];
  launch.count = launch.matrices.Count() * launch.rows;
  launch.rows_per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(launch.columns * launch.element, 1), 1);
  choice->units = CeilDiv(launch.count, launch.rows_per_unit);
  choice->cost_us = static_cast<double>(2 * y.NumElements() * launch.element) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunTrilu(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<TriluLaunch>();
  const auto size = static_cast<size_t>(launch.element);
  const int64_t k = launch.has_k != 0 ? *static_cast<const int64_t*>(args.src[1]) : 0;
  const int64_t last = std::min(end * launch.rows_per_unit, launch.count);
  int64_t i = begin * launch.rows_per_unit;
  Walk<2> matrix(launch.matrices, i / launch.rows);
  for (int64_t row = i % launch.rows; i < last; ++i, ++row) {
    if (row == launch.rows) {
      row = 0;
      matrix.Next();
    }
    int64_t first = 0, stop = 0;
    launch.params.Kept(row, k, launch.columns, &first, &stop);
    stop = std::max(first, stop);
    const auto* src =
        static_cast<const std::byte*>(args.src[0]) + (matrix[kSrc] + row * launch.src_row) * launch.element;
    auto* dst = static_cast<std::byte*>(args.dst[0]) + (matrix[kDst] + row * launch.dst_row) * launch.element;
    std::memset(dst, 0, static_cast<size_t>(first) * size);
    std::memcpy(dst + first * launch.element, src + first * launch.element, static_cast<size_t>(stop - first) * size);
    std::memset(dst + stop * launch.element, 0, static_cast<size_t>(launch.columns - stop) * size);
  }
}

}  // namespace

std::span<const KernelRow> TriluRows() {
  static constexpr KernelRow kRows[] = {{"Trilu", "trilu", &ChooseTrilu, &RunTrilu}};
  return kRows;
}

}  // namespace moka::cpu
