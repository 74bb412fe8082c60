#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "base/platform.h"

namespace moka {
namespace {

struct Visits {
  explicit Visits(int64_t n, int workers) : count(static_cast<size_t>(n)), inside(static_cast<size_t>(workers)) {}
  std::vector<int> count;  // plain ints: two visits of one unit at a time are a race that TSan reports
  std::vector<std::atomic<int>> inside;
  std::atomic<bool> shared_worker{false};

  static void Task(void* context, int64_t i, int worker) {
    auto& self = *static_cast<Visits*>(context);
    if (self.inside[static_cast<size_t>(worker)].fetch_add(1) != 0) self.shared_worker = true;
    ++self.count[static_cast<size_t>(i)];
    self.inside[static_cast<size_t>(worker)].fetch_sub(1);
  }
};

class ThreadPoolWorkers : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolWorkers, RunsEveryUnitOnceAndNoWorkerTwiceAtATime) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.workers(), GetParam());
  for (const int64_t n : {0, 1, 2, 3, 7, 100, 1000}) {
    Visits visits(n, pool.workers());
    pool.Run(n, &Visits::Task, &visits);
    EXPECT_TRUE(std::all_of(visits.count.begin(), visits.count.end(), [](int c) { return c == 1; })) << n;
    EXPECT_FALSE(visits.shared_worker);
  }
}

TEST_P(ThreadPoolWorkers, ManyTinyDispatches) {
  ThreadPool pool(GetParam());
  Visits visits(5, pool.workers());
  for (int i = 0; i < 3000; ++i) pool.Run(5, &Visits::Task, &visits);
  EXPECT_EQ(visits.count, std::vector<int>(5, 3000));
  EXPECT_FALSE(visits.shared_worker);
}

TEST_P(ThreadPoolWorkers, WakesSleepingThreads) {
  ThreadPool pool(GetParam());
  std::atomic<uint32_t> seen{0};
  struct Context {
    std::atomic<uint32_t>* seen;
    int workers;
  } context{&seen, pool.workers()};
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // Every unit waits until all workers hold one: this ends only if each of them woke up.
  pool.Run(
      pool.workers(),
      [](void* c, int64_t, int worker) {
        auto& context = *static_cast<Context*>(c);
        context.seen->fetch_or(1u << worker);
        while (context.seen->load() != (1u << context.workers) - 1) std::this_thread::yield();
      },
      &context);
  EXPECT_EQ(seen.load(), (1u << pool.workers()) - 1);
}

TEST_P(ThreadPoolWorkers, BeginsWithItsOwnShare) {
  constexpr int64_t kEach = 5;
  ThreadPool pool(GetParam());
  struct Context {
    std::atomic<int> arrived{0};
    std::vector<int64_t> first;
  } context;
  context.first.assign(static_cast<size_t>(pool.workers()), -1);
  // The first unit of each worker waits until all have one: no share is finished by another worker before.
  pool.Run(
      kEach * pool.workers(),
      [](void* c, int64_t i, int worker) {
        auto& context = *static_cast<Context*>(c);
        int64_t& first = context.first[static_cast<size_t>(worker)];
        if (first >= 0) return;
        first = i;
        context.arrived.fetch_add(1);
        while (context.arrived.load() < static_cast<int>(context.first.size())) std::this_thread::yield();
      },
      &context);
  for (int64_t worker = 0; worker < pool.workers(); ++worker) {
    EXPECT_EQ(context.first[static_cast<size_t>(worker)], kEach * worker);
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, ThreadPoolWorkers, testing::Values(1, 2, 3, 7));

TEST(ThreadPool, RunsNestedCallsInlineAsTheSameWorker) {
  ThreadPool pool(3);
  struct Context {
    ThreadPool* pool;
    std::atomic<int> units{0};
    std::atomic<bool> moved{false};
  } context{&pool};
  pool.Run(
      8,
      [](void* c, int64_t, int outer_worker) {
        struct Inner {
          Context* context;
          int worker;
          std::thread::id thread;
        } inner{static_cast<Context*>(c), outer_worker, std::this_thread::get_id()};
        inner.context->pool->Run(
            5,
            [](void* i, int64_t, int worker) {
              auto& inner = *static_cast<Inner*>(i);
              if (worker != inner.worker || std::this_thread::get_id() != inner.thread) inner.context->moved = true;
              inner.context->units.fetch_add(1);
            },
            &inner);
      },
      &context);
  EXPECT_EQ(context.units, 40);
  EXPECT_FALSE(context.moved);
}

TEST(ThreadPool, CallsFromSeveralThreadsTakeTurns) {
  ThreadPool pool(2);
  Visits visits(9, pool.workers());
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) pool.Run(9, &Visits::Task, &visits);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(visits.count, std::vector<int>(9, 800));
  EXPECT_FALSE(visits.shared_worker);
}

TEST(ThreadPool, PoolsAreIndependent) {
  std::vector<std::thread> callers;
  std::atomic<int> failures{0};
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&failures, t] {
      ThreadPool pool(t + 1);
      Visits visits(6, pool.workers());
      for (int i = 0; i < 300; ++i) pool.Run(6, &Visits::Task, &visits);
      if (visits.count != std::vector<int>(6, 300)) failures.fetch_add(1);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failures, 0);
}

TEST(ThreadPool, APoolWithinATaskOfAnotherRuns) {
  ThreadPool outer(2), inner(2);
  struct Context {
    ThreadPool* inner;
    std::atomic<int> units{0};
  } context{&inner};
  outer.Run(
      4,
      [](void* c, int64_t, int) {
        auto* context = static_cast<Context*>(c);
        context->inner->Run(
            3, [](void* p, int64_t, int) { static_cast<Context*>(p)->units.fetch_add(1); }, context);
      },
      &context);
  EXPECT_EQ(context.units, 12);
}

TEST(ThreadPool, ClampsTheNumberOfWorkers) {
  EXPECT_EQ(ThreadPool(0).workers(), 1);
  EXPECT_EQ(ThreadPool(-5).workers(), 1);
}

}  // namespace
}  // namespace moka
