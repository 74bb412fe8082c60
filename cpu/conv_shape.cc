#include "cpu/conv_shape.h"

#include "cpu/kernel.h"

namespace moka::cpu {
namespace {

constexpr int64_t kSmallWeights = 512 << 10;  // bytes that stay in the L2 cache while lines go by
constexpr int64_t kMaxPixels = 512;           // of one unit
constexpr int64_t kManyPixels = 192;          // enough to read large weights seldom
constexpr int64_t kUnits = 16;                // wanted where there is enough work
constexpr double kInsideShare = 0.8;          // of a kernel's products, above which padding is multiplied as well
constexpr int64_t kLeastInsideChannels = 64;  // a tap of fewer costs more to add than to multiply
constexpr double kSharesOfUnit = 32;          // a worker's share of a unit is worth a launch

Dims3 ToDims3(const std::array<int64_t, kMaxSpatial>& a) { return {a[0], a[1], a[2]}; }

// Whether there is work for each worker, and none of them should be without a block.
bool Shares(const BlockPolicy& policy, int64_t blocks, double flops) {
  return blocks < policy.workers && flops >= policy.unit_flops / kSharesOfUnit * policy.workers;
}

}  // namespace

Dims3 Spatial(const TensorDesc& desc, bool strides) {
  Dims3 result = strides ? Dims3{0, 0, 0} : Dims3{1, 1, 1};
  int64_t* const targets[] = {&result.d, &result.h, &result.w};
  const int rank = desc.rank - 2;
  for (int i = 0; i < rank; ++i) {
    const auto d = static_cast<size_t>(2 + i);
    *targets[3 - rank + i] = strides ? desc.strides[d] : desc.dims[d];
  }
  return result;
}

ConvShape MakeConvShape(const OpCall& call, const ConvParams& params, size_t weights) {
  const TensorDesc &x = call.src[0], &w = call.src[weights], &y = call.dst[0];
  ConvShape shape{};
  const Window window = params.Expanded(kMaxSpatial);
  shape.batch = x.dims[0];
  shape.groups = params.group;
  shape.channels = w.dims[1];
  shape.outputs = w.dims[0] / params.group;
  shape.in = Spatial(x, false);
  shape.out = Spatial(y, false);
  shape.kernel = ToDims3(window.kernel);
  shape.stride = ToDims3(window.strides);
  shape.dilation = ToDims3(window.dilations);
  shape.pad = ToDims3(window.pads_begin);
  shape.src_n = x.strides[0];
  shape.src_c = x.strides[1];
  shape.src = Spatial(x, true);
  // A pixel's inputs can be read from the source: no padding, channels side by side.
  shape.in_place = !params.Padded() && (shape.src_c == 1 || shape.channels == 1) ? 1 : 0;
  return shape;
}

TrimmedTaps TrimKernel(ConvShape* shape) {
  TrimmedTaps trimmed{shape->kernel, {0, 0, 0}};
  bool inside = true;
  for (int64_t Dims3::*i : {&Dims3::d, &Dims3::h, &Dims3::w}) {
    const int64_t stride = shape->stride.*i, dilation = shape->dilation.*i;
    const Range taps = TapsInside(0, shape->out.*i, stride, shape->pad.*i, shape->kernel.*i, dilation, shape->in.*i);
    // Taps stay where the padding would be negative without them.
    trimmed.first.*i = std::min({taps.begin, shape->pad.*i / dilation, shape->kernel.*i - 1});
    shape->kernel.*i = std::max<int64_t>(taps.end - trimmed.first.*i, 1);
    shape->pad.*i -= trimmed.first.*i * dilation;
    const int64_t last = (shape->out.*i - 1) * stride - shape->pad.*i + (shape->kernel.*i - 1) * dilation;
    inside = inside && shape->pad.*i == 0 && last < shape->in.*i;
  }
  if (inside && (shape->src_c == 1 || shape->channels == 1)) shape->in_place = 1;
  return trimmed;
}

Range OutputsInside(int64_t offset, int64_t stride, int64_t in, int64_t out) {
  const int64_t begin = std::min(offset < 0 ? CeilDiv(-offset, stride) : 0, out);
  return {begin, std::clamp<int64_t>(in > offset ? CeilDiv(in - offset, stride) : 0, begin, out)};
}

double InsideShare(const ConvShape& shape) {
  double share = 1;
  for (int64_t Dims3::*i : {&Dims3::d, &Dims3::h, &Dims3::w}) {
    int64_t inside = 0;
    for (int64_t k = 0; k < shape.kernel.*i; ++k) {
      const int64_t offset = k * shape.dilation.*i - shape.pad.*i;
      const Range range = OutputsInside(offset, shape.stride.*i, shape.in.*i, shape.out.*i);
      inside += range.end - range.begin;
    }
    share *= static_cast<double>(inside) / static_cast<double>(shape.kernel.*i * shape.out.*i);
  }
  return share;
}

bool InsidePays(const ConvShape& shape) {
  return shape.src_c == 1 && shape.channels >= kLeastInsideChannels && InsideShare(shape) <= kInsideShare;
}

void ChooseBlocks(const BlockPolicy& policy, ConvShape* shape) {
  const int64_t k = shape->Points() * shape->channels, n = shape->outputs;
  shape->panels = policy.panels;
  shape->col_blocks = CeilDiv(shape->out.w, kMaxPixels);
  shape->cols = CeilDiv(shape->out.w, shape->col_blocks);
  const double pixel_flops = 2.0 * static_cast<double>(k * n);
  const double total = pixel_flops * static_cast<double>(shape->batch * shape->groups) *
                       static_cast<double>(shape->out.d * shape->out.h * shape->out.w);
  int64_t pixels = kManyPixels;
  if (k * n * policy.element <= kSmallWeights) {
    const double wanted = std::max(policy.unit_flops, std::min(2 * policy.unit_flops, total / kUnits));
    pixels = static_cast<int64_t>(std::min(wanted / pixel_flops, static_cast<double>(kMaxPixels)));
  }
  shape->lines = std::clamp<int64_t>(CeilDiv(pixels, shape->cols), 1, shape->out.h);
  while (shape->lines > 1 && shape->SlabElements() > policy.slab) --shape->lines;
  shape->line_blocks = CeilDiv(shape->out.h, shape->lines);
  shape->lines = CeilDiv(shape->out.h, shape->line_blocks);
  while (shape->SlabElements() > policy.slab && shape->cols > policy.small_row_blocks) {
    shape->cols = CeilDiv(shape->out.w, ++shape->col_blocks);
  }
  // As many blocks for each worker as for the others. Where there would be one in all, little work is divided by lines,
  // more of it by panels where there are enough.
  const bool few_lines = shape->out.h / policy.workers * shape->cols < policy.small_row_blocks;
  const bool by_lines = total < policy.unit_flops / 2 || shape->panels < policy.workers;
  const int64_t images = shape->batch * shape->groups * shape->out.d * shape->col_blocks;
  if (shape->line_blocks > 1 || (Shares(policy, images, total) && by_lines && !few_lines)) {
    shape->line_blocks = std::min(RoundUp(shape->line_blocks, policy.workers), shape->out.h);
  }
  shape->lines = CeilDiv(shape->out.h, shape->line_blocks);
  const int64_t blocks = shape->batch * shape->groups * shape->out.d * shape->line_blocks * shape->col_blocks;
  const int64_t by_count = CeilDiv(kUnits, blocks);
  const auto by_work = static_cast<int64_t>(total / static_cast<double>(blocks) / (policy.unit_flops / 4));
  const int64_t least = Shares(policy, blocks, total) ? std::min<int64_t>(policy.workers, shape->panels) : 1;
  shape->panel_blocks = std::clamp<int64_t>(std::min(by_count, by_work), least, shape->panels);
  if (blocks % policy.workers != 0 && shape->panel_blocks > 1) {
    shape->panel_blocks = std::min(RoundUp(shape->panel_blocks, policy.workers), shape->panels);
  }
  shape->panels_per_unit = CeilDiv(shape->panels, shape->panel_blocks);
  shape->panel_blocks = CeilDiv(shape->panels, shape->panels_per_unit);
}

}  // namespace moka::cpu
