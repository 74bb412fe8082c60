#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>

#include "base/math.h"
#include "base/platform.h"

namespace moka {
namespace {

constexpr double kSpinMicroseconds = 50;
constexpr int kPausesPerCheck = 32;
constexpr int kPausesBeforeSleep = 20000;
constexpr int64_t kMaxUnits = int64_t{1} << 31;  // of one ticket

// Which pool's task this thread executes, and as which worker.
struct Current {
  const ThreadPool* pool = nullptr;
  int worker = 0;
};
thread_local Current current;

}  // namespace

ThreadPool::ThreadPool(int workers) {
  workers = kHasThreads ? std::clamp(workers, 1, kMaxWorkers) : 1;
  spin_ = workers <= HardwareThreads();
  threads_.reserve(static_cast<size_t>(workers) - 1);
  tickets_ = std::vector<Ticket>(static_cast<size_t>(workers));
#if !defined(__EMSCRIPTEN__) || defined(__EMSCRIPTEN_PTHREADS__)
  for (int worker = 1; worker < workers; ++worker) {
    try {
      threads_.emplace_back([this, worker] { Work(worker); });
    } catch (const std::system_error&) {
      break;
    }
  }
#endif
}

ThreadPool::~ThreadPool() {
  quit_.store(true);
  generation_.fetch_add(1);
  FutexWake(&generation_, kMaxWorkers);
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(int64_t n, void (*task)(void*, int64_t, int), void* context) {
  if (n <= 0) return;
  if (current.pool == this) {
    for (int64_t i = 0; i < n; ++i) task(context, i, current.worker);
    return;
  }
  for (uint32_t free = 0; !busy_.compare_exchange_strong(free, 1, std::memory_order_acquire); free = 0) {
    uint32_t taken = 1;
    if (busy_.compare_exchange_strong(taken, 2) || taken == 2) FutexWait(&busy_, 2);
  }
  const Current outer = current;
  current = {this, 0};
  if (n == 1 || threads_.empty()) {
    for (int64_t i = 0; i < n; ++i) task(context, i, 0);
  } else {
    task_ = task;
    context_ = context;
    for (first_ = 0; first_ < n; first_ += kMaxUnits) RunShared(static_cast<uint32_t>(std::min(kMaxUnits, n - first_)));
  }
  current = outer;
  if (busy_.exchange(0, std::memory_order_release) == 2) FutexWake(&busy_, kMaxWorkers);
}

void ThreadPool::RunShared(uint32_t n) {
  count_ = n;
  caller_cpu_.store(CurrentCpu(), std::memory_order_relaxed);
  pending_.store(n, std::memory_order_relaxed);
  const uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
  for (int share = 0; share < workers(); ++share) {
    const int64_t units = PartBegin(n, share + 1, workers()) - PartBegin(n, share, workers());
    const uint64_t ticket = uint64_t{generation} << 32 | static_cast<uint32_t>(units);
    if (units > 0) tickets_[static_cast<size_t>(share)].left.store(ticket, std::memory_order_release);
  }
  generation_.store(generation);
  if (sleepers_.load() > 0) FutexWake(&generation_, static_cast<int>(std::min<uint32_t>(n - 1, kMaxWorkers)));
  Drain(0);
  for (int i = 0; pending_.load(std::memory_order_acquire) != 0; ++i) {
    if (i < kPausesBeforeSleep && spin_) {
      CpuPause();
      continue;
    }
    // Either this load sees the last unit's decrement, or that worker sees the flag: both are sequentially consistent.
    caller_sleeps_.store(1);
    if (const uint32_t left = pending_.load(); left != 0) FutexWait(&pending_, left);
    caller_sleeps_.store(0);
  }
}

void ThreadPool::Drain(int worker) {
  for (int i = 0; i < workers(); ++i) DrainShare((worker + i) % workers(), worker);
}

// A claim succeeds only while the ticket still carries the generation that was read with it. Its unit is then pending,
// so Run has not returned and task_, context_, first_, count_ are those of this generation.
void ThreadPool::DrainShare(int share, int worker) {
  std::atomic<uint64_t>& left = tickets_[static_cast<size_t>(share)].left;
  uint64_t ticket = left.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(ticket) != 0) {
    if (!left.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      continue;
    }
    const int64_t end = first_ + PartBegin(count_, share + 1, workers());
    task_(context_, end - static_cast<uint32_t>(ticket), worker);
    if (pending_.fetch_sub(1) == 1 && caller_sleeps_.load() != 0) FutexWake(&pending_, 1);
    ticket = left.load(std::memory_order_acquire);
  }
}

// A thread that wakes or waits on the caller's core would only take turns with it, and some schedulers leave it there
// for many milliseconds.
void ThreadPool::LeaveCallerCpu() const {
  const int cpu = caller_cpu_.load(std::memory_order_relaxed);
  if (spin_ && CurrentCpu() == cpu) LeaveCpu(cpu);
}

// True when a new generation came while spinning.
bool ThreadPool::SpinForNext(uint32_t seen) const {
  if (!spin_) return false;
  const double end = NowMicroseconds() + kSpinMicroseconds;
  do {
    for (int i = 0; i < kPausesPerCheck; ++i) {
      if (generation_.load(std::memory_order_acquire) != seen) return true;
      CpuPause();
    }
    LeaveCallerCpu();
  } while (NowMicroseconds() < end);
  return false;
}

void ThreadPool::Work(int worker) {
  current = {this, worker};
  uint32_t seen = 0;
  while (true) {
    while (generation_.load(std::memory_order_acquire) == seen) {
      if (SpinForNext(seen)) break;
      sleepers_.fetch_add(1);
      FutexWait(&generation_, seen);
      sleepers_.fetch_sub(1);
      LeaveCallerCpu();
    }
    seen = generation_.load(std::memory_order_acquire);
    if (quit_.load()) return;
    Drain(worker);
  }
}

}  // namespace moka
