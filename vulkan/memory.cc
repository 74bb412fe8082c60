#include "vulkan/memory.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace moka::vulkan {
namespace {

constexpr uint64_t kBlockBytes = 4 << 20;
constexpr uint64_t kOwnBytes = 1 << 20;  // buffers from here on have an allocation of their own
constexpr uint64_t kLineBytes = 64;
constexpr uint32_t kNoType = std::numeric_limits<uint32_t>::max();

// Drivers list the types of one heap from the plainest on, so the first that fits is the best.
uint32_t FindType(const VkPhysicalDeviceMemoryProperties& memory, uint32_t allowed, VkMemoryPropertyFlags wanted) {
  for (uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
    if ((allowed >> i & 1) != 0 && (memory.memoryTypes[i].propertyFlags & wanted) == wanted) return i;
  }
  return kNoType;
}

uint32_t ChooseType(const VkPhysicalDeviceMemoryProperties& memory, uint32_t allowed, Use use) {
  constexpr VkMemoryPropertyFlags kMapped = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  const VkMemoryPropertyFlags required = use == Use::kDevice ? 0 : kMapped;
  const VkMemoryPropertyFlags preferred = use == Use::kDevice     ? VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
                                          : use == Use::kDownload ? VK_MEMORY_PROPERTY_HOST_CACHED_BIT
                                                                  : 0;
  const uint32_t best = FindType(memory, allowed, required | preferred);
  return best != kNoType ? best : FindType(memory, allowed, required);
}

}  // namespace

DeviceBuffer::~DeviceBuffer() {
  if (memory_ == nullptr) return;
  handle_ = BufferHandle();
  if (block_ != VK_NULL_HANDLE) memory_->Release(block_, block_offset_, block_bytes_);
  if (own_.get() != VK_NULL_HANDLE) {
    own_ = MemoryHandle();
    const std::lock_guard<std::mutex> lock(memory_->mutex_);
    --memory_->own_allocations_;
  }
}

int Memory::allocations() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return own_allocations_ + static_cast<int>(blocks_.size());
}

Result<VkDeviceMemory> Memory::AllocateMemory(uint64_t bytes, uint32_t type) {
  auto info = Tagged<VkMemoryAllocateInfo>(VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
  info.allocationSize = bytes;
  info.memoryTypeIndex = type;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  const VkResult result = context_->api().AllocateMemory(context_->device(), &info, nullptr, &memory);
  if (result != VK_SUCCESS) return Check("vkAllocateMemory", result).WithContext(StrCat(bytes, " bytes"));
  return memory;
}

Result<std::unique_ptr<DeviceBuffer>> Memory::Allocate(uint64_t bytes, Use use) {
  const Api& api = context_->api();
  const VkDevice device = context_->device();
  if (bytes > context_->maintenance().maxMemoryAllocationSize - kLineBytes) {
    return OutOfMemory("a buffer of ", bytes, " bytes where the driver's longest has ",
                       context_->maintenance().maxMemoryAllocationSize);
  }
  std::unique_ptr<DeviceBuffer> buffer(new DeviceBuffer);
  buffer->memory_ = shared_from_this();
  buffer->bytes_ = std::max(kLineBytes, (bytes + kLineBytes - 1) / kLineBytes * kLineBytes);
  auto info = Tagged<VkBufferCreateInfo>(VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
  info.size = buffer->bytes_;
  info.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  if (use == Use::kDevice) info.usage |= VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
  VkBuffer handle = VK_NULL_HANDLE;
  MOKA_RETURN_IF_ERROR(Check("vkCreateBuffer", api.CreateBuffer(device, &info, nullptr, &handle)));
  buffer->handle_ = BufferHandle(*context_, handle);

  VkMemoryRequirements needs;
  api.GetBufferMemoryRequirements(device, handle, &needs);
  const uint32_t type = ChooseType(context_->memory(), needs.memoryTypeBits, use);
  if (type == kNoType) return DeviceError("no memory type suits a buffer");
  if (use == Use::kDevice && needs.size < kOwnBytes) {
    MOKA_RETURN_IF_ERROR(PlaceInBlock(needs, type, buffer.get()));
    return buffer;
  }
  MOKA_ASSIGN_OR_RETURN(const VkDeviceMemory memory, AllocateMemory(needs.size, type));
  buffer->own_ = MemoryHandle(*context_, memory);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++own_allocations_;
  }
  MOKA_RETURN_IF_ERROR(Check("vkBindBufferMemory", api.BindBufferMemory(device, handle, memory, 0)));
  if (use != Use::kDevice) {
    void* mapped = nullptr;
    MOKA_RETURN_IF_ERROR(Check("vkMapMemory", api.MapMemory(device, memory, 0, VK_WHOLE_SIZE, 0, &mapped)));
    buffer->mapped_ = static_cast<std::byte*>(mapped);
  }
  return buffer;
}

Status Memory::PlaceInBlock(const VkMemoryRequirements& needs, uint32_t type, DeviceBuffer* buffer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Every range starts and ends at a multiple of the alignment, a power of two, of the strictest buffer so far.
  const uint64_t alignment = std::max(needs.alignment, kLineBytes);
  const uint64_t bytes = (needs.size + alignment - 1) & ~(alignment - 1);
  const auto take = [&](Block& block) {
    for (const auto& [offset, room] : block.free) {
      const uint64_t begin = (offset + alignment - 1) & ~(alignment - 1);
      if (begin + bytes > offset + room) continue;
      const uint64_t start = offset, end = offset + room;
      block.free.erase(start);
      if (begin > start) block.free[start] = begin - start;
      if (end > begin + bytes) block.free[begin + bytes] = end - begin - bytes;
      buffer->block_ = block.memory.get();
      buffer->block_offset_ = begin;
      buffer->block_bytes_ = bytes;
      return true;
    }
    return false;
  };
  bool placed = false;
  for (Block& block : blocks_) {
    if (!placed && block.type == type) placed = take(block);
  }
  if (!placed) {
    MOKA_ASSIGN_OR_RETURN(const VkDeviceMemory memory, AllocateMemory(kBlockBytes, type));
    Block& block = blocks_.emplace_back();
    block.memory = MemoryHandle(*context_, memory);
    block.type = type;
    block.free[0] = kBlockBytes;
    if (!take(block)) return Internal("a buffer of ", bytes, " bytes does not fit a block");
  }
  return Check("vkBindBufferMemory", context_->api().BindBufferMemory(context_->device(), buffer->handle(),
                                                                      buffer->block_, buffer->block_offset_));
}

void Memory::Release(VkDeviceMemory memory, uint64_t offset, uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto block =
      std::find_if(blocks_.begin(), blocks_.end(), [memory](const Block& b) { return b.memory.get() == memory; });
  std::map<uint64_t, uint64_t>& free = block->free;
  auto range = free.emplace(offset, bytes).first;
  if (const auto next = std::next(range); next != free.end() && range->first + range->second == next->first) {
    range->second += next->second;
    free.erase(next);
  }
  if (range != free.begin()) {
    const auto previous = std::prev(range);
    if (previous->first + previous->second == range->first) {
      previous->second += range->second;
      range = free.erase(range);
    }
  }
  if (free.size() == 1 && free.begin()->second == kBlockBytes) blocks_.erase(block);
}

}  // namespace moka::vulkan
