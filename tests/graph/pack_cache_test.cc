// Packs in files: found again when they are whole, made again otherwise.
#include "graph/pack_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "base/platform.h"
#include "graph/constants.h"
#include "graph/weights.h"
#include "tests/graph/fake_device.h"

namespace moka {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeader = 4096;

std::vector<std::byte> Bytes(size_t count, int seed) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 131 + i / 256 + static_cast<size_t>(seed));
  return bytes;
}

class PackCacheFiles : public testing::Test {
 protected:
  PackCacheFiles() : folder_(fs::temp_directory_path() / ("moka_pack_cache_test_" + std::to_string(::getpid()))) {}
  ~PackCacheFiles() override { fs::remove_all(folder_); }
  PackCache Open() const { return PackCache((folder_ / "new" / "folder").string()); }

  static bool Holds(const PackCache& cache, const std::string& key, const std::vector<std::byte>& pack) {
    const KeptPack kept = cache.Find(key, pack.size());
    return kept.owner != nullptr && kept.bytes.size() == pack.size() &&
           std::memcmp(kept.bytes.data(), pack.data(), pack.size()) == 0;
  }
  static bool IsAbsent(const PackCache& cache, const std::string& key, size_t bytes) {
    return cache.Find(key, bytes).owner == nullptr;
  }

  fs::path folder_;
};

TEST_F(PackCacheFiles, FindsWhatWasKeptUnderItsKeyAndSize) {
  const auto pack = Bytes(100000, 1);
  EXPECT_TRUE(IsAbsent(Open(), "key", pack.size()));
  Open().Keep("key", pack);
  EXPECT_TRUE(Holds(Open(), "key", pack));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(Open().Find("key", pack.size()).bytes.data()) % 64, 0u);
  EXPECT_TRUE(IsAbsent(Open(), "other key", pack.size()));
  EXPECT_TRUE(IsAbsent(Open(), "key", pack.size() - 1));
  fs::copy(Open().PathOf("key"), Open().PathOf("other key"));
  EXPECT_TRUE(IsAbsent(Open(), "other key", pack.size()));
}

TEST_F(PackCacheFiles, ATooLongKeyIsNotKept) {
  const std::string key(PackCache::kMaxKey + 1, 'k');
  Open().Keep(key, Bytes(10, 1));
  EXPECT_TRUE(IsAbsent(Open(), key, 10));
}

TEST_F(PackCacheFiles, DamageMakesAPackAbsentUntilItIsKeptAgain) {
  const auto pack = Bytes(5000, 1);
  const PackCache cache = Open();
  cache.Keep("key", pack);
  const std::string whole = *ReadFile(cache.PathOf("key"));
  ASSERT_EQ(whole.size(), kHeader + pack.size());
  std::vector<std::string> damaged = {"", whole + "x"};
  for (const size_t size : {size_t{1}, kHeader - 1, kHeader, kHeader + 1, whole.size() - 1}) {
    damaged.push_back(whole.substr(0, size));
  }
  std::vector<size_t> places;  // magic, version, sizes, checksum, key, padding, pack
  for (size_t i = 0; i < 48; ++i) places.push_back(i);
  for (const size_t i : {kHeader - 1, kHeader, kHeader + 2500, whole.size() - 1}) places.push_back(i);
  for (const size_t i : places) {
    damaged.push_back(whole);
    damaged.back()[i] = static_cast<char>(damaged.back()[i] ^ 0x10);
  }
  for (size_t i = 0; i < damaged.size(); ++i) {
    ASSERT_TRUE(WriteFileAtomically(cache.PathOf("key"), damaged[i]).ok());
    EXPECT_TRUE(IsAbsent(cache, "key", pack.size())) << i;
    cache.Keep("key", pack);
    EXPECT_TRUE(Holds(cache, "key", pack)) << i;
  }
}

TEST_F(PackCacheFiles, WhatIsMappedOutlivesItsFile) {
  const auto pack = Bytes(5000, 1);
  Open().Keep("key", pack);
  const KeptPack kept = Open().Find("key", pack.size());
  Open().Keep("key", pack);
  fs::remove_all(folder_);
  EXPECT_EQ(std::memcmp(kept.bytes.data(), pack.data(), pack.size()), 0);
}

// Of five packs that were used one after the other the two last ones have room, after the first one was used again.
TEST_F(PackCacheFiles, WhatWasNotUsedForLongIsDeletedFirst) {
  const auto pack = Bytes(10000, 1);
  const uint64_t file_bytes = kHeader + pack.size();
  const std::string keys[] = {"a", "b", "c", "d", "e"};
  const PackCache cache = Open();
  const auto now = fs::file_time_type::clock::now();
  for (int i = 0; i < 5; ++i) {
    cache.Keep(keys[i], pack);
    fs::last_write_time(cache.PathOf(keys[i]), now - std::chrono::hours(10 - i));
  }
  const fs::path folder = fs::path(cache.PathOf("a")).parent_path(), foreign = folder / "notes.pack";
  const fs::path left_over = cache.PathOf("a") + ".Xy12Zw";
  for (const fs::path& path : {foreign, left_over}) {
    std::ofstream(path) << "something";
    fs::last_write_time(path, now - std::chrono::hours(20));
  }
  const KeptPack mapped = cache.Find("b", pack.size());
  fs::last_write_time(cache.PathOf("b"), now - std::chrono::hours(9));
  EXPECT_TRUE(Holds(cache, "a", pack));
  cache.Trim(5 * file_bytes + 100);
  EXPECT_TRUE(Holds(cache, "b", pack));  // all had room
  fs::last_write_time(cache.PathOf("b"), now - std::chrono::hours(9));
  cache.Trim(0);  // looks only after something was kept
  EXPECT_TRUE(fs::exists(left_over));
  cache.Keep("e", pack);
  cache.Trim(3 * file_bytes);
  for (const char* key : {"b", "c"}) EXPECT_TRUE(IsAbsent(cache, key, pack.size())) << key;
  for (const char* key : {"a", "d", "e"}) EXPECT_TRUE(Holds(cache, key, pack)) << key;
  EXPECT_FALSE(fs::exists(left_over));
  EXPECT_TRUE(fs::exists(foreign));
  EXPECT_EQ(std::memcmp(mapped.bytes.data(), pack.data(), pack.size()), 0);
}

