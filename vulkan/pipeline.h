// Compute pipelines, one per (kernel, specialization, group size), kept for the life of the device and, as far as the
// driver lets, on disk.
#ifndef MOKA_VULKAN_PIPELINE_H_
#define MOKA_VULKAN_PIPELINE_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gpu/disk_cache.h"
#include "gpu/launch.h"
#include "vulkan/context.h"

namespace moka::vulkan {

// Thread-safe.
class PipelineStore {
 public:
  static Result<std::unique_ptr<PipelineStore>> Create(std::shared_ptr<Context> context, gpu::DiskCache disk);

  // The kernel's number and the words of the launch are in range (gpu::ReadSteps).
  Result<VkPipeline> Get(const gpu::Launch& launch);
  // Of every kernel with this many buffers; push constants of gpu::kMaxParamBytes.
  VkPipelineLayout layout(int buffers) const { return layouts_[static_cast<size_t>(buffers)].get(); }
  VkDescriptorSetLayout set_layout(int buffers) const { return set_layouts_[static_cast<size_t>(buffers)].get(); }
  // Writes the driver's cache to disk if pipelines were made since the last call. Failing to costs time only.
  void Save();

  int pipelines() const;
  // Names device and driver in full: a cache of another driver is never handed to this one.
  const std::string& disk_key() const { return disk_key_; }

 private:
  PipelineStore(std::shared_ptr<Context> context, gpu::DiskCache disk);
  Status MakeLayouts();
  Status MakeCache();
  Result<VkShaderModule> Module(int32_t kernel);
  Result<VkPipeline> Make(const gpu::Launch& launch);

  std::shared_ptr<Context> context_;
  gpu::DiskCache disk_;
  std::string disk_key_;
  std::array<DescriptorSetLayout, gpu::kMaxBuffers + 1> set_layouts_;
  std::array<PipelineLayout, gpu::kMaxBuffers + 1> layouts_;
  PipelineCache cache_;
  mutable std::mutex mutex_;
  std::vector<ShaderModule> modules_;                   // by kernel, made on first use
  std::map<std::vector<int32_t>, Pipeline> pipelines_;  // by kernel, group size, words
  bool unsaved_ = false;
  uint64_t saved_hash_ = 0;
};

}  // namespace moka::vulkan

#endif  // MOKA_VULKAN_PIPELINE_H_
