#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/platform.h"
#include "opencl/device.h"
#include "tests/gpu/chain.h"

namespace moka::opencl {
namespace {

using test::Bench;
using test::Chain;
using test::ExpectOk;
using test::Line;

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "moka_opencl_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

std::unique_ptr<Device> OpenFirst(const OpenOptions& options) {
  std::vector<std::unique_ptr<Device>> devices = OpenDevices(options, nullptr);
  return devices.empty() ? nullptr : std::move(devices[0]);
}

class OpenCl : public testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::string> notes;
    devices_ = OpenDevices(OpenOptions(), &notes);
    if (devices_.empty()) GTEST_SKIP() << (notes.empty() ? "no OpenCL device" : notes[0]);
  }
  OpenClDevice& device() { return static_cast<OpenClDevice&>(*devices_[0]); }

  std::vector<std::unique_ptr<Device>> devices_;
};

TEST(OpenClOpen, WithoutALoaderSaysSo) {
  OpenOptions options;
  options.library = "libmoka_has_no_such_opencl.so";
  std::vector<std::string> notes;
  EXPECT_TRUE(OpenDevices(options, &notes).empty());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("opencl: "), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("libmoka_has_no_such_opencl.so"), std::string::npos) << notes[0];
}

TEST(OpenClOpen, OfALibraryThatIsNoLoaderSaysSo) {
  OpenOptions options;
  options.library = "libm.so.6";
  std::vector<std::string> notes;
  EXPECT_TRUE(OpenDevices(options, &notes).empty());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("has no cl"), std::string::npos) << notes[0];
}

cl_int NoPlatforms(cl_uint, cl_platform_id*, cl_uint* count) {
  if (count != nullptr) *count = 0;
  return -1001;
}

TEST_F(OpenCl, WithoutDriversSaysSo) {
  OpenOptions options;
  options.edit_api = [](Api* api) { api->GetPlatformIDs = NoPlatforms; };
  std::vector<std::string> notes;
  EXPECT_TRUE(OpenDevices(options, &notes).empty());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0], "opencl: clGetPlatformIDs: CL_PLATFORM_NOT_FOUND_KHR");
}

TEST_F(OpenCl, DescribesTheDevice) {
  EXPECT_EQ(device().info().name, "opencl");
  EXPECT_EQ(device().info().kind, DeviceKind::kOpenCL);
  EXPECT_FALSE(device().info().hardware.empty());
  EXPECT_FALSE(device().info().driver.empty());
  const Limits& limits = device().limits();
  EXPECT_EQ(limits.channel_alignment, 4);
  EXPECT_FALSE(limits.concurrent_steps);
  EXPECT_FALSE(limits.host_memory);
  EXPECT_GE(limits.max_binding, 1u << 20);
  EXPECT_GT(limits.memory, 0u);
  EXPECT_GE(device().profile().max_group_invocations, 1);
}

TEST_F(OpenCl, RunsAChainAndCountsItsTransfers) {
  Chain chain(device(), 1000, Line(3));
  Result<Bench> bench = Bench::Make(device(), chain, 0.5f);
  MOKA_ASSERT_OK(bench);
  for (int run = 0; run < 3; ++run) {
    const Result<std::vector<float>> output = bench->Run(chain.Input());
    MOKA_ASSERT_OK(output);
    EXPECT_EQ(*output, chain.Expected(0.5f));
  }
  EXPECT_EQ(bench->queue->counts.uploads, 3);
  EXPECT_EQ(bench->queue->counts.downloads, 3);
  EXPECT_EQ(bench->queue->counts.upload_bytes, 3 * 4000);
  EXPECT_EQ(bench->queue->counts.download_bytes, 3 * 4000);
}

TEST_F(OpenCl, SetsArgumentsOncePerSetOfBuffers) {
  Chain chain(device(), 64, Line(2));
  Result<Bench> bench = Bench::Make(device(), chain, 1.0f);
  MOKA_ASSERT_OK(bench);
  const OpenClReplay& replay = static_cast<OpenClReplay&>(*bench->replay);
  for (int run = 0; run < 5; ++run) ExpectOk(bench->Run(chain.Input()).status());
  ExpectOk(bench->replay->Bind(0, bench->arena.get(), 0));  // the same again
  ExpectOk(bench->Run(chain.Input()).status());
  EXPECT_EQ(replay.bindings(), 1);

  Result<std::unique_ptr<Buffer>> larger = device().Allocate(chain.arena_bytes() + 256, MemoryKind::kArena);
  MOKA_ASSERT_OK(larger);
  ExpectOk(bench->replay->Bind(0, larger->get(), 256));
  const Result<std::vector<float>> output = bench->Run(chain.Input());
  MOKA_ASSERT_OK(output);
  EXPECT_EQ(*output, chain.Expected(1.0f));
  EXPECT_EQ(replay.bindings(), 2);
}

