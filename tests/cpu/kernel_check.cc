#include "tests/cpu/kernel_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/thread_pool.h"
#include "cpu/device.h"
#include "cpu/simd.h"
#include "tests/conformance/runner.h"

namespace moka::cpu {
namespace {

bool IsFor(const KernelRow& row, const OpCall& call) {
  const std::string domain = call.op->domain;
  return row.op == (domain.empty() ? "" : domain + ".") + call.op->name;
}

// The row that takes the call, or null; then `refusal` is the last reason.
const KernelRow* FirstRow(std::span<const KernelRow> rows, const OpCall& call, const Simd& simd, Choice* choice,
                          std::string* refusal) {
  *refusal = "no row for the operator";
  for (const KernelRow& row : rows) {
    if (!IsFor(row, call)) continue;
    const Kernel kernel{row.family, &simd, row.choose, row.run, row.epilogue};
    *choice = Choice();
    const Status status = row.choose(kernel, call, choice);
    if (status.ok()) return &row;
    *refusal = status.message();
  }
  return nullptr;
}

ThreadPool& PoolOf(int workers) {
  static std::map<int, std::unique_ptr<ThreadPool>> pools;
  std::unique_ptr<ThreadPool>& pool = pools[workers];
  if (pool == nullptr) pool = std::make_unique<ThreadPool>(workers);
  return *pool;
}

// Spreads the units over pieces as the device does, or, backwards, unit by unit from the last.
class UnitRun {
 public:
  UnitRun(const KernelRow& row, const Choice& choice, const CaseData& data, const Simd& simd)
      : row_(row), choice_(choice), data_(data), simd_(simd) {}

  std::vector<CaseMemory> Run(int workers) {
    std::vector<CaseMemory> results = data_.dst();
    std::vector<const void*> src;
    std::vector<void*> dst;
    for (const CaseMemory& memory : data_.src()) src.push_back(memory.desc.present() ? memory.data() : nullptr);
    for (CaseMemory& memory : results) dst.push_back(memory.data());
    // Scratch holds what an earlier step left.
    std::vector<std::byte> scratch(choice_.scratch_per_worker * static_cast<size_t>(workers), std::byte{0xFF});
    // A copy of exactly its size: reading beyond it is seen by sanitizers.
    const auto launch = std::make_unique<std::byte[]>(choice_.launch.bytes().size());
    std::copy(choice_.launch.bytes().begin(), choice_.launch.bytes().end(), launch.get());
    args_ = {};
    args_.src = src.data();
    args_.dst = dst.data();
    args_.src_desc = data_.call().src.data();
    args_.dst_desc = data_.call().dst.data();
    args_.scratch = scratch.data();
    args_.scratch_per_worker = choice_.scratch_per_worker;
    args_.launch = launch.get();
    args_.simd = &simd_;
    args_.error = &error_;
    pieces_ = std::min<int64_t>(choice_.units, workers == 1 ? 1 : 4 * workers);
    PoolOf(workers).Run(pieces_, &UnitRun::Piece, this);
    return results;
  }
  Status TakeError() { return error_.Take(); }

 private:
  static void Piece(void* context, int64_t i, int worker) {
    const auto& run = *static_cast<const UnitRun*>(context);
    const int64_t units = run.choice_.units, piece = run.pieces_ - 1 - i;
    run.row_.run(run.args_, piece * units / run.pieces_, (piece + 1) * units / run.pieces_, worker);
  }

  const KernelRow& row_;
  const Choice& choice_;
  const CaseData& data_;
  const Simd& simd_;
  KernelArgs args_;
  ErrorSlot error_;
  int64_t pieces_ = 0;
};

void ExpectResults(const KernelRow& row, const Choice& choice, const CaseData& data, const Simd& simd,
                   const std::vector<CaseMemory>& want) {
  UnitRun run(row, choice, data, simd);
  const std::vector<CaseMemory> first = run.Run(1);
  const Status status = run.TakeError();
  ASSERT_TRUE(status.ok()) << status.message();
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(Compare(first[i], want[i], ToleranceOf(data.call()), 1), "") << "dst " << i;
  }
  for (const int workers : {2, 3, 7}) {
    const std::vector<CaseMemory> again = run.Run(workers);
    for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(again[i].bytes, first[i].bytes) << workers << " workers";
  }
}

bool HasElements(const CaseData& data) {
  return std::all_of(data.dst().begin(), data.dst().end(),
                     [](const CaseMemory& memory) { return memory.desc.NumElements() > 0; });
}

}  // namespace

void ExpectKernel(std::span<const KernelRow> rows, std::string_view family, const OpCase& op_case,
                  const CaseLayout& layout) {
  Result<std::unique_ptr<CaseData>> made = CaseData::Make(op_case, layout);
  ASSERT_TRUE(made.ok()) << op_case.name << ": " << made.status().message();
  const CaseData& data = **made;
  const Result<std::vector<CaseMemory>> want = data.Reference(/*oracle=*/true);
  ASSERT_TRUE(want.ok()) << op_case.name << ": " << want.status().message();
  for (const std::string& target : SimdTargets()) {
    SCOPED_TRACE(op_case.name + " {" + layout.name + "} " + target);
    const Simd simd = SimdForTarget(target);
    Choice choice;
    std::string refusal;
    const KernelRow* row = FirstRow(rows, data.call(), simd, &choice, &refusal);
    ASSERT_NE(row, nullptr) << refusal;
    EXPECT_TRUE(family.empty() || row->family == family) << row->family;
    ExpectResults(*row, choice, data, simd, *want);
  }
}

int ExpectKernels(std::span<const KernelRow> rows, std::span<const OpCase> cases) {
  int ran = 0;
  for (const OpCase& op_case : cases) {
    if (op_case.program_begin >= 0) continue;
    for (const CaseVariant& variant : VariantsOf(op_case, 1)) {
      Result<std::unique_ptr<CaseData>> data = CaseData::Make(op_case, variant.layout);
      const bool known = data.ok() && std::any_of(rows.begin(), rows.end(),
                                                  [&](const KernelRow& row) { return IsFor(row, (*data)->call()); });
      if (!known || !HasElements(**data)) continue;
      if (!(variant.own && op_case.own_on_cpu) && !RefusalOf(rows, op_case, variant.layout).empty()) continue;
      ExpectKernel(rows, "", op_case, variant.layout);
      ++ran;
    }
  }
  return ran;
}

std::string RefusalOf(std::span<const KernelRow> rows, const OpCase& op_case, const CaseLayout& layout) {
  const Result<std::unique_ptr<CaseData>> data = CaseData::Make(op_case, layout);
  if (!data.ok()) return data.status().message();
  Choice choice;
  std::string refusal;
  const Simd simd = SimdForTarget(SimdTargets().front());
  return FirstRow(rows, (*data)->call(), simd, &choice, &refusal) != nullptr ? "" : refusal;
}

std::string RunErrorOf(std::span<const KernelRow> rows, const OpCase& op_case) {
  const Result<std::unique_ptr<CaseData>> data = CaseData::Make(op_case, {});
  if (!data.ok()) return data.status().message();
  std::string message;
  for (const std::string& target : SimdTargets()) {
    const Simd simd = SimdForTarget(target);
    Choice choice;
    std::string refusal;
    const KernelRow* row = FirstRow(rows, (*data)->call(), simd, &choice, &refusal);
    if (row == nullptr) return refusal;
    UnitRun run(*row, choice, **data, simd);
    run.Run(1);
    message = run.TakeError().message();
    EXPECT_NE(message, "") << target;
  }
  return message;
}

}  // namespace moka::cpu
