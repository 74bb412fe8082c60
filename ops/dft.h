// DFT: src X [..., 1 or 2] (real or complex), optional dft_length, optional axis (default -2). STFT: src signal [batch,
// length, 1 or 2] or, real, [batch, length], frame_step, optional window, optional frame_length; dst [batch, frames,
// bins, 2].
#ifndef MOKA_OPS_DFT_H_
#define MOKA_OPS_DFT_H_

#include "ops/fft.h"
#include "ops/op.h"

namespace moka {

// One transform: `count` numbers of the source (zeros behind them) become the first `results` of a transform of n.
struct TransformRow {
  int64_t n = 1, count = 0, results = 0;
  bool inverse = false;
  bool half = false;  // the source is the first half of a spectrum of real numbers: the rest is its mirror image
};

struct DftParams : TransformRow {
  int axis = 0;

  static Result<DftParams> From(const OpCall& call);
};

struct StftParams : TransformRow {
  int64_t step = 1;
  bool windowed = false;

  static Result<StftParams> From(const OpCall& call);
};

// Where the numbers of a row are: element offsets of the first and strides between numbers and between real and
// imaginary parts.
struct RowOperand {
  const TensorDesc* desc;
  int64_t first, step, part_step;
  int64_t parts;  // 1: real
};

// `scale`: null, or element k of the window that source k is multiplied with.
void RunTransform(const TransformRow& row, const FftPlan& plan, const Complex* table, Complex* data, Complex* work,
                  const RowOperand& src_at, const void* src, const RowOperand* window_at, const void* window,
                  const RowOperand& dst_at, void* dst);

// Row `index` of the results, in row-major order. A null `window_desc`: no window.
int64_t TransformRows(const OpCall& call);
void RunDftRow(const TensorDesc& x, const TensorDesc& y, const DftParams& params, const FftPlan& plan,
               const Complex* table, Complex* data, Complex* work, const void* src, void* dst, int64_t index);
void RunStftRow(const TensorDesc& x, const TensorDesc* window_desc, const TensorDesc& y, const StftParams& params,
                const FftPlan& plan, const Complex* table, Complex* data, Complex* work, const void* src,
                const void* window, void* dst, int64_t index);

}  // namespace moka

#endif  // MOKA_OPS_DFT_H_
