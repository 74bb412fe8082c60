#include "graph/choices.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/platform.h"
#include "base/status.h"

namespace moka {
namespace {

constexpr int kRuns = 5, kLeastRuns = 3;  // counted ones of each choice; fewer where a step takes long
constexpr double kEnoughUs = 500e3;       // of all runs
constexpr double kHopeless = 2;           // times the fastest, in two runs
constexpr double kLeastGain = 0.95;       // of the device's own choice, which is kept where others are about as fast
constexpr size_t kSweep = 32 << 20;  // bytes read between runs, so that weights come from where a network finds them
constexpr size_t kRecord = 64;       // a kernel's name, filled up with zeros

template <class T>
void Append(std::string* bytes, const T& value) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void Append(std::string* bytes, const TensorDesc& desc) {
  Append(bytes, desc.type);
  Append(bytes, desc.rank);
  Append(bytes, desc.dims);
  Append(bytes, desc.strides);
}

void AppendValue(std::string* bytes, const std::string& value) { *bytes += value; }
template <class T>
void AppendValue(std::string* bytes, const T& value) {
  if constexpr (std::is_arithmetic_v<T>) Append(bytes, value);
}
template <class T>
void AppendValue(std::string* bytes, const std::vector<T>& values) {
  for (const T& value : values) AppendValue(bytes, value);
}

// All that decides how long the kernels take; not the contents of weights. Not the launches either: they have padding.
std::string KeyOf(const Device& device, const Queue& queue, const OpCall& call, const Offer& offer) {
  std::string kind;
  for (const auto& descs : {call.src, call.dst}) {
    for (const TensorDesc& desc : descs) Append(&kind, desc);
  }
  if (call.attrs != nullptr) {
    for (const auto& attribute : call.attrs->all()) {
      kind += attribute.first;
      std::visit([&](const auto& value) { AppendValue(&kind, value); }, attribute.second);
    }
  }
  if (call.program != nullptr) Append(&kind, *call.program);
  for (const Choice& choice : offer.choices) {
    kind += StrCat(choice.kernel, '\n', choice.scratch, ' ', choice.scratch_per_worker, ' ', choice.units, '\n');
    for (const PackSpec& pack : choice.packs) {
      kind += StrCat(pack.src, ' ', pack.format, ' ', pack.bytes, '\n');
      Append(&kind, pack.params);
    }
  }
  std::string key = StrCat("choice.1\n", OnMachine(device.info()), queue.workers(), '\n', call.op->name, '\n');
  Append(&key, HashBytes(kind.data(), kind.size()));
  return key;
}

// One step on memory of its own, by each of its choices in turn.
class Trial {
 public:
  Trial(Device& device, Queue& queue, const OpCall& call) : device_(device), queue_(queue), call_(call) {}

  size_t Fastest(const std::vector<Choice>& choices) {
    std::vector<Candidate> candidates(choices.size());
    for (size_t i = 0; i < choices.size(); ++i) {
      if (!Prepare(choices[i], &candidates[i]).ok()) candidates[i].replay = nullptr;
    }
    sweep_.assign(kSweep, std::byte{1});
    if (candidates[0].replay == nullptr || !Measure(&candidates)) return 0;
    size_t best = 0;
    double best_us = kLeastGain * candidates[0].Median();
    for (size_t i = 1; i < candidates.size(); ++i) {
      if (candidates[i].replay == nullptr || candidates[i].Median() >= best_us) continue;
      best = i;
      best_us = candidates[i].Median();
    }
    return best;
  }

 private:
  struct Candidate {
    std::vector<std::unique_ptr<Buffer>> buffers;
    std::shared_ptr<const Program> program;
    std::unique_ptr<Replay> replay;  // null: out of the race
    double least_us = std::numeric_limits<double>::infinity();
    std::vector<double> us;

    double Median() const {
      std::vector<double> sorted = us;
      std::sort(sorted.begin(), sorted.end());
      return sorted[sorted.size() / 2];
    }
  };

  // A buffer of zeros, which its slot starts with.
  Result<Operand> Place(const TensorDesc& desc, Candidate* candidate, std::vector<SlotInfo>* slots) {
    const uint64_t bytes = std::max<uint64_t>(desc.ExtentBytes(), 1);
    MOKA_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, device_.Allocate(bytes, MemoryKind::kArena));
    std::memset(buffer->host(), 0, bytes);
    candidate->buffers.push_back(std::move(buffer));
    slots->push_back({SlotInfo::kBuffer, bytes});
    return Operand{static_cast<uint32_t>(slots->size() - 1), 0, desc};
  }

