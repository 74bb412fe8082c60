#include "gpu/disk_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/platform.h"

namespace moka::gpu {
namespace {

std::string Folder(const char* name) {
  const std::string folder = testing::TempDir() + "moka_disk_cache_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

TEST(DiskCache, GivesBackWhatWasStored) {
  const DiskCache cache(Folder("store"), "test");
  const std::string payload("bytes\0of a driver", 17);
  EXPECT_FALSE(cache.Load("key").has_value());
  ASSERT_TRUE(cache.Store("key", payload).ok());
  EXPECT_EQ(cache.Load("key"), payload);
  EXPECT_FALSE(cache.Load("another key").has_value());
  ASSERT_TRUE(cache.Store("key", "newer").ok());
  EXPECT_EQ(cache.Load("key"), "newer");
  ASSERT_TRUE(cache.Store("empty", "").ok());
  EXPECT_EQ(cache.Load("empty"), "");
}

TEST(DiskCache, RefusesEveryDamagedByteAndEveryTruncation) {
  const std::string key = "driver 1.2", payload = "twenty bytes of code";
  const std::string entry = EncodeEntry(key, payload);
  ASSERT_EQ(DecodeEntry(entry, key), payload);
  for (size_t i = 0; i < entry.size(); ++i) {
    std::string damaged = entry;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(DecodeEntry(damaged, key).has_value()) << "byte " << i;
    EXPECT_FALSE(DecodeEntry(entry.substr(0, i), key).has_value()) << "cut at " << i;
  }
  EXPECT_FALSE(DecodeEntry(entry + "x", key).has_value());
}

TEST(DiskCache, RefusesTheEntryOfAnotherKeyInItsPlace) {
  const DiskCache cache(Folder("swap"), "test");
  ASSERT_TRUE(WriteFileAtomically(cache.PathOf("mine"), EncodeEntry("theirs", "payload")).ok());
  EXPECT_FALSE(cache.Load("mine").has_value());
}

TEST(DiskCache, WithoutAFolderKeepsNothing) {
  const DiskCache cache("", "test");
  EXPECT_TRUE(cache.Store("key", "payload").ok());
  EXPECT_FALSE(cache.Load("key").has_value());
}

TEST(DiskCache, SaysWhenItCannotWrite) {
  const DiskCache cache("/proc/moka_has_no_place_here", "test");
  EXPECT_FALSE(cache.Store("key", "payload").ok());
}

}  // namespace
}  // namespace moka::gpu
