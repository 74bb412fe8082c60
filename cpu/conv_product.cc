#include "cpu/conv_product.h"

#include <cstdint>

#include "cpu/conv_shape.h"
#include "cpu/gemm.h"
#include "cpu/strassen.h"

namespace moka::cpu {
namespace {

constexpr int64_t kStreamedWeights = 256 << 10;  // floats that leave the L2 cache
constexpr int64_t kWidePanel = 64;
constexpr int64_t kLeastNarrowK = 512;  // by Strassen's algorithm on narrower panels

// Output pixels are rows; those that are evenly spaced in the source become one run.
void SetPixels(const ConvShape& shape, GemmLaunch* launch) {
  launch->rows = shape.batch * shape.out.d * shape.out.h * shape.out.w;
  launch->m = shape.out.w;
  launch->a_row = shape.stride.w * shape.src.w;
  const int64_t dims[] = {shape.out.h, shape.out.d, shape.batch};
  const int64_t strides[] = {shape.stride.h * shape.src.h, shape.stride.d * shape.src.d, shape.src_n};
  int merged = 0;
  for (; merged < 3 && (dims[merged] == 1 || strides[merged] == launch->m * launch->a_row); ++merged) {
    launch->m *= dims[merged];
  }
  launch->batch_rank = 3 - merged;
  for (int i = merged; i < 3; ++i) {
    launch->batch[2 - i] = dims[i];
    launch->a_batch[2 - i] = strides[i];
  }
}

Status ChooseConv(const Kernel& kernel, const OpCall& call, GemmAlgorithm algorithm, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  const TensorDesc& y = call.dst[0];
  if (y.dims[1] != 1 && y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.has_src(2) && call.src[2].strides[0] != 1 && y.dims[1] != 1) return Unsupported("src 2: stride is not 1");
  if (call.constants.size() < 2 || call.constants[1] == nullptr) return Unsupported("src 1: no constant");
  const ConvShape shape = MakeConvShape(call, params, 1);
  if (shape.Points() != 1 || shape.groups != 1 || shape.in_place == 0)
    return Unsupported("not one point of each pixel");
  GemmLaunch launch{};
  launch.groups = 1;
  launch.n = shape.outputs;
  launch.k = shape.channels;
  launch.a_col = 1;
  SetPixels(shape, &launch);
  const bool streams = launch.rows < kLeastStrassenRows && launch.n * launch.k >= kStreamedWeights;
  if (algorithm == GemmAlgorithm::kPlain && !streams) return Unsupported("weights stay in the cache");
  const bool narrow = kernel.simd->tile->widths.widest < kWidePanel;
  if (algorithm == GemmAlgorithm::kStrassen && narrow && launch.k < kLeastNarrowK) return Unsupported("short sums");
  launch.bias = call.has_src(2) ? 2 : -1;
  launch.b = {{1, 1, 1, launch.k}, {1, 1, 1, 1}, launch.k, 1.0f};
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  return FinishGemm(kernel, call, true, algorithm, &launch, choice);
}

}  // namespace

Status ChooseConvStrassen(const Kernel& kernel, const OpCall& call, Choice* choice) {
  return ChooseConv(kernel, call, GemmAlgorithm::kStrassen, choice);
}

Status ChooseConvProduct(const Kernel& kernel, const OpCall& call, Choice* choice) {
  return ChooseConv(kernel, call, GemmAlgorithm::kPlain, choice);
}

}  // namespace moka::cpu
