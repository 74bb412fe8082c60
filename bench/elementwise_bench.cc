// Elementwise programs of the CPU: elements per ns (compare within one run only: machines are shared).
// $MOKA_BENCH_THREADS: 1 when unset; $MOKA_SIMD_TARGET: a SIMD target by name.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>

#include "bench/machine.h"
#include "bench/one_op.h"

namespace moka::bench {
namespace {

void RunSpec(benchmark::State& state, const OneOpSpec& spec, int64_t elements) {
  Machine& machine = TheMachine();
  auto op = OneOp::Make(*machine.devices[0], *machine.queue, spec);
  if (!op.ok()) return state.SkipWithError(op.status().message().c_str());
  for (auto _ : state) {
    if (const Status status = (*op)->Run(); !status.ok()) state.SkipWithError(status.message().c_str());
  }
  state.SetLabel((*op)->kernel());
  state.counters["elements_per_ns"] =
      benchmark::Counter(static_cast<double>(elements) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

// Programs over [rows, 256]: source 0 and 1 are whole tensors, source 2 is one row.
void Elementwise(benchmark::State& state) {
  struct Named {
    const char* name;
    std::vector<MicroInstruction> ops;
  };
  const auto s = [](int i) { return MicroSource(i); };
  const uint8_t r0 = MicroRegister(0), r1 = MicroRegister(1), c0 = MicroConstant(0);
  const Named programs[] = {
      {"add", {{MicroOp::kAdd, 0, s(0), s(1), 0, {}}}},
      {"bias_relu", {{MicroOp::kAdd, 0, s(0), s(2), 0, {}}, {MicroOp::kMax, 0, r0, c0, 0, {}}}},
      {"silu", {{MicroOp::kSilu, 0, s(0), 0, 0, {}}}},
      {"gelu", {{MicroOp::kGelu, 0, s(0), 0, 0, {}}}},
      {"chain_of_6",
       {{MicroOp::kMul, 0, s(0), s(2), 0, {}},
        {MicroOp::kAdd, 0, r0, s(1), 0, {}},
        {MicroOp::kSigmoid, 1, r0, 0, 0, {}},
        {MicroOp::kMul, 0, r0, r1, 0, {}},
        {MicroOp::kTanh, 0, r0, 0, 0, {}},
        {MicroOp::kMulAdd, 0, r0, s(2), c0, {}}}},
  };
  const Named& chosen = programs[static_cast<size_t>(state.range(0))];
  const int64_t rows = state.range(1);
  OneOpSpec spec;
  spec.op = "moka.Elementwise";
  spec.src = {MakeDense(DataType::kF32, {rows, 256}), MakeDense(DataType::kF32, {rows, 256}),
              MakeDense(DataType::kF32, {256})};
  spec.dst = spec.src[0];
  spec.program_begin = 0;
  spec.program.num_sources = 3;
  spec.program.num_constants = 1;
  spec.program.num_ops = static_cast<int32_t>(chosen.ops.size());
  std::copy(chosen.ops.begin(), chosen.ops.end(), spec.program.ops);
  RunSpec(state, spec, rows * 256);
}
BENCHMARK(Elementwise)->ArgNames({"program", "rows"})->ArgsProduct({{0, 1, 2, 3, 4}, {32, 800, 12000}})->UseRealTime();

}  // namespace
}  // namespace moka::bench

BENCHMARK_MAIN();
