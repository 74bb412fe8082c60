// MaxPool of bytes, and with Indices: what the kernels of cpu/pool.cc leave.
#include <algorithm>
#include <limits>

#include "cpu/pool_window.h"
#include "cpu/sample.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitLoads = 32768;

// A task is one row of results of one channel, or, where channels are contiguous, of all.
struct PoolAnyLaunch : PoolWindow {
  int32_t pixels, indices, column_major;
  DataType type;
  int64_t index_batch, index_channel, index_step[3];
};

template <class T>
constexpr T Smallest() {
  return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
}

Status ChoosePoolAny(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (x.type != DataType::kF32 && x.type != DataType::kU8 && x.type != DataType::kI8) {
    return Unsupported("src 0: ", NameOf(x.type), ", not f32, u8 or i8");
  }
  MOKA_ASSIGN_OR_RETURN(const PoolParams params, PoolParams::From(call));
  PoolAnyLaunch launch{};
  launch.Fill(call, params);
  launch.type = x.type;
  launch.column_major = params.column_major ? 1 : 0;
  launch.pixels = launch.channels > 1 && launch.src_channel == 1 && launch.dst_channel == 1 ? 1 : 0;
  launch.indices = call.dst.size() > 1 && call.dst[1].present() ? 1 : 0;
  if (launch.indices != 0) {
    const TensorDesc& desc = call.dst[1];
    launch.index_batch = desc.strides[0];
    launch.index_channel = desc.strides[1];
    for (int d = 2; d < y.rank; ++d) {
      launch.index_step[3 - (y.rank - d)] = desc.strides[static_cast<size_t>(d)];
    }
  }
  launch.tasks = launch.batch * launch.output[0] * launch.output[1] * (launch.pixels != 0 ? 1 : launch.channels);
  const int64_t loads = launch.kernel[0] * launch.kernel[1] * launch.kernel[2] * launch.output[2] *
                        (launch.pixels != 0 ? launch.channels : 1);
  launch.tasks_per_unit = std::max<int64_t>(kUnitLoads / std::max<int64_t>(loads, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->cost_us = static_cast<double>(2 * loads * launch.tasks) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// The taps of one result: calls f(element offset, number in its plane) for each.
template <class F>
void ForEachTap(const PoolAnyLaunch& launch, const Reach& r0, const Reach& r1, const Reach& r2, F&& f) {
  for (int64_t k0 = 0; k0 < r0.count; ++k0) {
    const int64_t i0 = r0.first + k0 * launch.dilation[0];
    for (int64_t k1 = 0; k1 < r1.count; ++k1) {
      const int64_t i1 = r1.first + k1 * launch.dilation[1];
      for (int64_t k2 = 0; k2 < r2.count; ++k2) {
        const int64_t i2 = r2.first + k2 * launch.dilation[2];
        const int64_t number = launch.column_major != 0 ? (i2 * launch.input[1] + i1) * launch.input[0] + i0
                                                        : (i0 * launch.input[1] + i1) * launch.input[2] + i2;
        f(i0 * launch.src_step[0] + i1 * launch.src_step[1] + i2 * launch.src_step[2], number);
      }
    }
  }
}

// The first of the largest; NaN is larger than all.
template <class T>
bool Replaces(T value, T best) {
  return value > best || (value != value && best == best);
}

void FoldBytes(const SampleTable& table, const uint8_t* src, uint8_t* dst, int64_t n) { table.max_u8(src, dst, n); }
void FoldBytes(const SampleTable& table, const int8_t* src, int8_t* dst, int64_t n) { table.max_i8(src, dst, n); }

template <class T>
struct PoolRow {
  const PoolAnyLaunch& launch;
  const SampleTable& table;
  const T* src;  // of the image and channel
  T* dst;        // of the row
  int64_t* index;
  int64_t index_base;  // of the first channel's plane

  void Elements(const Reach& r0, const Reach& r1) const {
    for (int64_t o = 0; o < launch.output[2]; ++o) {
      T best = Smallest<T>();
      int64_t place = 0;
      bool first = true;
      ForEachTap(launch, r0, r1, launch.ReachOf(2, o), [&](int64_t at, int64_t number) {
        if (!first && !Replaces(src[at], best)) return;
        first = false;
        best = src[at];
        place = number;
      });
      dst[o * launch.dst_step[2]] = best;
      if (index != nullptr) index[o * launch.index_step[2]] = index_base + place;
    }
  }

  void Pixels(const Reach& r0, const Reach& r1) const {
    const int64_t plane = launch.input[0] * launch.input[1] * launch.input[2];
    for (int64_t o = 0; o < launch.output[2]; ++o) {
      T* best = dst + o * launch.dst_step[2];
      int64_t* place = index == nullptr ? nullptr : index + o * launch.index_step[2];
      std::fill_n(best, launch.channels, Smallest<T>());
      bool first = true;
      for (int64_t c = 0; place != nullptr && c < launch.channels; ++c) {
        place[c * launch.index_channel] = index_base + c * plane;
      }
      ForEachTap(launch, r0, r1, launch.ReachOf(2, o), [&](int64_t at, int64_t number) {
        Fold(src + at, best, place, number, plane, first);
        first = false;
      });
    }
  }

 private:
  void Fold(const T* from, T* best, int64_t* place, int64_t number, int64_t plane, bool first) const {
    if constexpr (sizeof(T) == 1) {
      if (place == nullptr) return FoldBytes(table, from, best, launch.channels);
    }
    for (int64_t c = 0; c < launch.channels; ++c) {
      if (!first && !Replaces(from[c], best[c])) continue;
      best[c] = from[c];
      if (place != nullptr) place[c * launch.index_channel] = index_base + c * plane + number;
    }
  }
};

template <class T>
void RunRows(const KernelArgs& args, const PoolAnyLaunch& launch, int64_t begin, int64_t end) {
  const int64_t plane = launch.input[0] * launch.input[1] * launch.input[2];
  for (int64_t task = begin; task < end; ++task) {
    int64_t rest = task;
    const int64_t o1 = rest % launch.output[1];
    rest /= launch.output[1];
    const int64_t o0 = rest % launch.output[0];
    rest /= launch.output[0];
    const int64_t c = launch.pixels != 0 ? 0 : rest % launch.channels;
    const int64_t n = launch.pixels != 0 ? rest : rest / launch.channels;
    const T* src = static_cast<const T*>(args.src[0]) + n * launch.src_batch + c * launch.src_channel;
    T* dst = static_cast<T*>(args.dst[0]) + n * launch.dst_batch + c * launch.dst_channel + o0 * launch.dst_step[0] +
             o1 * launch.dst_step[1];
    int64_t* index = nullptr;
    if (launch.indices != 0) {
      index = static_cast<int64_t*>(args.dst[1]) + n * launch.index_batch + c * launch.index_channel +
              o0 * launch.index_step[0] + o1 * launch.index_step[1];
    }
    const PoolRow<T> row = {launch, *args.simd->sample, src, dst, index, (n * launch.channels + c) * plane};
    const Reach r0 = launch.ReachOf(0, o0), r1 = launch.ReachOf(1, o1);
    launch.pixels != 0 ? row.Pixels(r0, r1) : row.Elements(r0, r1);
  }
}

void RunPoolAny(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<PoolAnyLaunch>();
  const int64_t first = begin * launch.tasks_per_unit, last = std::min(end * launch.tasks_per_unit, launch.tasks);
  switch (launch.type) {
    case DataType::kU8:
      return RunRows<uint8_t>(args, launch, first, last);
    case DataType::kI8:
      return RunRows<int8_t>(args, launch, first, last);
    default:
      return RunRows<float>(args, launch, first, last);
  }
}

}  // namespace

std::span<const KernelRow> PoolAnyRows() {
  static constexpr KernelRow kRows[] = {{"MaxPool", "pool_any", &ChoosePoolAny, &RunPoolAny}};
  return kRows;
}

}  // namespace moka::cpu
