// Measured choices: the fastest kernel, remembered, and found again by later sessions.
#include "graph/choices.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "graph/constants.h"
#include "tests/graph/fake_device.h"

namespace moka {
namespace {

namespace fs = std::filesystem;

constexpr int kSlowUs = 5000;

FakeBehaviour Kernels(std::vector<FakeKernel> kernels) {
  FakeBehaviour behaviour;
  behaviour.kernels = std::move(kernels);
  return behaviour;
}

class Choices : public testing::Test {
 protected:
  Choices() : folder_(fs::temp_directory_path() / ("moka_choices_test_" + std::to_string(::getpid()))) {
    void* data = nullptr;
    weight_ = *AllocateConstant(DataType::kF32, {8, 4}, &data);
  }
  ~Choices() override { fs::remove_all(folder_); }

  // The kernel that a store chooses for rows x 8 times 8 x 4.
  std::string Choose(ChoiceStore& store, FakeDevice& device, bool cached = true, int64_t rows = 3) const {
    const TensorDesc src[] = {MakeDense(DataType::kF32, {rows, 8}), weight_.desc};
    const TensorDesc dst[] = {MakeDense(DataType::kF32, {rows, 4})};
    const HostTensor* constants[] = {nullptr, &weight_};
    const Attributes attrs;
    OpCall call;
    call.op = FindOp("", "MatMul");
    call.attrs = &attrs;
    call.src = src;
    call.dst = dst;
    call.constants = constants;
    ChoosePolicy policy;
    policy.all = true;
    const Offer offer = device.Choose(call, policy);
    const PackCache cache(folder_.string());
    auto queue = device.MakeQueue({});
    return std::string(offer.choices[store.Best(device, **queue, call, offer, cached ? &cache : nullptr)].kernel);
  }
  std::string ChooseAnew(FakeDevice& device) const {
    ChoiceStore store;
    return Choose(store, device);
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    return files;
  }