TEST_F(OpenCl, TwoReplaysOfOneProgramKeepTheirArguments) {
  Chain chain(device(), 64, Line(2));
  Result<Bench> first = Bench::Make(device(), chain, 1.0f);
  MOKA_ASSERT_OK(first);
  Result<Bench> second = Bench::Make(device(), chain, 5.0f);
  MOKA_ASSERT_OK(second);
  Result<std::unique_ptr<Replay>> replay = first->program->Instantiate(*second->queue);
  MOKA_ASSERT_OK(replay);
  second->replay = std::move(*replay);
  ExpectOk(second->replay->Bind(0, second->arena.get(), 0));
  ExpectOk(second->replay->Bind(1, second->weight.get(), 0));
  for (int run = 0; run < 2; ++run) {
    const Result<std::vector<float>> one = first->Run(chain.Input()), five = second->Run(chain.Input());
    MOKA_ASSERT_OK(one);
    MOKA_ASSERT_OK(five);
    EXPECT_EQ(*one, chain.Expected(1.0f));
    EXPECT_EQ(*five, chain.Expected(5.0f));
  }
}

TEST_F(OpenCl, TimesEveryStepWhenAskedTo) {
  Chain chain(device(), 10000, Line(3));
  Result<Bench> bench = Bench::Make(device(), chain, 1.0f, true);
  MOKA_ASSERT_OK(bench);
  for (int run = 0; run < 2; ++run) ExpectOk(bench->Run(chain.Input()).status());
  ASSERT_EQ(bench->replay->step_us().size(), 3u);
  for (const double us : bench->replay->step_us()) {
    EXPECT_GT(us, 0.0);
    EXPECT_LT(us, 6e7);
  }
  Result<Bench> untimed = Bench::Make(device(), chain, 1.0f);
  MOKA_ASSERT_OK(untimed);
  ExpectOk(untimed->Run(chain.Input()).status());
  EXPECT_TRUE(untimed->replay->step_us().empty());
}

