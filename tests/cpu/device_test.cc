#include "cpu/device.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "tests/cpu/run_op.h"

namespace moka {
namespace {

// Hands out the units from the last to the first, over more workers than there are threads, and notes which it used.
class ReverseExecutor final : public Executor {
 public:
  explicit ReverseExecutor(int workers) : workers_(workers) {}
  int workers() const override { return workers_; }
  void Run(int64_t n, void (*task)(void*, int64_t, int), void* context) override {
    for (int64_t i = n; i-- > 0;) {
      const int worker = static_cast<int>(i % workers_);
      used.insert(worker);
      task(context, i, worker);
    }
  }
  std::set<int> used;

 private:
  int workers_;
};

// A Relu of `n` floats, linked on `device`.
struct Linked {
  std::vector<float> src, dst;
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::shared_ptr<const Program> program;
  std::unique_ptr<Replay> replay;
};

MicroProgram Relu() {
  MicroProgram program;
  program.num_ops = program.num_constants = program.num_sources = 1;
  program.ops[0] = {MicroOp::kMax, 0, MicroSource(0), MicroConstant(0), 0, {}};
  return program;
}

Linked LinkRelu(Device& device, Queue& queue, int64_t n, bool host_slots) {
  Linked linked;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < n; ++i) linked.src.push_back(normal(random));
  linked.dst.resize(static_cast<size_t>(n));
  OpTest test;
  test.op = "moka.Elementwise";
  test.program = Relu();
  test.program_begin = 0;
  test.src.emplace_back(MakeDense(DataType::kF32, {n}));
  test.dst = {test.src[0].desc()};
  const CallParts parts(test);
  const Offer offer = device.Choose(parts.call, {});
  const Choice& choice = offer.choices.at(0);
  const uint64_t bytes = static_cast<uint64_t>(n) * sizeof(float);
  const uint64_t scratch = choice.scratch_per_worker * static_cast<uint64_t>(queue.workers());
  Step step;
  step.call = parts.call;
  step.kernel = choice.kernel;
  step.launch = choice.launch;
  step.units = choice.units;
  step.src = {{0, 0, test.dst[0]}};
  step.dst = {{1, 0, test.dst[0]}};
  step.scratch = {2, 0, MakeDense(DataType::kU8, {static_cast<int64_t>(scratch)})};
  step.scratch_per_worker = choice.scratch_per_worker;
  const auto kind = host_slots ? SlotInfo::kHost : SlotInfo::kBuffer;
  const SlotInfo slots[] = {{kind, bytes}, {kind, bytes}, {SlotInfo::kBuffer, scratch}};
  linked.program = std::move(device.Link({{&step, 1}, slots, {}, {}})).value();
  linked.replay = std::move(linked.program->Instantiate(queue)).value();
  linked.buffers.push_back(std::move(device.Allocate(scratch, MemoryKind::kArena)).value());
  EXPECT_TRUE(linked.replay->Bind(2, linked.buffers[0].get(), 0).ok());
  return linked;
}

TEST(CpuDevice, IsNamedAndHasItsMemoryOnTheHost) {
  const auto devices = cpu::Open(nullptr);
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_EQ(devices[0]->info().name, "cpu");
  EXPECT_EQ(devices[0]->info().kind, DeviceKind::kCpu);
  EXPECT_FALSE(devices[0]->info().hardware.empty());
  EXPECT_TRUE(devices[0]->limits().host_memory);
  EXPECT_EQ(devices[0]->limits().channel_alignment, 1);
  const auto targets = cpu::SimdTargets();
  EXPECT_EQ(devices[0]->info().driver, targets.empty() ? "references" : targets[0]);
}

TEST(CpuDevice, ATargetCanBeForced) {
  for (const std::string& target : cpu::SimdTargets()) {
    ::setenv("MOKA_SIMD_TARGET", target.c_str(), 1);
    EXPECT_EQ(cpu::Open(nullptr)[0]->info().driver, target);
  }
  ::setenv("MOKA_SIMD_TARGET", "MMX", 1);
  std::vector<std::string> notes;
  EXPECT_EQ(cpu::Open(&notes).size(), 1u);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("MMX"), std::string::npos);
  ::unsetenv("MOKA_SIMD_TARGET");
  EXPECT_EQ(cpu::OpenForTarget("MMX"), nullptr);
}

TEST(CpuDevice, RefusesTooManyThreads) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  for (const int threads : {-1, 1000000}) {
    QueueOptions options;
    options.threads = threads;
    const auto queue = device->MakeQueue(options);
    ASSERT_FALSE(queue.ok());
    EXPECT_EQ(queue.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(queue.status().message().find(std::to_string(threads)), std::string::npos);
  }
}

TEST(CpuDevice, ReportsAnAllocationThatIsTooLarge) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  EXPECT_EQ(device->Allocate(uint64_t{1} << 60, MemoryKind::kArena).status().code(), StatusCode::kOutOfMemory);
}

TEST(CpuDevice, RunsOnTheCallersExecutor) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  ReverseExecutor executor(7);
  QueueOptions options;
  options.executor = &executor;
  auto queue = device->MakeQueue(options);
  ASSERT_TRUE(queue.ok());
  EXPECT_EQ((*queue)->workers(), 7);
  Linked linked = LinkRelu(*device, **queue, 1 << 20, true);
  linked.replay->BindHost(0, linked.src.data());
  linked.replay->BindHost(1, linked.dst.data());
  ASSERT_TRUE(linked.replay->Run(**queue, {}, {}).ok());
  for (size_t i = 0; i < linked.src.size(); ++i) ASSERT_EQ(linked.dst[i], std::max(linked.src[i], 0.0f)) << i;
  EXPECT_EQ(executor.used.size(), 7u);
}

