// DeformConv: the samples of a panel of results are gathered in packed form, a row for each channel and point of the
// kernel, and multiplied with the rows of the weight.
#include "ops/deform_conv.h"

#include <algorithm>
#include <limits>

#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/sample.h"
#include "cpu/vector.h"
#include "ops/grid_sample.h"

namespace moka::cpu {
namespace {

constexpr int64_t kTaps = 4;  // pixels of a sample
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct DeformLaunch {
  DeformConvParams p;
  int64_t channels, outputs;              // of a group
  int64_t points, columns, k_len;         // columns: results of a plane
  int64_t panels, width;                  // width: of the widest panel
  int64_t places, weights, rows, floats;  // scratch of a worker, after the packed panel
  int32_t has_bias, has_mask;
};

Status CheckDeform(const OpCall& call) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  const TensorDesc &x = call.src[kDeformX], &w = call.src[kDeformWeight], &y = call.dst[0];
  if (x.Extent() > std::numeric_limits<int32_t>::max()) return Unsupported("src 0: ", x.Extent(), " elements");
  if (x.NumElements() == 0) return Unsupported("src 0 is empty");
  int64_t step = 1;
  for (size_t d = 4; d-- > 1;) {
    if (w.dims[d] != 1 && w.strides[d] != step) return Unsupported("the rows of src 1 are not contiguous");
    step *= w.dims[d];
  }
  if ((y.dims[3] != 1 && y.strides[3] != 1) || (y.dims[2] != 1 && y.strides[2] != y.dims[3])) {
    return Unsupported("the planes of dst are not contiguous");
  }
  return Status();
}

Status ChooseDeform(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(CheckDeform(call));
  const TensorDesc &w = call.src[kDeformWeight], &y = call.dst[0];
  const TileTable& table = *kernel.simd->tile;
  DeformLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.p, DeformConvParams::From(*call.attrs, w.dims.data() + 2));
  launch.channels = w.dims[1];
  launch.outputs = w.dims[0] / launch.p.group;
  launch.has_bias = call.has_src(kDeformBias) ? 1 : 0;
  launch.has_mask = call.has_src(kDeformMask) ? 1 : 0;
  launch.points = launch.p.Points();
  launch.columns = y.dims[2] * y.dims[3];
  launch.k_len = launch.channels * launch.points;
  launch.panels = NumPanels(table.widths, launch.columns);
  launch.width = table.widths.widest;
  launch.places = launch.k_len * launch.width;
  launch.weights = launch.places + launch.points * kTaps * launch.width;
  launch.rows = launch.weights + launch.points * kTaps * launch.width;
  launch.floats = launch.rows + 2 * launch.outputs * static_cast<int64_t>(sizeof(void*) / sizeof(float));
  choice->units = y.dims[0] * launch.p.group * launch.panels;
  choice->scratch_per_worker = static_cast<uint64_t>(launch.floats) * sizeof(float);
  choice->cost_us =
      static_cast<double>(y.NumElements()) * static_cast<double>(2 * launch.k_len) / kFlopsPerMicrosecond +
      static_cast<double>(y.dims[0] * call.src[kDeformX].dims[1] * launch.columns * launch.points) /
          kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// One panel of results of one group.
class DeformPanel {
 public:
  DeformPanel(const KernelArgs& args, const DeformLaunch& launch, int64_t unit, float* scratch)
      : args_(args),
        launch_(launch),
        scratch_(scratch),
        panel_(PanelAt(args.simd->tile->widths, launch.columns, unit % launch.panels)),
        width_(panel_.width),
        group_(unit / launch.panels % launch.p.group),
        n_(unit / launch.panels / launch.p.group) {}

  void Run() {
    const TensorDesc& x = args_.src_desc[kDeformX];
    const int64_t per_offset = x.dims[1] / launch_.p.offset_group, first = group_ * launch_.channels;
    int64_t placed = -1;
    for (int64_t c = 0; c < launch_.channels; ++c) {
      const int64_t offset_group = (first + c) / per_offset;
      if (offset_group != placed) Place(offset_group);
      placed = offset_group;
      const float* plane = args_.Src(kDeformX) + n_ * x.strides[0] + (first + c) * x.strides[1];
      for (int64_t k = 0; k < launch_.points; ++k) {
        float* row = scratch_ + (c * launch_.points + k) * width_;
        args_.simd->sample->gather(plane, {places(k), weights(k), kTaps, width_}, row, panel_.cols);
        std::fill(row + panel_.cols, row + width_, 0.0f);
      }
    }
    Multiply();
  }

