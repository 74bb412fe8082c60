// What the engine decided, for tools: graphs before and after the passes, plans, memory, step times.
#ifndef MOKA_INSPECT_H_
#define MOKA_INSPECT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "moka/model.h"
#include "moka/session.h"

namespace moka {

struct NodeInfo {
  std::string name, op;                      // op: ONNX name, or "moka.Elementwise" ...
  std::string detail;                        // attributes, epilogue, layouts; one line
  std::vector<std::string> inputs, outputs;  // value names; "" for an absent optional
  std::vector<std::string> shapes;           // of the outputs, symbolic: "f32[batch, 64, 112, 112]"
};
struct GraphInfo {
  std::vector<NodeInfo> nodes;
};
// `optimized` false: as the file states it (newest operator forms); true: after the passes.
GraphInfo Inspect(const Model& model, bool optimized);

struct StepInfo {
  std::string node, op, device;
  std::string kernel;                 // "cpu/conv_igemm/AVX3", "gpu/gemm", "reference/Gather"
  bool own_kernel = true;             // false: scalar reference, or another device than the one asked for
  std::string why_fallback;           // refusals of the asked device, when !own_kernel
  std::vector<std::string> refusals;  // "kernel: reason", every kernel that was asked
  std::string shape;                  // of the first output
  int64_t flops = 0, bytes = 0;       // bytes: sources and destinations once each
  double us = 0;                      // median over profiled runs; 0 unless SessionOptions::profile
  int chain = -1;  // steps with the same number run together, strip by strip (SessionOptions::depth_first); -1: alone
};
struct MemoryInterval {  // one value in an arena
  std::string value, device;
  uint64_t offset = 0, bytes = 0;
  int first_step = 0, last_step = 0;
  bool alias = false;
};
struct MemoryInfo {      // live bytes in steady state
  uint64_t weights = 0;  // constants used as they are: mapped from the file, or uploaded once
  uint64_t packs = 0;    // constants in a kernel's own format
  uint64_t arena = 0, scratch = 0;
  uint64_t total() const { return weights + packs + arena + scratch; }
};
struct PlanInfo {
  std::vector<StepInfo> steps;
  std::vector<MemoryInterval> intervals;
  MemoryInfo memory;
  uint64_t memory_lower_bound = 0;  // no plan of these steps can live in fewer bytes (graph/memory_bound.h)
  int segments = 0, crossings = 0;  // crossings: values copied between devices inside the graph
  int barriers = 0, depth = 0;      // depth: longest path of steps
  double bind_us = 0;               // time of the last bind, kernel preparation (packing, pipelines) excluded
  double prepare_us = 0;            // that preparation
};
// The plan of the last Bind or Run.
Result<PlanInfo> Inspect(const Session& session);

// An operator that this build knows. Older forms of it are turned into the newest when a file is read.
struct OperatorInfo {
  std::string domain;  // "" is ai.onnx; "moka" for what passes make
  std::string name;
  bool on_host = false;  // runs between plans: its results' sizes depend on data, or it works on more than tensors
  bool has_reference = false;  // a scalar reference: the fallback of the CPU
};
std::vector<OperatorInfo> ListOperators();

// Peak of multiply-adds on the CPU with the SIMD target in use, in GFLOP/s (a multiply-add is two), measured now in a
// few milliseconds on `threads` threads (0: one a core). The yardstick of "percent of peak".
double MeasurePeakGflops(int threads);

}  // namespace moka

#endif  // MOKA_INSPECT_H_
