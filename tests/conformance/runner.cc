#include "tests/conformance/runner.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/math.h"
#include "base/status.h"
#include "ops/element.h"

namespace moka {
namespace {

bool IsFloat(DataType type) { return type >= DataType::kF32 && type <= DataType::kBF16; }

// One step on a device: where its operands lie and what is copied.
class StepRun {
 public:
  enum Slot : uint32_t { kOperands, kConstants, kScratch, kNumSlots };

  StepRun(Device& device, Queue& queue, const CaseData& data, const Choice& choice, int in_place)
      : device_(device), queue_(queue), data_(data), choice_(choice), in_place_(in_place) {}

  // The results, bytes around them included.
  Result<std::vector<CaseMemory>> Run();

 private:
  bool IsPacked(size_t i) const {
    return std::any_of(choice_.packs.begin(), choice_.packs.end(),
                       [i](const PackSpec& pack) { return pack.src == static_cast<int>(i); });
  }
  Operand Place(Slot slot, const CaseMemory& memory);
  void PlaceOperands();
  Status FillConstants();
  Status Bind(Replay& replay);
  Status Execute(Replay& replay);

  Device& device_;
  Queue& queue_;
  const CaseData& data_;
  const Choice& choice_;
  const int in_place_;
  Step step_;
  uint64_t bytes_[kNumSlots] = {};
  std::unique_ptr<Buffer> buffers_[kNumSlots];
  std::vector<HostCopy> uploads_, downloads_;
  std::vector<const void*> upload_src_;
  std::vector<void*> download_dst_;
  std::vector<CaseMemory> results_;
};

Operand StepRun::Place(Slot slot, const CaseMemory& memory) {
  const uint64_t at = RoundUp(bytes_[slot], device_.limits().offset_alignment);
  bytes_[slot] = at + memory.bytes.size();
  return {slot, at + static_cast<uint64_t>(memory.start), memory.desc};
}

void StepRun::PlaceOperands() {
  const auto copy = [](const Operand& operand, const CaseMemory& memory) {
    return HostCopy{operand.slot, operand.offset - static_cast<uint64_t>(memory.start), memory.bytes.size()};
  };
  for (size_t i = 0; i < data_.src().size(); ++i) {
    const CaseMemory& memory = data_.src()[i];
    if (!memory.desc.present() || IsPacked(i)) {
      step_.src.emplace_back();
      continue;
    }
    const bool constant = data_.call().constants[i] != nullptr;
    step_.src.push_back(Place(constant ? kConstants : kOperands, memory));
    if (constant || memory.bytes.empty()) continue;
    uploads_.push_back(copy(step_.src.back(), memory));
    upload_src_.push_back(memory.bytes.data());
  }
  for (size_t i = 0; i < results_.size(); ++i) {
    if (in_place_ >= 0 && i == 0) {
      step_.dst.push_back(step_.src[static_cast<size_t>(in_place_)]);
    } else {
      step_.dst.push_back(Place(kOperands, results_[i]));
      uploads_.push_back(copy(step_.dst.back(), results_[i]));
      upload_src_.push_back(data_.dst()[i].bytes.data());
    }
    downloads_.push_back(copy(step_.dst.back(), results_[i]));
    download_dst_.push_back(results_[i].bytes.data());
  }
  for (const PackSpec& pack : choice_.packs) {
    CaseMemory memory;
    memory.desc = MakeDense(DataType::kU8, {static_cast<int64_t>(pack.bytes)});
    memory.bytes.resize(pack.bytes);
    step_.packs.push_back(Place(kConstants, memory));
  }
  const uint64_t scratch =
      choice_.scratch + choice_.scratch_per_worker * static_cast<uint64_t>(std::max(queue_.workers(), 1));
  if (scratch > 0) {
    bytes_[kScratch] = scratch;
    step_.scratch = {kScratch, 0, MakeDense(DataType::kU8, {static_cast<int64_t>(scratch)})};
  }
}

Status StepRun::FillConstants() {
  for (size_t i = 0; i < step_.src.size(); ++i) {
    const Operand& operand = step_.src[i];
    if (!operand.desc.present() || operand.slot != kConstants) continue;
    const CaseMemory& memory = data_.src()[i];
    if (memory.bytes.empty()) continue;
    MOKA_RETURN_IF_ERROR(device_.Write(*buffers_[kConstants], operand.offset, memory.bytes));
  }
  for (size_t i = 0; i < choice_.packs.size(); ++i) {
    const PackSpec& pack = choice_.packs[i];
    const HostTensor* tensor = data_.call().constants[static_cast<size_t>(pack.src)];
    if (tensor == nullptr) return Internal("packs src ", pack.src, ", which is no constant");
    std::vector<std::byte> bytes(pack.bytes, kCanary);
    MOKA_RETURN_IF_ERROR(device_.Pack(pack, *tensor, bytes));
    if (bytes.empty()) continue;
    MOKA_RETURN_IF_ERROR(device_.Write(*buffers_[kConstants], step_.packs[i].offset, bytes));
  }
  return Status();
}

Status StepRun::Bind(Replay& replay) {
  for (uint32_t slot = 0; slot < kNumSlots; ++slot) {
    if (buffers_[slot] != nullptr) MOKA_RETURN_IF_ERROR(replay.Bind(slot, buffers_[slot].get(), 0));
  }
  return Status();
}

// Twice: a replay must not depend on what a run left behind. Results are overwritten with canaries in between.
Status StepRun::Execute(Replay& replay) {
  for (int repeat = 0; repeat < 2; ++repeat) {
    if (!device_.limits().host_memory) {
      MOKA_RETURN_IF_ERROR(replay.Run(queue_, upload_src_, download_dst_));
      continue;
    }
    auto* memory = static_cast<std::byte*>(buffers_[kOperands]->host());
    for (size_t i = 0; i < uploads_.size(); ++i) {
      std::memcpy(memory + uploads_[i].offset, upload_src_[i], uploads_[i].bytes);
    }
    MOKA_RETURN_IF_ERROR(replay.Run(queue_, {}, {}));
    for (size_t i = 0; i < downloads_.size(); ++i) {
      std::memcpy(download_dst_[i], memory + downloads_[i].offset, downloads_[i].bytes);
    }
  }
  return Status();
}

Result<std::vector<CaseMemory>> StepRun::Run() {
  results_ = data_.dst();
  PlaceOperands();
  static constexpr MemoryKind kKinds[] = {MemoryKind::kArena, MemoryKind::kWeights, MemoryKind::kArena};
  SlotInfo slots[kNumSlots];
  for (size_t slot = 0; slot < kNumSlots; ++slot) {
    slots[slot].bytes = bytes_[slot];
    if (bytes_[slot] == 0) continue;
    MOKA_ASSIGN_OR_RETURN(buffers_[slot], device_.Allocate(bytes_[slot], kKinds[slot]));
  }
  MOKA_RETURN_IF_ERROR(FillConstants());
  step_.call = data_.call();
  step_.kernel = choice_.kernel;
  step_.scratch_per_worker = choice_.scratch_per_worker;
  step_.units = choice_.units;
  step_.launch = choice_.launch;
  const bool host = device_.limits().host_memory;
  LinkRequest request{{&step_, 1}, slots, uploads_, downloads_};
  if (host) request.uploads = request.downloads = {};
  MOKA_ASSIGN_OR_RETURN(const std::shared_ptr<const Program> program, device_.Link(request));
  MOKA_ASSIGN_OR_RETURN(const std::unique_ptr<Replay> replay, program->Instantiate(queue_));
  MOKA_RETURN_IF_ERROR(Bind(*replay));
  MOKA_RETURN_IF_ERROR(Execute(*replay));
  return std::move(results_);
}

std::string Position(const TensorDesc& desc, const Index& at) {
  return ToString(Shape(at.begin(), at.begin() + desc.rank));
}

bool Matches(double got, double want, double tolerance) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::abs(got - want) <= tolerance * (1 + std::abs(want));
}

// The first element that is off.
std::string CompareElements(const CaseMemory& got, const CaseMemory& want, double tolerance) {
  std::string message;
  int64_t wrong = 0;
  ForEachIndex(want.desc, [&](const Index& at) {
    const int64_t offset = OffsetOf(want.desc, at);
    double a = 0, b = 0;
    bool same = false;
    if (IsFloat(want.desc.type)) {
      a = Load<double>(want.desc, got.data(), offset);
      b = Load<double>(want.desc, want.data(), offset);
      same = Matches(a, b, tolerance);
    } else {
      const int64_t x = Load<int64_t>(want.desc, got.data(), offset), y = Load<int64_t>(want.desc, want.data(), offset);
      a = static_cast<double>(x);
      b = static_cast<double>(y);
      same = x == y;
    }
    if (!same && wrong++ == 0) message = StrCat("element ", Position(want.desc, at), " is ", a, ", expected ", b);
  });
  if (wrong > 1) message += StrCat(" (and ", wrong - 1, " more of ", want.desc.NumElements(), ")");
  return message;
}

// Which elements of the memory a kernel may write, and which it must write zeros to.
enum class Owner : uint8_t { kNobody, kResult, kLaneZero, kLaneAny };

std::vector<Owner> OwnersOf(const CaseMemory& memory, int alignment) {
  const int64_t size = static_cast<int64_t>(SizeOf(memory.desc.type));
  std::vector<Owner> owners(memory.bytes.size() / static_cast<size_t>(size), Owner::kNobody);
  const auto mark = [&](const TensorDesc& desc, int64_t first, Owner owner) {
    ForEachIndex(desc, [&](const Index& at) {
      owners[static_cast<size_t>(memory.start / size + first + OffsetOf(desc, at))] = owner;
    });
  };
  const PaddingLanes lanes = LanesOf(memory.desc, alignment);
  if (lanes.count > 0) {
    TensorDesc padding = memory.desc;
    padding.dims[static_cast<size_t>(lanes.dim)] = lanes.count;
    mark(padding, memory.desc.dims[static_cast<size_t>(lanes.dim)], lanes.strict ? Owner::kLaneZero : Owner::kLaneAny);
  }
  mark(memory.desc, 0, Owner::kResult);
  return owners;
}

std::string CompareSurroundings(const CaseMemory& got, int alignment) {
  const std::vector<Owner> owners = OwnersOf(got, alignment);
  const size_t size = SizeOf(got.desc.type);
  for (size_t i = 0; i < owners.size(); ++i) {
    if (owners[i] == Owner::kResult) continue;
    const auto* first = got.bytes.data() + i * size;
    const auto all = [&](std::byte value) { return std::count(first, first + size, value) == static_cast<long>(size); };
    const bool zero = all(std::byte{0}), canary = all(kCanary);
    const int64_t element = static_cast<int64_t>(i) - got.start / static_cast<int64_t>(size);
    if (owners[i] == Owner::kLaneZero && !zero) return StrCat("padding lane at element ", element, " is not 0");
    if (owners[i] == Owner::kLaneAny && !zero && !canary) return StrCat("element ", element, " is neither kept nor 0");
    if (owners[i] == Owner::kNobody && !canary) return StrCat("element ", element, " outside the result was written");
  }
  return "";
}

bool SameDesc(const TensorDesc& a, const TensorDesc& b) {
  return a.type == b.type && SameShape(a, b) && a.strides == b.strides;
}

// One case in one layout.
class LayoutRun {
 public:
  LayoutRun(Device& device, Queue& queue, const OpCase& op_case, const CaseVariant& variant,
            const RunnerOptions& options, ConformanceReport* report)
      : device_(device), queue_(queue), case_(op_case), variant_(variant), options_(options), report_(report) {}

