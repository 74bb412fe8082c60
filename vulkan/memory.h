// Device memory: many small buffers in few allocations (drivers allow about 4,096), large ones by themselves.
#ifndef MOKA_VULKAN_MEMORY_H_
#define MOKA_VULKAN_MEMORY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "ops/device.h"
#include "vulkan/context.h"

namespace moka::vulkan {

enum class Use : uint8_t {
  kDevice,    // arena and weights: never mapped
  kUpload,    // mapped, written by the host
  kDownload,  // mapped, read by the host
};

class Memory;

class DeviceBuffer final : public Buffer {
 public:
  ~DeviceBuffer() override;
  uint64_t bytes() const override { return bytes_; }
  VkBuffer handle() const { return handle_.get(); }
  std::byte* mapped() const { return mapped_; }  // null for kDevice

 private:
  friend class Memory;
  std::shared_ptr<Memory> memory_;
  BufferHandle handle_;
  uint64_t bytes_ = 0;
  std::byte* mapped_ = nullptr;
  MemoryHandle own_;  // or a range of a block:
  VkDeviceMemory block_ = VK_NULL_HANDLE;
  uint64_t block_offset_ = 0, block_bytes_ = 0;
};

// Thread-safe.
class Memory : public std::enable_shared_from_this<Memory> {
 public:
  explicit Memory(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  // The buffer is as long as asked, rounded up to whole cache lines. kOutOfMemory where the driver has none.
  Result<std::unique_ptr<DeviceBuffer>> Allocate(uint64_t bytes, Use use);
  const Context& context() const { return *context_; }
  // Allocations of the driver now alive, for tests.
  int allocations() const;

 private:
  friend class DeviceBuffer;
  struct Block {
    MemoryHandle memory;
    uint32_t type = 0;
    std::map<uint64_t, uint64_t> free;  // offset -> bytes, never adjacent
  };

  Result<VkDeviceMemory> AllocateMemory(uint64_t bytes, uint32_t type);
  Status PlaceInBlock(const VkMemoryRequirements& needs, uint32_t type, DeviceBuffer* buffer);
  void Release(VkDeviceMemory block, uint64_t offset, uint64_t bytes);

  std::shared_ptr<Context> context_;
  mutable std::mutex mutex_;
  std::vector<Block> blocks_;
  int own_allocations_ = 0;
};

}  // namespace moka::vulkan

#endif  // MOKA_VULKAN_MEMORY_H_
