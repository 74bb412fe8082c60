// DFT and STFT: independent transforms, each in double in the scratch of its worker.
#include "ops/dft.h"

#include <algorithm>

#include "cpu/kernel.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitRows = 32;  // a unit makes the table of roots, which costs about as much as a few transforms

template <class Params>
struct DftLaunch {
  Params params;
  int64_t rows;
};

template <class Params>
Status ChooseDft(const Kernel&, const OpCall& call, Choice* choice) {
  for (const int i : {0, 2}) {
    const bool float_operand = i == 0 || std::is_same_v<Params, StftParams>;
    if (float_operand && call.has_src(i) && call.src[static_cast<size_t>(i)].type != DataType::kF32) {
      return Unsupported("src ", i, ": ", NameOf(call.src[static_cast<size_t>(i)].type), ", not f32");
    }
  }
  DftLaunch<Params> launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, Params::From(call));
  launch.rows = TransformRows(call);
  const FftPlan plan(launch.params.n);
  choice->units = CeilDiv(launch.rows, kUnitRows);
  choice->scratch_per_worker =
      static_cast<uint64_t>(plan.TableSize() + plan.WorkSize() + launch.params.n) * sizeof(Complex);
  choice->cost_us = call.op->cost(call).flops / (kFlopsPerMicrosecond / 16);
  choice->launch = Blob::Of(launch);
  return Status();
}

template <class Params>
void RunDft(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<DftLaunch<Params>>();
  const FftPlan plan(launch.params.n);
  auto* table = reinterpret_cast<Complex*>(args.WorkerScratch(worker));
  Complex *work = table + plan.TableSize(), *data = work + plan.WorkSize();
  plan.MakeTable(table, work);
  const int64_t last = std::min(end * kUnitRows, launch.rows);
  for (int64_t row = begin * kUnitRows; row < last; ++row) {
    if constexpr (std::is_same_v<Params, DftParams>) {
      RunDftRow(args.src_desc[0], args.dst_desc[0], launch.params, plan, table, data, work, args.src[0], args.dst[0],
                row);
    } else {
      const bool windowed = launch.params.windowed;
      RunStftRow(args.src_desc[0], windowed ? &args.src_desc[2] : nullptr, args.dst_desc[0], launch.params, plan, table,
                 data, work, args.src[0], windowed ? args.src[2] : nullptr, args.dst[0], row);
    }
  }
}

}  // namespace

std::span<const KernelRow> DftRows() {
  static constexpr KernelRow kRows[] = {{"DFT", "dft", &ChooseDft<DftParams>, &RunDft<DftParams>},
                                        {"STFT", "dft", &ChooseDft<StftParams>, &RunDft<StftParams>}};
  return kRows;
}

}  // namespace moka::cpu
