// GatherElements, GatherND, ScatterElements, ScatterND, MaxUnpool. Elements move by their size, whatever their type;
// scatters that combine are for f32.
#include "ops/indexing.h"

#include <algorithm>

#include "cpu/block_copy.h"
#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "ops/max_unpool.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitBytes = 65536;
constexpr size_t kIndices = 1, kUpdates = 2;

template <class F>
void WithBits(int64_t element, F&& f) {
  switch (element) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

int64_t IndexAt(const void* indices, bool wide, int64_t offset) {
  return wide ? static_cast<const int64_t*>(indices)[offset] : static_cast<const int32_t*>(indices)[offset];
}

// ---- GatherElements -----------------------------------------------------------------------------------------------

struct GatherElementsLaunch {
  int64_t element, axis_size, axis_step;
  bool wide;
  Nest<3> rows;  // but the last dimension: data (without the axis), destination, indices
  int64_t cols;  // the last dimension
  Nest<3>::Strides col_step;
  int64_t count, rows_per_unit;
};

Status ChooseGatherElements(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(const AlongAxisParams params, AlongAxisParams::From(call));
  const TensorDesc &x = call.src[0], &indices = call.src[kIndices], &y = call.dst[0];
  const size_t axis = static_cast<size_t>(params.axis);
  GatherElementsLaunch launch{};
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  launch.axis_size = x.dims[axis];
  launch.axis_step = x.strides[axis];
  launch.wide = indices.type == DataType::kI64;
  launch.cols = 1;
  for (size_t d = 0; d < static_cast<size_t>(y.rank); ++d) {
    const Nest<3>::Strides strides = {d == axis ? 0 : x.strides[d], y.strides[d], indices.strides[d]};
    if (d + 1 < static_cast<size_t>(y.rank)) {
      launch.rows.Add(y.dims[d], strides);
    } else {
      launch.cols = y.dims[d];
      launch.col_step = strides;
    }
  }
  launch.count = launch.rows.Count();
  launch.rows_per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(launch.cols * launch.element, 1), 1);
  choice->units = CeilDiv(launch.count, launch.rows_per_unit);
  choice->cost_us = static_cast<double>(y.NumElements() * (2 * launch.element + 8)) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunGatherElements(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<GatherElementsLaunch>();
  const int64_t n = launch.axis_size, last = std::min(end * launch.rows_per_unit, launch.count);
  WithBits(launch.element, [&](auto bits) {
    using Bits = decltype(bits);
    int64_t row = begin * launch.rows_per_unit;
    for (Walk<3> walk(launch.rows, row); row < last; ++row, walk.Next()) {
      const Bits* src = static_cast<const Bits*>(args.src[0]) + walk[0];
      Bits* dst = static_cast<Bits*>(args.dst[0]) + walk[1];
      for (int64_t i = 0; i < launch.cols; ++i) {
        const int64_t value = IndexAt(args.src[kIndices], launch.wide, walk[2] + i * launch.col_step[2]);
        if (value < -n || value >= n) return args.error->Set(IndexOutOfRange(1, row * launch.cols + i, value, n));
        dst[i * launch.col_step[1]] = src[i * launch.col_step[0] + (value < 0 ? value + n : value) * launch.axis_step];
      }
    }
  });
}

// ---- GatherND -----------------------------------------------------------------------------------------------------

struct GatherNDLaunch {
  TupleParams params;
  int64_t element;
  Nest<3> tuples;  // data (batch dimensions), destination, indices
  BlockCopy slice;
  int64_t count, per_unit;
};

Status ChooseGatherND(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &indices = call.src[kIndices], &y = call.dst[0];
  GatherNDLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, TupleParams::From(call));
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  const size_t tuple_rank = static_cast<size_t>(indices.rank - 1);
  for (size_t d = 0; d < tuple_rank; ++d) {
    const bool batch = d < static_cast<size_t>(launch.params.batch_dims);
    launch.tuples.Add(indices.dims[d], {batch ? x.strides[d] : 0, y.strides[d], indices.strides[d]});
  }
  Nest<2> slice;
  const size_t first = static_cast<size_t>(launch.params.batch_dims + launch.params.depth);
  for (size_t d = first; d < static_cast<size_t>(x.rank); ++d) {
    slice.Add(x.dims[d], {x.strides[d], y.strides[d - first + tuple_rank]});
  }
  launch.slice = BlockCopy::Of(slice, launch.element);
  launch.count = launch.tuples.Count();
  launch.per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(slice.Count() * launch.element, 8), 1);
  choice->units = CeilDiv(launch.count, launch.per_unit);
  choice->cost_us =
      static_cast<double>(2 * y.NumElements() * launch.element + 16 * launch.count) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunGatherND(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<GatherNDLaunch>();
  const auto* src = static_cast<const std::byte*>(args.src[0]);
  auto* dst = static_cast<std::byte*>(args.dst[0]);
  const int64_t last = std::min(end * launch.per_unit, launch.count);
  int64_t i = begin * launch.per_unit;
  for (Walk<3> walk(launch.tuples, i); i < last; ++i, walk.Next()) {
    int64_t from = 0;
    Status status =
        launch.params.Offset(args.src_desc[kIndices], args.src[kIndices], walk[2], args.src_desc[0], i, &from);
    if (!status.ok()) return args.error->Set(std::move(status));
    launch.slice.Copy(src + (walk[0] + from) * launch.element, dst + walk[1] * launch.element);
  }
}