  void Run();

 private:
  void Fail(std::string_view kernel, std::string_view what) {
    report_->failures.push_back(StrCat(case_.name, " {", variant_.layout.name, "} ", kernel, ": ", what));
  }
  void RunChoice(const Choice& choice, int in_place);
  void CheckOwn(const Offer& offer);

  Device& device_;
  Queue& queue_;
  const OpCase& case_;
  const CaseVariant& variant_;
  const RunnerOptions& options_;
  ConformanceReport* report_;
  std::unique_ptr<CaseData> data_;
  std::vector<CaseMemory> want_;
};

void LayoutRun::RunChoice(const Choice& choice, int in_place) {
  Result<std::vector<CaseMemory>> got = StepRun(device_, queue_, *data_, choice, in_place).Run();
  if (!got.ok()) return Fail(choice.kernel, got.status().message());
  // Attention in bf16 rounds once more than its oracle, the weights of the values.
  const bool weighs = choice.kernel.find("/attention_bf16/") != std::string_view::npos;
  const double tolerance = ToleranceOf(data_->call()) + (weighs ? 1.0 / 256 : 0);
  for (size_t i = 0; i < want_.size(); ++i) {
    // What lies around an operand that is overwritten was never a canary.
    std::string wrong = in_place >= 0 && i == 0
                            ? CompareElements((*got)[i], want_[i], tolerance)
                            : Compare((*got)[i], want_[i], tolerance, device_.limits().channel_alignment);
    if (!wrong.empty()) return Fail(choice.kernel, StrCat(in_place >= 0 ? "in place: " : "", "dst ", i, ": ", wrong));
  }
  ++report_->runs;
  ++report_->kernels[std::string(choice.kernel)];
}

void LayoutRun::CheckOwn(const Offer& offer) {
  const bool own =
      std::any_of(offer.choices.begin(), offer.choices.end(), [](const Choice& c) { return !c.reference; });
  if (own) return;
  const bool needs_own = device_.info().kind == DeviceKind::kCpu ? case_.own_on_cpu : case_.own_on_gpu;
  if (!needs_own || !variant_.own) {
    ++report_->by_reference;
    return;
  }
  std::string reasons;
  for (const Refusal& refusal : offer.refusals) reasons += StrCat("; ", refusal.kernel, ": ", refusal.reason);
  Fail("no kernel of its own", reasons.empty() ? "no refusals given" : reasons.substr(2));
}

void LayoutRun::Run() {
  Result<std::unique_ptr<CaseData>> data = CaseData::Make(case_, variant_.layout);
  if (!data.ok()) return Fail("inference", data.status().message());
  data_ = std::move(data).value();
  for (const CaseMemory& memory : data_->dst()) {
    if (memory.desc.NumElements() == 0) return;  // no step is ever made for it
  }
  const Offer offer = device_.Choose(data_->call(), {.all = true, .precision = options_.precision});
  CheckOwn(offer);
  for (const Choice& choice : offer.choices) {
    if (!choice.kernel.starts_with(options_.only_kernel)) continue;
    const bool rounds = choice.kernel.find("_bf16/") != std::string_view::npos;
    if (rounds != (options_.precision == Precision::kBF16)) continue;
    if (want_.empty()) {
      Result<std::vector<CaseMemory>> want = data_->Reference(/*oracle=*/true, options_.precision);
      if (!want.ok()) return Fail("oracle", want.status().message());
      want_ = std::move(want).value();
    }
    RunChoice(choice, -1);
    for (size_t i = 0; i < data_->src().size(); ++i) {
      const bool allowed = i < 32 && (choice.in_place >> i & 1) != 0 && data_->call().constants[i] == nullptr;
      if (allowed && SameDesc(data_->src()[i].desc, data_->dst()[0].desc)) RunChoice(choice, static_cast<int>(i));
    }
  }
}

const KnownGap* FindGap(std::span<const KnownGap> gaps, std::string_view name) {
  const auto found = std::find_if(gaps.begin(), gaps.end(), [&](const KnownGap& gap) {
    const std::string_view pattern = gap.case_name;
    return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
  });
  return found == gaps.end() ? nullptr : &*found;
}

}  // namespace

