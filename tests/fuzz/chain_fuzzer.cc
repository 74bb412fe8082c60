// libFuzzer target: the bytes choose convolutions, and how they are run. Strip by strip, whatever the cache, the target
// and the number of workers, gives the bits of layer by layer; layer by layer agrees with the references.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "moka/model.h"
#include "tests/cpu/chain_runner.h"
#include "tests/fuzz/chain_model.h"

namespace moka::fuzz {
namespace {

[[noreturn]] void Fail(const char* what, const Status& status = {}) {
  std::fprintf(stderr, "%s %s\n", what, status.message().c_str());
  std::abort();
}

test::ChainResult Run(const std::shared_ptr<const Specialization>& specialization, const std::vector<float>& input,
                      const test::ChainRun& run) {
  auto result = test::RunChains(specialization, input, run);
  if (!result.ok()) Fail("cannot run:", result.status());
  return std::move(result).value();
}

void CheckAgainst(const test::ChainResult& want, const test::ChainResult& got, Precision precision) {
  for (size_t i = 0; i < want.outputs.size(); ++i) {
    float largest = 1, error = 0;
    for (size_t k = 0; k < want.outputs[i].size(); ++k) {
      largest = std::max(largest, std::fabs(want.outputs[i][k]));
      const float off = std::fabs(want.outputs[i][k] - got.outputs[i][k]);
      error = std::isfinite(off) ? std::max(error, off) : INFINITY;
    }
    if (error > largest * (precision == Precision::kBF16 ? 0.1f : 1e-4f)) Fail("far from the references");
  }
}

void RunBytes(std::string_view bytes) {
  Choices choices(bytes);
  test::ChainRun run;
  const std::vector<std::string> targets = cpu::SimdTargets();
  run.target = targets[choices.IndexOf(targets.size())];
  run.precision = choices.OneIn(3) ? Precision::kBF16 : Precision::kF32;
  run.workers = static_cast<int>(choices.Between(1, 4));
  const uint64_t cache = static_cast<uint64_t>(choices.Between(8, 96)) << 10;
  const ChainModel chain = MakeChainModel(choices);
  const Result<Model> model = Model::FromMemory(chain.bytes);
  if (!model.ok()) Fail("no model:", model.status());
  const auto key = model->impl()->KeyFor({});
  if (!key.ok()) Fail("no key:", key.status());
  const auto specialization = model->impl()->Specialize(*key);
  if (!specialization.ok()) Fail("no graph:", specialization.status());
  std::vector<float> input(static_cast<size_t>(chain.input_elements));
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  const test::ChainResult whole = Run(*specialization, input, run);
  if (!whole.chains.empty()) Fail("chains without a cache");
  CheckAgainst(Run(*specialization, input, {}), whole, run.precision);
  run.cache = cache;
  const test::ChainResult strips = Run(*specialization, input, run);
  for (size_t i = 0; i < whole.outputs.size(); ++i) {
    if (!test::SameBits(whole.outputs[i], strips.outputs[i])) Fail("strips give other bits than layers");
  }
}

}  // namespace
}  // namespace moka::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  moka::fuzz::RunBytes({reinterpret_cast<const char*>(data), size});
  return 0;
}
