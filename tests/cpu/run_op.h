// Runs one operator on the CPU device through the whole contract: Choose, Pack, Link, Bind, Run; and its oracle.
#ifndef MOKA_TESTS_CPU_RUN_OP_H_
#define MOKA_TESTS_CPU_RUN_OP_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cpu/device.h"
#include "cpu/simd.h"
#include "cpu/tile.h"
#include "ops/element.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {

// Memory of one operand, with guards on both sides that must stay as they are.
class Memory {
 public:
  explicit Memory(const TensorDesc& desc)
      : desc_(desc), bytes_(desc.ExtentBytes()), storage_(bytes_ + 2 * kGuard, kFill) {}
  std::byte* data() { return storage_.data() + kGuard; }
  const std::byte* data() const { return storage_.data() + kGuard; }
  const TensorDesc& desc() const { return desc_; }
  bool GuardsIntact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (storage_[i] != kFill || storage_[kGuard + bytes_ + i] != kFill) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr std::byte kFill{0xA5};
  TensorDesc desc_;
  size_t bytes_;
  std::vector<std::byte> storage_;
};

struct OpTest {
  std::string op;  // "Conv", "moka.Elementwise"
  Attributes attrs;
  std::vector<Memory> src;
  std::vector<bool> constant;  // of each source; shorter: false
  std::vector<TensorDesc> dst;
  MicroProgram program;
  int program_begin = -1;  // -1: none
  int in_place = -1;       // this source's memory is dst 0

  Memory& AddFloats(const TensorDesc& desc, std::mt19937& random, float scale = 1.0f) {
    src.emplace_back(desc);
    std::normal_distribution<float> normal(0.0f, scale);
    ForEachIndex(desc, [&](const Index& i) { StoreRaw<float>(src.back().data(), OffsetOf(desc, i), normal(random)); });
    return src.back();
  }
  Memory& AddInts(const std::vector<int64_t>& values) {
    src.emplace_back(MakeDense(DataType::kI64, {static_cast<int64_t>(values.size())}));
    std::memcpy(src.back().data(), values.data(), values.size() * sizeof(int64_t));
    return src.back();
  }
};

struct OpRun {
  std::string kernel;
  std::string refusals;
  bool reference = false;
  int64_t units = 0;
  uint64_t packed_bytes = 0;
  Status status;
  std::vector<Memory> dst;
};

// The parts of a call that must stay alive while it is used.
struct CallParts {
  std::vector<TensorDesc> src;
  std::vector<HostTensor> constants;
  std::vector<const HostTensor*> pointers;
  OpCall call;

  explicit CallParts(const OpTest& test) {
    for (size_t i = 0; i < test.src.size(); ++i) {
      src.push_back(test.src[i].desc());
      const bool constant = i < test.constant.size() && test.constant[i];
      constants.push_back({test.src[i].desc(), constant ? test.src[i].data() : nullptr, nullptr});
    }
    for (const HostTensor& constant : constants) pointers.push_back(constant.data != nullptr ? &constant : nullptr);
    const size_t dot = test.op.find('.');
    call.op = dot == std::string::npos ? FindOp("", test.op) : FindOp(test.op.substr(0, dot), test.op.substr(dot + 1));
    call.attrs = &test.attrs;
    call.name = "test";
    call.program = test.program_begin >= 0 ? &test.program : nullptr;
    call.program_begin = std::max(test.program_begin, 0);
    call.src = src;
    call.dst = test.dst;
    call.constants = pointers;
  }
  CallParts(const CallParts&) = delete;
  CallParts& operator=(const CallParts&) = delete;
};

// Packs the weight as a mapped file may hold it: at an odd address.
inline Status PackWeight(Device& device, const PackSpec& spec, const HostTensor& weight, std::vector<float>* packed) {
  packed->resize(spec.bytes / sizeof(float) + 1);
  std::vector<std::byte> odd(weight.desc.ExtentBytes() + 1);
  std::memcpy(odd.data() + 1, weight.data, weight.desc.ExtentBytes());
  return device.Pack(spec, {weight.desc, odd.data() + 1, nullptr},
                     {reinterpret_cast<std::byte*>(packed->data()), spec.bytes});
}

