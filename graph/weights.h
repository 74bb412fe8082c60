// Constants on devices: as they are, or packed for a kernel. Made once for a model, whoever uses them.
#ifndef MOKA_GRAPH_WEIGHTS_H_
#define MOKA_GRAPH_WEIGHTS_H_

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/platform.h"
#include "graph/pack_cache.h"
#include "ops/device.h"

namespace moka {

// One constant on one device. Lives as long as a plan or a session holds it.
struct Weight {
  std::unique_ptr<Buffer> buffer;
  uint64_t bytes = 0;
  bool imported = false;              // in a mapped file
  std::shared_ptr<const void> owner;  // of memory that is not the buffer's own
};

// Thread-safe. Equal contents (not only equal addresses) with equal formats share one Weight, so that graphs that were
// optimised for different outputs share folded weights, too. Weights are made side by side; who wants one that is being
// made waits for it. Contents are told apart by samples; they are read from end to end where those are equal, for the
// cache, and where they may be gone later, as those of a mapped file are not.
class WeightStore {
 public:
  using Handle = std::shared_ptr<const Weight>;

  // `tensor`, dense row-major, as `desc` (the same shape) on the device: imported where the device works in host memory
  // and the bytes already lie so, else copied, with zeros in padding lanes.
  Result<Handle> Place(Device& device, const HostTensor& tensor, const TensorDesc& desc);
  // From `cache` (may be null) where the pack is kept there; else made, and kept. What is made lies in `memory` (may be
  // null) while there is room. Both are for devices that work in host memory.
  Result<Handle> Pack(Device& device, const HostTensor& tensor, const PackSpec& spec, const PackCache* cache = nullptr,
                      const std::shared_ptr<MemoryRange>& memory = nullptr);

  struct Counts {
    int64_t alive = 0;   // weights in use now
    int64_t made = 0;    // placed or packed since the start
    int64_t shared = 0;  // requests that found what they wanted
    uint64_t bytes = 0;  // of those alive
  };
  Counts counts() const;

 private:
  using Extent = std::pair<const void*, uint64_t>;  // address and size
  struct Entry {
    Extent extent;  // of the contents
    std::weak_ptr<const void> owner;
    std::optional<Hash128> digest;
    bool making = true;
    std::weak_ptr<const Weight> weight;
  };
  using Entries = std::multimap<std::string, Entry>;
  struct Digest {
    std::weak_ptr<const void> owner;
    Hash128 hash;
  };
  Hash128 DigestOf(const HostTensor& tensor);
  // The entry of the same contents as `wanted`, made or under way. Called with the lock.
  Entries::iterator Find(const std::string& key, Entry* wanted);
  // `key` is equal for equal contents. `make` returns a Result<Handle>; it is called without the lock.
  template <class Make>
  Result<Handle> FindOrMake(const std::string& key, const HostTensor& tensor, const Make& make);

  mutable std::mutex mutex_;
  std::condition_variable made_one_;
  Entries weights_;
  std::map<Extent, Digest> digests_;  // while their owner lives
  int64_t made_ = 0, shared_ = 0;
};

}  // namespace moka

#endif  // MOKA_GRAPH_WEIGHTS_H_
