// Gather: for each position of the dimensions before the axis and each index, one slice of the source.
#include "ops/gather.h"

#include <algorithm>
#include <cstring>

#include "cpu/kernel.h"
#include "cpu/nest.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitBytes = 65536;
enum : size_t { kSrc, kDst, kIndex };

struct GatherLaunch {
  int64_t element, wide_index;      // bytes of an element; whether indices are i64
  Nest<3> rows;                     // dimensions before the axis, then those of the indices
  Nest<2> slice;                    // dimensions behind the axis, but the last
  int64_t run, src_step, dst_step;  // the last dimension
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
  for (size_t d = axis + 1; d < static_cast<size_t>(x.rank); ++d) {
    launch.slice.Add(x.dims[d], {x.strides[d], y.strides[d - 1 + index_rank]});
  }
  launch.indices = indices.NumElements();
  launch.count = launch.rows.Count();
  launch.slice.SortBy(kDst);
  launch.slice.Merge();
  const int64_t slice = launch.slice.Count();
  launch.run = launch.src_step = launch.dst_step = 1;
  if (launch.slice.rank > 0) {
    const int64_t last = --launch.slice.rank;
    launch.run = launch.slice.dims[last];
    launch.src_step = launch.slice.strides[last][kSrc];
    launch.dst_step = launch.slice.strides[last][kDst];
  }
  launch.axis_size = x.dims[axis];
  launch.axis_step = x.strides[axis];
  launch.rows_per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(slice * launch.element, 1), 1);
  choice->units = CeilDiv(launch.count, launch.rows_per_unit);
  choice->cost_us = static_cast<double>(2 * launch.count * (slice * launch.element + 8)) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void CopySlice(const GatherLaunch& launch, const std::byte* src, std::byte* dst) {
  const int64_t element = launch.element;
  Walk<2> slice(launch.slice);
  for (int64_t n = launch.slice.Count(); n > 0; --n, slice.Next()) {
    const std::byte* from = src + slice[kSrc] * element;
    std::byte* to = dst + slice[kDst] * element;
    if (launch.src_step == 1 && launch.dst_step == 1) {
      std::memcpy(to, from, static_cast<size_t>(launch.run * element));
      continue;
    }
    for (int64_t i = 0; i < launch.run; ++i) {
      std::memcpy(to + i * launch.dst_step * element, from + i * launch.src_step * element,
                  static_cast<size_t>(element));
    }
  }
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
      return args.error->Set(InvalidArgument("src 1 (indices): element ", row % launch.indices, " is ", value,
                                             ", expected ", -n, " to ", n - 1));
    }
    const int64_t from = walk[kSrc] + (value < 0 ? value + n : value) * launch.axis_step;
    CopySlice(launch, src + from * launch.element, dst + walk[kDst] * launch.element);
  }
}

}  // namespace

std::span<const KernelRow> GatherRows() {
  static constexpr KernelRow kRows[] = {{"Gather", "gather", &ChooseGather, &RunGather}};
  return kRows;
}

}  // namespace moka::cpu