inline Status LinkAndRun(Device& device, const Step& step, const std::vector<SlotInfo>& slots,
                         const std::vector<std::unique_ptr<Buffer>>& buffers, Queue& queue) {
  auto program = device.Link({{&step, 1}, slots, {}, {}});
  if (!program.ok()) return program.status();
  auto replay = (*program)->Instantiate(queue);
  if (!replay.ok()) return replay.status();
  for (uint32_t i = 0; i < slots.size(); ++i) EXPECT_TRUE((*replay)->Bind(i, buffers[i].get(), 0).ok());
  return (*replay)->Run(queue, {}, {});
}

inline OpRun RunOp(Device& device, const OpTest& test, int threads = 1) {
  OpRun run;
  const CallParts parts(test);
  ChoosePolicy policy;
  policy.all = true;
  policy.workers = threads;
  Offer offer = device.Choose(parts.call, policy);
  for (const Refusal& refusal : offer.refusals)
    run.refusals += std::string(refusal.kernel) + ": " + refusal.reason + "\n";
  if (offer.choices.empty()) {
    run.status = Status(StatusCode::kUnsupported, run.refusals);
    return run;
  }
  const Choice& choice = offer.choices[0];
  run.kernel = choice.kernel;
  run.reference = choice.reference;
  run.units = choice.units;
  QueueOptions options;
  options.threads = threads;
  auto queue = device.MakeQueue(options);
  Step step;
  step.call = parts.call;
  step.kernel = choice.kernel;
  step.units = choice.units;
  step.launch = choice.launch;
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<SlotInfo> slots;
  const auto add = [&](void* data, uint64_t bytes, const TensorDesc& desc) {
    buffers.push_back(std::move(device.Import(data, bytes)).value());
    slots.push_back({SlotInfo::kBuffer, bytes});
    return Operand{static_cast<uint32_t>(slots.size() - 1), 0, desc};
  };
  std::vector<Memory> sources = test.src;
  for (size_t i = 0; i < sources.size(); ++i) {
    bool packed = false;
    for (const PackSpec& spec : choice.packs) packed |= spec.src == static_cast<int>(i);
    step.src.push_back(packed || !sources[i].desc().present()
                           ? Operand{}
                           : add(sources[i].data(), sources[i].desc().ExtentBytes(), sources[i].desc()));
  }
  for (size_t i = 0; i < test.dst.size(); ++i) {
    if (i == 0 && test.in_place >= 0) {
      EXPECT_TRUE(choice.in_place >> test.in_place & 1) << run.kernel;
      step.dst.push_back(step.src[static_cast<size_t>(test.in_place)]);
      run.dst.emplace_back(test.dst[0]);
      continue;
    }
    run.dst.emplace_back(test.dst[i]);
  }
  for (size_t i = test.in_place >= 0 ? 1 : 0; i < test.dst.size(); ++i) {
    step.dst.push_back(add(run.dst[i].data(), test.dst[i].ExtentBytes(), test.dst[i]));
  }
  std::vector<std::vector<float>> packs;
  for (const PackSpec& spec : choice.packs) {
    const HostTensor& weight = parts.constants[static_cast<size_t>(spec.src)];
    run.packed_bytes += spec.bytes;
    run.status = PackWeight(device, spec, weight, &packs.emplace_back());
    if (!run.status.ok()) return run;
    step.packs.push_back(
        add(packs.back().data(), spec.bytes, MakeDense(DataType::kU8, {static_cast<int64_t>(spec.bytes)})));
  }
  const uint64_t scratch_bytes =
      choice.scratch + choice.scratch_per_worker * static_cast<uint64_t>((*queue)->workers());
  auto scratch = device.Allocate(scratch_bytes, MemoryKind::kArena);
  if (scratch_bytes > 0) {
    std::memset((*scratch)->host(), 0xFF, scratch_bytes);  // NaN: nothing may be read before it is written
    step.scratch =
        add((*scratch)->host(), scratch_bytes, MakeDense(DataType::kU8, {static_cast<int64_t>(scratch_bytes)}));
    step.scratch_per_worker = choice.scratch_per_worker;
  }
  run.status = LinkAndRun(device, step, slots, buffers, **queue);
  if (test.in_place >= 0) {
    std::memcpy(run.dst[0].data(), sources[static_cast<size_t>(test.in_place)].data(), test.dst[0].ExtentBytes());
  }
  for (const Memory& memory : run.dst) EXPECT_TRUE(memory.GuardsIntact()) << run.kernel;
  for (const Memory& memory : sources) EXPECT_TRUE(memory.GuardsIntact()) << run.kernel;
  return run;
}