  Status Prepare(const Choice& choice, Candidate* candidate) {
    std::vector<SlotInfo> slots;
    Step step;
    step.call = call_;
    step.kernel = choice.kernel;
    step.units = choice.units;
    step.launch = choice.launch;
    step.scratch_per_worker = choice.scratch_per_worker;
    const auto place = [&](const TensorDesc& desc, std::vector<Operand>* operands) -> Status {
      MOKA_ASSIGN_OR_RETURN(Operand operand, Place(desc, candidate, &slots));
      operands->push_back(operand);
      return {};
    };
    const auto bytes = [](uint64_t count) { return MakeDense(DataType::kU8, {static_cast<int64_t>(count)}); };
    for (size_t i = 0; i < call_.src.size(); ++i) {
      const bool packed = std::any_of(choice.packs.begin(), choice.packs.end(),
                                      [i](const PackSpec& pack) { return pack.src == static_cast<int>(i); });
      MOKA_RETURN_IF_ERROR(place(packed ? TensorDesc{} : call_.src[i], &step.src));
    }
    for (const TensorDesc& desc : call_.dst) MOKA_RETURN_IF_ERROR(place(desc, &step.dst));
    for (const PackSpec& pack : choice.packs) MOKA_RETURN_IF_ERROR(place(bytes(pack.bytes), &step.packs));
    const uint64_t scratch = choice.scratch + static_cast<uint64_t>(queue_.workers()) * choice.scratch_per_worker;
    if (scratch > 0) {
      MOKA_ASSIGN_OR_RETURN(step.scratch, Place(bytes(scratch), candidate, &slots));
    }
    MOKA_ASSIGN_OR_RETURN(candidate->program, device_.Link({{&step, 1}, slots, {}, {}}));
    MOKA_ASSIGN_OR_RETURN(candidate->replay, candidate->program->Instantiate(queue_));
    for (uint32_t slot = 0; slot < slots.size(); ++slot) {
      MOKA_RETURN_IF_ERROR(candidate->replay->Bind(slot, candidate->buffers[slot].get(), 0));
    }
    return {};
  }

  // The first runs only warm up. False where the device's own choice fails.
  bool Measure(std::vector<Candidate>* candidates) {
    double total = 0;
    for (int run = 0; run <= kRuns && (run <= kLeastRuns || total < kEnoughUs); ++run) {
      double best = std::numeric_limits<double>::infinity();
      for (Candidate& candidate : *candidates) {
        if (candidate.replay == nullptr) continue;
        const std::optional<double> us = TimeOnce(&candidate);
        if (!us.has_value()) {
          if (&candidate == &candidates->front()) return false;
          candidate.replay = nullptr;
          continue;
        }
        total += *us;
        candidate.least_us = std::min(candidate.least_us, *us);
        best = std::min(best, candidate.least_us);
        if (run > 0) candidate.us.push_back(*us);
      }
      for (size_t i = 1; run > 0 && i < candidates->size(); ++i) {
        if ((*candidates)[i].least_us > kHopeless * best) (*candidates)[i].replay = nullptr;
      }
    }
    return true;
  }

  std::optional<double> TimeOnce(Candidate* candidate) {
    for (size_t i = 0; i < sweep_.size(); i += 64) swept_ = swept_ + static_cast<unsigned>(sweep_[i]);
    const double start = NowMicroseconds();
    if (!candidate->replay->Run(queue_, {}, {}).ok()) return std::nullopt;
    return NowMicroseconds() - start;
  }

  Device& device_;
  Queue& queue_;
  const OpCall& call_;
  std::vector<std::byte> sweep_;
  volatile unsigned swept_ = 0;
};

std::string_view NameIn(std::span<const std::byte> record) {
  const std::string_view bytes(reinterpret_cast<const char*>(record.data()), record.size());
  return bytes.substr(0, bytes.find('\0'));
}

size_t IndexOf(const std::vector<Choice>& choices, std::string_view kernel) {
  const auto found = std::find_if(choices.begin(), choices.end(), [&](const Choice& c) { return c.kernel == kernel; });
  return static_cast<size_t>(found - choices.begin());
}

}  // namespace

size_t ChoiceStore::Best(Device& device, Queue& queue, const OpCall& call, const Offer& offer, const PackCache* cache) {
  const std::vector<Choice>& choices = offer.choices;
  if (choices.size() < 2 || !device.limits().host_memory) return 0;
  const std::string key = KeyOf(device, queue, call, offer);
  const std::lock_guard lock(mutex_);
  std::string& kernel = kernels_[key];
  if (const size_t known = IndexOf(choices, kernel); known < choices.size()) return known;
  if (cache != nullptr) {
    const KeptPack kept = cache->Find(key, kRecord);
    const size_t recalled = kept.owner != nullptr ? IndexOf(choices, NameIn(kept.bytes)) : choices.size();
    if (recalled < choices.size()) {
      ++counts_.recalled;
      kernel = choices[recalled].kernel;
      return recalled;
    }
  }
  const size_t best = Trial(device, queue, call).Fastest(choices);
  ++counts_.measured;
  kernel = choices[best].kernel;
  std::array<std::byte, kRecord> record{};
  if (cache != nullptr && kernel.size() < kRecord) {
    std::memcpy(record.data(), kernel.data(), kernel.size());
    cache->Keep(key, record);
  }
  return best;
}

ChoiceStore::Counts ChoiceStore::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace moka
