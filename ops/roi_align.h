// RoiAlign: src X [N, C, H, W], rois [R, 4] (x1, y1, x2, y2), batch_indices [R]; dst [R, C, output_height,
// output_width]: averages (or largest values) of bilinear samples in each part of a region.
#ifndef MOKA_OPS_ROI_ALIGN_H_
#define MOKA_OPS_ROI_ALIGN_H_

#include "ops/op.h"

namespace moka {

struct RoiAlignParams {
  bool max = false, half_pixel = true;
  int64_t height = 1, width = 1, sampling_ratio = 0;
  double scale = 1;

  static Result<RoiAlignParams> From(const Attributes& attrs);
};

// One region: part (i, j) begins at (top + i * step_y, left + j * step_x) and has grid_y * grid_x samples.
struct RoiGrid {
  double top, left, step_y, step_x;
  int64_t grid_y, grid_x;

  static Result<RoiGrid> From(const RoiAlignParams& params, double x1, double y1, double x2, double y2);
  int64_t Samples() const { return grid_y * grid_x; }
};

// Four pixels (rows low and high, columns low and high) and their weights; all weights are 0 outside of the image.
struct BilinearSample {
  int64_t y[2], x[2];
  double weight_y[2], weight_x[2];
};
BilinearSample SampleOf(const RoiGrid& grid, int64_t i, int64_t j, int64_t sample, int64_t height, int64_t width);

}  // namespace moka

#endif  // MOKA_OPS_ROI_ALIGN_H_
