// Resize: along the innermost resized dimension (`w`) first, into rows that are kept while results need them, then
// across those of the two dimensions around it. Rows hold elements, or whole pixels where a dimension that keeps its
// size is innermost in memory.
#include "ops/resize.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/sample.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 32768;
enum : size_t { kSrc, kDst };
enum : size_t { kD, kH, kW };

struct ResizeLaunch {
  ResizeParams params;
  int64_t dim[3];  // of the tensor, or -1
  int64_t taps[3], input[3], output[3], src_step[3], dst_step[3];
  int64_t channels;  // of a pixel; 0: elements
  Nest<2> outer;
  int64_t tasks, tasks_per_unit;  // a task is one row of results

  int64_t Lines() const { return taps[kD] * taps[kH]; }  // source rows that a result row may need
  int64_t RowFloats() const { return output[kW] * std::max<int64_t>(channels, 1); }
};

// Of a worker, in floats. Positions and weights of the rows come as int64_t and double.
struct Scratch {
  int64_t places, weights, rows, tags, blend, blend_rows, positions, tap_weights, row_stride, floats;

  explicit Scratch(const ResizeLaunch& launch) {
    constexpr int64_t kWide = 2;  // floats of a pointer, an int64_t, a double
    const int64_t table = RoundUp(launch.taps[kW] * launch.output[kW], 16), lines = launch.Lines();
    const int64_t most = std::max({launch.taps[kD], launch.taps[kH], launch.taps[kW]});
    int64_t at = 0;
    const auto take = [&at](int64_t count) {
      const int64_t begin = at;
      at += RoundUp(count, 16);
      return begin;
    };
    places = take(table);
    weights = take(table);
    row_stride = RoundUp(launch.RowFloats(), 16);
    rows = take(lines * row_stride);
    tags = take(lines * kWide);
    blend = take(lines);
    blend_rows = take(lines * kWide);
    positions = take((2 * most + lines) * kWide);
    tap_weights = take(2 * most * kWide);
    floats = at;
  }
};

// Which dimensions are resized: the last one becomes w, those before it h and d.
Status PickDimensions(const OpCall& call, ResizeLaunch* launch) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  std::fill_n(launch->dim, 3, int64_t{-1});
  size_t next = 3;
  for (int d = x.rank - 1; d >= 0; --d) {
    if (launch->params.axes[static_cast<size_t>(d)].identity) continue;
    if (next == 0) return Unsupported("more than three dimensions are resized");
    launch->dim[--next] = d;
  }
  if (next == 3) launch->dim[kW] = x.rank - 1;
  for (size_t i = 0; i < 3; ++i) {
    const int64_t d = launch->dim[i];
    const size_t k = static_cast<size_t>(d);
    launch->taps[i] = d < 0 ? 1 : launch->params.Taps(static_cast<int>(d));
    launch->input[i] = d < 0 ? 1 : x.dims[k];
    launch->output[i] = d < 0 ? 1 : y.dims[k];
    launch->src_step[i] = d < 0 ? 0 : x.strides[k];
    launch->dst_step[i] = d < 0 ? 0 : y.strides[k];
  }
  return Status();
}

// Rows of elements where w is innermost in memory; else pixels of the dimension that is, which is not resized; else
// pixels of one element.
void PickForm(const OpCall& call, ResizeLaunch* launch) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const auto is_picked = [&](int d) { return std::find(launch->dim, launch->dim + 3, d) != launch->dim + 3; };
  const bool rows =
      (launch->input[kW] == 1 || launch->src_step[kW] == 1) && (launch->output[kW] == 1 || launch->dst_step[kW] == 1);
  int pixels = -1;
  for (int d = 0; d < x.rank; ++d) {
    const size_t k = static_cast<size_t>(d);
    if (!is_picked(d) && x.dims[k] > 1 && x.strides[k] == 1 && y.strides[k] == 1) pixels = d;
  }
  launch->channels = pixels >= 0 ? x.dims[static_cast<size_t>(pixels)] : rows ? 0 : 1;
  for (int d = 0; d < x.rank; ++d) {
    const size_t k = static_cast<size_t>(d);
    if (!is_picked(d) && d != pixels) launch->outer.Add(x.dims[k], {x.strides[k], y.strides[k]});
  }
}

