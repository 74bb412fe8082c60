// Pad and CenterCropPad: rows of the result along its innermost dimension in memory, each from one row of the source or
// the constant.
#include "ops/pad.h"

#include <algorithm>
#include <cstring>

#include "cpu/kernel.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitBytes = 65536;

struct PadLaunch {
  PadParams params;
  int64_t element, has_value;
  int64_t rank, inner;      // inner: the dimension of a row
  int64_t order[kMaxRank];  // the others, outermost first
  int64_t src_dims[kMaxRank], src_strides[kMaxRank], dst_dims[kMaxRank], dst_strides[kMaxRank];
  int64_t first, last;  // elements of a row that are not padding
  int64_t rows, rows_per_unit;
};

// The constant lies around whole rows: a row and the dimension around it become one where the row has no padding.
void MergeRows(PadLaunch* launch) {
  while (launch->rank > 1 && launch->params.mode == PadMode::kConstant) {
    const auto inner = static_cast<size_t>(launch->inner);
    const auto outer = static_cast<size_t>(launch->order[launch->rank - 2]);
    const int64_t size = launch->src_dims[inner];
    if (launch->params.begin[inner] != 0 || launch->params.end[inner] != 0) return;
    if (launch->src_strides[outer] != size * launch->src_strides[inner]) return;
    if (launch->dst_strides[outer] != size * launch->dst_strides[inner]) return;
    launch->params.begin[outer] *= size;
    launch->src_dims[outer] *= size;
    launch->dst_dims[outer] *= size;
    launch->src_strides[outer] = launch->src_strides[inner];
    launch->dst_strides[outer] = launch->dst_strides[inner];
    launch->params.end[outer] *= size;
    launch->inner = static_cast<int64_t>(outer);
    --launch->rank;
  }
}

Status ChooseWith(const OpCall& call, const PadParams& params, bool has_value, Choice* choice) {
  PadLaunch launch{};
  launch.params = params;
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (SizeOf(x.type) == 0) return Unsupported("src 0: type ", NameOf(x.type), " has no size");
  if (x.rank == 0) return Unsupported("src 0: a scalar");
  launch.element = static_cast<int64_t>(SizeOf(x.type));
  launch.has_value = has_value ? 1 : 0;
  launch.rank = x.rank;
  std::copy_n(x.dims.begin(), x.rank, launch.src_dims);
  std::copy_n(x.strides.begin(), x.rank, launch.src_strides);
  std::copy_n(y.dims.begin(), x.rank, launch.dst_dims);
  std::copy_n(y.strides.begin(), x.rank, launch.dst_strides);
  int64_t all[kMaxRank];
  for (int64_t i = 0; i < x.rank; ++i) all[i] = i;
  // Dimensions of size 1 go outermost: their strides mean nothing.
  const auto step = [&](int64_t d) { return launch.dst_dims[d] == 1 ? INT64_MAX : launch.dst_strides[d]; };
  std::stable_sort(all, all + x.rank, [&](int64_t a, int64_t b) { return step(a) > step(b); });
  launch.inner = all[x.rank - 1];
  std::copy_n(all, x.rank - 1, launch.order);
  MergeRows(&launch);
  const int64_t length = launch.dst_dims[launch.inner], begin = launch.params.begin[static_cast<size_t>(launch.inner)];
  launch.first = std::clamp<int64_t>(begin, 0, length);
  launch.last = std::clamp<int64_t>(begin + launch.src_dims[launch.inner], launch.first, length);
  launch.rows = y.NumElements() / std::max<int64_t>(length, 1);
  launch.rows_per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(length * launch.element, 1), 1);
  choice->units = CeilDiv(launch.rows, launch.rows_per_unit);
  choice->cost_us = static_cast<double>(2 * y.NumElements() * launch.element) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

Status ChoosePad(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(const PadParams params, PadParams::From(call));
  return ChooseWith(call, params, call.has_src(2), choice);
}

