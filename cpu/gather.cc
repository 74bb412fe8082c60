// Gather: for each position of the dimensions before the axis and each index, one slice of the source.
#include "ops/gather.h"

#include <algorithm>

#include "cpu/block_copy.h"
#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "ops/indexing.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitBytes = 65536;
enum : size_t { kSrc, kDst, kIndex };

struct GatherLaunch {
  int64_t element, wide_index;  // bytes of an element; whether indices are i64
  Nest<3> rows;                 // dimensions before the axis, then those of the indices
  BlockCopy slice;              // dimensions behind the axis
  int64_t axis_size, axis_step;
  int64_t indices;  // of one position before the axis
  int64_t count, rows_per_unit;
};

Status ChooseGather(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(const GatherParams params, GatherParams::From(call));
  const TensorDesc &x = call.src[0], &indices = call.src[1], &y = call.dst[0];
  if (SizeOf(x.type) == 0) return Unsupported("src 0: type ", NameOf(x.type), " has no size");
  if (indices.type != DataType::kI64 && indices.type != DataType::kI32)
    return Unsupported("src 1: neither i64 nor i32");
  const size_t axis = static_cast<size_t>(params.axis), index_rank = static_cast<size_t>(indices.rank);
  if (index_rank + axis > kMaxRank) return Unsupported("src 1: rank ", indices.rank, " behind axis ", axis);
  GatherLaunch launch{};
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  launch.wide_index = indices.type == DataType::kI64 ? 1 : 0;
  for (size_t d = 0; d < axis; ++d) launch.rows.Add(x.dims[d], {x.strides[d], y.strides[d], 0});
  for (size_t d = 0; d < index_rank; ++d) {
    launch.rows.Add(indices.dims[d], {0, y.strides[axis + d], indices.strides[d]});
  }
  Nest<2> slice;
  for (size_t d = axis + 1; d < static_cast<size_t>(x.rank); ++d) {
    slice.Add(x.dims[d], {x.strides[d], y.strides[d - 1 + index_rank]});
  }
  launch.indices = indices.NumElements();
  launch.count = launch.rows.Count();
  launch.slice = BlockCopy::Of(slice, launch.element);
  const int64_t slice_elements = slice.Count();
  launch.axis_size = x.dims[axis];
  launch.axis_step = x.strides[axis];
  launch.rows_per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(slice_elements * launch.element, 1), 1);
  choice->units = CeilDiv(launch.count, launch.rows_per_unit);
  choice->cost_us =
      static_cast<double>(2 * launch.count * (slice_elements * launch.element + 8)) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunGather(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<GatherLaunch>();
  const auto* src = static_cast<const std::byte*>(args.src[0]);
  auto* dst = static_cast<std::byte*>(args.dst[0]);
  const int64_t n = launch.axis_size, last = std::min(end * launch.rows_per_unit, launch.count);
  int64_t row = begin * launch.rows_per_unit;
  for (Walk<3> walk(launch.rows, row); row < last; ++row, walk.Next()) {
    const int64_t value = launch.wide_index != 0 ? static_cast<const int64_t*>(args.src[1])[walk[kIndex]]
                                                 : static_cast<const int32_t*>(args.src[1])[walk[kIndex]];
    if (value < -n || value >= n) {
      return args.error->Set(IndexOutOfRange(1, row % launch.indices, value, n));
    }
    const int64_t from = walk[kSrc] + (value < 0 ? value + n : value) * launch.axis_step;
    launch.slice.Copy(src + from * launch.element, dst + walk[kDst] * launch.element);
  }
}

}  // namespace

std::span<const KernelRow> GatherRows() {
  static constexpr KernelRow kRows[] = {{"Gather", "gather", &ChooseGather, &RunGather}};
  return kRows;
}

}  // namespace moka::cpu
