// The dialect: one kernel text for GLSL 4.50 (Vulkan) and OpenCL C 1.2. docs/GPU.md reads a kernel line by line;
// scripts/lint_kernels.py keeps the kernels inside it. The build defines KERNEL_NAME and, for variants, MICRO_OPS.
#if defined(VULKAN)  // ---------------------------------------------------------------------------------------- GLSL
#extension GL_EXT_control_flow_attributes : require
#define float4 vec4
#define uint2 uvec2
// The members of the parameter struct, read as p.name.
#define PARAMS(members) layout(push_constant, std430) uniform Params { members } p;
// Specialization constant `id`, an int.
#define SPEC(id, name, value) layout(constant_id = id) const int name = value;
// Buffers, by binding. SHARES: may lie over another buffer of the kernel, element on element.
#define IN_BUF(b, type, name) layout(set = 0, binding = b, std430) readonly restrict buffer name##_buffer { type name[]; };
#define OUT_BUF(b, type, name) layout(set = 0, binding = b, std430) restrict buffer name##_buffer { type name[]; };
#define IN_BUF_SHARES(b, type, name) layout(set = 0, binding = b, std430) readonly buffer name##_buffer { type name[]; };
#define OUT_BUF_SHARES(b, type, name) layout(set = 0, binding = b, std430) buffer name##_buffer { type name[]; };
#define KERNEL(buffers) \
  layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in; \
  buffers
#define SHARED(type, name, size) shared type name[size];
#define BEGIN void main() {
#define END }
#define BARRIER() barrier()
#define LOCAL_ID() int(gl_LocalInvocationID.x)
#define GROUP_SIZE() int(gl_WorkGroupSize.x)
// The grid has one dimension, folded where a device limits its length: the number of the group in it.
#define GROUP_ID() int(gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x)
#define FN
#define UNROLL [[unroll]]
#define to_int(x) int(x)
#define to_uint(x) uint(x)
#define to_float(x) float(x)
#define float_bits(x) floatBitsToInt(x)
#define bits_float(x) intBitsToFloat(x)
#define round_even(x) roundEven(x)
#define make4(a, b, c, d) vec4(a, b, c, d)
#define splat4(x) vec4(x)
#define madd4(s, v, sum) ((v) * (s) + (sum))
// Scalar views of a float4 buffer.
#define LOAD1(buffer, i) buffer[(i) >> 2][(i) & 3]
#define STORE1(buffer, i, x) buffer[(i) >> 2][(i) & 3] = x
#else  // -------------------------------------------------------------------------------------------------- OpenCL C
#define PARAMS(members) \
  typedef struct { \
    members \
  } Params;
#define SPEC(id, name, value)
#define IN_BUF(b, type, name) __global const type *restrict name,
#define OUT_BUF(b, type, name) __global type *restrict name,
#define IN_BUF_SHARES(b, type, name) __global const type *name,
#define OUT_BUF_SHARES(b, type, name) __global type *name,
#define KERNEL(buffers) __kernel void KERNEL_NAME(buffers const Params p) {
#define SHARED(type, name, size) __local type name[size];
#define BEGIN
#define END }
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define LOCAL_ID() ((int)get_local_id(0))
#define GROUP_SIZE() ((int)get_local_size(0))
#define GROUP_ID() ((int)(get_group_id(1) * get_num_groups(0) + get_group_id(0)))
#define FN static inline
#define UNROLL _Pragma("unroll")
#define to_int(x) ((int)(x))
#define to_uint(x) ((uint)(x))
#define to_float(x) ((float)(x))
#define float_bits(x) as_int(x)
#define bits_float(x) as_float((int)(x))
#define round_even(x) rint(x)
#define make4(a, b, c, d) ((float4)(a, b, c, d))
#define splat4(x) ((float4)(x))
#define madd4(s, v, sum) mad((float4)(s), v, sum)
#define LOAD1(buffer, i) ((__global const float *)(buffer))[i]
#define STORE1(buffer, i, x) ((__global float *)(buffer))[i] = x
#endif
#define GLOBAL_ID() (GROUP_ID() * GROUP_SIZE() + LOCAL_ID())

// x of the lanes whose channel 4 * c4 + lane is below `count`, zero in the padding lanes.
FN float4 mask4(float4 x, int c4, int count) {
  const int left = count - 4 * c4;
  return make4(left > 0 ? x.x : 0.0f, left > 1 ? x.y : 0.0f, left > 2 ? x.z : 0.0f, left > 3 ? x.w : 0.0f);
}