Status ChooseCenterCropPad(const Kernel&, const OpCall& call, Choice* choice) {
  return ChooseWith(call, PadParams::Centered(call.src[0], call.dst[0]), false, choice);
}

// One row, or a part of it that is all padding.
template <class T>
struct RowWriter {
  const PadLaunch& launch;
  T value;

  int64_t Source(int64_t i) const {
    return launch.params.Source(static_cast<int>(launch.inner), i, launch.src_dims[launch.inner]);
  }
  void Fill(T* dst, int64_t begin, int64_t end) const {
    const int64_t step = launch.dst_strides[launch.inner];
    for (int64_t i = begin; i < end; ++i) dst[i * step] = value;
  }
  void Border(const T* src, T* dst, int64_t begin, int64_t end) const {
    if (launch.params.mode == PadMode::kConstant) return Fill(dst, begin, end);
    const int64_t step = launch.dst_strides[launch.inner];
    for (int64_t i = begin; i < end; ++i) dst[i * step] = src[Source(i) * launch.src_strides[launch.inner]];
  }
  void Write(const T* src, T* dst) const {
    const int64_t length = launch.dst_dims[launch.inner], n = launch.last - launch.first;
    const int64_t src_step = launch.src_strides[launch.inner], dst_step = launch.dst_strides[launch.inner];
    Border(src, dst, 0, launch.first);
    const T* from = n > 0 ? src + Source(launch.first) * src_step : src;
    T* to = dst + launch.first * dst_step;
    if (src_step == 1 && dst_step == 1) {
      if (n > 0) std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
    } else {
      for (int64_t i = 0; i < n; ++i) to[i * dst_step] = from[i * src_step];
    }
    Border(src, dst, launch.last, length);
  }
};

template <class T>
void WriteRows(const PadLaunch& launch, const T* src, const T* value, T* dst, int64_t begin, int64_t end) {
  const RowWriter<T> writer{launch, value != nullptr ? *value : T{}};
  for (int64_t row = begin; row < end; ++row) {
    int64_t rest = row, src_at = 0, dst_at = 0;
    bool inside = true;
    for (int64_t k = launch.rank - 2; k >= 0; --k) {
      const int64_t d = launch.order[k], i = rest % launch.dst_dims[d];
      rest /= launch.dst_dims[d];
      const int64_t from = launch.params.Source(static_cast<int>(d), i, launch.src_dims[d]);
      inside = inside && from >= 0;
      src_at += from * launch.src_strides[d];
      dst_at += i * launch.dst_strides[d];
    }
    if (inside) {
      writer.Write(src + src_at, dst + dst_at);
    } else {
      writer.Fill(dst + dst_at, 0, launch.dst_dims[launch.inner]);
    }
  }
}

template <class T>
void RunRows(const KernelArgs& args, const PadLaunch& launch, int64_t begin, int64_t end) {
  const void* value = launch.has_value != 0 ? args.src[2] : nullptr;
  WriteRows(launch, static_cast<const T*>(args.src[0]), static_cast<const T*>(value), static_cast<T*>(args.dst[0]),
            begin, end);
}

void RunPad(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<PadLaunch>();
  const int64_t first = begin * launch.rows_per_unit, last = std::min(end * launch.rows_per_unit, launch.rows);
  switch (launch.element) {
    case 1:
      return RunRows<uint8_t>(args, launch, first, last);
    case 2:
      return RunRows<uint16_t>(args, launch, first, last);
    case 4:
      return RunRows<uint32_t>(args, launch, first, last);
    default:
      return RunRows<uint64_t>(args, launch, first, last);
  }
}

}  // namespace

std::span<const KernelRow> PadRows() {
  static constexpr KernelRow kRows[] = {{"Pad", "pad", &ChoosePad, &RunPad},
                                        {"CenterCropPad", "pad", &ChooseCenterCropPad, &RunPad}};
  return kRows;
}

}  // namespace moka::cpu
