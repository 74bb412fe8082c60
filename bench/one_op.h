// One operator on one device, linked and bound, ready to run again and again.
#ifndef MOKA_BENCH_ONE_OP_H_
#define MOKA_BENCH_ONE_OP_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ops/device.h"

namespace moka::bench {

struct OneOpSpec {
  std::string op;  // "Conv", "moka.Elementwise"
  Attributes attrs;
  std::vector<TensorDesc> src;  // filled with small random numbers
  std::vector<bool> constant;   // shorter: false
  // Sources behind those of `src` that are constant lists of i64: {source, elements} (axes).
  std::vector<std::pair<size_t, std::vector<int64_t>>> constant_ints;
  TensorDesc dst;
  MicroProgram program;
  int program_begin = -1;  // -1: none
};

class OneOp {
 public:
  static Result<std::unique_ptr<OneOp>> Make(Device& device, Queue& queue, const OneOpSpec& spec);

  const std::string& kernel() const { return kernel_; }
  Status Run() { return replay_->Run(queue_, {}, {}); }

 private:
  OneOp(Device& device, Queue& queue) : device_(device), queue_(queue) {}
  Status Prepare(const OneOpSpec& spec);
  Result<Operand> Allocate(const TensorDesc& desc);

  Device& device_;
  Queue& queue_;
  std::string kernel_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<SlotInfo> slots_;
  std::unique_ptr<Replay> replay_;
};

}  // namespace moka::bench

#endif  // MOKA_BENCH_ONE_OP_H_