Status ChooseResize(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (x.type != DataType::kF32) return Unsupported("src 0: ", NameOf(x.type), ", not f32");
  if (x.rank == 0) return Unsupported("src 0: a scalar");
  ResizeLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, ResizeParams::From(call));
  MOKA_RETURN_IF_ERROR(PickDimensions(call, &launch));
  PickForm(call, &launch);
  if (launch.input[kW] * std::max<int64_t>(launch.src_step[kW], 1) > std::numeric_limits<int32_t>::max()) {
    return Unsupported("src 0: a row of ", launch.input[kW], " is too long");
  }
  launch.tasks = launch.outer.Count() * launch.output[kD] * launch.output[kH];
  const int64_t work = launch.RowFloats() * (launch.taps[kW] + launch.Lines());
  launch.tasks_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(work, 1), 1);
  choice->units = CeilDiv(launch.tasks, launch.tasks_per_unit);
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch).floats) * sizeof(float);
  choice->cost_us =
      4.0 * static_cast<double>(x.NumElements() + y.NumElements() * (1 + launch.taps[kW])) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// The work of one call: tables along w, and the rows that were resized along w already.
class Resizer {
 public:
  Resizer(const KernelArgs& args, const ResizeLaunch& launch, float* scratch)
      : launch_(launch),
        table_(*args.simd->sample),
        layout_(launch),
        scratch_(scratch),
        tags_(reinterpret_cast<int64_t*>(scratch + layout_.tags)),
        blend_weights_(scratch + layout_.blend),
        blend_rows_(reinterpret_cast<const float**>(scratch + layout_.blend_rows)),
        positions_(reinterpret_cast<int64_t*>(scratch + layout_.positions)),
        weights_(reinterpret_cast<double*>(scratch + layout_.tap_weights)),
        most_(std::max({launch.taps[kD], launch.taps[kH], launch.taps[kW]})) {
    MakeTable();
  }

  void StartImage(const float* src, float* dst) {
    src_ = src;
    dst_ = dst;
    std::fill_n(tags_, launch_.Lines(), int64_t{-1});
    last_line_ = -1;
  }

  void Row(int64_t d, int64_t h) {
    const int64_t count = PlanRow(d, h);
    float* dst = dst_ + d * launch_.dst_step[kD] + h * launch_.dst_step[kH];
    if (count == 0) {
      Extrapolate(dst, 0, launch_.output[kW]);
      last_line_ = -1;
      return;
    }
    if (count == 1 && blend_weights_[0] == 1) {
      CopyOrResize(lines_of_[0], dst);
    } else {
      Blend(count, dst);
      last_line_ = -1;
    }
    Extrapolate(dst, 0, inside_begin_);
    Extrapolate(dst, inside_end_, launch_.output[kW]);
  }

 private:
  void MakeTable() {
    const int64_t taps = launch_.taps[kW], count = launch_.output[kW];
    auto* places = reinterpret_cast<int32_t*>(scratch_ + layout_.places);
    float* weights = scratch_ + layout_.weights;
    inside_begin_ = count;
    inside_end_ = count;
    for (int64_t i = 0; i < count; ++i) {
      std::fill_n(positions_, taps, int64_t{0});
      std::fill_n(weights_, taps, 0.0);
      if (!launch_.params.TapsOf(static_cast<int>(launch_.dim[kW]), i, positions_, weights_)) {
        positions_[0] = 0;
        weights_[0] = 0;
      } else {
        inside_begin_ = std::min(inside_begin_, i);
        inside_end_ = i + 1;
      }
      for (int64_t t = 0; t < taps; ++t) {
        places[t * count + i] = static_cast<int32_t>(positions_[t] * launch_.src_step[kW]);
        weights[t * count + i] = static_cast<float>(weights_[t]);
      }
    }
    taps_ = {places, weights, taps, count};
  }

  // What lies outside of the region that is cropped.
  void Extrapolate(float* dst, int64_t begin, int64_t end) const {
    const auto value = static_cast<float>(launch_.params.extrapolation);
    for (int64_t i = begin; i < end; ++i) {
      if (launch_.channels == 0) {
        dst[i] = value;
      } else {
        std::fill_n(dst + i * launch_.dst_step[kW], launch_.channels, value);
      }
    }
  }