TEST_F(OpenCl, TwoQueuesRunFromTwoThreads) {
  constexpr int kThreads = 2, kRuns = 50;
  std::atomic<int> right{0};
  const auto work = [&](int thread) {
    const float weight = static_cast<float>(thread);
    Chain chain(device(), 5000, Line(4));
    Result<Bench> bench = Bench::Make(device(), chain, weight);
    if (!bench.ok()) return;
    for (int run = 0; run < kRuns; ++run) {
      const Result<std::vector<float>> output = bench->Run(chain.Input());
      if (output.ok() && *output == chain.Expected(weight)) ++right;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kThreads * kRuns);
}

TEST_F(OpenCl, RefusesOperandsOutsideTheirBuffers) {
  Chain chain(device(), 100, Line(2));
  Result<Bench> bench = Bench::Make(device(), chain, 1.0f);
  MOKA_ASSERT_OK(bench);
  ExpectOk(bench->replay->Bind(0, bench->weight.get(), 0));  // 64 bytes for an arena
  EXPECT_EQ(bench->Run(chain.Input()).status().code(), StatusCode::kInternal);
  ExpectOk(bench->replay->Bind(0, bench->arena.get(), 0));
  ExpectOk(bench->Run(chain.Input()).status());
}

TEST_F(OpenCl, SaysWhenMemoryIsShort) {
  const Result<std::unique_ptr<Buffer>> buffer = device().Allocate(uint64_t{1} << 60, MemoryKind::kArena);
  ASSERT_FALSE(buffer.ok());
  EXPECT_EQ(buffer.status().code(), StatusCode::kOutOfMemory);
}

// ---- Failing drivers ----------------------------------------------------------------------------------------------

cl_int NoResources(cl_command_queue, cl_kernel, cl_uint, const size_t*, const size_t*, const size_t*, cl_uint,
                   const cl_event*, cl_event*) {
  return CL_OUT_OF_RESOURCES;
}
cl_int NoBuild(cl_program, cl_uint, const cl_device_id*, const char*, void(CL_CALLBACK*)(cl_program, void*), void*) {
  return CL_BUILD_PROGRAM_FAILURE;
}

TEST_F(OpenCl, AFailedLaunchIsAStatus) {
  OpenOptions options;
  options.edit_api = [](Api* api) { api->EnqueueNDRangeKernel = NoResources; };
  const std::unique_ptr<Device> device = OpenFirst(options);
  ASSERT_NE(device, nullptr);
  Chain chain(*device, 100, Line(1));
  Result<Bench> bench = Bench::Make(*device, chain, 1.0f);
  MOKA_ASSERT_OK(bench);
  const Status status = bench->Run(chain.Input()).status();
  EXPECT_EQ(status.code(), StatusCode::kDeviceError);
  EXPECT_NE(status.message().find("clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES"), std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find("link"), std::string::npos) << "names the node: " << status.message();
}

TEST_F(OpenCl, AFailedBuildIsAStatus) {
  OpenOptions options;
  options.edit_api = [](Api* api) { api->BuildProgram = NoBuild; };
  const std::unique_ptr<Device> device = OpenFirst(options);
  ASSERT_NE(device, nullptr);
  Chain chain(*device, 100, Line(1));
  const Status status = chain.MakeProgram().status();
  EXPECT_EQ(status.code(), StatusCode::kDeviceError);
  EXPECT_NE(status.message().find("clBuildProgram: CL_BUILD_PROGRAM_FAILURE"), std::string::npos) << status.message();
}

// ---- The program cache --------------------------------------------------------------------------------------------

TEST_F(OpenCl, BuildsAProgramOnceForAllItsLaunches) {
  Chain chain(device(), 1000, Line(4));
  MOKA_ASSERT_OK(chain.MakeProgram());
  MOKA_ASSERT_OK(chain.MakeProgram());
  EXPECT_EQ(device().shared().programs->built(), 1);
}

TEST_F(OpenCl, KeepsBinariesOnDiskAndSurvivesADamagedFile) {
  OpenOptions options;
  options.cache_folder = Folder("cache");
  const auto expect = [&](int built, int loaded) {
    const std::unique_ptr<Device> device = OpenFirst(options);
    ASSERT_NE(device, nullptr);
    Chain chain(*device, 100, Line(2));
    Result<Bench> bench = Bench::Make(*device, chain, 3.0f);
    MOKA_ASSERT_OK(bench);
    const Result<std::vector<float>> output = bench->Run(chain.Input());
    MOKA_ASSERT_OK(output);
    EXPECT_EQ(*output, chain.Expected(3.0f));
    const ProgramCache& programs = *static_cast<OpenClDevice&>(*device).shared().programs;
    EXPECT_EQ(programs.built(), built);
    EXPECT_EQ(programs.loaded(), loaded);
  };
  expect(1, 0);
  ASSERT_TRUE(std::filesystem::exists(options.cache_folder));
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(options.cache_folder)) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1u);
  expect(0, 1);

  const Result<std::string> whole = ReadFile(files[0].string());
  MOKA_ASSERT_OK(whole);
  for (const std::string& damaged : {std::string("nonsense"), std::string(), whole->substr(0, whole->size() / 2)}) {
    std::ofstream(files[0], std::ios::binary | std::ios::trunc) << damaged;
    expect(1, 0);
    expect(0, 1);  // whole again
  }
}

TEST_F(OpenCl, ABinaryThatTheDriverRefusesIsBuiltAnew) {
  OpenOptions options;
  options.cache_folder = Folder("refused");
  const std::unique_ptr<Device> first = OpenFirst(options);
  ASSERT_NE(first, nullptr);
  Chain chain(*first, 100, Line(1));
  Result<Bench> cold = Bench::Make(*first, chain, 1.0f);
  MOKA_ASSERT_OK(cold);
  ExpectOk(cold->Run(chain.Input()).status());
  const ProgramCache& programs = *static_cast<OpenClDevice&>(*first).shared().programs;
  const std::string key = programs.DiskKey(chain.steps()[0].launch.As<gpu::Launch>());
  const gpu::DiskCache disk(options.cache_folder, "opencl");
  ASSERT_TRUE(disk.Load(key).has_value());
  ASSERT_TRUE(disk.Store(key, "sound on disk, but no program").ok());

  const std::unique_ptr<Device> second = OpenFirst(options);
  ASSERT_NE(second, nullptr);
  Chain again(*second, 100, Line(1));
  Result<Bench> bench = Bench::Make(*second, again, 3.0f);
  MOKA_ASSERT_OK(bench);
  const Result<std::vector<float>> output = bench->Run(again.Input());
  MOKA_ASSERT_OK(output);
  EXPECT_EQ(*output, again.Expected(3.0f));
  EXPECT_EQ(static_cast<OpenClDevice&>(*second).shared().programs->built(), 1);
}

}  // namespace
}  // namespace moka::opencl
