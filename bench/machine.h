// The CPU that benches run on.
#ifndef MOKA_BENCH_MACHINE_H_
#define MOKA_BENCH_MACHINE_H_

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "cpu/device.h"

namespace moka::bench {

// $MOKA_BENCH_THREADS: 1 when unset.
inline int Threads() {
  const char* threads = std::getenv("MOKA_BENCH_THREADS");
  return threads != nullptr ? std::max(1, std::atoi(threads)) : 1;
}

struct Machine {
  std::vector<std::unique_ptr<Device>> devices = cpu::Open(nullptr);
  std::unique_ptr<Queue> queue;

  Machine() {
    QueueOptions options;
    options.threads = Threads();
    queue = std::move(devices[0]->MakeQueue(options)).value();
  }
  double Peak() { return devices[0]->PeakGflops(*queue); }
};

inline Machine& TheMachine() {
  static Machine machine;
  return machine;
}

}  // namespace moka::bench

#endif  // MOKA_BENCH_MACHINE_H_
