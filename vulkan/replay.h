// Linked steps, and the command buffer that runs them: recorded once per set of buffers, submitted once per run.
#ifndef MOKA_VULKAN_REPLAY_H_
#define MOKA_VULKAN_REPLAY_H_

#include <memory>
#include <vector>

#include "gpu/record.h"
#include "ops/device.h"
#include "vulkan/memory.h"
#include "vulkan/pipeline.h"

namespace moka::vulkan {

// What the parts of one device share.
struct Shared {
  std::shared_ptr<Context> context;
  std::shared_ptr<Memory> memory;
  std::unique_ptr<PipelineStore> pipelines;
};

class VulkanQueue final : public Queue {
 public:
  explicit VulkanQueue(bool profile) : profile_(profile) {}
  bool profile() const { return profile_; }

 private:
  bool profile_;
};

class VulkanProgram final : public Program, public std::enable_shared_from_this<VulkanProgram> {
 public:
  static Result<std::shared_ptr<const Program>> Link(std::shared_ptr<const Shared> shared, const LinkRequest& request,
                                                     const gpu::Profile& profile);
  Result<std::unique_ptr<Replay>> Instantiate(Queue& queue) const override;

 private:
  friend class VulkanReplay;
  struct LinkedStep {
    gpu::StepRecord record;
    VkPipeline pipeline = VK_NULL_HANDLE;
  };

  std::shared_ptr<const Shared> shared_;
  std::vector<LinkedStep> steps_;  // those that have something to run
  std::vector<int> step_numbers_;  // of LinkRequest::steps
  size_t num_steps_ = 0;
  std::vector<SlotInfo> slots_;
  std::vector<HostCopy> uploads_, downloads_;
  uint64_t upload_bytes_ = 0, download_bytes_ = 0;
};

class VulkanReplay final : public Replay {
 public:
  static Result<std::unique_ptr<Replay>> Create(std::shared_ptr<const VulkanProgram> program, bool profile);

  Status Bind(uint32_t slot, Buffer* buffer, uint64_t offset) override;
  void BindHost(uint32_t, void*) override {}
  Status Run(Queue& queue, std::span<const void* const> upload_src, std::span<void* const> download_dst) override;
  std::span<const double> step_us() const override { return step_us_; }

  // Execution barriers between steps in the recorded command buffer, and how often it was recorded.
  int barriers() const { return barriers_; }
  int recordings() const { return recordings_; }

 private:
  struct Binding {
    const DeviceBuffer* buffer = nullptr;
    uint64_t offset = 0;
  };

  VulkanReplay(std::shared_ptr<const VulkanProgram> program, bool profile);
  Status MakeDescriptors();
  Status MakeStaging();
  Status MakeQueries();
  Status Record();
  Status WriteDescriptors();
  void RecordCopies(const std::vector<HostCopy>& copies, bool upload);
  void RecordStep(size_t i);
  void ReadTimes();

  const Context& context() const { return *program_->shared_->context; }

  std::shared_ptr<const VulkanProgram> program_;
  bool profile_;
  std::vector<Binding> slots_;
  bool dirty_ = true;
  Commands commands_;
  DescriptorPool pool_;
  std::vector<VkDescriptorSet> sets_;  // one per linked step
  std::vector<gpu::Launch> launches_;  // the steps' own, with offsets of the bound buffers
  std::unique_ptr<DeviceBuffer> upload_, download_;
  QueryPool queries_;
  std::vector<uint64_t> ticks_;
  std::vector<double> step_us_;
  int barriers_ = 0, recordings_ = 0;
};

}  // namespace moka::vulkan

#endif  // MOKA_VULKAN_REPLAY_H_
