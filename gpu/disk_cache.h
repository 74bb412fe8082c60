// What a driver compiled, kept in CacheDirectory() for later processes.
#ifndef MOKA_GPU_DISK_CACHE_H_
#define MOKA_GPU_DISK_CACHE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace moka::gpu {

// FNV-1a, 64 bits: tells damage from health and makes file names; proves nothing against malice.
uint64_t Hash(std::string_view bytes, uint64_t seed = 0xcbf29ce484222325u);

// One entry as the bytes of its file: a header with a checksum, the key, the payload.
std::string EncodeEntry(std::string_view key, std::string_view payload);
// The payload; nothing where the bytes are damaged, of another version, or carry another key.
std::optional<std::string> DecodeEntry(std::string_view bytes, std::string_view key);

// Entries under keys of any length, a key naming driver, version and source in full. Losing an entry only costs time.
class DiskCache {
 public:
  // `prefix` starts the file names. An empty folder finds nothing and keeps nothing.
  DiskCache(std::string folder, std::string prefix);

  std::optional<std::string> Load(std::string_view key) const;
  Status Store(std::string_view key, std::string_view payload) const;
  std::string PathOf(std::string_view key) const;

 private:
  std::string folder_;
  std::string prefix_;
};

}  // namespace moka::gpu

#endif  // MOKA_GPU_DISK_CACHE_H_
