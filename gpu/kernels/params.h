// The parameter structs of all kernels: read by the kernels through PARAMS and by the launching C++ as struct members.
// Only int, float and arrays of them, at most 128 bytes: such a struct lies alike in std430, OpenCL C and C++.
//
// Sizes and strides count elements of the buffer as the kernel sees it (4-byte words, or float4), arrays go from the
// innermost dimension outwards, and *_at is where an operand starts. A row-like kernel runs one item per `groups`
// vectors of 4 lanes along the innermost dimension: `inner` lanes of data, zeros up to `lanes`.

// src_first: from the start of src to the first element that is copied (Slice, Split).
#define COPY_PARAMS \
  int items; int inner; int lanes; int groups; int src_at; int src_first; int dst_at; \
  int size[7]; int src_stride[8]; int dst_stride[8];

// dst index -> number of the element in row-major order -> src index.
#define RESHAPE_PARAMS \
  int items; int inner; int lanes; int groups; int src_at; int dst_at; \
  int size[4]; int dst_stride[5]; int number_stride[5]; int src_size[4]; int src_stride[5];

#define PAD_PARAMS \
  int items; int inner; int lanes; int groups; int src_at; int dst_at; int value_at; int value; \
  int size[4]; int dst_stride[5]; int src_stride[5]; int src_size[5]; int begin[5];

// Part k covers [end[k - 1], end[k]) of the axis and starts at part_at[k] of its buffer.
#define CONCAT_PARAMS \
  int items; int inner; int lanes; int groups; int dst_at; \
  int size[3]; int dst_stride[4]; int end[7]; int part_at[7];

// Part k takes the items from end[k - 1] to end[k]; its size along the axis, its first element in src, and where it
// starts in its buffer.
#define SPLIT_PARAMS \
  int items; int src_at; int size[5]; int src_stride[5]; int end[4]; int along[4]; int src_first[4]; int part_at[4];

#define GATHER_PARAMS \
  int items; int inner; int lanes; int groups; int src_at; int index_at; int dst_at; int axis_size; int axis_stride; \
  int size[4]; int src_stride[5]; int index_stride[5]; int dst_stride[5];

// Element sizes are 1 (bool), 4 or 8 bytes: strides count words of 4 bytes, of bool bytes.
#define CAST_PARAMS \
  int items; int inner; int lanes; int groups; int src_at; int dst_at; \
  int size[7]; int src_stride[8]; int dst_stride[8];

#define BATCH_NORM_PARAMS \
  int items; int inner; int lanes; int groups; int src_at; int scale_at; int bias_at; int mean_at; int var_at; \
  int dst_at; float epsilon; int size[4]; int src_stride[5]; int dst_stride[5]; int channel_stride[5];

// e: blocks as in epilogue.h; block 0 is dst, block 1 + k source k.
#define MICRO_PARAMS int items; int inner; int groups; int e[29];

// C[M, N] = alpha * A[M, K] * B[K, N] + beta * bias; k4, n4, lda, ldb and ldc in float4. Block 0 of e is the bias.
#define GEMM_PARAMS \
  int m; int n; int n4; int k4; int lda; int ldb; int ldc; int a_at; int b_at; int c_at; float alpha; float beta; \
  int e[20];

// The same for any strides, in scalars, and batches of up to three dimensions.
#define MATMUL_PARAMS \
  int m; int n; int k; int lanes; int items; int a_row; int a_col; int b_row; int b_col; int c_row; int c_col; \
  int a_at; int b_at; int c_at; int size[2]; int a_batch[3]; int b_batch[3]; int c_batch[3]; int e[7];

// Channels-last in float4: c4 of the source and n4 of dst count vectors of one group; strides of n, y, x.
#define CONV_PARAMS \
  int rows; int h; int w; int out_h; int out_w; int c4; int n4; int channels; int src_at; int weight_at; int bias_at; \
  int dst_at; int src_stride[3]; int dst_stride[3]; int e[14];

#define DEPTHWISE_PARAMS \
  int rows; int h; int w; int out_h; int out_w; int c4; int channels; int src_at; int weight_at; int bias_at; \
  int dst_at; int src_stride[3]; int dst_stride[3]; int e[15];

// Any strides, in scalars: of n, c, z, y, x. in_c and out_c are channels of one group.
#define CONV_ANY_PARAMS \
  int rows; int groups; int lanes; int channels; int in_c; int out_c; int in_size[3]; int out_size[3]; int src_at; \
  int weight_at; int bias_at; int dst_at; int src_stride[5]; int dst_stride[5]; int e[6];

#define POOL_PARAMS \
  int items; int inner; int lanes; int groups; int src_at; int dst_at; int index_at; int in_size[3]; int out_size[3]; \
  int src_stride[5]; int dst_stride[5]; int index_stride[5];

// Kept dimensions (the innermost has 4 lanes an item) and reduced ones.
#define REDUCE_PARAMS \
  int items; int inner; int lanes; int groups; int count; int src_at; int dst_at; float scale; \
  int size[3]; int src_stride[4]; int dst_stride[4]; int reduced_size[3]; int reduced_stride[4];

// Rows: every index but that of the axis. Rows whose innermost index is `inner` or more, and axis positions from
// axis_size on, are padding lanes.
#define SOFTMAX_PARAMS \
  int rows; int inner; int lanes; int axis_size; int axis_lanes; int src_axis; int dst_axis; int src_at; int dst_at; \
  int size[5]; int src_stride[6]; int dst_stride[6];
