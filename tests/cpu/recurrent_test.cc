#include <cstring>
#include <random>

#include "tests/cpu/run_op.h"

namespace moka {
namespace {

class Recurrent : public OnEveryTarget {};

TEST_P(Recurrent, BatchesAreDividedAmongWorkersWithoutATrace) {
  constexpr int64_t kSteps = 3, kInput = 7, kHidden = 20;
  std::mt19937 random(31);
  for (const int64_t directions : {1, 2}) {
    for (const int64_t batch : {1, 4, 8, 9, 13, 26}) {
      OpTest test;
      test.op = "LSTM";
      test.attrs.Set("hidden_size", kHidden);
      if (directions == 2) test.attrs.Set("direction", std::string("bidirectional"));
      test.AddFloats(MakeDense(DataType::kF32, {kSteps, batch, kInput}), random);
      test.AddFloats(MakeDense(DataType::kF32, {directions, 4 * kHidden, kInput}), random, 0.5f);
      test.AddFloats(MakeDense(DataType::kF32, {directions, 4 * kHidden, kHidden}), random, 0.5f);
      test.constant = {false, true, true};
      test.dst = {MakeDense(DataType::kF32, {kSteps, directions, batch, kHidden})};
      const OpRun one = CheckOp(device(), test, Kernel("lstm"), 1e-5, "LSTM");
      for (const int threads : {2, 3, 7}) {
        const OpRun many = RunOp(device(), test, threads);
        if (batch >= 8) {
          EXPECT_GE(many.units, 2) << batch;
        }
        EXPECT_EQ(std::memcmp(one.dst[0].data(), many.dst[0].data(), one.dst[0].desc().ExtentBytes()), 0)
            << batch << " rows, " << threads << " threads";
      }
    }
  }
}

MOKA_ON_EVERY_TARGET(Recurrent);

}  // namespace
}  // namespace moka
