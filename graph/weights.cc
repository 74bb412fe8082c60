#include "graph/weights.h"

#include <cstring>
#include <vector>

#include "base/platform.h"
#include "base/status.h"
#include "ops/element.h"

namespace moka {
namespace {

// 128 bits over the contents, four independent lanes of multiply and rotate so that memory is the limit.
void HashBytes(const void* data, size_t bytes, uint64_t out[2]) {
  constexpr uint64_t kMultiplier[4] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0xd6e8feb86659fd93};
  uint64_t lanes[4] = {bytes, ~bytes, bytes * kMultiplier[1], 1};
  const auto* p = static_cast<const unsigned char*>(data);
  const auto mix = [&](int lane, uint64_t word) {
    uint64_t& h = lanes[lane];
    h = (h ^ word) * kMultiplier[lane];
    h ^= h >> 29;
  };
  size_t i = 0;
  for (; i + 32 <= bytes; i += 32) {
    uint64_t words[4];
    std::memcpy(words, p + i, 32);
    for (int lane = 0; lane < 4; ++lane) mix(lane, words[lane]);
  }
  for (; i < bytes; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, p + i, bytes - i < 8 ? bytes - i : 8);
    mix(static_cast<int>(i / 8 % 4), word);
  }
  for (int round = 0; round < 3; ++round) {
    for (int lane = 0; lane < 4; ++lane) mix(lane, lanes[(lane + 1) % 4]);
  }
  out[0] = lanes[0] ^ lanes[2];
  out[1] = lanes[1] + lanes[3];
}

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

// Has `fill` write the bytes of a new weight: into the buffer where it is host memory, else beside it.
template <class Fill>
Result<WeightStore::Handle> MakeWeight(Device& device, uint64_t bytes, const Fill& fill) {
  auto weight = std::make_shared<Weight>();
  weight->bytes = bytes;
  MOKA_ASSIGN_OR_RETURN(weight->buffer, device.Allocate(bytes, MemoryKind::kWeights));
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

}  // namespace

std::string WeightStore::KeyOf(const Device& device, const HostTensor& tensor, const std::string& format) {
  const uint64_t bytes = tensor.desc.ExtentBytes();
  Digest& digest = digests_[{tensor.data, bytes}];
  if (digest.owner.expired() || tensor.owner == nullptr) {
    HashBytes(tensor.data, bytes, digest.hash);
    digest.owner = tensor.owner;
  }
  const Device* identity = &device;
  std::string key;
  Append(&key, identity);
  Append(&key, digest.hash);
  Append(&key, bytes);
  Append(&key, tensor.desc.type);
  for (int i = 0; i < tensor.desc.rank; ++i) Append(&key, tensor.desc.dims[static_cast<size_t>(i)]);
  key += format;
  return key;
}

WeightStore::Handle WeightStore::Find(const std::string& key) {
  const auto it = weights_.find(key);
  Handle found = it == weights_.end() ? nullptr : it->second.lock();
  if (found != nullptr) ++shared_;
  return found;
}

void WeightStore::Keep(const std::string& key, const Handle& weight) {
  std::erase_if(weights_, [](const auto& entry) { return entry.second.expired(); });
  std::erase_if(digests_, [](const auto& entry) { return entry.second.owner.expired(); });
  weights_[key] = weight;
  ++made_;
}

Result<WeightStore::Handle> WeightStore::Place(Device& device, const HostTensor& tensor, const TensorDesc& desc) {
  const std::lock_guard lock(mutex_);
  std::string format = "as is";
  Append(&format, desc.strides);
  const std::string key = KeyOf(device, tensor, format);
  if (Handle found = Find(key)) return found;
  const uint64_t bytes = tensor.desc.ExtentBytes();
  const bool aligned = reinterpret_cast<uintptr_t>(tensor.data) % SizeOf(desc.type) == 0;
  if (device.limits().host_memory && aligned && tensor.owner != nullptr && IsDense(desc)) {
    auto imported = device.Import(tensor.data, bytes);
    if (imported.ok()) {
      auto weight = std::make_shared<Weight>();
      weight->buffer = std::move(imported).value();
      weight->bytes = bytes;
      weight->imported = true;
      weight->owner = tensor.owner;
      Handle handle = std::move(weight);
      Keep(key, handle);
      return handle;
    }
  }
  const auto alignment = static_cast<uint64_t>(device.limits().channel_alignment) * SizeOf(desc.type);
  const uint64_t room = (desc.ExtentBytes() + alignment - 1) / alignment * alignment;
  auto made = MakeWeight(device, room, [&](std::span<std::byte> dst) {
    std::memset(dst.data(), 0, dst.size());
    return CopyElements(tensor.desc, tensor.data, desc, dst.data());
  });
  if (made.ok()) Keep(key, *made);
  return made;
}

Result<WeightStore::Handle> WeightStore::Pack(Device& device, const HostTensor& tensor, const PackSpec& spec) {
  const std::lock_guard lock(mutex_);
  std::string format(spec.format);
  Append(&format, spec.params);
  Append(&format, spec.bytes);
  const std::string key = KeyOf(device, tensor, format);
  if (Handle found = Find(key)) return found;
  auto made = MakeWeight(device, spec.bytes, [&](std::span<std::byte> dst) { return device.Pack(spec, tensor, dst); });
  if (made.ok()) Keep(key, *made);
  return made;
}

WeightStore::Counts WeightStore::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts;
  counts.made = made_;
  counts.shared = shared_;
  for (const auto& [key, weak] : weights_) {
    if (const Handle weight = weak.lock()) {
      ++counts.alive;
      counts.bytes += weight->bytes;
    }
  }
  return counts;
}

}  // namespace moka
