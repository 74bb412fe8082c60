#include "graph/weights.h"

#include <cstring>
#include <vector>

#include "base/status.h"
#include "ops/element.h"

namespace moka {
namespace {

constexpr uint64_t kLeastCached = 64 << 10;  // what is smaller is packed sooner than a file is opened

struct AlignedBytes {
  explicit AlignedBytes(size_t n) : size(n), data(static_cast<std::byte*>(AllocateAligned(n))) {}
  ~AlignedBytes() {
    if (data != nullptr) FreeAligned(data, size);
  }
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  std::span<std::byte> span() const { return {data, size}; }
  size_t size;
  std::byte* data;
};

template <class T>
void Append(std::string* key, const T& value) {
  key->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// Has `fill` write the bytes of a new weight: into `memory` or the buffer where that is host memory, else beside it.
template <class Fill>
Result<WeightStore::Handle> MakeWeight(Device& device, uint64_t bytes, std::shared_ptr<std::byte> memory,
                                       const Fill& fill) {
  auto weight = std::make_shared<Weight>();
  weight->bytes = bytes;
  if (memory != nullptr) {
    MOKA_ASSIGN_OR_RETURN(weight->buffer, device.Import(memory.get(), bytes));
    weight->owner = std::move(memory);
  } else {
    MOKA_ASSIGN_OR_RETURN(weight->buffer, device.Allocate(bytes, MemoryKind::kWeights));
  }
  if (void* host = weight->buffer->host(); host != nullptr) {
    MOKA_RETURN_IF_ERROR(fill(std::span(static_cast<std::byte*>(host), bytes)));
    return WeightStore::Handle(std::move(weight));
  }
  const AlignedBytes staging(bytes);
  if (staging.data == nullptr) return OutOfMemory("no ", bytes, " bytes for a weight");
  MOKA_RETURN_IF_ERROR(fill(staging.span()));
  MOKA_RETURN_IF_ERROR(device.Write(*weight->buffer, 0, staging.span()));
  return WeightStore::Handle(std::move(weight));
}

Result<WeightStore::Handle> ImportWeight(Device& device, std::span<const std::byte> bytes,
                                         std::shared_ptr<const void> owner) {
  auto weight = std::make_shared<Weight>();
  MOKA_ASSIGN_OR_RETURN(weight->buffer, device.Import(bytes.data(), bytes.size()));
  weight->bytes = bytes.size();
  weight->imported = true;
  weight->owner = std::move(owner);
  return WeightStore::Handle(std::move(weight));
}

// Of all contents, or of pieces of them.
std::string ContentKey(const Hash128& hash, const HostTensor& tensor, const std::string& format) {
  std::string key;
  Append(&key, hash);
  Append(&key, tensor.desc.ExtentBytes());
  Append(&key, tensor.desc.type);
  for (int i = 0; i < tensor.desc.rank; ++i) Append(&key, tensor.desc.dims[static_cast<size_t>(i)]);
  return key + format;
}

// Pieces from the first to the last byte.
Hash128 HashSamples(const void* data, uint64_t bytes) {
  constexpr uint64_t kPieces = 32, kPiece = 64;
  if (bytes <= kPieces * kPiece) return HashBytes(data, bytes);
  std::byte samples[kPieces * kPiece];
  for (uint64_t i = 0; i < kPieces; ++i) {
    const uint64_t at = (bytes - kPiece) / (kPieces - 1) * i;
    std::memcpy(samples + i * kPiece, static_cast<const std::byte*>(data) + at, kPiece);
  }
  return HashBytes(samples, sizeof(samples));
}

std::string KeyOn(const Device& device, const HostTensor& tensor, const std::string& format) {
  const Device* identity = &device;
  std::string key;
  Append(&key, identity);
  return key + ContentKey(HashSamples(tensor.data, tensor.desc.ExtentBytes()), tensor, format);
}

}  // namespace

Hash128 WeightStore::DigestOf(const HostTensor& tensor) {
  const Extent extent(tensor.data, tensor.desc.ExtentBytes());
  if (tensor.owner != nullptr) {
    const std::lock_guard lock(mutex_);
    const auto it = digests_.find(extent);
    if (it != digests_.end() && !it->second.owner.expired()) return it->second.hash;
  }
  const Hash128 hash = HashBytes(tensor.data, extent.second);
  if (tensor.owner != nullptr) {
    const std::lock_guard lock(mutex_);
    digests_[extent] = {tensor.owner, hash};
  }
  return hash;
}

WeightStore::Entries::iterator WeightStore::Find(const std::string& key, Entry* wanted) {
  const auto wanted_owner = wanted->owner.lock();
  const auto digest = [](Entry* entry, const std::shared_ptr<const void>& owner) {
    if (!entry->digest && owner != nullptr) entry->digest = HashBytes(entry->extent.first, entry->extent.second);
    return entry->digest;
  };
  auto [it, end] = weights_.equal_range(key);
  for (; it != end; ++it) {
    Entry& entry = it->second;
    if (!entry.making && entry.weight.expired()) continue;
    const auto owner = entry.owner.lock();
    if (owner != nullptr && owner == wanted_owner && entry.extent == wanted->extent) return it;
    const auto have = digest(&entry, owner);
    if (have && have == digest(wanted, wanted_owner)) return it;
  }
  return weights_.end();
}

template <class Make>
Result<WeightStore::Handle> WeightStore::FindOrMake(const std::string& key, const HostTensor& tensor,
                                                    const Make& make) {
  Entry wanted;
  wanted.extent = {tensor.data, tensor.desc.ExtentBytes()};
  wanted.owner = tensor.owner;
  if (tensor.owner == nullptr || !IsMapped(tensor.data, wanted.extent.second)) wanted.digest = DigestOf(tensor);
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto same = Find(key, &wanted);
    if (same == weights_.end()) break;
    if (Handle found = same->second.weight.lock()) {
      ++shared_;
      return found;
    }
    if (same->second.making) made_one_.wait(lock);
  }
  const auto entry = weights_.emplace(key, std::move(wanted));
  lock.unlock();
  Result<Handle> made = make();
  lock.lock();
  std::erase_if(weights_, [&](const auto& e) { return !e.second.making && e.second.weight.expired(); });
  std::erase_if(digests_, [](const auto& e) { return e.second.owner.expired(); });
  if (made.ok()) {
    entry->second.weight = *made;
    entry->second.making = false;
    ++made_;
  } else {
    weights_.erase(entry);
  }
  made_one_.notify_all();
  return made;
}

Result<WeightStore::Handle> WeightStore::Place(Device& device, const HostTensor& tensor, const TensorDesc& desc) {
  std::string format = "as is";
  Append(&format, desc.strides);
  const uint64_t bytes = tensor.desc.ExtentBytes();
  return FindOrMake(KeyOn(device, tensor, format), tensor, [&]() -> Result<Handle> {
    const bool aligned = reinterpret_cast<uintptr_t>(tensor.data) % SizeOf(desc.type) == 0;
    if (device.limits().host_memory && aligned && tensor.owner != nullptr && IsDense(desc)) {
      auto imported =
          ImportWeight(device, {static_cast<const std::byte*>(tensor.data), static_cast<size_t>(bytes)}, tensor.owner);
      if (imported.ok()) return imported;
    }
    const auto alignment = static_cast<uint64_t>(device.limits().channel_alignment) * SizeOf(desc.type);
    const uint64_t room = (desc.ExtentBytes() + alignment - 1) / alignment * alignment;
    return MakeWeight(device, room, nullptr, [&](std::span<std::byte> dst) {
      std::memset(dst.data(), 0, dst.size());
      return CopyElements(tensor.desc, tensor.data, desc, dst.data());
    });
  });
}

Result<WeightStore::Handle> WeightStore::Pack(Device& device, const HostTensor& tensor, const PackSpec& spec,
                                              const PackCache* cache, const std::shared_ptr<MemoryRange>& memory) {
  std::string format(spec.format);
  Append(&format, spec.params);
  Append(&format, spec.bytes);
  return FindOrMake(KeyOn(device, tensor, format), tensor, [&]() -> Result<Handle> {
    const bool cached = cache != nullptr && device.limits().host_memory && spec.bytes >= kLeastCached;
    const std::string key = cached ? OnMachine(device.info()) + ContentKey(DigestOf(tensor), tensor, format) : "";
    if (cached) {
      const KeptPack kept = cache->Find(key, spec.bytes);
      auto imported = kept.owner != nullptr ? ImportWeight(device, kept.bytes, kept.owner) : NotFound("not kept");
      if (imported.ok()) return imported;
    }
    std::shared_ptr<std::byte> piece;
    if (memory != nullptr && device.limits().host_memory) piece = MemoryRange::Take(memory, spec.bytes);
    auto made = MakeWeight(device, spec.bytes, std::move(piece),
                           [&](std::span<std::byte> dst) { return device.Pack(spec, tensor, dst); });
    if (cached && made.ok())
      cache->Keep(key, {static_cast<const std::byte*>((*made)->buffer->host()), static_cast<size_t>(spec.bytes)});
    return made;
  });
}

WeightStore::Counts WeightStore::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts;
  counts.made = made_;
  counts.shared = shared_;
  for (const auto& [key, entry] : weights_) {
    if (const Handle weight = entry.weight.lock()) {
      ++counts.alive;
      counts.bytes += weight->bytes;
    }
  }
  return counts;
}

}  // namespace moka
