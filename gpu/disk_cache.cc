#include "gpu/disk_cache.h"

#include <cstring>
#include <utility>

#include "base/platform.h"

namespace moka::gpu {
namespace {

struct Header {
  char magic[8];
  uint64_t checksum;  // of all that follows it
  uint64_t key_bytes;
  uint64_t payload_bytes;
};
constexpr char kMagic[8] = {'m', 'o', 'k', 'a', 'b', 'i', 'n', '1'};
constexpr size_t kChecked = offsetof(Header, key_bytes);

std::string Hex(uint64_t number) {
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

}  // namespace

uint64_t Hash(std::string_view bytes, uint64_t seed) {
  for (const char c : bytes) seed = (seed ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return seed;
}

std::string EncodeEntry(std::string_view key, std::string_view payload) {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.key_bytes = key.size();
  header.payload_bytes = payload.size();
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.append(key).append(payload);
  header.checksum = Hash(std::string_view(bytes).substr(kChecked));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

std::optional<std::string> DecodeEntry(std::string_view bytes, std::string_view key) {
  Header header;
  if (bytes.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const uint64_t body = bytes.size() - sizeof(header);
  const bool sizes_fit =
      header.key_bytes == key.size() && key.size() <= body && header.payload_bytes == body - key.size();
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || !sizes_fit) return std::nullopt;
  if (bytes.substr(sizeof(header), key.size()) != key) return std::nullopt;
  if (header.checksum != Hash(bytes.substr(kChecked))) return std::nullopt;
  return std::string(bytes.substr(sizeof(header) + key.size()));
}

DiskCache::DiskCache(std::string folder, std::string prefix) : folder_(std::move(folder)), prefix_(std::move(prefix)) {}

std::string DiskCache::PathOf(std::string_view key) const {
  return folder_ + "/" + prefix_ + "-" + Hex(Hash(key)) + ".bin";
}

std::optional<std::string> DiskCache::Load(std::string_view key) const {
  if (folder_.empty()) return std::nullopt;
  const Result<std::string> bytes = ReadFile(PathOf(key));
  if (!bytes.ok()) return std::nullopt;
  return DecodeEntry(*bytes, key);
}

Status DiskCache::Store(std::string_view key, std::string_view payload) const {
  if (folder_.empty()) return Status();
  return WriteFileAtomically(PathOf(key), EncodeEntry(key, payload));
}

}  // namespace moka::gpu
