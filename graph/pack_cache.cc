#include "graph/pack_cache.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/hash.h"
#include "base/platform.h"
#include "base/status.h"

namespace moka {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'m', 'o', 'k', 'a', 'p', 'a', 'c', 'k'};
// Of this file's layout and of the hash. Formats of packs carry their own.
constexpr uint32_t kVersion = 1;
constexpr std::string_view kSuffix = ".pack";
constexpr size_t kDigits = 32;  // of a file's name

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

struct KeptFile {
  fs::path path;
  uint64_t bytes;
  fs::file_time_type used;
};

// Packs, and what writers that were stopped have left beside them.
std::vector<KeptFile> FilesIn(const std::string& folder) {
  std::vector<KeptFile> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool ours = name.find_first_not_of("0123456789abcdef") == kDigits && name.find(kSuffix) == kDigits;
    std::error_code gone;
    const uint64_t bytes = ours ? it->file_size(gone) : 0;
    const fs::file_time_type used = ours && !gone ? it->last_write_time(gone) : fs::file_time_type();
    if (ours && !gone) files.push_back({it->path(), bytes, used});
  }
  return files;
}

}  // namespace

std::string OnMachine(const DeviceInfo& info) {
  return StrCat(info.name, '\n', info.driver, '\n', info.hardware, '\n');
}

std::string PackCache::PathOf(std::string_view key) const {
  const Hash128 hash = HashBytes(key.data(), key.size());
  std::string name;
  for (const uint64_t word : {hash.high, hash.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) name += "0123456789abcdef"[word >> shift & 15];
  }
  return StrCat(folder_, '/', name, kSuffix);
}

KeptPack PackCache::Find(std::string_view key, uint64_t bytes) const {
  if (key.size() > kMaxKey) return {};
  const std::string path = PathOf(key);
  auto opened = MappedFile::Open(path);
  if (!opened.ok()) return {};
  const std::shared_ptr<const MappedFile> file = std::move(opened).value();
  if (file->size() != sizeof(Header) + bytes) return {};
  const std::byte* pack = file->data() + sizeof(Header);
  const Header wanted = HeaderOf(key, bytes, HashBytes(pack, bytes));
  if (std::memcmp(file->data(), &wanted, sizeof(Header)) != 0) return {};
  std::error_code read_only;
  fs::last_write_time(path, fs::file_time_type::clock::now(), read_only);
  return {{pack, static_cast<size_t>(bytes)}, file};
}

void PackCache::Keep(std::string_view key, std::span<const std::byte> pack) const {
  if (key.size() > kMaxKey) return;
  const Header header = HeaderOf(key, pack.size(), HashBytes(pack.data(), pack.size()));
  const std::string_view parts[] = {{reinterpret_cast<const char*>(&header), sizeof(header)},
                                    {reinterpret_cast<const char*>(pack.data()), pack.size()}};
  if (WriteFileAtomically(PathOf(key), parts).ok()) kept_.store(true);
}

void PackCache::Trim(uint64_t max_bytes) const {
  if (!kept_.exchange(false)) return;
  std::vector<KeptFile> files = FilesIn(folder_);
  uint64_t total = 0;
  for (const KeptFile& file : files) total += file.bytes;
  if (total <= max_bytes) return;
  std::sort(files.begin(), files.end(), [](const KeptFile& a, const KeptFile& b) { return a.used < b.used; });
  for (const KeptFile& file : files) {
    if (total <= max_bytes) return;
    std::error_code gone;
    fs::remove(file.path, gone);
    total -= file.bytes;
  }
}

}  // namespace moka
