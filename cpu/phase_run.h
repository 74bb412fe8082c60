// Execution of steps whose units come in phases (Choice::phases): a phase begins when all units of the one before have
// ended.
#ifndef MOKA_CPU_PHASE_RUN_H_
#define MOKA_CPU_PHASE_RUN_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "cpu/kernel.h"
#include "moka/device.h"

namespace moka::cpu {

struct PhasedPass {
  KernelFn run;
  int64_t units, phases;  // units of one phase
};

// One launch for all phases: workers meet between them. The units of a phase are divided into shares, which are claimed
// by whoever is there, one's own share first; a worker that comes late finds its share done by another. So a worker
// waits for shares that somebody is running, never for one that did not begin, and any executor will do: one that runs
// its tasks in turn, or with fewer threads than it says. For one replay, which runs one step at a time.
class PhaseRunner {
 public:
  explicit PhaseRunner(int workers) : claims_(static_cast<size_t>(workers)) {}

  void Run(const PhasedPass& pass, const KernelArgs& args, Executor& executor);

 private:
  struct alignas(64) Claim {
    std::atomic<int64_t> phases{0};  // of this share, claimed so far
  };

  static void Task(void* context, int64_t i, int worker);
  void Join(int worker);
  void RunShare(int64_t phase, int64_t share, int worker) const;

  const PhasedPass* pass_ = nullptr;
  const KernelArgs* args_ = nullptr;
  int64_t shares_ = 1;
  std::vector<Claim> claims_;
  alignas(64) std::atomic<int64_t> done_{0};  // shares, of all phases
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_PHASE_RUN_H_
