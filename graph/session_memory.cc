#include "graph/session_memory.h"

#include <algorithm>

#include "base/platform.h"

namespace moka {

SessionMemory::SessionMemory(std::vector<Device*> devices) : devices_(std::move(devices)), arenas_(devices_.size()) {}

Status SessionMemory::Reserve(const std::vector<uint64_t>& bytes) {
  for (size_t d = 0; d < devices_.size(); ++d) {
    // Never empty: values of no elements have an address, too.
    const uint64_t wanted = std::max<uint64_t>(bytes[d], devices_[d]->limits().offset_alignment);
    if (arenas_[d] != nullptr && arenas_[d]->bytes() >= wanted) continue;
    ++version_;
    arenas_[d].reset();  // first, so that old and new are never there at once
    MOKA_ASSIGN_OR_RETURN(arenas_[d], devices_[d]->Allocate(wanted, MemoryKind::kArena));
  }
  return {};
}

void SessionMemory::Release() {
  ++version_;
  for (auto& arena : arenas_) arena.reset();
}

uint64_t SessionMemory::arena_bytes() const {
  uint64_t total = 0;
  for (const auto& arena : arenas_) total += arena == nullptr ? 0 : arena->bytes();
  return total;
}

void SessionMemory::Free::operator()(void* p) const { FreeAligned(p, bytes); }

void* SessionMemory::Aligned(size_t index, size_t bytes) {
  if (aligned_.size() <= index) aligned_.resize(index + 1);
  auto& memory = aligned_[index];
  if (memory == nullptr || memory.get_deleter().bytes < bytes) {
    memory = std::unique_ptr<void, Free>(AllocateAligned(bytes), Free{bytes});
  }
  return memory.get();
}

}  // namespace moka
