#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/platform.h"
#include "tests/gpu/chain.h"
#include "vulkan/device.h"

namespace moka::vulkan {
namespace {

using test::Bench;
using test::Chain;
using test::ExpectOk;
using test::Line;

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "moka_vulkan_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

// With the layers on, so that every test below also proves that they stay silent.
class Vulkan : public testing::Test {
 protected:
  void SetUp() override {
    OpenOptions options;
    options.validate = true;
    std::vector<std::string> notes;
    devices_ = OpenDevices(options, &notes);
    if (devices_.empty()) GTEST_SKIP() << (notes.empty() ? "no Vulkan device" : notes[0]);
    validates_ = device().shared().context->instance().validates();
  }
  VulkanDevice& device() { return static_cast<VulkanDevice&>(*devices_[0]); }

  std::vector<std::unique_ptr<Device>> devices_;
  bool validates_ = false;
};

std::unique_ptr<Device> OpenFirst(const OpenOptions& options) {
  std::vector<std::unique_ptr<Device>> devices = OpenDevices(options, nullptr);
  return devices.empty() ? nullptr : std::move(devices[0]);
}

TEST(VulkanOpen, WithoutALoaderSaysSo) {
  OpenOptions options;
  options.library = "libmoka_has_no_such_vulkan.so";
  std::vector<std::string> notes;
  EXPECT_TRUE(OpenDevices(options, &notes).empty());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("vulkan: "), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("libmoka_has_no_such_vulkan.so"), std::string::npos) << notes[0];
}

TEST(VulkanOpen, OfALibraryThatIsNoLoaderSaysSo) {
  OpenOptions options;
  options.library = "libm.so.6";
  std::vector<std::string> notes;
  EXPECT_TRUE(OpenDevices(options, &notes).empty());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("vkGetInstanceProcAddr"), std::string::npos) << notes[0];
}

