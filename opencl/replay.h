// Linked steps, and the kernels that run them: one kernel object per step, its arguments set once per set of buffers.
#ifndef MOKA_OPENCL_REPLAY_H_
#define MOKA_OPENCL_REPLAY_H_

#include <array>
#include <memory>
#include <vector>

#include "gpu/record.h"
#include "opencl/context.h"
#include "opencl/program_cache.h"
#include "ops/device.h"

namespace moka::opencl {

// What the parts of one device share.
struct Shared {
  std::shared_ptr<const Context> context;
  std::unique_ptr<ProgramCache> programs;
};

class OpenClQueue final : public Queue {
 public:
  OpenClQueue(std::shared_ptr<const Context> context, CommandQueue queue, bool profile)
      : context_(std::move(context)), queue_(std::move(queue)), profile_(profile) {}
  cl_command_queue handle() const { return queue_.get(); }
  bool profile() const { return profile_; }

 private:
  std::shared_ptr<const Context> context_;
  CommandQueue queue_;
  bool profile_;
};

class OpenClProgram final : public Program, public std::enable_shared_from_this<OpenClProgram> {
 public:
  static Result<std::shared_ptr<const Program>> Link(std::shared_ptr<const Shared> shared, const LinkRequest& request,
                                                     const gpu::Profile& profile);
  Result<std::unique_ptr<Replay>> Instantiate(Queue& queue) const override;

 private:
  friend class OpenClReplay;
  std::shared_ptr<const Shared> shared_;
  std::vector<gpu::StepRecord> steps_;
  std::vector<SlotInfo> slots_;
  std::vector<HostCopy> uploads_, downloads_;
};

class OpenClReplay final : public Replay {
 public:
  static Result<std::unique_ptr<Replay>> Create(std::shared_ptr<const OpenClProgram> program, bool profile);

  Status Bind(uint32_t slot, Buffer* buffer, uint64_t offset) override;
  void BindHost(uint32_t, void*) override {}
  Status Run(Queue& queue, std::span<const void* const> upload_src, std::span<void* const> download_dst) override;
  std::span<const double> step_us() const override { return step_us_; }

  // How often arguments were set.
  int bindings() const { return bindings_; }

 private:
  struct Binding {
    const DeviceBuffer* buffer = nullptr;
    uint64_t offset = 0;
  };
  struct LinkedStep {
    Kernel kernel;  // null where there is nothing to run
    std::array<size_t, 3> local{}, global{};
  };

  explicit OpenClReplay(std::shared_ptr<const OpenClProgram> program);
  Status SetArguments();
  Status SetArguments(size_t step);
  Status CheckCopies() const;
  Status Enqueue(OpenClQueue& queue, std::span<const void* const> upload_src, std::span<void* const> download_dst);
  void ReadTimes();

  std::shared_ptr<const OpenClProgram> program_;
  std::vector<Binding> slots_;
  bool dirty_ = true, ran_ = false;
  std::vector<LinkedStep> steps_;
  std::vector<cl_event> events_;  // one per step; empty unless the queue profiles
  std::vector<double> step_us_;
  int bindings_ = 0;
};

}  // namespace moka::opencl

#endif  // MOKA_OPENCL_REPLAY_H_
