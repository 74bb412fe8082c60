#include "cpu/phase_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/thread_pool.h"

namespace moka::cpu {
namespace {

// Each unit adds what its neighbours had in the phase before: a unit that comes too early, too late or twice shows.
struct Rings {
  int64_t units, phases;
  std::vector<uint64_t> values;  // modulo 2^64; plain: a race is one that TSan reports
  std::vector<int> workers;      // that ran each unit

  Rings(int64_t units_, int64_t phases_) : units(units_), phases(phases_), values(Size()), workers(Size(), -1) {}
  size_t Size() const { return static_cast<size_t>(units * (phases + 1)); }
  uint64_t& At(int64_t phase, int64_t unit) {
    return values[static_cast<size_t>(phase * units + (unit + units) % units)];
  }

  static void Run(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
    Rings& self = *static_cast<Rings*>(args.dst[0]);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t phase = i / self.units + 1, unit = i % self.units;
      self.At(phase, unit) += 1 + self.At(phase - 1, unit - 1) + 2 * self.At(phase - 1, unit + 1);
      self.workers[static_cast<size_t>(i)] = worker;
    }
  }
};

void Check(Executor& executor, int64_t units, int64_t phases) {
  Rings want(units, phases), got(units, phases);
  void* dst = &want;
  KernelArgs args;
  args.dst = &dst;
  Rings::Run(args, 0, units * phases, 0);
  dst = &got;
  PhaseRunner runner(executor.workers());
  for (int run = 0; run < 2; ++run) {
    got = Rings(units, phases);
    runner.Run({&Rings::Run, units, phases}, args, executor);
    EXPECT_EQ(got.values, want.values) << units << " units, " << phases << " phases";
    for (size_t i = 0; i + static_cast<size_t>(units) < got.workers.size(); ++i) {
      EXPECT_TRUE(got.workers[i] >= 0 && got.workers[i] < executor.workers());
    }
  }
}

TEST(PhaseRun, PhasesFollowEachOther) {
  for (const int workers : {1, 2, 3, 4, 7}) {
    ThreadPool pool(workers);
    for (const int64_t units : {1, 2, 3, 4, 13}) {
      for (const int64_t phases : {1, 2, 50}) Check(pool, units, phases);
    }
  }
}

// Runs its tasks one after the other, though it says that it has several workers.
class InTurn final : public Executor {
 public:
  int workers() const override { return 4; }
  void Run(int64_t n, void (*task)(void*, int64_t, int), void* context) override {
    for (int64_t i = n - 1; i >= 0; --i) task(context, i, static_cast<int>(i) % workers());
  }
};

TEST(PhaseRun, WaitsForNobodyWhoDidNotBegin) {
  InTurn executor;
  for (const int64_t units : {2, 4, 9}) Check(executor, units, 20);
}

TEST(PhaseRun, SessionsShareAPool) {
  ThreadPool pool(3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&pool] {
      for (int run = 0; run < 5; ++run) Check(pool, 4, 30);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace moka::cpu