TEST(VulkanOpen, WithoutDriversSaysSo) {
  const char* names[] = {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"};
  std::vector<std::string> before;
  for (const char* name : names) {
    before.push_back(std::getenv(name) != nullptr ? std::getenv(name) : "");
    setenv(name, "/nonexistent/icd.json", 1);
  }
  std::vector<std::string> notes;
  EXPECT_TRUE(OpenDevices(OpenOptions(), &notes).empty());
  EXPECT_FALSE(notes.empty());
  for (size_t i = 0; i < before.size(); ++i) {
    before[i].empty() ? unsetenv(names[i]) : setenv(names[i], before[i].c_str(), 1);
  }
}

TEST_F(Vulkan, DescribesTheDevice) {
  EXPECT_EQ(device().info().name, "vulkan");
  EXPECT_EQ(device().info().kind, DeviceKind::kVulkan);
  EXPECT_FALSE(device().info().hardware.empty());
  EXPECT_EQ(device().info().driver.compare(0, 7, "Vulkan "), 0) << device().info().driver;
  const Limits& limits = device().limits();
  EXPECT_EQ(limits.channel_alignment, 4);
  EXPECT_TRUE(limits.concurrent_steps);
  EXPECT_FALSE(limits.host_memory);
  EXPECT_GE(limits.max_binding, 1u << 27);
  EXPECT_GT(limits.memory, 0u);
  EXPECT_EQ(limits.offset_alignment % 64, 0u);
  EXPECT_GE(device().profile().max_group_invocations, 128);
}

TEST_F(Vulkan, RunsAChainAndCountsItsTransfers) {
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

TEST_F(Vulkan, RecordsOnceAndPutsBarriersOnlyWhereThePlanDoes) {
  // Steps 1 to 4 read value 0 and may run together; step 5 reads value 2.
  Chain chain(device(), 64, {{0, false}, {0, false}, {0, false}, {0, false}, {2, true}});
  Result<Bench> bench = Bench::Make(device(), chain, 1.0f);
  MOKA_ASSERT_OK(bench);
  const VulkanReplay& replay = static_cast<VulkanReplay&>(*bench->replay);
  for (int run = 0; run < 5; ++run) ExpectOk(bench->Run(chain.Input()).status());
  EXPECT_EQ(replay.recordings(), 1);
  EXPECT_EQ(replay.barriers(), 1);

  ExpectOk(bench->replay->Bind(0, bench->arena.get(), 0));  // the same again
  ExpectOk(bench->Run(chain.Input()).status());
  EXPECT_EQ(replay.recordings(), 1);

  Result<std::unique_ptr<Buffer>> larger = device().Allocate(chain.arena_bytes() + 256, MemoryKind::kArena);
  MOKA_ASSERT_OK(larger);
  ExpectOk(bench->replay->Bind(0, larger->get(), 256));
  const Result<std::vector<float>> output = bench->Run(chain.Input());
  MOKA_ASSERT_OK(output);
  EXPECT_EQ(*output, chain.Expected(1.0f));
  EXPECT_EQ(replay.recordings(), 2);
}

TEST_F(Vulkan, TheLayersSeeAMissingBarrier) {
  if (!validates_) GTEST_SKIP() << "VK_LAYER_KHRONOS_validation is not installed";
  Chain chain(device(), 64, {{0, false}, {1, false}});  // step 2 reads what step 1 writes, unordered
  Result<Bench> bench = Bench::Make(device(), chain, 1.0f);
  MOKA_ASSERT_OK(bench);
  const Result<std::vector<float>> output = bench->Run(chain.Input());
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.status().code(), StatusCode::kDeviceError);
  EXPECT_NE(output.status().message().find("SYNC-HAZARD"), std::string::npos) << output.status().message();
}

TEST_F(Vulkan, OperandsMayStartInsideAnAlignmentUnit) {
  Chain chain(device(), 48, Line(1));
  MOKA_ASSERT_OK(chain.MakeProgram());
  chain.steps()[0].src[0].offset = 16;  // a view, 4 elements into the upload
  Result<std::shared_ptr<const Program>> program = device().Link(chain.Request());
  MOKA_ASSERT_OK(program);
  Result<Bench> bench = Bench::Make(device(), chain, 0.0f);
  MOKA_ASSERT_OK(bench);
  chain.steps()[0].src[0].offset = 16;
  Result<std::unique_ptr<Replay>> replay = (*program)->Instantiate(*bench->queue);
  MOKA_ASSERT_OK(replay);
  bench->replay = std::move(*replay);
  ExpectOk(bench->replay->Bind(0, bench->arena.get(), 0));
  ExpectOk(bench->replay->Bind(1, bench->weight.get(), 0));
  const std::vector<float> input = chain.Input();
  const Result<std::vector<float>> output = bench->Run(input);
  MOKA_ASSERT_OK(output);
  for (size_t i = 0; i + 4 < input.size(); ++i) EXPECT_EQ((*output)[i], 2.0f * input[i + 4]) << i;
}

TEST_F(Vulkan, TimesEveryStepWhenAskedTo) {
  Chain chain(device(), 10000, Line(3));
  Result<Bench> bench = Bench::Make(device(), chain, 1.0f, true);
  MOKA_ASSERT_OK(bench);
  const Result<std::vector<float>> output = bench->Run(chain.Input());
  MOKA_ASSERT_OK(output);
  EXPECT_EQ(*output, chain.Expected(1.0f));
  if (device().shared().context->timestamp_bits() == 0) GTEST_SKIP() << "the queue has no clock";
  ASSERT_EQ(bench->replay->step_us().size(), 3u);
  for (const double us : bench->replay->step_us()) {
    EXPECT_GT(us, 0.0);
    EXPECT_LT(us, 6e7);
  }
}

TEST_F(Vulkan, TwoQueuesRunFromTwoThreads) {
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

TEST_F(Vulkan, SharesPipelinesBetweenPrograms) {
  Chain first(device(), 1000, Line(4)), second(device(), 1000, Line(2));
  MOKA_ASSERT_OK(first.MakeProgram());
  const int pipelines = device().shared().pipelines->pipelines();
  EXPECT_EQ(pipelines, 1);
  MOKA_ASSERT_OK(second.MakeProgram());
  EXPECT_EQ(device().shared().pipelines->pipelines(), pipelines);
}

TEST_F(Vulkan, SmallBuffersShareAllocationsAndGiveThemBack) {
  Memory& memory = *device().shared().memory;
  const int before = memory.allocations();
  {
    std::vector<std::unique_ptr<Buffer>> buffers;
    for (int i = 0; i < 500; ++i) {
      Result<std::unique_ptr<Buffer>> buffer = device().Allocate(static_cast<uint64_t>(i) * 37, MemoryKind::kWeights);
      MOKA_ASSERT_OK(buffer);
      EXPECT_GE((*buffer)->bytes(), static_cast<uint64_t>(i) * 37);
      buffers.push_back(std::move(*buffer));
    }
    EXPECT_LE(memory.allocations(), before + 2);
    for (size_t i = 0; i < buffers.size(); i += 2) buffers[i].reset();
    for (size_t i = 0; i < buffers.size(); i += 2) {
      Result<std::unique_ptr<Buffer>> buffer = device().Allocate(i * 37, MemoryKind::kWeights);
      MOKA_ASSERT_OK(buffer);
      buffers[i] = std::move(*buffer);
    }
    EXPECT_LE(memory.allocations(), before + 2);
  }
  EXPECT_EQ(memory.allocations(), before);
}

TEST_F(Vulkan, RangesOfOneBlockDoNotOverlap) {
  std::vector<std::unique_ptr<Buffer>> weights;
  for (int i = 0; i < 100; ++i) {
    Result<std::unique_ptr<Buffer>> buffer = device().Allocate(4, MemoryKind::kWeights);
    MOKA_ASSERT_OK(buffer);
    ExpectOk(Bench::SetWeight(device(), **buffer, static_cast<float>(i)));
    weights.push_back(std::move(*buffer));
  }
  Chain chain(device(), 8, Line(1));
  Result<Bench> bench = Bench::Make(device(), chain, 0.0f);
  MOKA_ASSERT_OK(bench);
  for (int i = 0; i < 100; i += 9) {
    ExpectOk(bench->replay->Bind(1, weights[static_cast<size_t>(i)].get(), 0));
    const Result<std::vector<float>> output = bench->Run(chain.Input());
    MOKA_ASSERT_OK(output);
    EXPECT_EQ(*output, chain.Expected(static_cast<float>(i)));
  }
}

TEST_F(Vulkan, WritesMoreThanItsStagingHolds) {
  const int64_t elements = 800000;
  Chain chain(device(), elements, Line(1));
  Result<Bench> bench = Bench::Make(device(), chain, 0.0f);
  MOKA_ASSERT_OK(bench);
  // Value 1, read back without a step that writes it: the program below only downloads.
  const std::vector<float> written = chain.Input();
  ExpectOk(device().Write(*bench->arena, chain.stride(), std::as_bytes(std::span<const float>(written))));
  LinkRequest request = chain.Request();
  request.steps = {};
  request.uploads = {};
  Result<std::shared_ptr<const Program>> program = device().Link(request);
  MOKA_ASSERT_OK(program);
  Result<std::unique_ptr<Replay>> replay = (*program)->Instantiate(*bench->queue);
  MOKA_ASSERT_OK(replay);
  ExpectOk((*replay)->Bind(0, bench->arena.get(), 0));
  std::vector<float> output(written.size());
  void* dst = output.data();
  ExpectOk((*replay)->Run(*bench->queue, {}, {&dst, 1}));
  EXPECT_EQ(output, written);
}

TEST_F(Vulkan, RefusesLaunchesThatDoNotFit) {
  Chain chain(device(), 100, Line(1));
  MOKA_ASSERT_OK(chain.MakeProgram());
  const gpu::Launch right = chain.steps()[0].launch.As<gpu::Launch>();
  const auto link = [&](const gpu::Launch& launch) {
    chain.steps()[0].launch = Blob::Of(launch);
    return device().Link(chain.Request()).status();
  };
  EXPECT_TRUE(link(right).ok());
  gpu::Launch wrong = right;
  wrong.kernel = 1000000;
  EXPECT_EQ(link(wrong).code(), StatusCode::kInternal);
  wrong = right;
  wrong.groups[0] = -1;
  EXPECT_EQ(link(wrong).code(), StatusCode::kInternal);
  wrong = right;
  wrong.group_size = {1 << 20, 1, 1};
  EXPECT_EQ(link(wrong).code(), StatusCode::kInternal);
  wrong = right;
  wrong.bindings[0].index = 7;
  const Status status = link(wrong);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_NE(status.message().find("link"), std::string::npos) << "names the node: " << status.message();
  chain.steps()[0].launch = Blob::Of(1);
  EXPECT_EQ(device().Link(chain.Request()).status().code(), StatusCode::kInternal);
}

TEST_F(Vulkan, RefusesOperandsOutsideTheirBuffers) {
  Chain chain(device(), 100, Line(2));
  Result<Bench> bench = Bench::Make(device(), chain, 1.0f);
  MOKA_ASSERT_OK(bench);
  ExpectOk(bench->replay->Bind(0, bench->weight.get(), 0));  // 64 bytes for an arena
  EXPECT_EQ(bench->Run(chain.Input()).status().code(), StatusCode::kInternal);
  EXPECT_EQ(bench->replay->Bind(9, bench->weight.get(), 0).code(), StatusCode::kInternal);
  ExpectOk(bench->replay->Bind(0, bench->arena.get(), 0));
  ExpectOk(bench->Run(chain.Input()).status());
}

TEST_F(Vulkan, SaysWhenMemoryIsShort) {
  const Result<std::unique_ptr<Buffer>> buffer = device().Allocate(uint64_t{1} << 60, MemoryKind::kArena);
  ASSERT_FALSE(buffer.ok());
  EXPECT_EQ(buffer.status().code(), StatusCode::kOutOfMemory);
}

TEST_F(Vulkan, ImportIsNotOffered) {
  const int value = 0;
  EXPECT_EQ(device().Import(&value, sizeof(value)).status().code(), StatusCode::kUnsupported);
}

// ---- Failing drivers ----------------------------------------------------------------------------------------------

std::atomic<bool> g_lose_device{false};
PFN_vkQueueSubmit g_submit = nullptr;

VKAPI_ATTR VkResult VKAPI_CALL SubmitOrLose(VkQueue queue, uint32_t count, const VkSubmitInfo* info, VkFence fence) {
  return g_lose_device ? VK_ERROR_DEVICE_LOST : g_submit(queue, count, info, fence);
}
VKAPI_ATTR VkResult VKAPI_CALL NoMemory(VkDevice, const VkMemoryAllocateInfo*, const VkAllocationCallbacks*,
                                        VkDeviceMemory*) {
  return VK_ERROR_OUT_OF_DEVICE_MEMORY;
}
VKAPI_ATTR VkResult VKAPI_CALL NoPipeline(VkDevice, VkPipelineCache, uint32_t, const VkComputePipelineCreateInfo*,
                                          const VkAllocationCallbacks*, VkPipeline*) {
  return VK_ERROR_UNKNOWN;
}

TEST_F(Vulkan, ALostDeviceIsAStatus) {
  OpenOptions options;
  options.edit_api = [](Api* api) {
    g_submit = api->QueueSubmit;
    api->QueueSubmit = SubmitOrLose;
  };
  const std::unique_ptr<Device> device = OpenFirst(options);
  ASSERT_NE(device, nullptr);
  Chain chain(*device, 100, Line(1));
  Result<Bench> bench = Bench::Make(*device, chain, 1.0f);
  MOKA_ASSERT_OK(bench);
  ExpectOk(bench->Run(chain.Input()).status());
  g_lose_device = true;
  for (int run = 0; run < 2; ++run) {
    const Status status = bench->Run(chain.Input()).status();
    EXPECT_EQ(status.code(), StatusCode::kDeviceError);
    EXPECT_EQ(status.message(), "vkQueueSubmit: VK_ERROR_DEVICE_LOST");
  }
  g_lose_device = false;
}

TEST_F(Vulkan, NoMemoryIsAStatus) {
  OpenOptions options;
  options.edit_api = [](Api* api) { api->AllocateMemory = NoMemory; };
  const std::unique_ptr<Device> device = OpenFirst(options);
  ASSERT_NE(device, nullptr);
  for (const uint64_t bytes : {100u, 10u << 20}) {
    const Status status = device->Allocate(bytes, MemoryKind::kArena).status();
    EXPECT_EQ(status.code(), StatusCode::kOutOfMemory);
    EXPECT_NE(status.message().find("vkAllocateMemory: VK_ERROR_OUT_OF_DEVICE_MEMORY"), std::string::npos)
        << status.message();
  }
}

TEST_F(Vulkan, ADriverThatCannotCompileIsAStatus) {
  OpenOptions options;
  options.edit_api = [](Api* api) { api->CreateComputePipelines = NoPipeline; };
  const std::unique_ptr<Device> device = OpenFirst(options);
  ASSERT_NE(device, nullptr);
  Chain chain(*device, 100, Line(1));
  const Status status = chain.MakeProgram().status();
  EXPECT_EQ(status.code(), StatusCode::kDeviceError);
  EXPECT_NE(status.message().find("vkCreateComputePipelines"), std::string::npos) << status.message();
}

// ---- The pipeline cache -------------------------------------------------------------------------------------------

std::vector<std::filesystem::path> FilesIn(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

TEST_F(Vulkan, KeepsPipelinesOnDiskAndSurvivesADamagedFile) {
  OpenOptions options;
  options.cache_folder = Folder("cache");
  options.validate = true;
  const auto run = [&] {
    const std::unique_ptr<Device> device = OpenFirst(options);
    ASSERT_NE(device, nullptr);
    Chain chain(*device, 100, Line(2));
    Result<Bench> bench = Bench::Make(*device, chain, 3.0f);
    MOKA_ASSERT_OK(bench);
    const Result<std::vector<float>> output = bench->Run(chain.Input());
    MOKA_ASSERT_OK(output);
    EXPECT_EQ(*output, chain.Expected(3.0f));
  };
  run();
  const std::vector<std::filesystem::path> files = FilesIn(options.cache_folder);
  ASSERT_EQ(files.size(), 1u);
  const Result<std::string> first = ReadFile(files[0].string());
  MOKA_ASSERT_OK(first);
  const std::optional<std::string> data = gpu::DecodeEntry(*first, device().shared().pipelines->disk_key());
  ASSERT_TRUE(data.has_value());
  EXPECT_GE(data->size(), sizeof(VkPipelineCacheHeaderVersionOne));

  run();  // from the cache
  EXPECT_EQ(FilesIn(options.cache_folder).size(), 1u);

  for (const std::string& damaged :
       {std::string("nonsense"), std::string(), first->substr(0, first->size() / 2), *first + "tail"}) {
    std::ofstream(files[0], std::ios::binary | std::ios::trunc) << damaged;
    run();
    EXPECT_EQ(*ReadFile(files[0].string()), *first);  // whole again
  }
}

TEST_F(Vulkan, WorksWithAFolderThatCannotBeWritten) {
  OpenOptions options;
  options.cache_folder = "/proc/moka_has_no_place_here";
  const std::unique_ptr<Device> device = OpenFirst(options);
  ASSERT_NE(device, nullptr);
  Chain chain(*device, 100, Line(1));
  MOKA_ASSERT_OK(chain.MakeProgram());
}

}  // namespace
}  // namespace moka::vulkan
