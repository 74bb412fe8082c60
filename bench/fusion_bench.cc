// What fusing is worth: LayerNormalization, Attention and a chain of elementwise operators, each as one kernel (`fused`
// 1) and as the plain operators it is made of (`fused` 0). Compare within one run only: machines are shared.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>

#include "bench/one_op.h"
#include "cpu/device.h"

namespace moka::bench {
namespace {

const uint8_t kR0 = MicroRegister(0), kA = MicroSource(0), kB = MicroSource(1), kC0 = MicroConstant(0);

TensorDesc F32(const Shape& shape) { return MakeDense(DataType::kF32, shape); }

// One elementwise operator, or several as one program.
OneOpSpec Elementwise(std::vector<TensorDesc> src, const TensorDesc& dst, const std::vector<MicroInstruction>& ops) {
  OneOpSpec spec;
  spec.op = "moka.Elementwise";
  spec.dst = dst;
  spec.program_begin = 0;
  spec.program.num_sources = static_cast<int32_t>(src.size());
  spec.program.num_constants = 1;
  spec.program.constants[0] = 0.125f;
  spec.program.num_ops = static_cast<int32_t>(ops.size());
  std::copy(ops.begin(), ops.end(), spec.program.ops);
  spec.src = std::move(src);
  return spec;
}

OneOpSpec Plain(const char* op, std::vector<TensorDesc> src, const TensorDesc& dst) {
  OneOpSpec spec;
  spec.op = op;
  spec.src = std::move(src);
  spec.dst = dst;
  return spec;
}

OneOpSpec RowMean(const TensorDesc& x, const TensorDesc& mean) {
  OneOpSpec spec = Plain("ReduceMean", {x}, mean);
  spec.constant_ints = {{1, {-1}}};
  return spec;
}

void RunSpecs(benchmark::State& state, const std::vector<OneOpSpec>& specs, int64_t elements) {
  static const auto devices = cpu::Open(nullptr);
  QueueOptions options;
  const char* threads = std::getenv("MOKA_BENCH_THREADS");
  options.threads = threads != nullptr ? std::atoi(threads) : 1;
  static const std::unique_ptr<Queue> queue = std::move(devices[0]->MakeQueue(options)).value();
  std::vector<std::unique_ptr<OneOp>> ops;
  std::string kernels;
  for (const OneOpSpec& spec : specs) {
    auto op = OneOp::Make(*devices[0], *queue, spec);
    if (!op.ok()) return state.SkipWithError(op.status().message().c_str());
    ops.push_back(std::move(*op));
    kernels += (kernels.empty() ? "" : " ") + ops.back()->kernel();
  }
  for (auto _ : state) {
    for (const auto& op : ops) {
      if (const Status status = op->Run(); !status.ok()) state.SkipWithError(status.message().c_str());
    }
  }
  state.SetLabel(kernels);
  state.counters["elements_per_ns"] =
      benchmark::Counter(static_cast<double>(elements) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void LayerNormalization(benchmark::State& state) {
  const int64_t rows = state.range(1), n = state.range(2);
  const TensorDesc x = F32({rows, n}), row = F32({rows, 1}), scale = F32({n});
  std::vector<OneOpSpec> specs;
  if (state.range(0) != 0) {
    specs.push_back(Plain("LayerNormalization", {x, scale, scale}, x));
  } else {
    specs.push_back(RowMean(x, row));
    specs.push_back(Elementwise({x, row}, x, {{MicroOp::kSub, 0, kA, kB, 0, {}}}));
    specs.push_back(Elementwise({x}, x, {{MicroOp::kMul, 0, kA, kA, 0, {}}}));
    specs.push_back(RowMean(x, row));
    specs.push_back(Elementwise({row}, row, {{MicroOp::kAdd, 0, kA, kC0, 0, {}}}));
    specs.push_back(Elementwise({x, row}, x, {{MicroOp::kDiv, 0, kA, kB, 0, {}}}));
    specs.push_back(Elementwise({x, scale}, x, {{MicroOp::kMul, 0, kA, kB, 0, {}}}));
    specs.push_back(Elementwise({x, scale}, x, {{MicroOp::kAdd, 0, kA, kB, 0, {}}}));
  }
  RunSpecs(state, specs, rows * n);
}
BENCHMARK(LayerNormalization)
    ->ArgNames({"fused", "rows", "n"})
    ->ArgsProduct({{1, 0}, {128, 4096}, {768}})
    ->UseRealTime();

void Attention(benchmark::State& state) {
  const int64_t heads = 12, length = state.range(1), size = 64;
  const TensorDesc x = F32({1, heads, length, size}), scores = F32({1, heads, length, length});
  TensorDesc keys = F32({1, heads, size, length});
  keys.strides = {heads * length * size, length * size, 1, size};
  std::vector<OneOpSpec> specs;
  if (state.range(0) != 0) {
    specs.push_back(Plain("Attention", {x, x, x}, x));
  } else {
    specs.push_back(Plain("MatMul", {x, keys}, scores));
    specs.push_back(Elementwise({scores}, scores, {{MicroOp::kMul, 0, kA, kC0, 0, {}}}));
    specs.push_back(Plain("Softmax", {scores}, scores));
    specs.push_back(Plain("MatMul", {scores, x}, x));
  }
  RunSpecs(state, specs, heads * length * length);
}
BENCHMARK(Attention)->ArgNames({"fused", "length"})->ArgsProduct({{1, 0}, {1, 128, 512, 2048}})->UseRealTime();

void Chain(benchmark::State& state) {
  const int64_t rows = state.range(1), n = 256;
  const TensorDesc x = F32({rows, n}), row = F32({n});
  std::vector<OneOpSpec> specs;
  if (state.range(0) != 0) {
    specs.push_back(Elementwise({x, x, row}, x,
                                {{MicroOp::kMul, 0, kA, MicroSource(2), 0, {}},
                                 {MicroOp::kAdd, 0, kR0, kB, 0, {}},
                                 {MicroOp::kSigmoid, 1, kR0, 0, 0, {}},
                                 {MicroOp::kMul, 0, kR0, MicroRegister(1), 0, {}},
                                 {MicroOp::kTanh, 0, kR0, 0, 0, {}},
                                 {MicroOp::kAdd, 0, kR0, MicroSource(2), 0, {}}}));
  } else {
    specs.push_back(Elementwise({x, row}, x, {{MicroOp::kMul, 0, kA, kB, 0, {}}}));
    specs.push_back(Elementwise({x, x}, x, {{MicroOp::kAdd, 0, kA, kB, 0, {}}}));
    specs.push_back(Elementwise({x}, x, {{MicroOp::kSigmoid, 0, kA, 0, 0, {}}}));
    specs.push_back(Elementwise({x, x}, x, {{MicroOp::kMul, 0, kA, kB, 0, {}}}));
    specs.push_back(Elementwise({x}, x, {{MicroOp::kTanh, 0, kA, 0, 0, {}}}));
    specs.push_back(Elementwise({x, row}, x, {{MicroOp::kAdd, 0, kA, kB, 0, {}}}));
  }
  RunSpecs(state, specs, rows * n);
}
BENCHMARK(Chain)->ArgNames({"fused", "rows"})->ArgsProduct({{1, 0}, {32, 800, 12000}})->UseRealTime();

}  // namespace
}  // namespace moka::bench

BENCHMARK_MAIN();
