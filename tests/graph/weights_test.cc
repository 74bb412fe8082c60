// Weights that several threads make at once.
#include "graph/weights.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <thread>

#include "graph/constants.h"
#include "tests/graph/fake_device.h"

namespace moka {
namespace {

HostTensor Numbers(float first) {
  void* data = nullptr;
  const auto tensor = AllocateConstant(DataType::kF32, {64}, &data);
  for (int i = 0; i < 64; ++i) static_cast<float*>(data)[i] = first + static_cast<float>(i);
  return *tensor;
}

// The same in a mapped file, 64 KiB of zeros but for what is said.
HostTensor Mapped(const std::string& name, std::map<size_t, float> said) {
  std::vector<float> numbers(16 << 10);
  for (const auto& [i, number] : said) numbers[i] = number;
  const std::string path = testing::TempDir() + name;
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float));
  EXPECT_TRUE(WriteFileAtomically(path, bytes).ok());
  auto file = MappedFile::Open(path);
  EXPECT_TRUE(file.ok());
  return {MakeDense(DataType::kF32, {16 << 10}), (*file)->data(), *file};
}

PackSpec SpecOf(const HostTensor& tensor) {
  PackSpec spec;
  spec.format = "test.1";
  spec.bytes = tensor.desc.ExtentBytes();
  return spec;
}

// Packs by copying, after `gate`.
class GatedDevice : public FakeDevice {
 public:
  GatedDevice() : FakeDevice("host", {}) {}
  Status Pack(const PackSpec&, const HostTensor& src, std::span<std::byte> dst) const override {
    MOKA_RETURN_IF_ERROR(gate());
    std::memcpy(dst.data(), src.data, dst.size());
    return {};
  }
  std::function<Status()> gate;
};

template <class F>
void InThreads(int count, const F& f) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&f, t] { f(t); });
  for (std::thread& thread : threads) thread.join();
}

TEST(WeightStore, MakesOneWeightForAllWhoAskAtOnce) {
  GatedDevice device;
  std::atomic<int> packs{0};
  device.gate = [&]() -> Status {
    ++packs;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return {};
  };
  WeightStore store;
  WeightStore::Handle handles[4];
  InThreads(4, [&](int t) {
    const HostTensor tensor = Numbers(1);  // equal contents, each at its own address
    auto made = store.Pack(device, tensor, SpecOf(tensor));
    ASSERT_TRUE(made.ok());
    handles[t] = *made;
  });
  EXPECT_EQ(packs, 1);
  for (const auto& handle : handles) EXPECT_EQ(handle, handles[0]);
  EXPECT_EQ(store.counts().made, 1);
  EXPECT_EQ(store.counts().shared, 3);
}

TEST(WeightStore, MakesDifferentWeightsSideBySide) {
  GatedDevice device;
  std::mutex mutex;
  std::condition_variable both;
  int inside = 0;
  device.gate = [&]() -> Status {
    std::unique_lock lock(mutex);
    ++inside;
    both.notify_all();
    if (both.wait_for(lock, std::chrono::seconds(60), [&] { return inside == 2; })) return {};
    return Internal("alone");
  };
  WeightStore store;
  InThreads(2, [&](int t) {
    const HostTensor tensor = Numbers(static_cast<float>(t));
    EXPECT_TRUE(store.Pack(device, tensor, SpecOf(tensor)).ok());
  });
  EXPECT_EQ(inside, 2);
}

// Samples of large contents do not tell all of them apart.
TEST(WeightStore, SharesEqualContentsOfMappedFiles) {
  GatedDevice device;
  device.gate = [] { return Status(); };
  WeightStore store;
  const HostTensor tensors[] = {Mapped("a", {{5, 1.0f}, {5000, 2.0f}}), Mapped("b", {{5, 1.0f}, {5000, 2.0f}}),
                                Mapped("c", {{5, 1.0f}, {5000, 3.0f}}), Mapped("d", {{5, 4.0f}, {5000, 2.0f}})};
  std::vector<WeightStore::Handle> handles;
  for (const HostTensor& tensor : tensors) {
    ASSERT_TRUE(IsMapped(tensor.data, tensor.desc.ExtentBytes()));
    auto made = store.Pack(device, tensor, SpecOf(tensor));
    ASSERT_TRUE(made.ok());
    handles.push_back(*made);
    EXPECT_EQ(std::memcmp((*made)->buffer->host(), tensor.data, tensor.desc.ExtentBytes()), 0);
  }
  EXPECT_EQ(handles[1], handles[0]);
  EXPECT_NE(handles[2], handles[0]);
  EXPECT_NE(handles[3], handles[0]);
  auto again = store.Pack(device, tensors[2], SpecOf(tensors[2]));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, handles[2]);
  EXPECT_EQ(store.counts().made, 3);
  EXPECT_EQ(store.counts().shared, 2);
}

TEST(WeightStore, ThoseWhoWaitedTryThemselvesAfterAFailure) {
  GatedDevice device;
  std::atomic<int> packs{0};
  device.gate = [&]() -> Status {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return packs++ == 0 ? OutOfMemory("the first one") : Status();
  };
  WeightStore store;
  std::atomic<int> failures{0};
  WeightStore::Handle handles[3];
  InThreads(3, [&](int t) {
    const HostTensor tensor = Numbers(1);
    auto made = store.Pack(device, tensor, SpecOf(tensor));
    if (made.ok()) {
      handles[t] = *made;
    } else {
      ++failures;
    }
  });
  EXPECT_EQ(failures, 1);
  EXPECT_EQ(packs, 2);
  EXPECT_EQ(store.counts().alive, 1);
}

TEST(WeightStore, PutsPacksIntoTheMemoryThatIsPassed) {
  GatedDevice device;
  device.gate = [] { return Status(); };
  WeightStore store;
  const HostTensor tensors[] = {Numbers(1), Numbers(2), Numbers(3)};
  const uint64_t bytes = tensors[0].desc.ExtentBytes();
  std::shared_ptr<MemoryRange> range = MemoryRange::Reserve(2 * MemoryRange::RoomFor(bytes));
  ASSERT_NE(range, nullptr);
  std::vector<WeightStore::Handle> handles;
  for (const HostTensor& tensor : tensors) {
    while (handles.size() == 2 && MemoryRange::Take(range, 1) != nullptr) continue;  // the rest of its last page
    auto made = store.Pack(device, tensor, SpecOf(tensor), nullptr, range);
    ASSERT_TRUE(made.ok());
    handles.push_back(*made);
  }
  EXPECT_EQ(static_cast<std::byte*>(handles[1]->buffer->host()),
            static_cast<std::byte*>(handles[0]->buffer->host()) + MemoryRange::RoomFor(bytes));
  EXPECT_EQ(handles[2]->owner, nullptr) << "there was no room left: memory of its own";
  range.reset();
  for (size_t i = 0; i < handles.size(); ++i) {
    EXPECT_FALSE(handles[i]->imported);
    EXPECT_EQ(std::memcmp(handles[i]->buffer->host(), tensors[i].data, bytes), 0);
  }
  EXPECT_EQ(store.counts().bytes, 3 * bytes);
}

TEST(WeightStore, ForgetsWeightsThatNobodyHolds) {
  GatedDevice device;
  device.gate = [] { return Status(); };
  WeightStore store;
  const HostTensor tensor = Numbers(1);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store.Pack(device, tensor, SpecOf(tensor)).ok());
  EXPECT_EQ(store.counts().made, 2);
  EXPECT_EQ(store.counts().alive, 0);
}

}  // namespace
}  // namespace moka
