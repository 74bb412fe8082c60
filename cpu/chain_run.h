// Execution of chains (ops/chain.h) on the CPU: a worker runs a range of strips through rings of its own.
#ifndef MOKA_CPU_CHAIN_RUN_H_
#define MOKA_CPU_CHAIN_RUN_H_

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernel.h"
#include "moka/device.h"

namespace moka::cpu {

// A linked chain, shared by replays.
struct LinkedChain {
  struct Member {
    RowsFn run = nullptr;
    const void* launch = nullptr;
    std::vector<int> src_ring;  // per source: the member in whose ring it lies, or -1
    uint64_t ring = 0;          // offset in a worker's part of the scratch
    int64_t row_bytes = 0, image_bytes = 0;
  };
  Chain chain;
  uint64_t bytes_per_worker = 0;
  std::vector<Member> members;
};

// `kernels`: of the steps, the first of which starts the chain.
Result<LinkedChain> LinkChain(std::span<const Step> steps, std::span<const Kernel* const> kernels);

// Runs a chain for one session. Everything it needs is allocated with it.
class ChainRunner {
 public:
  ChainRunner(const LinkedChain& linked, int workers, bool profile);

  // Whole operands of the members, each with num_src sources and one result, and the scratch of the chain.
  void Bind(std::span<const KernelArgs> args, std::byte* scratch);
  void Run(Executor& executor, bool spread);
  // Divides the time of a run between the members as the workers spent it.
  void DivideTime(double total_us, std::span<double> member_us);

 private:
  struct Worker {
    std::vector<KernelArgs> args;
    std::vector<std::vector<const void*>> src;
    std::vector<void*> dst;
    std::vector<double> us;
  };
  void RunStrips(int64_t begin, int64_t end, int worker);
  void Slide(Worker& self, int64_t image, int64_t strip, const RingRows* before, std::byte* part) const;
  void RunStrip(int64_t image, int64_t strip, bool first, int worker);

  const LinkedChain& linked_;
  std::byte* scratch_ = nullptr;
  bool profile_;
  std::vector<Worker> workers_;
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_CHAIN_RUN_H_
