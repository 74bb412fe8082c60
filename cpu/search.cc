// ArgMax, ArgMin and Hardmax of rows and of columns, and TopK.
#include <algorithm>
#include <cstring>
#include <limits>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
#include "ops/arg_max.h"
#include "ops/hardmax.h"
#include "ops/top_k.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 32768;
constexpr int64_t kMostColumns = 256;  // of a task
enum : size_t { kSrc, kDst, kIndices };

struct ArgLaunch {
  Fold fold;
  int32_t last;
  Nest<2> outer;
  int64_t n, step, cols, dst_step, parts;  // cols 0: rows
  int64_t tasks, tasks_per_unit;
};

// Rows or columns along `axis`; dst_strides: of the results.
Status SetArg(const TensorDesc& x, size_t axis, const int64_t* dst_strides, ArgLaunch* filled, Choice* choice) {
  if (x.type != DataType::kF32) return Unsupported("src 0: ", NameOf(x.type), ", not f32");
  ArgLaunch& launch = *filled;
  launch.n = x.dims[axis];
  launch.step = x.strides[axis];
  launch.parts = 1;
  if (launch.n < 1 || launch.n > std::numeric_limits<int32_t>::max()) return Unsupported(launch.n, " elements");
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    if (d != axis) launch.outer.Add(x.dims[d], {x.strides[d], dst_strides[d]});
  }
  launch.outer.SortBy(kSrc);
  launch.outer.Merge();
  if (launch.step != 1 || launch.n == 1) {
    launch.cols = launch.dst_step = 1;
    const int64_t inner = launch.outer.rank - 1;
    if (inner >= 0 && launch.outer.strides[inner][kSrc] == 1) {
      launch.cols = launch.outer.dims[inner];
      launch.dst_step = launch.outer.strides[inner][kDst];
      launch.outer.Remove(inner);
    }
    launch.parts = CeilDiv(launch.cols, kMostColumns);
  }
  launch.tasks = launch.outer.Count() * launch.parts;
  const int64_t task = launch.n * std::max<int64_t>(std::min(launch.cols, kMostColumns), 1);
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / task, 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->cost_us = static_cast<double>(8 * x.NumElements()) / kBytesPerMicrosecond;
  return Status();
}

Status ChooseArg(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_ASSIGN_OR_RETURN(const ArgParams params, ArgParams::From(call));
  ArgLaunch launch{};
  launch.fold = params.largest ? Fold::kMax : Fold::kMin;
  launch.last = params.select_last ? 1 : 0;
  MOKA_RETURN_IF_ERROR(
      SetArg(call.src[0], static_cast<size_t>(params.axis), params.dst_strides.data(), &launch, choice));
  choice->launch = Blob::Of(launch);
  return Status();
}

// Calls f(src, dst offset, positions, columns) for the rows (one column) or columns of some units.
template <class F>
void ForEachArg(const KernelArgs& args, int64_t begin, int64_t end, F&& f) {
  const auto& launch = args.Launch<ArgLaunch>();
  const VectorTable& vector = *args.simd->vector;
  const auto fold = static_cast<size_t>(launch.fold);
  const Taps taps = {{1, 1, launch.n}, {0, 0, launch.step}};
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  Walk<2> outer(launch.outer, task / launch.parts);
  for (int64_t part = task % launch.parts; task < last; ++task, ++part) {
    if (part == launch.parts) {
      part = 0;
      outer.Next();
    }
    const int64_t col = part * kMostColumns;
    const float* src = args.Src(0) + outer[kSrc] + col;
    const int64_t dst = outer[kDst] + col * launch.dst_step;
    if (launch.cols == 0) {
      const float best = vector.fold_run[fold](src, launch.n);
      // The first NaN counts, whatever is asked for.
      const auto position =
          static_cast<int32_t>(args.simd->row->find(src, launch.n, best, launch.last != 0 && best == best));
      f(src, dst, &position, 1);
      continue;
    }
    const int64_t cols = std::min(kMostColumns, launch.cols - col);
    float best[kMostColumns];
    int32_t positions[kMostColumns];
    vector.fold_columns[fold](src, taps, 1.0f, best, cols);
    args.simd->row->find_columns(src, launch.step, launch.n, best, launch.last != 0, positions, cols);
    for (int64_t j = 0; j < cols; ++j) {
      for (int32_t i = 0; launch.last != 0 && best[j] != best[j] && i < positions[j]; ++i) {
        if (src[i * launch.step + j] != src[i * launch.step + j]) positions[j] = i;
      }
    }
    f(src, dst, positions, cols);
  }
}

void RunArg(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<ArgLaunch>();
  auto* const dst = static_cast<int64_t*>(args.dst[0]);
  ForEachArg(args, begin, end, [&](const float*, int64_t to, const int32_t* positions, int64_t cols) {
    for (int64_t j = 0; j < cols; ++j) dst[to + j * launch.dst_step] = positions[j];
  });
}

// ---- Hardmax ------------------------------------------------------------------------------------------------------

struct HardmaxLaunch {
  ArgLaunch arg;
  int64_t axis_step;  // of the result
};