inline std::vector<Memory> RunOracle(const OpTest& test) {
  const CallParts parts(test);
  std::vector<Memory> dst;
  std::vector<void*> dst_pointers;
  std::vector<const void*> src_pointers;
  dst.reserve(test.dst.size());
  for (const TensorDesc& desc : test.dst) {
    dst.emplace_back(desc);
    dst_pointers.push_back(dst.back().data());
  }
  for (const Memory& memory : test.src) src_pointers.push_back(memory.desc().present() ? memory.data() : nullptr);
  const Status status = RunReference({parts.call, src_pointers, dst_pointers}, true);
  EXPECT_TRUE(status.ok()) << status.message();
  return dst;
}

// |got - want| <= tolerance * (1 + |want|) for every element; equal for other types than f32. NaN equals NaN.
inline void ExpectClose(const Memory& got, const Memory& want, double tolerance, const std::string& what) {
  const TensorDesc& desc = got.desc();
  int failures = 0;
  ForEachIndex(desc, [&](const Index& i) {
    const int64_t offset = OffsetOf(desc, i);
    const auto a = Load<double>(desc, got.data(), offset), b = Load<double>(desc, want.data(), offset);
    if (a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance * (1 + std::abs(b))) return;
    if (++failures > 3) return;
    std::string at;
    for (int d = 0; d < desc.rank; ++d) at += std::to_string(i[static_cast<size_t>(d)]) + " ";
    ADD_FAILURE() << what << " at " << at << ": got " << a << ", want " << b;
  });
}

// Runs on the device with 1 and 3 threads (equal bits are asserted), against the oracle.
inline OpRun CheckOp(Device& device, const OpTest& test, std::string_view kernel, double tolerance,
                     const std::string& what) {
  OpRun run = RunOp(device, test, 1);
  EXPECT_TRUE(run.status.ok()) << what << ": " << run.status.message();
  EXPECT_EQ(run.kernel, kernel) << what << "\n" << run.refusals;
  if (!run.status.ok()) return run;
  const std::vector<Memory> want = RunOracle(test);
  const OpRun three = RunOp(device, test, 3);
  for (size_t i = 0; i < run.dst.size(); ++i) {
    ExpectClose(run.dst[i], want[i], tolerance, what);
    EXPECT_EQ(std::memcmp(run.dst[i].data(), three.dst[i].data(), run.dst[i].desc().ExtentBytes()), 0) << what;
  }
  return run;
}

// Every compiled SIMD target of this machine, and its other kind of tiles where there are two.
inline std::vector<std::string> TargetsAndVariants() {
  std::vector<std::string> names;
  for (const std::string& target : cpu::SimdTargets()) {
    names.push_back(target);
    const cpu::TileTable* tile = cpu::SimdForTarget(target).tile;
    if (tile->variant == nullptr) continue;
    names.push_back(target + (tile == tile->variant(true) ? "/plain" : "/halves"));
  }
  return names;
}

class OnEveryTarget : public testing::TestWithParam<std::string> {
 protected:
  OnEveryTarget() : device_(cpu::OpenForTarget(GetParam())) {}
  std::string Kernel(const std::string& family) const {
    return "cpu/" + family + "/" + GetParam().substr(0, GetParam().find('/'));
  }
  // Whether it multiplies by Strassen's algorithm.
  bool HasStrassen() const { return cpu::SimdForTarget(GetParam()).tile->summing[1] != nullptr; }
  Device& device() { return *device_; }

 private:
  std::unique_ptr<Device> device_;
};

#define MOKA_ON_EVERY_TARGET(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, testing::ValuesIn(TargetsAndVariants()), \
                           [](const testing::TestParamInfo<std::string>& info) {    \
                             std::string name = info.param;                         \
                             std::replace(name.begin(), name.end(), '/', '_');      \
                             return name;                                           \
                           })

}  // namespace moka

#endif  // MOKA_TESTS_CPU_RUN_OP_H_
