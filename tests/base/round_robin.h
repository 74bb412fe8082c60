// An executor that gives every worker something to do, whatever the machine's threads are.
#ifndef MOKA_TESTS_BASE_ROUND_ROBIN_H_
#define MOKA_TESTS_BASE_ROUND_ROBIN_H_

#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "moka/device.h"

namespace moka::test {

// Unit i runs on worker i % workers, each a thread of its own.
class RoundRobin final : public Executor {
 public:
  explicit RoundRobin(int workers) : workers_(workers) {}
  int workers() const override { return workers_; }
  void Run(int64_t n, void (*task)(void* context, int64_t i, int worker), void* context) override {
    std::vector<std::thread> threads;
    for (int w = 0; w < workers_ && w < n; ++w) {
      threads.emplace_back([=, this] {
        {
          const std::lock_guard lock(mutex_);
          used_.insert(w);
        }
        for (int64_t i = w; i < n; i += workers_) task(context, i, w);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  size_t used() const { return used_.size(); }  // workers that had something to do

 private:
  int workers_;
  std::mutex mutex_;
  std::set<int> used_;
};

}  // namespace moka::test

#endif  // MOKA_TESTS_BASE_ROUND_ROBIN_H_
