#include "graph/pack_cache.h"

#include <cstring>

#include "base/hash.h"
#include "base/platform.h"
#include "base/status.h"

namespace moka {
namespace {

constexpr char kMagic[8] = {'m', 'o', 'k', 'a', 'p', 'a', 'c', 'k'};
// Of this file's layout and of the hash. Formats of packs carry their own.
constexpr uint32_t kVersion = 1;

// A page, so that the pack behind it starts at one.
struct Header {
  char magic[sizeof(kMagic)];
  uint32_t version;
  uint32_t key_bytes;
  uint64_t pack_bytes;
  Hash128 checksum;  // of the pack
  char key[4096 - 40];
};
static_assert(sizeof(Header) == 4096 && PackCache::kMaxKey <= sizeof(Header::key));

Header HeaderOf(std::string_view key, uint64_t bytes, const Hash128& checksum) {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.key_bytes = static_cast<uint32_t>(key.size());
  header.pack_bytes = bytes;
  header.checksum = checksum;
  std::memcpy(header.key, key.data(), key.size());
  return header;
}

}  // namespace

std::string OnMachine(const DeviceInfo& info) {
  return StrCat(info.name, '\n', info.driver, '\n', info.hardware, '\n');
}

std::string PackCache::PathOf(std::string_view key) const {
  const Hash128 hash = HashBytes(key.data(), key.size());
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (const uint64_t word : {hash.high, hash.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) name += kDigits[word >> shift & 15];
  }
  return folder_ + "/" + name + ".pack";
}

KeptPack PackCache::Find(std::string_view key, uint64_t bytes) const {
  if (key.size() > kMaxKey) return {};
  auto opened = MappedFile::Open(PathOf(key));
  if (!opened.ok()) return {};
  const std::shared_ptr<const MappedFile> file = std::move(opened).value();
  if (file->size() != sizeof(Header) + bytes) return {};
  const std::byte* pack = file->data() + sizeof(Header);
  const Header wanted = HeaderOf(key, bytes, HashBytes(pack, bytes));
  if (std::memcmp(file->data(), &wanted, sizeof(Header)) != 0) return {};
  return {{pack, static_cast<size_t>(bytes)}, file};
}

void PackCache::Keep(std::string_view key, std::span<const std::byte> pack) const {
  if (key.size() > kMaxKey) return;
  const Header header = HeaderOf(key, pack.size(), HashBytes(pack.data(), pack.size()));
  const std::string_view parts[] = {{reinterpret_cast<const char*>(&header), sizeof(header)},
                                    {reinterpret_cast<const char*>(pack.data()), pack.size()}};
  WriteFileAtomically(PathOf(key), parts).ok();
}

}  // namespace moka
