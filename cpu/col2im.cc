// Col2Im: the rows of blocks of one point after the other are added to the pixels that they cover.
#include "ops/col2im.h"

#include <algorithm>

#include "cpu/kernel.h"
#include "cpu/sample.h"

namespace moka::cpu {
namespace {

struct Col2ImLaunch {
  Col2ImParams p;
  std::array<int64_t, kMaxImageRank> blocks;  // along each dimension
  int64_t points, channels;
};

Status ChooseCol2Im(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(call.src[0].type == DataType::kF32 ? Status() : Unsupported("src 0: not f32"));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const auto last = static_cast<size_t>(y.rank - 1);
  if (x.dims[2] > 1 && x.strides[2] != 1) return Unsupported("src 0 is not contiguous");
  if (y.dims[last] > 1 && y.strides[last] != 1) return Unsupported("dst is not contiguous");
  IntList block_shape;
  MOKA_RETURN_IF_ERROR(ReadInts(call, 2, "block_shape", &block_shape));
  Col2ImLaunch launch{};
  MOKA_RETURN_IF_ERROR(launch.p.Read(*call.attrs, block_shape));
  for (size_t i = 0; i < static_cast<size_t>(launch.p.rank); ++i) {
    launch.blocks[i] = launch.p.Blocks(y.dims[i + 2], i).constant();
  }
  launch.points = launch.p.Points();
  launch.channels = y.dims[1];
  choice->units = y.dims[0] * launch.channels;
  choice->cost_us = static_cast<double>(8 * x.NumElements() + 4 * y.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// Adds `count` elements to pixels `step` apart.
void AddRow(const SampleTable& table, const float* src, float* dst, int64_t step, int64_t count) {
  if (step == 1) {
    static constexpr float kOnes[] = {1, 1};
    const float* rows[] = {dst, src};
    return table.blend_rows(rows, kOnes, 2, dst, count);
  }
  for (int64_t i = 0; i < count; ++i) dst[i * step] += src[i];
}

// All blocks of one point: `src` has an element for each.
void AddPoint(const KernelArgs& args, const Col2ImLaunch& launch, int64_t point, const float* src, float* plane) {
  const TensorDesc& y = args.dst_desc[0];
  const auto rank = static_cast<size_t>(launch.p.rank);
  std::array<int64_t, kMaxImageRank> begin{};
  for (size_t i = rank; i-- > 0;) {
    begin[i] = point % launch.p.block[i] * launch.p.dilations[i] - launch.p.pads_begin[i];
    point /= launch.p.block[i];
  }
  // The blocks of the last dimension whose point lies in the image.
  const size_t last = rank - 1;
  const int64_t stride = launch.p.strides[last], width = y.dims[last + 2];
  const int64_t from = begin[last] >= 0 ? 0 : CeilDiv(-begin[last], stride);
  const int64_t to = std::min(begin[last] >= width ? 0 : CeilDiv(width - begin[last], stride), launch.blocks[last]);
  int64_t rows = 1;
  for (size_t i = 0; i < last; ++i) rows *= launch.blocks[i];
  for (int64_t row = 0; row < rows; ++row, src += launch.blocks[last]) {
    int64_t rest = row, at = 0;
    bool inside = from < to;
    for (size_t i = last; i-- > 0;) {
      const int64_t pixel = begin[i] + rest % launch.blocks[i] * launch.p.strides[i];
      rest /= launch.blocks[i];
      inside = inside && pixel >= 0 && pixel < y.dims[i + 2];
      at += pixel * y.strides[i + 2];
    }
    if (inside) AddRow(*args.simd->sample, src + from, plane + at + begin[last] + from * stride, stride, to - from);
  }
}

void RunCol2Im(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<Col2ImLaunch>();
  const TensorDesc &x = args.src_desc[0], &y = args.dst_desc[0];
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t n = unit / launch.channels, c = unit % launch.channels;
    float* plane = args.Dst() + n * y.strides[0] + c * y.strides[1];
    int64_t lines = 1;
    for (int d = 2; d + 1 < y.rank; ++d) lines *= y.dims[static_cast<size_t>(d)];
    for (int64_t line = 0; line < lines; ++line) {
      int64_t rest = line, at = 0;
      for (size_t d = static_cast<size_t>(y.rank - 1); d-- > 2; rest /= y.dims[d])
        at += rest % y.dims[d] * y.strides[d];
      std::fill_n(plane + at, y.dims[static_cast<size_t>(y.rank - 1)], 0.0f);
    }
    for (int64_t k = 0; k < launch.points; ++k) {
      const float* src = args.Src(0) + n * x.strides[0] + (c * launch.points + k) * x.strides[1];
      AddPoint(args, launch, k, src, plane);
    }
  }
}

}  // namespace

std::span<const KernelRow> Col2ImRows() {
  static constexpr KernelRow kRows[] = {{"Col2Im", "col2im", &ChooseCol2Im, &RunCol2Im}};
  return kRows;
}

}  // namespace moka::cpu