TEST(CpuDevice, SmallStepsRunInline) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  ReverseExecutor executor(2);
  QueueOptions options;
  options.executor = &executor;
  auto queue = device->MakeQueue(options);
  Linked linked = LinkRelu(*device, **queue, 100, true);
  linked.replay->BindHost(0, linked.src.data());
  linked.replay->BindHost(1, linked.dst.data());
  ASSERT_TRUE(linked.replay->Run(**queue, {}, {}).ok());
  EXPECT_TRUE(executor.used.empty());
}

TEST(CpuDevice, BindsHostMemoryAnewForEachRun) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  auto queue = device->MakeQueue({});
  Linked linked = LinkRelu(*device, **queue, 1000, true);
  std::vector<float> other_src(1000, 3.0f), other_dst(1000);
  linked.replay->BindHost(0, linked.src.data());
  linked.replay->BindHost(1, linked.dst.data());
  ASSERT_TRUE(linked.replay->Run(**queue, {}, {}).ok());
  linked.replay->BindHost(0, other_src.data());
  linked.replay->BindHost(1, other_dst.data());
  ASSERT_TRUE(linked.replay->Run(**queue, {}, {}).ok());
  EXPECT_EQ(linked.dst[5], std::max(linked.src[5], 0.0f));
  EXPECT_EQ(other_dst, other_src);
}

TEST(CpuDevice, RefusesBuffersThatAreTooSmall) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  auto queue = device->MakeQueue({});
  Linked linked = LinkRelu(*device, **queue, 1000, false);
  auto small = std::move(device->Allocate(3996, MemoryKind::kArena)).value();
  auto enough = std::move(device->Allocate(4064, MemoryKind::kArena)).value();
  EXPECT_FALSE(linked.replay->Bind(0, small.get(), 0).ok());
  EXPECT_FALSE(linked.replay->Bind(0, enough.get(), 128).ok());
  EXPECT_FALSE(linked.replay->Bind(7, enough.get(), 0).ok());
  EXPECT_TRUE(linked.replay->Bind(0, enough.get(), 64).ok());
}

TEST(CpuDevice, ProfilesStepsWhenAsked) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  for (const bool profile : {false, true}) {
    QueueOptions options;
    options.profile = profile;
    auto queue = device->MakeQueue(options);
    Linked linked = LinkRelu(*device, **queue, 100000, true);
    linked.replay->BindHost(0, linked.src.data());
    linked.replay->BindHost(1, linked.dst.data());
    ASSERT_TRUE(linked.replay->Run(**queue, {}, {}).ok());
    ASSERT_EQ(linked.replay->step_us().size(), profile ? 1u : 0u);
    for (const double us : linked.replay->step_us()) EXPECT_GT(us, 0);
  }
}

TEST(CpuDevice, OneProgramServesManyReplaysAtOnce) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  auto first_queue = device->MakeQueue({});
  const Linked first = LinkRelu(*device, **first_queue, 5000, true);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      auto queue = device->MakeQueue({});
      auto replay = first.program->Instantiate(**queue);
      auto scratch = device->Allocate(first.buffers[0]->bytes(), MemoryKind::kArena);
      std::vector<float> dst(5000);
      if (!(*replay)->Bind(2, scratch->get(), 0).ok()) wrong.fetch_add(1);
      (*replay)->BindHost(0, const_cast<float*>(first.src.data()));
      (*replay)->BindHost(1, dst.data());
      for (int i = 0; i < 20; ++i) {
        if (!(*replay)->Run(**queue, {}, {}).ok()) wrong.fetch_add(1);
      }
      for (size_t i = 0; i < dst.size(); ++i) {
        if (dst[i] != std::max(first.src[i], 0.0f)) wrong.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(CpuDevice, AReplayOutlivesItsProgramHandle) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  auto queue = device->MakeQueue({});
  Linked linked = LinkRelu(*device, **queue, 1000, true);
  linked.program.reset();
  linked.replay->BindHost(0, linked.src.data());
  linked.replay->BindHost(1, linked.dst.data());
  ASSERT_TRUE(linked.replay->Run(**queue, {}, {}).ok());
  EXPECT_EQ(linked.dst[7], std::max(linked.src[7], 0.0f));
}

TEST(CpuDevice, ErrorsOfARunNameTheNode) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  OpTest test;
  test.op = "Gather";
  std::mt19937 random(2);
  test.AddFloats(MakeDense(DataType::kF32, {4, 3}), random);
  test.AddInts({1, 4});
  test.dst = {MakeDense(DataType::kF32, {2, 3})};
  const OpRun run = RunOp(*device, test);
  ASSERT_FALSE(run.status.ok());
  EXPECT_NE(run.status.message().find("'test' (Gather)"), std::string::npos) << run.status.message();
  EXPECT_NE(run.status.message().find("4"), std::string::npos) << run.status.message();
}

TEST(CpuDevice, MeasuresItsPeak) {
  const auto device = std::move(cpu::Open(nullptr)[0]);
  QueueOptions options;
  options.threads = 1;
  auto queue = device->MakeQueue(options);
  const double peak = device->PeakGflops(**queue);
  EXPECT_EQ(peak > 0, !cpu::SimdTargets().empty()) << peak;
  EXPECT_LT(peak, 10000);
}

}  // namespace
}  // namespace moka