  fs::path folder_;
  HostTensor weight_;
};

TEST_F(Choices, TheFastestIsTakenAndMeasuredOnce) {
  FakeDevice device("host", Kernels({{"fake/slow", kSlowUs}, {"fake/fast"}, {"fake/slow too", kSlowUs}}));
  ChoiceStore store;
  EXPECT_EQ(Choose(store, device, false), "fake/fast");
  const int64_t runs = device.runs();
  EXPECT_GT(runs, 0);
  EXPECT_EQ(Choose(store, device, false), "fake/fast");
  EXPECT_EQ(device.runs(), runs);
  Choose(store, device, false, 5);
  EXPECT_GT(device.runs(), runs) << "another kind of step";
  EXPECT_EQ(store.counts().measured, 2);
  EXPECT_EQ(store.counts().recalled, 0);
}

TEST_F(Choices, TheDevicesOwnIsKeptUnlessAnotherIsFaster) {
  FakeDevice faster("host", Kernels({{"fake/own"}, {"fake/other", kSlowUs}}));
  EXPECT_EQ(ChooseAnew(faster), "fake/own");
  FakeDevice failing("another host", Kernels({{"fake/own", kSlowUs}, {"fake/other", 0, true}}));
  EXPECT_EQ(ChooseAnew(failing), "fake/own");
  FakeDevice own_fails("a third host", Kernels({{"fake/own", 0, true}, {"fake/other"}}));
  EXPECT_EQ(ChooseAnew(own_fails), "fake/own");
}

TEST_F(Choices, NothingIsMeasuredWhereThereIsNoChoice) {
  FakeDevice one("host", Kernels({{"fake/own"}}));
  EXPECT_EQ(ChooseAnew(one), "fake/own");
  FakeBehaviour gpu = Kernels({{"fake/own", kSlowUs}, {"fake/other"}});
  gpu.gpu = true;
  FakeDevice device("gpu", gpu);
  EXPECT_EQ(ChooseAnew(device), "fake/own");
  EXPECT_EQ(one.runs() + device.runs(), 0);
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(Choices, LaterStartsFindWhatWasChosen) {
  FakeDevice first("host", Kernels({{"fake/a", kSlowUs}, {"fake/b"}}));
  EXPECT_EQ(ChooseAnew(first), "fake/b");
  FakeDevice later("host", Kernels({{"fake/a"}, {"fake/b", kSlowUs}}));
  ChoiceStore store;
  EXPECT_EQ(Choose(store, later), "fake/b");
  EXPECT_EQ(Choose(store, later), "fake/b");
  EXPECT_EQ(later.runs(), 0);
  EXPECT_EQ(store.counts().measured, 0);
  EXPECT_EQ(store.counts().recalled, 1);
}

TEST_F(Choices, OtherMachinesWorkersAndKernelsAreMeasured) {
  const std::vector<FakeKernel> kernels = {{"fake/a", kSlowUs}, {"fake/b"}};
  FakeDevice first("host", Kernels(kernels));
  ChooseAnew(first);
  FakeDevice machine("another", Kernels(kernels));
  EXPECT_EQ(ChooseAnew(machine), "fake/b");
  EXPECT_GT(machine.runs(), 0);
  FakeBehaviour two = Kernels(kernels);
  two.workers = 2;
  FakeDevice workers("host", two);
  EXPECT_EQ(ChooseAnew(workers), "fake/b");
  EXPECT_GT(workers.runs(), 0);
  FakeDevice newer("host", Kernels({{"fake/a", kSlowUs}, {"fake/b", kSlowUs}, {"fake/c"}}));
  EXPECT_EQ(ChooseAnew(newer), "fake/c");
}

TEST_F(Choices, WhatIsDamagedIsMeasuredAnew) {
  FakeDevice first("host", Kernels({{"fake/a", kSlowUs}, {"fake/b"}}));
  ChooseAnew(first);
  ASSERT_EQ(Files().size(), 1u);
  const auto size = static_cast<std::streamoff>(fs::file_size(Files()[0]));
  for (const std::streamoff at : {std::streamoff{9}, std::streamoff{30}, size - 64, size - 1}) {
    std::fstream file(Files()[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file.put('!');
    file.close();
    const int64_t runs = first.runs();
    EXPECT_EQ(ChooseAnew(first), "fake/b") << at;
    EXPECT_GT(first.runs(), runs) << at;
  }
}

// Whole, but by somebody else: names of no kernel, and a record without an end.
TEST_F(Choices, ANameThatIsNotOfferedIsMeasuredAnew) {
  FakeDevice device("host", Kernels({{"fake/a", kSlowUs}, {"fake/b"}}));
  ChooseAnew(device);
  ASSERT_EQ(Files().size(), 1u);
  std::ifstream file(Files()[0], std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(file), {});
  uint32_t key_bytes = 0;
  std::memcpy(&key_bytes, whole.data() + 12, sizeof(key_bytes));
  const std::string key = whole.substr(40, key_bytes);
  const PackCache cache(folder_.string());
  ASSERT_EQ(cache.PathOf(key), Files()[0].string());
  for (const std::byte fill : {std::byte{'x'}, std::byte{0}, std::byte{0xff}}) {
    cache.Keep(key, std::vector<std::byte>(64, fill));
    const int64_t runs = device.runs();
    EXPECT_EQ(ChooseAnew(device), "fake/b");
    EXPECT_GT(device.runs(), runs);
  }
}

TEST_F(Choices, WritersAtOnceLeaveOneWholeChoice) {
  const std::vector<FakeKernel> kernels = {{"fake/a", 2000}, {"fake/b"}};
  std::vector<pid_t> children;
  for (int w = 0; w < 3; ++w) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      FakeDevice device("host", Kernels(kernels));
      const std::string chosen = ChooseAnew(device);
      ::_exit(chosen == "fake/a" || chosen == "fake/b" ? 0 : 1);
    }
    children.push_back(child);
  }
  FakeDevice device("host", Kernels(kernels));
  ChoiceStore store;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back([&] { Choose(store, device); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store.counts().measured + store.counts().recalled, 1);
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  ASSERT_EQ(Files().size(), 1u);
  FakeDevice later("host", Kernels(kernels));
  ChooseAnew(later);
  EXPECT_EQ(later.runs(), 0);
}

}  // namespace
}  // namespace moka