  // Fills blend_weights_ and lines_of_ with the source rows of a result row; returns their number, 0 outside.
  int64_t PlanRow(int64_t d, int64_t h) {
    int64_t *at_d = positions_, *at_h = positions_ + most_;
    double *weight_d = weights_, *weight_h = weights_ + most_;
    at_d[0] = at_h[0] = 0;
    weight_d[0] = weight_h[0] = 1;
    const auto inside = [&](size_t i, int64_t at, int64_t* positions, double* weights) {
      return launch_.dim[i] < 0 || launch_.params.TapsOf(static_cast<int>(launch_.dim[i]), at, positions, weights);
    };
    if (!inside(kD, d, at_d, weight_d) || !inside(kH, h, at_h, weight_h)) return 0;
    lines_of_ = positions_ + 2 * most_;
    int64_t count = 0;
    for (int64_t i = 0; i < launch_.taps[kD]; ++i) {
      for (int64_t j = 0; j < launch_.taps[kH]; ++j) {
        const auto weight = static_cast<float>(weight_d[i] * weight_h[j]);
        if (weight == 0) continue;
        const int64_t line = at_d[i] * launch_.input[kH] + at_h[j];
        // Edges that repeat come one after the other.
        if (count > 0 && lines_of_[count - 1] == line) {
          blend_weights_[count - 1] += weight;
        } else {
          lines_of_[count] = line;
          blend_weights_[count++] = weight;
        }
      }
    }
    if (count > 0) return count;
    lines_of_[0] = at_d[0] * launch_.input[kH] + at_h[0];
    blend_weights_[0] = 0;
    return 1;
  }

  void ResizeLine(int64_t line, float* dst, int64_t dst_step) const {
    const float* src =
        src_ + line / launch_.input[kH] * launch_.src_step[kD] + line % launch_.input[kH] * launch_.src_step[kH];
    if (launch_.channels == 0) {
      table_.gather(src, taps_, dst, launch_.output[kW]);
    } else {
      table_.blend_pixels(src, taps_, dst, dst_step, launch_.output[kW], launch_.channels);
    }
  }

  bool Contiguous() const { return launch_.channels == 0 || launch_.dst_step[kW] == launch_.channels; }

  // One source row is the result: it was so for the row before, or is resized in place.
  void CopyOrResize(int64_t line, float* dst) {
    if (line == last_line_ && Contiguous()) {
      std::memcpy(dst, last_row_, static_cast<size_t>(launch_.RowFloats()) * sizeof(float));
    } else {
      ResizeLine(line, dst, launch_.dst_step[kW]);
    }
    last_line_ = line;
    last_row_ = dst;
  }

  // The source rows of one result row are neighbours, so their places among the kept rows differ.
  const float* Line(int64_t line) {
    const int64_t slot =
        line / launch_.input[kH] % launch_.taps[kD] * launch_.taps[kH] + line % launch_.input[kH] % launch_.taps[kH];
    float* row = scratch_ + layout_.rows + slot * layout_.row_stride;
    if (tags_[slot] != line) ResizeLine(line, row, launch_.channels);
    tags_[slot] = line;
    return row;
  }

  void Blend(int64_t count, float* dst) {
    for (int64_t k = 0; k < count; ++k) blend_rows_[k] = Line(lines_of_[k]);
    if (Contiguous()) return table_.blend_rows(blend_rows_, blend_weights_, count, dst, launch_.RowFloats());
    for (int64_t i = 0; i < launch_.output[kW]; ++i, dst += launch_.dst_step[kW]) {
      table_.blend_rows(blend_rows_, blend_weights_, count, dst, launch_.channels);
      for (int64_t k = 0; k < count; ++k) blend_rows_[k] += launch_.channels;
    }
  }

  const ResizeLaunch& launch_;
  const SampleTable& table_;
  const Scratch layout_;
  float* scratch_;
  int64_t* tags_;
  float* blend_weights_;
  const float** blend_rows_;
  int64_t* positions_;
  double* weights_;
  int64_t most_;
  TapTable taps_{};
  int64_t* lines_of_ = nullptr;
  const float* src_ = nullptr;
  float* dst_ = nullptr;
  int64_t last_line_ = -1;
  int64_t inside_begin_ = 0, inside_end_ = 0;  // along w: others are extrapolated
  const float* last_row_ = nullptr;
};

void RunResize(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ResizeLaunch>();
  Resizer resizer(args, launch, args.WorkerScratch(worker));
  const int64_t rows = launch.output[kD] * launch.output[kH];
  const int64_t last = std::min(end * launch.tasks_per_unit, launch.tasks);
  int64_t task = begin * launch.tasks_per_unit;
  Walk<2> outer(launch.outer, task / rows);
  resizer.StartImage(args.Src(0) + outer[kSrc], args.Dst() + outer[kDst]);
  for (int64_t row = task % rows; task < last; ++task, ++row) {
    if (row == rows) {
      row = 0;
      outer.Next();
      resizer.StartImage(args.Src(0) + outer[kSrc], args.Dst() + outer[kDst]);
    }
    resizer.Row(row / launch.output[kH], row % launch.output[kH]);
  }
}

}  // namespace

std::span<const KernelRow> ResizeRows() {
  static constexpr KernelRow kRows[] = {{"Resize", "resize", &ChooseResize, &RunResize}};
  return kRows;
}

}  // namespace moka::cpu
