#include "cpu/phase_run.h"

#include <algorithm>
#include <thread>

#include "base/math.h"
#include "base/platform.h"

namespace moka::cpu {
namespace {

constexpr int kPausesBeforeYield = 2000;

}  // namespace

void PhaseRunner::Run(const PhasedPass& pass, const KernelArgs& args, Executor& executor) {
  pass_ = &pass;
  args_ = &args;
  shares_ = std::min(pass.units, static_cast<int64_t>(claims_.size()));
  for (Claim& claim : claims_) claim.phases.store(0, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  executor.Run(shares_, &Task, this);
}

void PhaseRunner::Task(void* context, int64_t, int worker) { static_cast<PhaseRunner*>(context)->Join(worker); }

void PhaseRunner::RunShare(int64_t phase, int64_t share, int worker) const {
  const int64_t first = phase * pass_->units;
  pass_->run(*args_, first + PartBegin(pass_->units, share, shares_),
             first + PartBegin(pass_->units, share + 1, shares_), worker);
}

void PhaseRunner::Join(int worker) {
  for (int64_t done = done_.load(std::memory_order_acquire); done < shares_ * pass_->phases;) {
    const int64_t phase = done / shares_;
    for (int64_t i = 0; i < shares_; ++i) {
      const int64_t share = (worker + i) % shares_;
      // Succeeds only while this phase is under way: a later one is not claimed before all shares of this one are done.
      int64_t claimed = phase;
      if (!claims_[static_cast<size_t>(share)].phases.compare_exchange_strong(claimed, phase + 1)) continue;
      RunShare(phase, share, worker);
      done_.fetch_add(1, std::memory_order_acq_rel);
    }
    for (int pauses = 0; (done = done_.load(std::memory_order_acquire)) < (phase + 1) * shares_; ++pauses) {
      if (pauses < kPausesBeforeYield) {
        CpuPause();
      } else {
        std::this_thread::yield();
      }
    }
  }
}

}  // namespace moka::cpu
