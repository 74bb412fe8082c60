// The parameter structs of gpu/kernels/params.h for C++.
#ifndef MOKA_GPU_PARAMS_H_
#define MOKA_GPU_PARAMS_H_

#include "gpu/kernels/params.h"

namespace moka::gpu {

struct CopyParams {
  COPY_PARAMS
};
struct ReshapeParams {
  RESHAPE_PARAMS
};
struct PadKernelParams {
  PAD_PARAMS
};
struct ConcatKernelParams {
  CONCAT_PARAMS
};
struct SplitKernelParams {
  SPLIT_PARAMS
};
struct GatherKernelParams {
  GATHER_PARAMS
};
struct CastParams {
  CAST_PARAMS
};
struct BatchNormKernelParams {
  BATCH_NORM_PARAMS
};
struct MicroParams {
  MICRO_PARAMS
};
struct GemmKernelParams {
  GEMM_PARAMS
};
struct MatMulKernelParams {
  MATMUL_PARAMS
};
struct ConvKernelParams {
  CONV_PARAMS
};
struct DepthwiseParams {
  DEPTHWISE_PARAMS
};
struct ConvAnyParams {
  CONV_ANY_PARAMS
};
struct PoolKernelParams {
  POOL_PARAMS
};
struct ReduceKernelParams {
  REDUCE_PARAMS
};
struct SoftmaxKernelParams {
  SOFTMAX_PARAMS
};

}  // namespace moka::gpu

#endif  // MOKA_GPU_PARAMS_H_
