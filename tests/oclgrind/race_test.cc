// A kernel with a race, for which run.sh must report one: else its silence about moka's kernels says nothing.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "opencl/context.h"

namespace moka::opencl {
namespace {

constexpr const char* kText = R"(
__kernel void exchange(__global int* dst) {
  __local int lane[8];
  const int i = (int)get_local_id(0);
  lane[i] = i;
  dst[i] = lane[(i + 1) & 7];
}
)";

TEST(Race, NeighboursWithoutABarrier) {
  Result<Api> api = OpenLoader("");
  ASSERT_TRUE(api.ok()) << api.status().message();
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;
  ASSERT_EQ(api->GetPlatformIDs(1, &platform, nullptr), CL_SUCCESS);
  ASSERT_EQ(api->GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr), CL_SUCCESS);
  Result<std::shared_ptr<Context>> context = Context::Create(*api, platform, device);
  ASSERT_TRUE(context.ok()) << context.status().message();
  Result<CommandQueue> queue = (*context)->MakeQueue(false);
  ASSERT_TRUE(queue.ok()) << queue.status().message();
  Result<std::unique_ptr<DeviceBuffer>> buffer = DeviceBuffer::Create(*context, 8 * sizeof(cl_int));
  ASSERT_TRUE(buffer.ok()) << buffer.status().message();

  const char* text = kText;
  cl_int result = CL_SUCCESS;
  const ProgramHandle program(*api, api->CreateProgramWithSource((*context)->context(), 1, &text, nullptr, &result));
  ASSERT_EQ(api->BuildProgram(program.get(), 1, &device, "-cl-std=CL1.2", nullptr, nullptr), CL_SUCCESS);
  const Kernel kernel(*api, api->CreateKernel(program.get(), "exchange", &result));
  const cl_mem memory = (*buffer)->handle();
  ASSERT_EQ(api->SetKernelArg(kernel.get(), 0, sizeof(memory), &memory), CL_SUCCESS);
  const size_t size = 8;
  ASSERT_EQ(api->EnqueueNDRangeKernel(queue->get(), kernel.get(), 1, nullptr, &size, &size, 0, nullptr, nullptr),
            CL_SUCCESS);
  ASSERT_EQ(api->Finish(queue->get()), CL_SUCCESS);
}

}  // namespace
}  // namespace moka::opencl