double ToleranceOf(const OpCall& call) {
  const double elements = static_cast<double>(std::max<int64_t>(call.dst[0].NumElements(), 1));
  const double flops = call.op->cost == nullptr ? 0 : call.op->cost(call).flops;
  return static_cast<double>(call.op->tolerance) * std::sqrt(std::max(flops / (2 * elements), 1.0));
}

std::string Compare(const CaseMemory& got, const CaseMemory& want, double tolerance, int alignment) {
  std::string wrong = CompareElements(got, want, tolerance);
  return wrong.empty() ? CompareSurroundings(got, alignment) : wrong;
}

void ConformanceReport::Merge(const ConformanceReport& other) {
  cases += other.cases;
  runs += other.runs;
  skipped += other.skipped;
  by_reference += other.by_reference;
  for (const auto& [kernel, count] : other.kernels) kernels[kernel] += count;
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

std::string ConformanceReport::Summary() const {
  std::string text = StrCat(cases, " cases, ", runs, " runs passed, ", failures.size(), " failed, ", skipped,
                            " skipped, ", by_reference, " layouts by reference only\n");
  for (const auto& [kernel, count] : kernels) text += StrCat("  ", kernel, ": ", count, "\n");
  for (const std::string& failure : failures) text += StrCat("FAILED ", failure, "\n");
  return text;
}

ConformanceReport RunCase(Device& device, Queue& queue, const OpCase& op_case, const RunnerOptions& options) {
  ConformanceReport report;
  report.cases = 1;
  for (const CaseVariant& variant : VariantsOf(op_case, device.limits().channel_alignment)) {
    const auto& only = options.only_layouts;
    if (!only.empty() && std::find(only.begin(), only.end(), variant.layout.name) == only.end()) continue;
    LayoutRun(device, queue, op_case, variant, options, &report).Run();
  }
  const KnownGap* gap = FindGap(options.gaps, op_case.name);
  if (gap == nullptr) return report;
  const bool failed = !report.failures.empty();
  report.failures.clear();
  if (!failed) report.failures.push_back(StrCat(op_case.name, " passes, but is listed: ", gap->reason));
  report.skipped = failed ? 1 : 0;
  return report;
}

ConformanceReport RunCases(Device& device, std::span<const OpCase> cases, const RunnerOptions& options) {
  ConformanceReport report;
  QueueOptions queue_options;
  queue_options.threads = options.threads;
  Result<std::unique_ptr<Queue>> queue = device.MakeQueue(queue_options);
  if (!queue.ok()) {
    report.failures.push_back(queue.status().message());
    return report;
  }
  for (const OpCase& op_case : cases) report.Merge(RunCase(device, **queue, op_case, options));
  return report;
}

}  // namespace moka
