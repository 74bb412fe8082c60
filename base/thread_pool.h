// The engine's own threads.
#ifndef MOKA_BASE_THREAD_POOL_H_
#define MOKA_BASE_THREAD_POOL_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "moka/device.h"

namespace moka {

inline constexpr int kMaxWorkers = 1024;

// Each worker has a share of the units, one run of neighbours: of steps that follow each other a worker then meets the
// same part of a picture, which its own caches hold. Units are claimed one by one, first of the own share, then of
// others'. Workers are the caller (0) and workers() - 1 threads that spin for a moment and then sleep. The caller waits
// for units that somebody claimed, never for a thread that did not wake in time. Run allocates nothing. Called from one
// of its own tasks it runs inline, as that task's worker; called from several threads at once, the calls take turns.
class ThreadPool final : public Executor {
 public:
  // `workers` counts the caller; it is clamped to [1, kMaxWorkers] and to what the system grants.
  explicit ThreadPool(int workers);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int workers() const override { return static_cast<int>(threads_.size()) + 1; }
  void Run(int64_t n, void (*task)(void* context, int64_t i, int worker), void* context) override;

 private:
  void Work(int worker);
  bool SpinForNext(uint32_t seen) const;
  void LeaveCallerCpu() const;
  void Drain(int worker);
  void DrainShare(int share, int worker);
  void RunShared(uint32_t n);

  std::vector<std::thread> threads_;
  bool spin_ = true;

  // Written by Run while no unit is pending, read after a successful claim.
  void (*task_)(void*, int64_t, int) = nullptr;
  void* context_ = nullptr;
  int64_t first_ = 0;
  uint32_t count_ = 0;

  struct alignas(64) Ticket {
    std::atomic<uint64_t> left{0};  // generation << 32 | units not yet claimed
  };
  std::vector<Ticket> tickets_;  // by worker
  alignas(64) std::atomic<uint32_t> generation_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<int> caller_cpu_{-1};
  std::atomic<bool> quit_{false};
  alignas(64) std::atomic<uint32_t> pending_{0};  // units not yet finished
  std::atomic<uint32_t> caller_sleeps_{0};
  alignas(64) std::atomic<uint32_t> busy_{0};  // 1: a Run is under way; 2: and others may wait for it
};

}  // namespace moka

#endif  // MOKA_BASE_THREAD_POOL_H_