// ---- Scatters -----------------------------------------------------------------------------------------------------

// True where src 0 may be dst: nothing is copied then.
bool LieAlike(const TensorDesc& a, const TensorDesc& b) {
  for (size_t d = 0; d < static_cast<size_t>(a.rank); ++d) {
    if (a.dims[d] > 1 && a.strides[d] != b.strides[d]) return false;
  }
  return true;
}

Status ReadReduction(const OpCall& call, ScatterReduction* reduction) {
  MOKA_ASSIGN_OR_RETURN(*reduction, ReadScatterReduction(*call.attrs));
  if (*reduction != ScatterReduction::kNone && call.src[0].type != DataType::kF32) {
    return Unsupported("a combination of ", NameOf(call.src[0].type), ", not f32");
  }
  return Status();
}

// Units are ranges of one dimension other than the axis, so that no two write one element. Each copies its part of data
// and applies its updates in their order.
struct ScatterElementsLaunch {
  ScatterReduction reduction;
  bool wide;
  int64_t element, axis, axis_size, axis_step;
  int64_t split, split_size, split_updates, split_part;  // the dimension of units, or -1
};

Status ChooseScatterElements(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(const AlongAxisParams params, AlongAxisParams::From(call));
  const TensorDesc &x = call.src[0], &indices = call.src[kIndices], &y = call.dst[0];
  ScatterElementsLaunch launch{};
  MOKA_RETURN_IF_ERROR(ReadReduction(call, &launch.reduction));
  launch.wide = indices.type == DataType::kI64;
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  launch.axis = params.axis;
  launch.axis_size = y.dims[static_cast<size_t>(params.axis)];
  launch.axis_step = y.strides[static_cast<size_t>(params.axis)];
  launch.split = -1;
  launch.split_size = launch.split_updates = launch.split_part = 1;
  for (int d = 0; d < x.rank && launch.split < 0; ++d) {
    if (d != params.axis && x.dims[static_cast<size_t>(d)] > 1) launch.split = d;
  }
  if (launch.split >= 0) {
    const size_t d = static_cast<size_t>(launch.split);
    launch.split_size = x.dims[d];
    launch.split_updates = indices.dims[d];
    const int64_t bytes = x.NumElements() / x.dims[d] * launch.element;
    launch.split_part = std::clamp<int64_t>(kUnitBytes / std::max<int64_t>(bytes, 1), 1, launch.split_size);
  }
  choice->units = CeilDiv(launch.split_size, launch.split_part);
  if (LieAlike(x, y)) choice->in_place = 1;
  choice->cost_us =
      static_cast<double>(2 * y.NumElements() * launch.element + indices.NumElements() * (8 + 2 * launch.element)) /
      kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// Nests over a tensor whose dimension `split` is [begin, begin + count).
template <int kOperands>
Nest<kOperands> SplitNest(const TensorDesc& shape, int64_t split, int64_t count,
                          const std::array<const TensorDesc*, kOperands>& operands) {
  Nest<kOperands> nest;
  for (size_t d = 0; d < static_cast<size_t>(shape.rank); ++d) {
    typename Nest<kOperands>::Strides strides;
    for (size_t o = 0; o < kOperands; ++o) strides[o] = operands[o]->strides[d];
    nest.Add(static_cast<int64_t>(d) == split ? count : shape.dims[d], strides);
  }
  return nest;
}

int64_t SplitStep(const TensorDesc& desc, int64_t split) {
  return split < 0 ? 0 : desc.strides[static_cast<size_t>(split)];
}

void CopyPart(const KernelArgs& args, int64_t element, int64_t split, int64_t begin, int64_t count) {
  if (args.src[0] == args.dst[0] || count == 0) return;
  const TensorDesc &x = args.src_desc[0], &y = args.dst_desc[0];
  const BlockCopy copy = BlockCopy::Of(SplitNest<2>(x, split, count, {&x, &y}), element);
  copy.Copy(static_cast<const std::byte*>(args.src[0]) + begin * SplitStep(x, split) * element,
            static_cast<std::byte*>(args.dst[0]) + begin * SplitStep(y, split) * element);
}

template <class T, class F>
void ApplyUpdates(const KernelArgs& args, const ScatterElementsLaunch& launch, int64_t begin, int64_t count,
                  F&& apply) {
  const TensorDesc &indices = args.src_desc[kIndices], &updates = args.src_desc[kUpdates];
  TensorDesc target = args.dst_desc[0];
  target.strides[static_cast<size_t>(launch.axis)] = 0;
  const Nest<3> nest = SplitNest<3>(indices, launch.split, count, {&indices, &updates, &target});
  const int64_t at_indices = begin * SplitStep(indices, launch.split);
  const T* src = static_cast<const T*>(args.src[kUpdates]) + begin * SplitStep(updates, launch.split);
  T* dst = static_cast<T*>(args.dst[0]) + begin * SplitStep(target, launch.split);
  const int64_t n = launch.axis_size, total = nest.Count();
  if (total == 0) return;
  int64_t i = 0;
  for (Walk<3> walk(nest); i < total; ++i, walk.Next()) {
    const int64_t value = IndexAt(args.src[kIndices], launch.wide, at_indices + walk[0]);
    if (value < -n || value >= n) return args.error->Set(IndexOutOfRange(1, i, value, n));
    T* to = dst + walk[2] + (value < 0 ? value + n : value) * launch.axis_step;
    *to = apply(*to, src[walk[1]]);
  }
}

void RunScatterElements(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<ScatterElementsLaunch>();
  const int64_t first = begin * launch.split_part, last = std::min(end * launch.split_part, launch.split_size);
  CopyPart(args, launch.element, launch.split, first, last - first);
  const int64_t updates = std::min(last, launch.split_updates) - first;
  if (updates <= 0) return;
  if (launch.reduction != ScatterReduction::kNone) {
    return ApplyUpdates<float>(args, launch, first, updates,
                               [&](float old, float update) { return ScatterReduce(launch.reduction, old, update); });
  }
  WithBits(launch.element, [&](auto bits) {
    using Bits = decltype(bits);
    ApplyUpdates<Bits>(args, launch, first, updates, [](Bits, Bits update) { return update; });
  });
}

struct ScatterNDLaunch {
  ScatterReduction reduction;
  TupleParams params;
  int64_t element;
  Nest<2> tuples;  // indices, updates
  Nest<2> slice;   // updates, destination
};

// One unit: any two updates may meet.
Status ChooseScatterND(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &indices = call.src[kIndices], &updates = call.src[kUpdates], &y = call.dst[0];
  ScatterNDLaunch launch{};
  MOKA_RETURN_IF_ERROR(ReadReduction(call, &launch.reduction));
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  const size_t tuple_rank = static_cast<size_t>(indices.rank - 1);
  launch.params.depth = static_cast<int>(indices.dims[tuple_rank]);
  for (size_t d = 0; d < tuple_rank; ++d) launch.tuples.Add(indices.dims[d], {indices.strides[d], updates.strides[d]});
  const size_t first = static_cast<size_t>(launch.params.depth);
  for (size_t d = first; d < static_cast<size_t>(x.rank); ++d) {
    launch.slice.Add(x.dims[d], {updates.strides[d - first + tuple_rank], y.strides[d]});
  }
  choice->units = 1;
  if (LieAlike(x, y)) choice->in_place = 1;
  choice->cost_us =
      static_cast<double>(2 * (y.NumElements() + updates.NumElements()) * launch.element) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunScatterND(const KernelArgs& args, int64_t, int64_t, int) {
  const auto& launch = args.Launch<ScatterNDLaunch>();
  CopyPart(args, launch.element, -1, 0, 1);
  const BlockCopy slice = BlockCopy::Of(launch.slice, launch.element);
  const int64_t count = launch.tuples.Count(), elements = launch.slice.Count();
  if (count == 0 || elements == 0) return;
  int64_t i = 0;
  for (Walk<2> walk(launch.tuples); i < count; ++i, walk.Next()) {
    int64_t to = 0;
    Status status =
        launch.params.Offset(args.src_desc[kIndices], args.src[kIndices], walk[0], args.dst_desc[0], i, &to);
    if (!status.ok()) return args.error->Set(std::move(status));
    if (launch.reduction == ScatterReduction::kNone) {
      slice.Copy(static_cast<const std::byte*>(args.src[kUpdates]) + walk[1] * launch.element,
                 static_cast<std::byte*>(args.dst[0]) + to * launch.element);
      continue;
    }
    const float* src = args.Src(kUpdates) + walk[1];
    float* dst = args.Dst() + to;
    Walk<2> element(launch.slice);
    for (int64_t k = 0; k < elements; ++k, element.Next()) {
      dst[element[1]] = ScatterReduce(launch.reduction, dst[element[1]], src[element[0]]);
    }
  }
}

// ---- MaxUnpool ----------------------------------------------------------------------------------------------------

struct MaxUnpoolLaunch {
  int64_t element, count;  // count: of the elements that indices speak of
  TensorDesc whole;
};

// One unit: any two elements may meet.
Status ChooseMaxUnpool(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (!IsDense(y)) return Unsupported("dst is not dense");
  MaxUnpoolLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.whole, UnpooledShape(call));
  launch.count = launch.whole.NumElements();
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  choice->units = 1;
  choice->cost_us = static_cast<double>(y.NumElements() * launch.element + x.NumElements() * (8 + 2 * launch.element)) /
                    kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunMaxUnpool(const KernelArgs& args, int64_t, int64_t, int) {
  const auto& launch = args.Launch<MaxUnpoolLaunch>();
  const TensorDesc &x = args.src_desc[0], &indices = args.src_desc[kIndices], &y = args.dst_desc[0];
  std::memset(args.dst[0], 0, static_cast<size_t>(y.NumElements() * launch.element));
  Nest<2> nest;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) nest.Add(x.dims[d], {x.strides[d], indices.strides[d]});
  nest.Merge();
  WithBits(launch.element, [&](auto bits) {
    using Bits = decltype(bits);
    const auto* src = static_cast<const Bits*>(args.src[0]);
    auto* dst = static_cast<Bits*>(args.dst[0]);
    const int64_t total = nest.Count();
    if (total == 0) return;
    int64_t i = 0;
    for (Walk<2> walk(nest); i < total; ++i, walk.Next()) {
      int64_t index = IndexAt(args.src[kIndices], true, walk[1]), to = 0;
      if (index < 0 || index >= launch.count) return args.error->Set(IndexOutOfRange(1, i, index, launch.count));
      for (size_t d = static_cast<size_t>(x.rank); d-- > 0;) {
        to += index % launch.whole.dims[d] * y.strides[d];
        index /= launch.whole.dims[d];
      }
      dst[to] = src[walk[0]];
    }
  });
}

}  // namespace

std::span<const KernelRow> IndexingRows() {
  static constexpr KernelRow kRows[] = {
      {"GatherElements", "gather_elements", &ChooseGatherElements, &RunGatherElements},
      {"GatherND", "gather_nd", &ChooseGatherND, &RunGatherND},
      {"ScatterElements", "scatter_elements", &ChooseScatterElements, &RunScatterElements},
      {"ScatterND", "scatter_nd", &ChooseScatterND, &RunScatterND},
      {"MaxUnpool", "max_unpool", &ChooseMaxUnpool, &RunMaxUnpool},
  };
  return kRows;
}

}  // namespace moka::cpu