TEST_F(PackCacheFiles, ReadersWritersAndDeletersAtOnce) {
  const auto pack = Bytes(50000, 1);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const PackCache cache = Open();
      for (int i = 0; i < 50; ++i) {
        const std::string key = std::to_string((i + t) % 7);
        const KeptPack kept = cache.Find(key, pack.size());
        if (kept.owner == nullptr) cache.Keep(key, pack);
        cache.Trim(3 * (kHeader + pack.size()));
        if (kept.owner != nullptr && std::memcmp(kept.bytes.data(), pack.data(), pack.size()) != 0) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  Open().Keep("last", pack);
  EXPECT_TRUE(Holds(Open(), "last", pack));
}

TEST_F(PackCacheFiles, AFolderThatCannotBeMadeKeepsNothing) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "new") << "a file";
  Open().Keep("key", Bytes(10, 1));
  EXPECT_TRUE(IsAbsent(Open(), "key", 10));
}

// Writers of one key at once, in processes and threads: whoever looks finds nothing or all of it.
TEST_F(PackCacheFiles, WritersAtOnceLeaveWholePacks) {
  const auto pack = Bytes(300000, 1);
  constexpr int kWriters = 3, kRounds = 20;
  std::vector<pid_t> children;
  for (int w = 0; w < kWriters; ++w) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 0; i < kRounds; ++i) Open().Keep("key", pack);
      ::_exit(Holds(Open(), "key", pack) ? 0 : 1);
    }
    children.push_back(child);
  }
  std::vector<std::thread> threads;
  std::atomic<int> lost{0};
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&] {
      Open().Keep("key", pack);
      for (int i = 0; i < kRounds; ++i) {
        if (!Holds(Open(), "key", pack)) ++lost;
        if (i % 4 == 0) Open().Keep("key", pack);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(lost, 0);
  const fs::path only = Open().PathOf("key");
  for (const auto& entry : fs::directory_iterator(only.parent_path())) EXPECT_EQ(entry.path(), only);
}

class CachedWeights : public PackCacheFiles {
 protected:
  static constexpr int64_t kElements = 1 << 16;

  CachedWeights() {
    void* data = nullptr;
    tensor_ = *AllocateConstant(DataType::kF32, {kElements}, &data);
    for (int64_t i = 0; i < kElements; ++i) static_cast<float*>(data)[i] = static_cast<float>(i);
    spec_.format = "test.1";
    spec_.bytes = tensor_.desc.ExtentBytes();
  }
  // How often a new store packs, with the cache of the folder.
  int64_t Packs(const std::string& device_name = "host") {
    FakeDevice device(device_name, {});
    WeightStore store;
    const PackCache cache = Open();
    const auto made = store.Pack(device, tensor_, spec_, &cache);
    EXPECT_TRUE(made.ok());
    const std::byte* bytes = static_cast<const std::byte*>((*made)->buffer->host());
    if (first_.empty()) first_.assign(bytes, bytes + spec_.bytes);
    EXPECT_EQ(std::memcmp(bytes, first_.data(), spec_.bytes), 0);
    return device.packs();
  }

  HostTensor tensor_;
  PackSpec spec_;
  std::vector<std::byte> first_;
};

TEST_F(CachedWeights, AreMappedBySecondStarts) {
  EXPECT_EQ(Packs(), 1);
  EXPECT_EQ(Packs(), 0);
}

TEST_F(CachedWeights, ArePackedForEachDeviceFormatAndContents) {
  EXPECT_EQ(Packs(), 1);
  EXPECT_EQ(Packs("another"), 1);
  spec_.params[3] = 1;
  EXPECT_EQ(Packs(), 1);
  spec_.format = "test.2";
  first_.clear();
  EXPECT_EQ(Packs(), 1);
  static_cast<float*>(const_cast<void*>(tensor_.data))[kElements / 2] = -1;
  first_.clear();
  EXPECT_EQ(Packs(), 1);
  EXPECT_EQ(Packs(), 0);
}

TEST_F(CachedWeights, ArePackedAgainWhereTheFileIsDamaged) {
  EXPECT_EQ(Packs(), 1);
  for (const auto& entry : fs::directory_iterator(fs::path(Open().PathOf("")).parent_path())) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kHeader + 1000);
    file.put('!');
  }
  EXPECT_EQ(Packs(), 1);
  EXPECT_EQ(Packs(), 0);
}

}  // namespace
}  // namespace moka
