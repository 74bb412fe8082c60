// The memory of a session: one arena a device, shared by its plans, and aligned copies of the caller's tensors where
// those are not aligned to their elements.
#ifndef MOKA_GRAPH_SESSION_MEMORY_H_
#define MOKA_GRAPH_SESSION_MEMORY_H_

#include <memory>
#include <vector>

#include "ops/device.h"

namespace moka {

class SessionMemory {
 public:
  explicit SessionMemory(std::vector<Device*> devices);

  // Makes every arena at least as large as asked for. Contents are lost, and buffers may change: see version().
  Status Reserve(const std::vector<uint64_t>& bytes);
  // Gives all arenas back, so that the next Reserve starts anew.
  void Release();
  // Changes whenever a buffer does.
  uint64_t version() const { return version_; }
  Buffer* arena(int device) const { return arenas_[static_cast<size_t>(device)].get(); }
  uint64_t arena_bytes() const;

  // Memory of at least `bytes` for caller's tensor `index` (inputs first, then outputs), kept for later runs. Null when
  // memory is short.
  void* Aligned(size_t index, size_t bytes);

 private:
  struct Free {
    size_t bytes;
    void operator()(void* p) const;
  };
  std::vector<Device*> devices_;
  std::vector<std::unique_ptr<Buffer>> arenas_;
  uint64_t version_ = 1;
  std::vector<std::unique_ptr<void, Free>> aligned_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_SESSION_MEMORY_H_
