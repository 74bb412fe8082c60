// The threads that run the steps of one session.
#ifndef MOKA_CPU_QUEUE_H_
#define MOKA_CPU_QUEUE_H_

#include <memory>

#include "base/thread_pool.h"
#include "ops/device.h"

namespace moka::cpu {

class CpuQueue final : public Queue {
 public:
  explicit CpuQueue(const QueueOptions& options);

  int workers() const override { return executor_->workers(); }
  bool profile() const { return profile_; }
  Executor& executor() { return *executor_; }

 private:
  std::unique_ptr<ThreadPool> pool_;
  Executor* executor_;
  bool profile_;
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_QUEUE_H_
