// Packed weights, and choices of kernels, in files, so that a later start maps them instead of making them again.
#ifndef MOKA_GRAPH_PACK_CACHE_H_
#define MOKA_GRAPH_PACK_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "moka/device.h"

namespace moka {

// The part of a key that names the device and the machine: `driver` is the CPU's SIMD target.
std::string OnMachine(const DeviceInfo& info);

// A pack as it lies in its file. Null bytes: there is none.
struct KeptPack {
  std::span<const std::byte> bytes;   // aligned to a page
  std::shared_ptr<const void> owner;  // of the bytes
};

// A folder with one file a pack, named by a hash of the key. Any number of threads and processes may use it at once:
// files appear whole or not at all, and are never changed. The checksum of what is read is checked, so what is damaged,
// cut off or of another version counts as not there, and is replaced. A file's time is that of its last use.
class PackCache {
 public:
  static constexpr uint64_t kMaxBytes = uint64_t{4} << 30;  // of all files

  explicit PackCache(std::string folder) : folder_(std::move(folder)) {}

  // `key` names contents and format, on this machine's instructions; at most kMaxKey bytes.
  KeptPack Find(std::string_view key, uint64_t bytes) const;
  // What cannot be written is not kept.
  void Keep(std::string_view key, std::span<const std::byte> pack) const;
  // Deletes files, the longest unused first, until those that are left have at most `max_bytes`. Looks only where this
  // cache kept something since the last time. What others have mapped stays theirs; what they look for and do not find
  // they pack again.
  void Trim(uint64_t max_bytes = kMaxBytes) const;

  std::string PathOf(std::string_view key) const;

  static constexpr size_t kMaxKey = 4000;

 private:
  std::string folder_;
  mutable std::atomic<bool> kept_{false};
};

}  // namespace moka

#endif  // MOKA_GRAPH_PACK_CACHE_H_