 private:
  int32_t* places(int64_t point) const {
    return reinterpret_cast<int32_t*>(scratch_ + launch_.places) + point * kTaps * width_;
  }
  float* weights(int64_t point) const { return scratch_ + launch_.weights + point * kTaps * width_; }

  // The pixels and weights of all samples, which the channels of an offset group share.
  void Place(int64_t offset_group) {
    const TensorDesc &x = args_.src_desc[kDeformX], &offset = args_.src_desc[kDeformOffset];
    const int64_t out_width = args_.dst_desc[0].dims[3];
    const SampleParams bilinear;
    for (int64_t k = 0; k < launch_.points; ++k) {
      const int64_t ky = k / launch_.p.kernel[1], kx = k % launch_.p.kernel[1],
                    point = offset_group * launch_.points + k;
      for (int64_t i = 0; i < panel_.cols; ++i) {
        const int64_t oy = (panel_.col + i) / out_width, ox = (panel_.col + i) % out_width;
        const auto at = [&](int source, const TensorDesc& desc, int64_t channel) {
          return args_.Src(
              source)[n_ * desc.strides[0] + channel * desc.strides[1] + oy * desc.strides[2] + ox * desc.strides[3]];
        };
        const int64_t top = oy * launch_.p.strides[0] - launch_.p.pads_begin[0] + ky * launch_.p.dilations[0];
        const int64_t left = ox * launch_.p.strides[1] - launch_.p.pads_begin[1] + kx * launch_.p.dilations[1];
        int64_t rows[2], cols[2];
        double row_weights[2], col_weights[2];
        bilinear.TapsAt(static_cast<double>(top) + static_cast<double>(at(kDeformOffset, offset, 2 * point)), x.dims[2],
                        rows, row_weights);
        bilinear.TapsAt(static_cast<double>(left) + static_cast<double>(at(kDeformOffset, offset, 2 * point + 1)),
                        x.dims[3], cols, col_weights);
        const double mask =
            launch_.has_mask != 0 ? static_cast<double>(at(kDeformMask, args_.src_desc[kDeformMask], point)) : 1.0;
        for (int64_t t = 0; t < kTaps; ++t) {
          places(k)[t * width_ + i] = static_cast<int32_t>(rows[t / 2] * x.strides[2] + cols[t % 2] * x.strides[3]);
          weights(k)[t * width_ + i] = static_cast<float>(row_weights[t / 2] * col_weights[t % 2] * mask);
        }
      }
    }
  }

  void Multiply() {
    const TensorDesc &w = args_.src_desc[kDeformWeight], &y = args_.dst_desc[0];
    auto** rows = reinterpret_cast<const float**>(scratch_ + launch_.rows);
    auto** dst = reinterpret_cast<float**>(scratch_ + launch_.rows) + launch_.outputs;
    for (int64_t m = 0; m < launch_.outputs; ++m) {
      const int64_t output = group_ * launch_.outputs + m;
      rows[m] = args_.Src(kDeformWeight) + output * w.strides[0];
      dst[m] = args_.Dst() + n_ * y.strides[0] + output * y.strides[1];
    }
    static constexpr int64_t kOneSegment = 0;
    const Block block = {args_.simd->tile, launch_.outputs, rows,       dst,      nullptr, &kOneSegment, 1,
                         launch_.k_len,    nullptr,         -kInfinity, kInfinity};
    RunPanel(block, panel_, scratch_, 0);
    if (launch_.has_bias == 0) return;
    for (int64_t m = 0; m < launch_.outputs; ++m) {
      const float bias =
          args_.Src(kDeformBias)[(group_ * launch_.outputs + m) * args_.src_desc[kDeformBias].strides[0]];
      float* results = dst[m] + panel_.col;
      args_.simd->vector->normalize_run(results, 0, 1, bias, results, panel_.cols);
    }
  }

  const KernelArgs& args_;
  const DeformLaunch& launch_;
  float* scratch_;
  const Panel panel_;
  const int64_t width_, group_, n_;
};

void RunDeform(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<DeformLaunch>();
  for (int64_t unit = begin; unit < end; ++unit) DeformPanel(args, launch, unit, args.WorkerScratch(worker)).Run();
}

}  // namespace

std::span<const KernelRow> DeformConvRows() {
  static constexpr KernelRow kRows[] = {{"DeformConv", "deform_conv", &ChooseDeform, &RunDeform}};
  return kRows;
}

}  // namespace moka::cpu
