// Products and convolutions of the CPU at the shapes of real networks, beside oneDNN and Eigen in the same rounds:
// GFLOP/s, GB/s, percent of the multiply-add peak, and how many times as fast as the others. Everyone takes turns
// within a round, and medians over rounds count, so a drifting clock hits all alike. scripts/compare_kernels.sh prints
// the table. $MOKA_BENCH_THREADS: 1 when unset; $MOKA_SIMD_TARGET=AVX2 with $ONEDNN_MAX_CPU_ISA=AVX2: both on AVX2.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>

#include "bench/contender.h"
#include "bench/machine.h"
#include "bench/one_op.h"

namespace moka::bench {
namespace {

constexpr int kRounds = 11;
constexpr double kTurnSeconds = 1e-3;  // of one contender in a round, about

struct NamedProduct {
  const char* network;
  ProductShape shape;
};
const NamedProduct kProducts[] = {
    {"bert", {128, 768, 768}},         {"bert", {128, 768, 3072}},  {"bert", {128, 3072, 768}},
    {"vit", {197, 768, 3072}},         {"square", {512, 512, 512}}, {"square", {1024, 1024, 1024}},
    {"tails", {100, 333, 517}},        {"tails", {64, 1000, 33}},   {"tails", {256, 77, 129}},
    {"tails", {37, 64, 1001}},         {"tails", {197, 130, 70}},   {"resnet50", {1, 2048, 1000}},
    {"mobilenet_v2", {1, 1280, 1000}}, {"bert", {1, 768, 3072}},
};

struct NamedConvolution {
  const char* network;
  ConvolutionShape shape;
};
const NamedConvolution kConvolutions[] = {
    {"resnet50", {3, 64, 224, 7, 2, 1}},
    {"resnet50", {64, 64, 56, 1, 1, 1}},
    {"resnet50", {64, 64, 56, 3, 1, 1}},
    {"resnet50", {64, 256, 56, 1, 1, 1}},
    {"resnet50", {256, 64, 56, 1, 1, 1}},
    {"resnet50", {256, 128, 56, 1, 1, 1}},
    {"resnet50", {128, 128, 56, 3, 2, 1}},
    {"resnet50", {256, 512, 56, 1, 2, 1}},
    {"resnet50", {128, 512, 28, 1, 1, 1}},
    {"resnet50", {512, 128, 28, 1, 1, 1}},
    {"resnet50", {128, 128, 28, 3, 1, 1}},
    {"resnet50", {512, 256, 28, 1, 1, 1}},
    {"resnet50", {256, 256, 28, 3, 2, 1}},
    {"resnet50", {512, 1024, 28, 1, 2, 1}},
    {"resnet50", {256, 1024, 14, 1, 1, 1}},
    {"resnet50", {1024, 256, 14, 1, 1, 1}},
    {"resnet50", {256, 256, 14, 3, 1, 1}},
    {"resnet50", {1024, 512, 14, 1, 1, 1}},
    {"resnet50", {512, 512, 14, 3, 2, 1}},
    {"resnet50", {1024, 2048, 14, 1, 2, 1}},
    {"resnet50", {512, 2048, 7, 1, 1, 1}},
    {"resnet50", {2048, 512, 7, 1, 1, 1}},
    {"resnet50", {512, 512, 7, 3, 1, 1}},
    {"mobilenet_v2", {3, 32, 224, 3, 2, 1}},
    {"mobilenet_v2", {32, 16, 112, 1, 1, 1}},
    {"mobilenet_v2", {16, 96, 112, 1, 1, 1}},
    {"mobilenet_v2", {96, 24, 56, 1, 1, 1}},
    {"mobilenet_v2", {24, 144, 56, 1, 1, 1}},
    {"mobilenet_v2", {144, 24, 56, 1, 1, 1}},
    {"mobilenet_v2", {144, 32, 28, 1, 1, 1}},
    {"mobilenet_v2", {32, 192, 28, 1, 1, 1}},
    {"mobilenet_v2", {192, 32, 28, 1, 1, 1}},
    {"mobilenet_v2", {192, 64, 14, 1, 1, 1}},
    {"mobilenet_v2", {64, 384, 14, 1, 1, 1}},
    {"mobilenet_v2", {384, 64, 14, 1, 1, 1}},
    {"mobilenet_v2", {384, 96, 14, 1, 1, 1}},
    {"mobilenet_v2", {96, 576, 14, 1, 1, 1}},
    {"mobilenet_v2", {576, 96, 14, 1, 1, 1}},
    {"mobilenet_v2", {576, 160, 7, 1, 1, 1}},
    {"mobilenet_v2", {160, 960, 7, 1, 1, 1}},
    {"mobilenet_v2", {960, 160, 7, 1, 1, 1}},
    {"mobilenet_v2", {960, 320, 7, 1, 1, 1}},
    {"mobilenet_v2", {320, 1280, 7, 1, 1, 1}},
    {"mobilenet_v2", {32, 32, 112, 3, 1, 32}},
    {"mobilenet_v2", {96, 96, 112, 3, 2, 96}},
    {"mobilenet_v2", {144, 144, 56, 3, 1, 144}},
    {"mobilenet_v2", {144, 144, 56, 3, 2, 144}},
    {"mobilenet_v2", {192, 192, 28, 3, 1, 192}},
    {"mobilenet_v2", {192, 192, 28, 3, 2, 192}},
    {"mobilenet_v2", {384, 384, 14, 3, 1, 384}},
    {"mobilenet_v2", {576, 576, 14, 3, 1, 576}},
    {"mobilenet_v2", {576, 576, 14, 3, 2, 576}},
    {"mobilenet_v2", {960, 960, 7, 3, 1, 960}},
    {"regnet", {48, 48, 112, 3, 2, 6}},
    {"regnet", {104, 104, 28, 3, 1, 13}},
    {"regnet", {440, 440, 7, 3, 1, 55}},
    {"resnext", {128, 128, 56, 3, 1, 32}},
    {"resnext", {512, 512, 14, 3, 1, 32}},
    {"tails", {65, 67, 28, 3, 1, 1}},
    {"tails", {70, 130, 14, 1, 1, 1}},
    {"tails", {33, 17, 56, 1, 1, 1}},
    {"tails", {37, 37, 28, 3, 1, 37}},
    {"tails", {99, 99, 13, 5, 1, 99}},
};

double Seconds(const Contender& contender, int64_t times) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int64_t i = 0; i < times; i++) contender.run();
  return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(times);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Outcome {
  std::vector<double> seconds;  // of each contender
  double peak_gflops = 0;
};

Outcome Compare(const std::vector<Contender>& contenders) {
  std::vector<int64_t> times;
  for (const Contender& contender : contenders) {
    Seconds(contender, 1);
    times.push_back(std::max<int64_t>(1, static_cast<int64_t>(kTurnSeconds / Seconds(contender, 2))));
  }
  std::vector<std::vector<double>> rounds(contenders.size());
  std::vector<double> peaks;
  for (int round = 0; round < kRounds; round++) {
    if (round % 3 == 0) peaks.push_back(TheMachine().Peak());
    for (size_t turn = 0; turn < contenders.size(); turn++) {
      const size_t who = (turn + static_cast<size_t>(round)) % contenders.size();
      Seconds(contenders[who], times[who]);  // brings its operands back, for which one run may not do
      rounds[who].push_back(Seconds(contenders[who], times[who]));
    }
  }
  Outcome outcome;
  for (const std::vector<double>& samples : rounds) outcome.seconds.push_back(Median(samples));
  outcome.peak_gflops = Median(peaks);
  return outcome;
}

// What counts is the fastest contender of each engine; ratios are its time by ours.
void Report(benchmark::State& state, const std::vector<Contender>& contenders, const Outcome& outcome, double flops,
            double bytes) {
  const double ours = outcome.seconds[0];
  std::string label = contenders[0].kernel;
  std::map<std::string, size_t> best;
  for (size_t i = 1; i < contenders.size(); i++) {
    const auto [place, first] = best.try_emplace(contenders[i].engine, i);
    if (!first && outcome.seconds[i] < outcome.seconds[place->second]) place->second = i;
  }
  state.counters["gflops"] = flops / ours * 1e-9;
  state.counters["gb_per_s"] = bytes / ours * 1e-9;
  state.counters["percent_of_peak"] = flops / ours * 1e-7 / outcome.peak_gflops;
  for (const auto& [engine, i] : best) {
    state.counters[engine + "_gflops"] = flops / outcome.seconds[i] * 1e-9;
    state.counters["times_" + engine] = outcome.seconds[i] / ours;
    label += " | " + contenders[i].kernel;
  }
  state.SetLabel(label);
}

void Run(benchmark::State& state, const OneOpSpec& spec, std::vector<Contender> others, double flops) {
  Machine& machine = TheMachine();
  auto op = OneOp::Make(*machine.devices[0], *machine.queue, spec);
  if (!op.ok()) return state.SkipWithError(op.status().message().c_str());
  Status failure;
  std::vector<Contender> contenders = {{"moka", (*op)->kernel(), [&] {
                                          if (Status status = (*op)->Run(); !status.ok()) failure = status;
                                        }}};
  contenders.insert(contenders.end(), others.begin(), others.end());
  uint64_t bytes = spec.dst.ExtentBytes();
  for (const TensorDesc& src : spec.src) bytes += src.ExtentBytes();
  for (auto _ : state) {
    const Outcome outcome = Compare(contenders);
    state.SetIterationTime(outcome.seconds[0]);
    Report(state, contenders, outcome, flops, static_cast<double>(bytes));
  }
  if (!failure.ok()) state.SkipWithError(failure.message().c_str());
}

OneOpSpec SpecOf(const ProductShape& shape) {
  OneOpSpec spec;
  spec.op = "Gemm";
  spec.src = {MakeDense(DataType::kF32, {shape.m, shape.k}), MakeDense(DataType::kF32, {shape.k, shape.n}),
              MakeDense(DataType::kF32, {shape.n})};
  spec.constant = {false, true, true};
  spec.dst = MakeDense(DataType::kF32, {shape.m, shape.n});
  return spec;
}

OneOpSpec SpecOf(const ConvolutionShape& shape) {
  OneOpSpec spec;
  spec.op = "Conv";
  spec.attrs.Set("pads", std::vector<int64_t>(4, shape.pad()));
  spec.attrs.Set("strides", std::vector<int64_t>(2, shape.stride));
  spec.attrs.Set("group", shape.groups);
  // Pictures come in the caller's order.
  const Format format = shape.channels == 3 ? Format::kRowMajor : Format::kChannelsLast;
  spec.src = {MakeDense(DataType::kF32, {1, shape.channels, shape.size, shape.size}, format),
              MakeDense(DataType::kF32, {shape.outputs, shape.channels / shape.groups, shape.kernel, shape.kernel}),
              MakeDense(DataType::kF32, {shape.outputs})};
  spec.constant = {false, true, true};
  spec.dst = MakeDense(DataType::kF32, {1, shape.outputs, shape.out(), shape.out()}, Format::kChannelsLast);
  spec.program_begin = 3;  // Relu
  spec.program.num_ops = spec.program.num_constants = 1;
  spec.program.ops[0] = {MicroOp::kMax, 0, MicroRegister(0), MicroConstant(0), 0, {}};
  return spec;
}

std::vector<Contender> Others(const ProductShape& shape) {
  std::vector<Contender> all = OneDnn(shape, Threads());
  for (Contender& eigen : EigenProduct(shape)) all.push_back(std::move(eigen));
  return all;
}

std::vector<Contender> Others(const ConvolutionShape& shape) {
  std::vector<Contender> all = OneDnn(shape, Threads());
  for (Contender& eigen : EigenProduct(shape)) all.push_back(std::move(eigen));
  return all;
}

double FlopsOf(const ProductShape& shape) { return 2.0 * static_cast<double>(shape.m * shape.k * shape.n); }
double FlopsOf(const ConvolutionShape& shape) {
  return 2.0 * static_cast<double>(shape.out() * shape.out() * shape.outputs * (shape.channels / shape.groups) *
                                   shape.kernel * shape.kernel);
}

std::string NameOf(const char* network, const ProductShape& s) {
  return "product/" + std::string(network) + "/" + std::to_string(s.m) + "x" + std::to_string(s.k) + "x" +
         std::to_string(s.n);
}
std::string NameOf(const char* network, const ConvolutionShape& s) {
  const char* kind = s.groups == s.channels ? "depthwise"
                     : s.groups > 1         ? "grouped"
                     : s.kernel == 1        ? "pointwise"
                                            : "convolution";
  return std::string(kind) + "/" + network + "/" + std::to_string(s.channels) + "-" + std::to_string(s.outputs) + "@" +
         std::to_string(s.size) + " " + std::to_string(s.kernel) + "x" + std::to_string(s.kernel) + " s" +
         std::to_string(s.stride);
}

template <class Shape>
void Register(const char* network, const Shape& shape) {
  benchmark::RegisterBenchmark(
      NameOf(network, shape).c_str(),
      [shape](benchmark::State& state) { Run(state, SpecOf(shape), Others(shape), FlopsOf(shape)); })
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace moka::bench

int main(int argc, char** argv) {
  for (const auto& [network, shape] : moka::bench::kProducts) moka::bench::Register(network, shape);
  for (const auto& [network, shape] : moka::bench::kConvolutions) moka::bench::Register(network, shape);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
