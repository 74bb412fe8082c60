// What a machine can do at this moment, for a harness that measures on a shared one. Answers lines of standard input:
//   peak N     GFLOP/s of N threads that only multiply and add (MeasurePeakGflops)
//   pingpong   nanoseconds of the round trip of a cache line between two threads: tells whether two cores share a cache
//   sweep      reads and writes 256 MiB, so that no cache holds anything of before; answers "swept"
//   quit       ends, as the end of the input does
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "moka/inspect.h"

namespace {

using Clock = std::chrono::steady_clock;

// The least of several rounds: whatever else runs only adds.
double PingPongNanoseconds() {
  constexpr int kTrips = 20000, kRounds = 7;
  alignas(64) std::atomic<uint32_t> ball{0};
  std::thread other([&ball] {
    for (uint32_t trip = 0; trip < kTrips * kRounds; trip++) {
      while (ball.load(std::memory_order_acquire) != 2 * trip + 1) continue;
      ball.store(2 * trip + 2, std::memory_order_release);
    }
  });
  double least = 1e300;
  for (uint32_t round = 0; round < kRounds; round++) {
    const auto start = Clock::now();
    for (uint32_t trip = round * kTrips; trip < (round + 1) * kTrips; trip++) {
      ball.store(2 * trip + 1, std::memory_order_release);
      while (ball.load(std::memory_order_acquire) != 2 * trip + 2) continue;
    }
    least = std::min(least, std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kTrips);
  }
  other.join();
  return least;
}

void Sweep() {
  static std::vector<uint64_t> memory(256 << 17);
  for (uint64_t& word : memory) word++;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    int threads = 0;
    if (std::sscanf(line.c_str(), "peak %d", &threads) == 1 && threads > 0) {
      std::printf("%.3f\n", moka::MeasurePeakGflops(threads));
    } else if (line == "pingpong") {
      std::printf("%.3f\n", PingPongNanoseconds());
    } else if (line == "sweep") {
      Sweep();
      std::printf("swept\n");
    } else {
      std::printf("'%s' is none of peak N, pingpong, sweep, quit\n", line.c_str());
    }
    std::fflush(stdout);
  }
}