Status ChooseHardmax(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const int axis, HardmaxAxis(*call.attrs, x.rank));
  HardmaxLaunch launch{};
  launch.arg.fold = Fold::kMax;
  launch.axis_step = y.strides[static_cast<size_t>(axis)];
  MOKA_RETURN_IF_ERROR(SetArg(x, static_cast<size_t>(axis), y.strides.data(), &launch.arg, choice));
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunHardmax(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<HardmaxLaunch>();
  const ArgLaunch& arg = launch.arg;
  ForEachArg(args, begin, end, [&](const float*, int64_t to, const int32_t* positions, int64_t cols) {
    float* dst = args.Dst() + to;
    for (int64_t i = 0; i < arg.n; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        dst[i * launch.axis_step + j * arg.dst_step] = positions[j] == i ? 1.0f : 0.0f;
      }
    }
  });
}

// ---- TopK ---------------------------------------------------------------------------------------------------------

struct Candidate {
  float value;
  int32_t position;
};

struct TopKLaunch {
  int32_t largest, values, indices;  // the latter two: which results there are
  Nest<3> rows;
  int64_t n, k, src_step, values_step, indices_step, capacity;
  int64_t tasks, tasks_per_unit;
};

Status ChooseTopK(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc& x = call.src[0];
  if (x.type != DataType::kF32) return Unsupported("src 0: ", NameOf(x.type), ", not f32");
  MOKA_ASSIGN_OR_RETURN(const TopKParams params, TopKParams::From(call));
  if (params.n > std::numeric_limits<int32_t>::max() / 4) return Unsupported(params.n, " elements");
  const auto axis = static_cast<size_t>(params.axis);
  TensorDesc values, indices;
  if (call.dst[0].present()) values = call.dst[0];
  if (call.dst.size() > 1 && call.dst[1].present()) indices = call.dst[1];
  TopKLaunch launch{};
  launch.largest = params.largest ? 1 : 0;
  launch.values = values.present() ? 1 : 0;
  launch.indices = indices.present() ? 1 : 0;
  launch.n = params.n;
  launch.k = params.k;
  launch.src_step = x.strides[axis];
  launch.values_step = values.strides[axis];
  launch.indices_step = indices.strides[axis];
  // Room for as many again before the best k are picked out of them.
  launch.capacity = std::min(launch.n, 2 * launch.k + 64);
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    if (d != axis) launch.rows.Add(x.dims[d], {x.strides[d], values.strides[d], indices.strides[d]});
  }
  launch.rows.Merge();
  launch.tasks = launch.rows.Count();
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(launch.n, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  const int64_t copy = launch.src_step == 1 ? 0 : launch.n;
  choice->scratch_per_worker =
      static_cast<uint64_t>(copy) * sizeof(float) + static_cast<uint64_t>(launch.capacity) * sizeof(Candidate);
  choice->cost_us = static_cast<double>(12 * x.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// The best k of a row, in order, at the start of `found`. Elements that do not beat the k-th best so far are skipped a
// vector at a time; since positions ascend, an equal one comes later and does not beat it.
void FindBest(const TopKLaunch& launch, const RowTable& table, const float* row, Candidate* found) {
  const bool largest = launch.largest != 0;
  const auto before = [largest](const Candidate& a, const Candidate& b) {
    if (TopKBefore(largest, a.value, b.value)) return true;
    return !TopKBefore(largest, b.value, a.value) && a.position < b.position;
  };
  int64_t count = 0, i = 0;
  bool full = false;
  float limit = 0;
  while (i < launch.n) {
    if (full) {
      i = table.find_beyond(row, i, launch.n, limit, largest);
      if (i == launch.n) break;
    }
    found[count++] = {row[i], static_cast<int32_t>(i)};
    ++i;
    if (count < launch.capacity || i == launch.n) continue;
    std::nth_element(found, found + launch.k - 1, found + count, before);
    count = launch.k;
    limit = found[launch.k - 1].value;
    full = true;
  }
  if (count > launch.k) std::nth_element(found, found + launch.k - 1, found + count, before);
  std::sort(found, found + launch.k, before);
}

void RunTopK(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<TopKLaunch>();
  if (launch.k == 0) return;
  float* copy = args.WorkerScratch(worker);
  auto* found = reinterpret_cast<Candidate*>(copy + (launch.src_step == 1 ? 0 : launch.n));
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  for (Walk<3> at(launch.rows, task); task < last; ++task, at.Next()) {
    const float* row = args.Src(0) + at[kSrc];
    if (launch.src_step != 1) {
      for (int64_t i = 0; i < launch.n; ++i) copy[i] = row[i * launch.src_step];
      row = copy;
    }
    FindBest(launch, *args.simd->row, row, found);
    float* values = launch.values != 0 ? args.Dst() + at[kDst] : nullptr;
    auto* indices = launch.indices != 0 ? static_cast<int64_t*>(args.dst[1]) + at[kIndices] : nullptr;
    for (int64_t i = 0; i < launch.k; ++i) {
      if (values != nullptr) values[i * launch.values_step] = found[i].value;
      if (indices != nullptr) indices[i * launch.indices_step] = found[i].position;
    }
  }
}

}  // namespace

std::span<const KernelRow> SearchRows() {
  static constexpr KernelRow kRows[] = {
      {"ArgMax", "arg_max", &ChooseArg, &RunArg},
      {"ArgMin", "arg_max", &ChooseArg, &RunArg},
      {"Hardmax", "hardmax", &ChooseHardmax, &RunHardmax},
      {"TopK", "top_k", &ChooseTopK, &RunTopK},
  };
  return kRows;
}

}  // namespace moka::cpu
