// ReverseSequence, TensorScatter, BitCast, and Dropout that drops nothing: slices that are copied whole.
#include <algorithm>
#include <cstring>

#include "base/narrow_float.h"
#include "cpu/block_copy.h"
#include "cpu/kernel.h"
#include "ops/reverse_sequence.h"
#include "ops/tensor_scatter.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitBytes = 65536;

// Slices of all dimensions but those of `fixed`, a mask.
BlockCopy SliceOf(const TensorDesc& x, const TensorDesc& y, uint32_t fixed) {
  Nest<2> nest;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    if ((fixed >> d & 1) == 0) nest.Add(x.dims[d], {x.strides[d], y.strides[d]});
  }
  return BlockCopy::Of(nest, static_cast<int64_t>(SizeOf(y.type)));
}

Status CheckType(const TensorDesc& y) { return SizeOf(y.type) == 0 ? Unsupported("dst: ", NameOf(y.type)) : Status(); }

void SetCost(const TensorDesc& y, Choice* choice) {
  choice->cost_us =
      static_cast<double>(2 * y.NumElements() * static_cast<int64_t>(SizeOf(y.type))) / kBytesPerMicrosecond;
}

// ---- ReverseSequence ----------------------------------------------------------------------------------------------

struct ReverseLaunch {
  BlockCopy slice;
  size_t batch, time;
  int64_t slices, per_unit;
};

Status ChooseReverse(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CheckType(y));
  ReverseLaunch launch{};
  MOKA_RETURN_IF_ERROR(ReadReverseAxes(*call.attrs, &launch.batch, &launch.time));
  launch.slice = SliceOf(x, y, 3);
  launch.slices = x.dims[0] * x.dims[1];
  const int64_t elements = launch.slices == 0 ? 0 : x.NumElements() / launch.slices;
  launch.per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(elements * launch.slice.element, 8), 1);
  choice->units = CeilDiv(launch.slices, launch.per_unit);
  SetCost(y, choice);
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunReverse(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<ReverseLaunch>();
  const TensorDesc &x = args.src_desc[0], &y = args.dst_desc[0];
  const auto* src = static_cast<const std::byte*>(args.src[0]);
  auto* dst = static_cast<std::byte*>(args.dst[0]);
  const int64_t last = std::min(end * launch.per_unit, launch.slices), times = x.dims[launch.time];
  for (int64_t i = begin * launch.per_unit; i < last; ++i) {
    const int64_t b = i / times, t = i % times;
    const int64_t length = static_cast<const int64_t*>(args.src[1])[b * args.src_desc[1].strides[0]];
    if (length < 0 || length > times) {
      return args.error->Set(
          InvalidArgument("src 1 (sequence_lens): element ", b, " is ", length, ", expected 0 to ", times));
    }
    const int64_t from = t < length ? length - 1 - t : t;
    launch.slice.Copy(src + (b * x.strides[launch.batch] + from * x.strides[launch.time]) * launch.slice.element,
                      dst + (b * y.strides[launch.batch] + t * y.strides[launch.time]) * launch.slice.element);
  }
}

// ---- TensorScatter ------------------------------------------------------------------------------------------------

struct CacheLaunch {
  TensorScatterParams params;
  BlockCopy cache, slice;  // an instance; a position of the update
  int32_t has_indices;
};

