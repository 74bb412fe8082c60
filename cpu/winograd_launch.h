// What choosing Winograd's algorithm for a convolution decides (cpu/winograd_choice.cc) and running it reads
// (cpu/conv_winograd.cc).
#ifndef MOKA_CPU_WINOGRAD_LAUNCH_H_
#define MOKA_CPU_WINOGRAD_LAUNCH_H_

#include <cstdint>

#include "cpu/conv_shape.h"
#include "cpu/epilogue.h"

namespace moka::cpu {

inline constexpr int64_t kWinogradPlanes = 4;  // of a unit, at most

struct WinogradLaunch {
  Epilogue epilogue;
  int32_t bias;                              // source, or -1
  int32_t size;                              // of WinogradTable
  int64_t batch, groups, channels, outputs;  // channels and outputs of one group
  // Without the planes of the kernel that meet nothing but padding. Each dilation.h-th row and dilation.w-th column of
  // the result, from one of the first ones on, are an image of their own.
  Dims3 in, out, kernel, stride, pad, dilation;
  double met;                          // of the taps of a dilated kernel, those that lie inside
  int64_t kernel_planes, first_plane;  // of the weights
  int64_t src_image;
  Dims3 src;
  // A unit: at most `planes` planes of tile_rows x tile_cols tiles of one image and group, panels_per_unit panels.
  int64_t tiles_h, tiles_w, planes, tile_rows, tile_cols, plane_blocks, row_blocks, col_blocks;
  int64_t panels, panels_per_unit, panel_blocks;

  int64_t sum_width;                    // of the widest panel
  int32_t fetch_source, fetch_results;  // while products are computed

  int64_t PlaneTiles() const { return tile_rows * tile_cols; }
  int64_t UnitTiles() const { return planes * PlaneTiles(); }
  int64_t Span(int64_t planes_now) const { return (planes_now - 1) * stride.d + (kernel.d - 1) * dilation.d + 1; }
  int64_t Images() const { return batch * dilation.h * dilation.w; }
  int64_t Blocks() const { return Images() * groups * plane_blocks * row_blocks * col_blocks; }
  int64_t Units() const { return Blocks() * panel_blocks; }
  int64_t K() const { return kernel.d * channels; }
  // Those of the kernel that meet one of the image's.
  Range KernelPlanes(int64_t plane) const { return TapsInside(plane, 1, stride.d, pad.d, kernel.d, dilation.d, in.d); }
};

// Floats of one worker: a pixel of zeros, inputs, sums, and the pointers to rows that the tiles of GEMM want.
struct WinogradScratch {
  int64_t channel_step, plane_step, point_step, sum_step, inputs, sums, pointers, segments, micro, floats;

  WinogradScratch(const WinogradLaunch& launch, int64_t points) {
    const int64_t tiles = launch.UnitTiles();
    channel_step = RoundUp(launch.channels, 16);
    plane_step = launch.PlaneTiles() * channel_step;
    // An odd number of cache lines, so that the points do not fall into the same sets of a cache.
    point_step = RoundUp(launch.Span(launch.planes) * plane_step, 32) + 16;
    sum_step = RoundUp(tiles * launch.sum_width, 32) + 16;
    inputs = channel_step;
    sums = inputs + points * point_step;
    pointers = sums + points * sum_step;
    segments = pointers + RoundUp(2 * tiles * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
    micro = segments + RoundUp(launch.kernel.d * static_cast<int64_t>(sizeof(int64_t) / sizeof(float)), 16);
    const bool program = launch.epilogue.kind == Epilogue::kProgram;
    floats = micro + (program ? static_cast<int64_t>(MicroScratchBytes() / sizeof(float)) : 0);
  }
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_WINOGRAD_LAUNCH_H_
