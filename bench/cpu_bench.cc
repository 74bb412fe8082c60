// Kernels of the CPU at the shapes of real networks: GFLOP/s and percent of the multiply-add peak that is measured
// around each benchmark (machines are shared: compare within one run only). Elementwise programs show elements per ns.
// bench_cpu --benchmark_filter=Conv; $MOKA_BENCH_THREADS: 1 when unset; $MOKA_SIMD_TARGET: a SIMD target by name.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "bench/one_op.h"
#include "cpu/device.h"

namespace moka::bench {
namespace {

int Threads() {
  const char* threads = std::getenv("MOKA_BENCH_THREADS");
  return threads != nullptr ? std::atoi(threads) : 1;
}

// Time on the processor is what counts for one thread; with several, only the clock on the wall counts them all.
void ChooseClock(benchmark::internal::Benchmark* b) {
  if (Threads() != 1) b->UseRealTime();
}

struct Machine {
  std::vector<std::unique_ptr<Device>> devices = cpu::Open(nullptr);
  std::unique_ptr<Queue> queue;

  Machine() {
    QueueOptions options;
    options.threads = Threads();
    queue = std::move(devices[0]->MakeQueue(options)).value();
  }
  Device& device() { return *devices[0]; }
  double Peak() { return devices[0]->PeakGflops(*queue); }
};

Machine& TheMachine() {
  static Machine machine;
  return machine;
}

void RunSpec(benchmark::State& state, const OneOpSpec& spec, double flops, int64_t elements) {
  Machine& machine = TheMachine();
  auto op = OneOp::Make(machine.device(), *machine.queue, spec);
  if (!op.ok()) return state.SkipWithError(op.status().message().c_str());
  double peak = machine.Peak();
  for (auto _ : state) {
    if (const Status status = (*op)->Run(); !status.ok()) state.SkipWithError(status.message().c_str());
  }
  peak = std::max(peak, machine.Peak());
  state.SetLabel((*op)->kernel());
  using benchmark::Counter;
  const auto rate = Counter::kIsIterationInvariantRate;
  if (flops > 0) {
    state.counters["gflops"] = Counter(flops * 1e-9, rate);
    state.counters["percent_of_peak"] = Counter(flops * 1e-9 / peak * 100, rate);
  }
  state.counters["elements_per_ns"] = Counter(static_cast<double>(elements) * 1e-9, rate);
}

void Gemm(benchmark::State& state) {
  const int64_t m = state.range(0), k = state.range(1), n = state.range(2);
  OneOpSpec spec;
  spec.op = "Gemm";
  spec.src = {MakeDense(DataType::kF32, {m, k}), MakeDense(DataType::kF32, {k, n}), MakeDense(DataType::kF32, {n})};
  spec.constant = {false, true, true};
  spec.dst = MakeDense(DataType::kF32, {m, n});
  RunSpec(state, spec, 2.0 * static_cast<double>(m * k * n), m * n);
}
BENCHMARK(Gemm)
    ->ArgNames({"m", "k", "n"})
    ->Args({1, 768, 3072})
    ->Args({49, 4608, 512})
    ->Args({128, 768, 3072})
    ->Args({196, 2304, 256})
    ->Args({512, 512, 512})
    ->Args({784, 1152, 128})
    ->Args({3136, 64, 256})
    ->Apply(&ChooseClock);

OneOpSpec ConvSpec(int64_t channels, int64_t outputs, int64_t size, int64_t kernel, int64_t stride, int64_t group,
                   Format src_format) {
  OneOpSpec spec;
  spec.op = "Conv";
  const int64_t pad = kernel / 2, out = (size + 2 * pad - kernel) / stride + 1;
  spec.attrs.Set("pads", std::vector<int64_t>(4, pad));
  spec.attrs.Set("strides", std::vector<int64_t>(2, stride));
  spec.attrs.Set("group", group);
  spec.src = {MakeDense(DataType::kF32, {1, channels, size, size}, src_format),
              MakeDense(DataType::kF32, {outputs, channels / group, kernel, kernel}),
              MakeDense(DataType::kF32, {outputs})};
  spec.constant = {false, true, true};
  spec.dst = MakeDense(DataType::kF32, {1, outputs, out, out}, Format::kChannelsLast);
  spec.program_begin = 3;  // Relu
  spec.program.num_ops = spec.program.num_constants = 1;
  spec.program.ops[0] = {MicroOp::kMax, 0, MicroRegister(0), MicroConstant(0), 0, {}};
  return spec;
}

void RunConv(benchmark::State& state, const OneOpSpec& spec) {
  const TensorDesc& weight = spec.src[1];
  const int64_t per_output = weight.dims[1] * weight.dims[2] * weight.dims[3];
  RunSpec(state, spec, 2.0 * static_cast<double>(spec.dst.NumElements() * per_output), spec.dst.NumElements());
}

void Conv(benchmark::State& state) {
  RunConv(state, ConvSpec(state.range(0), state.range(1), state.range(2), state.range(3), state.range(4), 1,
                          state.range(0) == 3 ? Format::kRowMajor : Format::kChannelsLast));
}
BENCHMARK(Conv)
    ->ArgNames({"c", "m", "size", "kernel", "stride"})
    ->Args({3, 64, 224, 7, 2})
    ->Args({3, 32, 224, 3, 2})
    ->Args({64, 64, 56, 3, 1})
    ->Args({128, 128, 28, 3, 1})
    ->Args({128, 256, 28, 3, 2})
    ->Args({256, 256, 14, 3, 1})
    ->Args({512, 512, 7, 3, 1})
    ->Args({16, 96, 112, 1, 1})
    ->Args({144, 24, 56, 1, 1})
    ->Args({576, 96, 14, 1, 1})
    ->Apply(&ChooseClock);

void Depthwise(benchmark::State& state) {
  const int64_t c = state.range(0);
  RunConv(state, ConvSpec(c, c, state.range(1), state.range(2), state.range(3), c, Format::kChannelsLast));
}
BENCHMARK(Depthwise)
    ->ArgNames({"c", "size", "kernel", "stride"})
    ->Args({32, 112, 3, 1})
    ->Args({96, 112, 3, 2})
    ->Args({144, 56, 3, 1})
    ->Args({192, 28, 3, 1})
    ->Args({576, 14, 3, 1})
    ->Args({960, 7, 3, 1})
    ->Args({240, 14, 5, 1})
    ->Apply(&ChooseClock);

// Groups of `group` channels: RegNet's and ResNeXt's.
void Grouped(benchmark::State& state) {
  const int64_t c = state.range(0);
  RunConv(state, ConvSpec(c, c, state.range(2), 3, state.range(3), c / state.range(1), Format::kChannelsLast));
}
BENCHMARK(Grouped)
    ->ArgNames({"c", "group", "size", "stride"})
    ->Args({48, 8, 112, 2})
    ->Args({104, 8, 28, 1})
    ->Args({440, 8, 7, 1})
    ->Args({128, 4, 56, 1})
    ->Args({512, 16, 14, 1})
    ->Apply(&ChooseClock);

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
  RunSpec(state, spec, 0, rows * 256);
}
BENCHMARK(Elementwise)->ArgNames({"program", "rows"})->ArgsProduct({{0, 1, 2, 3, 4}, {32, 800, 12000}})->UseRealTime();

}  // namespace
}  // namespace moka::bench

BENCHMARK_MAIN();