Status ChooseCache(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &cache = call.src[kScatterCache], &y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CheckType(y));
  CacheLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, TensorScatterParams::From(*call.attrs, cache.rank));
  launch.has_indices = call.has_src(kScatterIndices) ? 1 : 0;
  launch.cache = SliceOf(cache, y, 1);
  launch.slice = SliceOf(call.src[kScatterUpdate], y, 1 | uint32_t{1} << launch.params.axis);
  bool alike = true;
  for (size_t d = 0; d < static_cast<size_t>(y.rank); ++d) {
    alike = alike && (y.dims[d] == 1 || y.strides[d] == cache.strides[d]);
  }
  if (alike) choice->in_place = 1;
  choice->units = y.dims[0];
  SetCost(y, choice);
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunCache(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<CacheLaunch>();
  const TensorDesc &cache = args.src_desc[kScatterCache], &update = args.src_desc[kScatterUpdate],
                   &y = args.dst_desc[0];
  const auto axis = static_cast<size_t>(launch.params.axis);
  const int64_t element = launch.cache.element;
  const bool has_indices = launch.has_indices != 0;
  OpCall call;
  call.src = {args.src_desc, has_indices ? size_t{3} : size_t{2}};
  for (int64_t n = begin; n < end; ++n) {
    const Result<int64_t> first = launch.params.First(call, has_indices ? args.src[kScatterIndices] : nullptr, n);
    if (!first.ok()) return args.error->Set(first.status());
    auto* dst = static_cast<std::byte*>(args.dst[0]) + n * y.strides[0] * element;
    if (args.src[kScatterCache] != args.dst[0]) {
      launch.cache.Copy(static_cast<const std::byte*>(args.src[kScatterCache]) + n * cache.strides[0] * element, dst);
    }
    const auto* src = static_cast<const std::byte*>(args.src[kScatterUpdate]) + n * update.strides[0] * element;
    for (int64_t i = 0; i < update.dims[axis]; ++i) {
      const int64_t to = (*first + i) % y.dims[axis];
      launch.slice.Copy(src + i * update.strides[axis] * element, dst + to * y.strides[axis] * element);
    }
  }
}

// ---- BitCast, Dropout ---------------------------------------------------------------------------------------------

struct WholeLaunch {
  BlockCopy copy;
  int32_t has_result, has_mask;
};

void SetWhole(const OpCall& call, WholeLaunch* launch, Choice* choice) {
  launch->has_result = call.dst[0].present() ? 1 : 0;
  if (launch->has_result != 0) launch->copy = SliceOf(call.src[0], call.dst[0], 0);
  choice->units = 1;
  SetCost(call.src[0], choice);
  choice->launch = Blob::Of(*launch);
}

Status ChooseBits(const Kernel&, const OpCall& call, Choice* choice) {
  for (const TensorDesc* desc : {&call.src[0], &call.dst[0]}) {
    if (SizeOf(desc->type) == 0 || IsNarrow(desc->type)) return Unsupported(NameOf(desc->type));
  }
  WholeLaunch launch{};
  SetWhole(call, &launch, choice);
  return Status();
}

// With a mask; without one it is Identity (formats/).
Status ChooseDropout(const Kernel&, const OpCall& call, Choice* choice) {
  if (call.has_src(2)) {
    const HostTensor* training = call.constants[2];
    if (training == nullptr || *static_cast<const uint8_t*>(training->data) != 0) {
      return Unsupported("src 2 (training_mode) may be true");
    }
  }
  WholeLaunch launch{};
  launch.has_mask = call.dst.size() > 1 && call.dst[1].present() ? 1 : 0;
  if (launch.has_mask != 0 && !IsDense(call.dst[1])) return Unsupported("dst 1 is not dense");
  SetWhole(call, &launch, choice);
  return Status();
}

void RunWhole(const KernelArgs& args, int64_t, int64_t, int) {
  const auto& launch = args.Launch<WholeLaunch>();
  if (launch.has_result != 0) {
    launch.copy.Copy(static_cast<const std::byte*>(args.src[0]), static_cast<std::byte*>(args.dst[0]));
  }
  if (launch.has_mask != 0) std::memset(args.dst[1], 1, static_cast<size_t>(args.dst_desc[1].NumElements()));
}

}  // namespace

std::span<const KernelRow> SliceMoveRows() {
  static constexpr KernelRow kRows[] = {
      {"ReverseSequence", "reverse", &ChooseReverse, &RunReverse},
      {"TensorScatter", "tensor_scatter", &ChooseCache, &RunCache},
      {"BitCast", "whole_copy", &ChooseBits, &RunWhole},
      {"Dropout", "whole_copy", &ChooseDropout, &RunWhole},
  };
  return kRows;
}

}  // namespace moka::cpu
