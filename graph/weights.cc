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

std::string KeyOn(const Device& device, const std::string& content) {
  const Device* identity = &device;
  std::string key;
  Append(&key, identity);
  return key + content;
}

}  // namespace

Hash128 WeightStore::DigestOf(const HostTensor& tensor) {
  const std::pair<const void*, uint64_t> place(tensor.data, tensor.desc.ExtentBytes());
  if (tensor.owner != nullptr) {
    const std::lock_guard lock(mutex_);
    const auto it = digests_.find(place);
    if (it != digests_.end() && !it->second.owner.expired()) return it->second.hash;
  }
  const Hash128 hash = HashBytes(tensor.data, place.second);
  if (tensor.owner != nullptr) {
    const std::lock_guard lock(mutex_);
    digests_[place] = {tensor.owner, hash};
  }
  return hash;
}

std::string WeightStore::ContentKey(const HostTensor& tensor, const std::string& format) {
  std::string key;
  Append(&key, DigestOf(tensor));
  Append(&key, tensor.desc.ExtentBytes());
  Append(&key, tensor.desc.type);
  for (int i = 0; i < tensor.desc.rank; ++i) Append(&key, tensor.desc.dims[static_cast<size_t>(i)]);
  return key + format;
}

template <class Make>
Result<WeightStore::Handle> WeightStore::FindOrMake(const std::string& key, const Make& make) {
  std::unique_lock lock(mutex_);
  for (;;) {
    Entry& entry = weights_[key];
    if (Handle found = entry.weight.lock()) {
      ++shared_;
      return found;
    }
    if (!entry.making) {
      entry.making = true;
      break;
    }
    made_one_.wait(lock);
  }
  lock.unlock();
  Result<Handle> made = make();
  lock.lock();
  std::erase_if(weights_, [&](const auto& e) { return !e.second.making && e.second.weight.expired(); });
  std::erase_if(digests_, [](const auto& e) { return e.second.owner.expired(); });
  if (made.ok()) {
    weights_[key] = {*made, false};
    ++made_;
  } else {
    weights_.erase(key);
  }
  made_one_.notify_all();
  return made;
}

Result<WeightStore::Handle> WeightStore::Place(Device& device, const HostTensor& tensor, const TensorDesc& desc) {
  std::string format = "as is";
  Append(&format, desc.strides);
  const uint64_t bytes = tensor.desc.ExtentBytes();
  return FindOrMake(KeyOn(device, ContentKey(tensor, format)), [&]() -> Result<Handle> {
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
  const std::string content = ContentKey(tensor, format);
  return FindOrMake(KeyOn(device, content), [&]() -> Result<Handle> {
    const bool cached = cache != nullptr && device.limits().host_memory && spec.bytes >= kLeastCached;
    const std::string key = cached ? OnMachine(device.info()) + content : "";
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
