#include "graph/verifier.h"

#include <algorithm>
#include <map>
#include <string>

#include "graph/verify_chain.h"

namespace moka {
namespace {

struct Range {
  uint32_t slot = 0;
  uint64_t begin = 0, end = 0;

  bool Meets(const Range& other) const {
    return slot == other.slot && begin < other.end && other.begin < end && begin < end && other.begin < other.end;
  }
};

// Who owns which bytes of a slot.
class Ownership {
 public:
  void Assign(uint64_t begin, uint64_t end, int owner) {
    if (begin >= end) return;
    Split(begin);
    Split(end);
    pieces_.erase(pieces_.lower_bound(begin), pieces_.lower_bound(end));
    pieces_[begin] = {end, owner};
  }
  // The first owner other than `owner` in the range (-1: nobody), or `owner` where it owns all of it.
  int FirstOther(uint64_t begin, uint64_t end, int owner) const {
    auto it = pieces_.upper_bound(begin);
    if (it != pieces_.begin()) --it;
    for (; begin < end; ++it) {
      if (it == pieces_.end() || it->first > begin || it->second.end <= begin) return -1;
      if (it->second.owner != owner) return it->second.owner;
      begin = it->second.end;
    }
    return owner;
  }

 private:
  struct Piece {
    uint64_t end;
    int owner;
  };
  void Split(uint64_t at) {
    auto it = pieces_.lower_bound(at);
    if (it == pieces_.begin()) return;
    --it;
    if (it->second.end <= at) return;
    const Piece right = it->second;
    it->second.end = at;
    pieces_[at] = right;
  }
  std::map<uint64_t, Piece> pieces_;  // by begin
};

class Verifier {
 public:
  Verifier(const Plan& plan, std::span<const Limits> limits, uint64_t memory_limit)
      : plan_(plan), limits_(limits), memory_limit_(memory_limit) {}

  Status Run() {
    MOKA_RETURN_IF_ERROR(CheckSlots());
    for (size_t i = 0; i < plan_.values.size(); ++i) MOKA_RETURN_IF_ERROR(CheckValue(static_cast<int>(i)));
    MOKA_RETURN_IF_ERROR(CheckParts());
    MOKA_RETURN_IF_ERROR(Simulate());
    return CheckOutputs();
  }

 private:
  using Relation = PlanValue::Relation;

  const PlanValue& value(int i) const { return plan_.values[static_cast<size_t>(i)]; }
  const PlanSlot& slot(uint32_t i) const { return plan_.slots[i]; }
  const Limits& limits(int device) const { return limits_[static_cast<size_t>(device)]; }
  static Range RangeOf(const PlanValue& v) { return {v.slot, v.offset, v.offset + v.bytes}; }
  std::string Name(int v) const {
    return StrCat("plan value ", v, " at slot ", value(v).slot, " [", value(v).offset, ", ",
                  value(v).offset + value(v).bytes, ")");
  }
  std::string StepName(int s) const {
    const PlanStep& step = plan_.steps[static_cast<size_t>(s)];
    return StrCat("step ", s, " '", step.step.call.name, "' (", step.step.kernel, ")");
  }

  // ---- Bounds and alignment ----

  Status CheckSlots() const {
    uint64_t total = 0;
    for (size_t i = 0; i < plan_.slots.size(); ++i) {
      const PlanSlot& s = plan_.slots[i];
      if (s.device < 0 || static_cast<size_t>(s.device) >= limits_.size()) return Internal("slot ", i, ": no device");
      if (s.kind != PlanSlot::kArena && s.kind != PlanSlot::kWeight) {
        if (!limits(s.device).host_memory) return Internal("slot ", i, ": caller's memory on a device");
        continue;
      }
      total += s.bytes;
      if (s.bytes > limits(s.device).memory) return Internal("slot ", i, ": more than the device's memory");
    }
    if (memory_limit_ != 0 && total > memory_limit_) {
      return OutOfMemory("the plan needs ", total, " bytes; the limit is ", memory_limit_);
    }
    return {};
  }

  Status CheckRange(const std::string& what, const Range& range, int device) const {
    if (range.slot >= plan_.slots.size()) return Internal(what, ": no such slot");
    if (slot(range.slot).device != device) return Internal(what, ": slot of another device");
    if (range.end < range.begin || range.end > slot(range.slot).bytes) {
      return Internal(what, ": beyond the ", slot(range.slot).bytes, " bytes of the slot");
    }
    if (range.end - range.begin > limits(device).max_binding) return Internal(what, ": exceeds the largest binding");
    return {};
  }

  Status CheckValue(int i) const {
    const PlanValue& v = value(i);
    const std::string name = Name(i);
    if (v.ring) return v.relation == Relation::kOwn ? Status() : Internal(name, ": a ring, but an alias");
    // A sub-vector of a value ends with the value: its padding lanes may be cut off.
    MOKA_RETURN_IF_ERROR(CheckRange(name, RangeOf(v), v.device));
    if (v.desc.ExtentBytes() > v.bytes) return Internal(name, ": its elements reach ", v.desc.ExtentBytes(), " bytes");
    const size_t element = SizeOf(v.desc.type);
    if (element == 0 || v.offset % element != 0) return Internal(name, ": misaligned elements");
    if (v.relation == Relation::kOwn) {
      const bool aligned = v.offset % limits(v.device).offset_alignment == 0;
      return aligned ? Status() : Internal(name, ": misaligned binding");
    }
    if (v.alias_of < 0 || v.alias_of >= i) return Internal(name, ": alias of no earlier value");
    const PlanValue& base = value(v.alias_of);
    if (base.slot != v.slot || base.device != v.device) return Internal(name, ": alias in another slot");
    if (v.relation == Relation::kInPlace) {
      const bool same = base.offset == v.offset && base.bytes == v.bytes;
      return same ? Status() : Internal(name, ": in place, but not of the same bytes");
    }
    const bool inside = v.offset >= base.offset && v.offset + v.bytes <= base.offset + base.bytes;
    return inside ? Status() : Internal(name, ": reaches beyond ", Name(v.alias_of));
  }

  Status CheckOperand(int s, const Operand& operand, int v, int device) const {
    const PlanStep& step = plan_.steps[static_cast<size_t>(s)];
    const std::string name = StrCat(StepName(s), ": operand at slot ", operand.slot, " offset ", operand.offset);
    if (!operand.desc.present()) return v < 0 ? Status() : Internal(name, ": absent, but stands for a value");
    if (v < 0 || static_cast<size_t>(v) >= plan_.values.size()) return Internal(name, ": stands for no value");
    const PlanValue& known = value(v);
    if (known.device != device) return Internal(name, ": on another device");
    const bool same = operand.slot == known.slot && operand.offset == known.offset && operand.ring == known.ring &&
                      operand.desc.type == known.desc.type && SameShape(operand.desc, known.desc) &&
                      operand.desc.strides == known.desc.strides;
    if (!same) return Internal(name, ": differs from ", Name(v));
    const bool is_copy = std::string_view(step.step.call.op->name) == "Copy";
    const auto vector = static_cast<uint64_t>(limits(device).channel_alignment) * SizeOf(known.desc.type);
    if (!is_copy && operand.offset % vector != 0) return Internal(name, ": misaligned binding");
    return {};
  }

  // ---- Parts ----

  Status CheckParts() const {
    std::vector<std::vector<int>> parts(plan_.values.size());
    for (size_t i = 0; i < plan_.values.size(); ++i) {
      if (plan_.values[i].relation == Relation::kPart) {
        parts[static_cast<size_t>(plan_.values[i].alias_of)].push_back(static_cast<int>(i));
      }
    }
    for (size_t w = 0; w < parts.size(); ++w) {
      if (!parts[w].empty()) MOKA_RETURN_IF_ERROR(CheckPartsOf(static_cast<int>(w), parts[w]));
    }
    return {};
  }

  Status CheckPartsOf(int w, const std::vector<int>& parts) const {
    const TensorDesc& whole = value(w).desc;
    if (parts.size() == 1 && value(parts[0]).offset == value(w).offset) {
      TensorDesc seen;
      const PlanValue& part = value(parts[0]);
      const bool reshaped = ReshapeView(whole, part.desc.shape(), &seen);
      if (reshaped && seen.type == part.desc.type && SameStrides(seen, part.desc)) return {};
    }
    // Otherwise: slices along one axis, in some order, without gap or overlap.
    for (size_t axis = 0; axis < static_cast<size_t>(whole.rank); ++axis) {
      std::vector<std::pair<int64_t, int64_t>> slices;
      for (int p : parts) {
        int64_t start = 0;
        if (!IsSlice(value(w), value(p), axis, &start)) break;
        slices.emplace_back(start, start + value(p).desc.dims[axis]);
      }
      if (slices.size() != parts.size()) continue;
      std::sort(slices.begin(), slices.end());
      int64_t end = 0;
      bool tiled = true;
      for (const auto& [first, last] : slices) {
        tiled &= first == end;
        end = last;
      }
      if (tiled && end == whole.dims[axis]) return {};
    }
    return Internal(Name(w), ": its ", parts.size(), " parts overlap or leave gaps");
  }

  static bool SameStrides(const TensorDesc& a, const TensorDesc& b) {
    if (!SameShape(a, b)) return false;
    for (size_t d = 0; d < static_cast<size_t>(a.rank); ++d) {
      if (a.dims[d] > 1 && a.strides[d] != b.strides[d]) return false;
    }
    return true;
  }

  static bool IsSlice(const PlanValue& whole, const PlanValue& part, size_t axis, int64_t* start) {
    TensorDesc expected = whole.desc;
    if (part.desc.rank != expected.rank || part.desc.type != expected.type) return false;
    expected.dims[axis] = part.desc.dims[axis];
    if (!SameStrides(expected, part.desc)) return false;
    const int64_t offset = static_cast<int64_t>((part.offset - whole.offset) / SizeOf(whole.desc.type));
    const int64_t stride = whole.desc.strides[axis];
    if (stride <= 0 || offset % stride != 0) return false;
    *start = offset / stride;
    return *start + part.desc.dims[axis] <= whole.desc.dims[axis];
  }

  // ---- Order ----

  // The value whose writing makes the bytes of `v` valid: through views and parts, up to an overwriting in place.
  int Generation(int v) const {
    while (value(v).relation == Relation::kView || value(v).relation == Relation::kPart) v = value(v).alias_of;
    return v;
  }

  bool Complete(int v) const {
    if (value(v).bytes == 0 || written_[static_cast<size_t>(v)]) return true;
    if (value(v).relation == Relation::kView) return Complete(value(v).alias_of);
    const std::vector<int>& parts = parts_of_[static_cast<size_t>(v)];
    return !parts.empty() && std::all_of(parts.begin(), parts.end(), [this](int p) { return Complete(p); });
  }

  Status CheckRead(const std::string& who, int v) const {
    const PlanValue& read = value(v);
    if (read.bytes == 0 || read.ring) return {};
    if (!Complete(v)) return Internal(who, " reads ", Name(v), " before it is written");
    const int owner = Generation(v);
    const int other = ownership_[read.slot].FirstOther(read.offset, read.offset + read.bytes, owner);
    if (other == owner) return {};
    return other == -1 ? Internal(who, " reads bytes of ", Name(v), " that nobody wrote")
                       : Internal(who, " reads ", Name(v), " after ", Owner(other), " overwrote it");
  }

  std::string Owner(int owner) const {
    return owner < static_cast<int>(plan_.values.size()) ? Name(owner) : std::string("scratch");
  }

  void Write(int v) {
    const PlanValue& w = value(v);
    if (w.ring) return;
    written_[static_cast<size_t>(v)] = true;
    ownership_[w.slot].Assign(w.offset, w.offset + w.bytes, Generation(v));
  }

  // Different parts of one value: proved disjoint, although their bytes interleave.
  bool DisjointParts(int a, int b) const {
    for (int i = a;; i = value(i).alias_of) {
      if (value(i).relation == Relation::kPart) {
        for (int k = b;; k = value(k).alias_of) {
          if (value(k).relation == Relation::kPart && value(k).alias_of == value(i).alias_of && k != i) return true;
          if (value(k).relation != Relation::kPart && value(k).relation != Relation::kView) break;
        }
      }
      if (value(i).relation != Relation::kPart && value(i).relation != Relation::kView) return false;
    }
  }

  bool Conflict(int a, int b) const {
    return a >= 0 && b >= 0 && !value(a).ring && !value(b).ring && RangeOf(value(a)).Meets(RangeOf(value(b))) &&
           !DisjointParts(a, b);
  }

  static Range ScratchOf(const PlanStep& step) {
    const Operand& scratch = step.step.scratch;
    if (!scratch.desc.present()) return {};
    return {scratch.slot, scratch.offset, scratch.offset + scratch.desc.ExtentBytes()};
  }

  bool ScratchMeets(const Range& scratch, const PlanStep& step) const {
    if (scratch.begin == scratch.end) return false;
    for (const auto* list : {&step.reads, &step.writes}) {
      for (int v : *list) {
        if (v >= 0 && !value(v).ring && scratch.Meets(RangeOf(value(v)))) return true;
      }
    }
    return false;
  }

  Status CheckStep(int s) const {
    const PlanStep& step = plan_.steps[static_cast<size_t>(s)];
    const std::string name = StepName(s);
    if (step.reads.size() != step.step.src.size() || step.writes.size() != step.step.dst.size()) {
      return Internal(name, ": operands and plan values differ in number");
    }
    for (size_t i = 0; i < step.reads.size(); ++i) {
      MOKA_RETURN_IF_ERROR(CheckOperand(s, step.step.src[i], step.reads[i], step.device));
      if (step.reads[i] < 0) continue;
      MOKA_RETURN_IF_ERROR(CheckRead(name, step.reads[i]));
      const PlanValue& v = value(step.reads[i]);
      if (v.bytes > 0 && (s < v.first_step || s > v.last_step)) {
        return Internal(name, " reads ", Name(step.reads[i]), " outside of its life");
      }
    }
    for (size_t k = 0; k < step.writes.size(); ++k) {
      const int w = step.writes[k];
      MOKA_RETURN_IF_ERROR(CheckOperand(s, step.step.dst[k], w, step.device));
      if (w < 0) continue;
      const PlanSlot::Kind kind = slot(value(w).slot).kind;
      if (kind == PlanSlot::kWeight || kind == PlanSlot::kInput) return Internal(name, " writes to an input");
      if (value(w).relation == Relation::kView) return Internal(name, " writes to a view");
      for (int r : step.reads) {
        const bool in_place = value(w).relation == Relation::kInPlace && value(w).alias_of == r;
        if (!in_place && Conflict(w, r)) return Internal(name, " writes ", Name(w), " over its source ", Name(r));
      }
      for (size_t other = 0; other < k; ++other) {
        if (Conflict(w, step.writes[other])) return Internal(name, ": results overlap");
      }
    }
    return CheckMemoryOf(step, name);
  }

  Status CheckMemoryOf(const PlanStep& step, const std::string& name) const {
    if (const Operand& scratch = step.step.scratch; scratch.desc.present()) {
      MOKA_RETURN_IF_ERROR(CheckRange(StrCat(name, ": scratch"), ScratchOf(step), step.device));
      if (scratch.offset % limits(step.device).offset_alignment != 0) return Internal(name, ": misaligned scratch");
      if (slot(scratch.slot).kind != PlanSlot::kArena) return Internal(name, ": scratch outside of the arena");
      if (ScratchMeets(ScratchOf(step), step)) return Internal(name, ": scratch overlaps an operand");
    }
    for (const Operand& pack : step.step.packs) {
      const Range range{pack.slot, pack.offset, pack.offset + pack.desc.ExtentBytes()};
      MOKA_RETURN_IF_ERROR(CheckRange(StrCat(name, ": pack"), range, step.device));
      if (slot(pack.slot).kind != PlanSlot::kWeight || slot(pack.slot).pack < 0) return Internal(name, ": no pack");
    }
    return {};
  }

  // Steps of one group may run in any order and at the same time.
  Status CheckHazards(int first, int end) const {
    for (int a = first; a < end; ++a) {
      const PlanStep& writer = plan_.steps[static_cast<size_t>(a)];
      for (int b = first; b < end; ++b) {
        if (a == b) continue;
        const PlanStep& other = plan_.steps[static_cast<size_t>(b)];
        for (int w : writer.writes) {
          for (const auto* list : {&other.reads, &other.writes}) {
            for (int v : *list) {
              if (Conflict(w, v)) return Internal(StepName(a), " and ", StepName(b), " meet in ", Name(v));
            }
          }
        }
        const Range scratch = ScratchOf(writer);
        if (ScratchMeets(scratch, other) || scratch.Meets(ScratchOf(other))) {
          return Internal("scratch of ", StepName(a), " meets ", StepName(b));
        }
      }
    }
    return {};
  }

  Status RunGroup(int first, int end) {
    for (int s = first; s < end; ++s) MOKA_RETURN_IF_ERROR(CheckStep(s));
    MOKA_RETURN_IF_ERROR(CheckHazards(first, end));
    for (int s = first; s < end; ++s) {
      const PlanStep& step = plan_.steps[static_cast<size_t>(s)];
      const Range scratch = ScratchOf(step);
      if (step.step.scratch.desc.present()) {
        ownership_[scratch.slot].Assign(scratch.begin, scratch.end, static_cast<int>(plan_.values.size()));
      }
      for (int w : step.writes) {
        if (w >= 0) Write(w);
      }
    }
    return {};
  }

  Status Transfer(const PlanTransfer& transfer, bool up) {
    const int v = transfer.plan_value, host = transfer.host_value;
    if (v < 0 || transfer.bytes > value(v).bytes || (host >= 0 && transfer.bytes > value(host).bytes)) {
      return Internal("a transfer of ", transfer.bytes, " bytes exceeds its value");
    }
    if (up) {
      if (host >= 0) MOKA_RETURN_IF_ERROR(CheckRead("an upload", host));
      Write(v);
      return {};
    }
    MOKA_RETURN_IF_ERROR(CheckRead("a download", v));
    if (host >= 0) Write(host);
    if (transfer.output >= 0) outputs_[static_cast<size_t>(transfer.output)] = true;
    return {};
  }

  Status Simulate() {
    ownership_.resize(plan_.slots.size());
    written_.assign(plan_.values.size(), false);
    outputs_.assign(plan_.outputs.size(), false);
    parts_of_.assign(plan_.values.size(), {});
    for (size_t i = 0; i < plan_.values.size(); ++i) {
      const PlanValue& v = plan_.values[i];
      if (v.relation == Relation::kPart) parts_of_[static_cast<size_t>(v.alias_of)].push_back(static_cast<int>(i));
      const PlanSlot::Kind kind = slot(v.slot).kind;
      const bool given = kind == PlanSlot::kWeight || kind == PlanSlot::kInput;
      if (given && v.relation == Relation::kOwn) Write(static_cast<int>(i));
    }
    int next = 0;
    for (const PlanSegment& segment : plan_.segments) {
      const int end = segment.first + segment.count;
      if (segment.first != next || end > static_cast<int>(plan_.steps.size())) return Internal("segments leave gaps");
      next = end;
      for (const PlanTransfer& transfer : segment.uploads) MOKA_RETURN_IF_ERROR(Transfer(transfer, true));
      const bool concurrent = limits(segment.device).concurrent_steps;
      for (int first = segment.first; first < end;) {
        MOKA_RETURN_IF_ERROR(VerifyChain(plan_, first, end));
        if (concurrent && plan_.steps[static_cast<size_t>(first)].step.chain.steps > 0) {
          return Internal(StepName(first), ": a chain among concurrent steps");
        }
        int last = first + std::max(1, plan_.steps[static_cast<size_t>(first)].step.chain.steps);
        while (concurrent && last < end && !plan_.steps[static_cast<size_t>(last)].step.barrier) ++last;
        for (int s = first; s < last; ++s) {
          if (plan_.steps[static_cast<size_t>(s)].device != segment.device) return Internal(StepName(s), ": segment");
        }
        MOKA_RETURN_IF_ERROR(RunGroup(first, last));
        first = last;
      }
      for (const PlanTransfer& transfer : segment.downloads) MOKA_RETURN_IF_ERROR(Transfer(transfer, false));
    }
    return next == static_cast<int>(plan_.steps.size()) ? Status() : Internal("steps outside of segments");
  }

  Status CheckOutputs() {
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      const PlanSlot& s = slot(plan_.values[v].slot);
      if (s.kind != PlanSlot::kOutput || !Complete(static_cast<int>(v))) continue;
      if (plan_.values[v].relation != Relation::kOwn || plan_.values[v].bytes != s.bytes) continue;
      MOKA_RETURN_IF_ERROR(CheckRead("the caller", static_cast<int>(v)));
      outputs_[static_cast<size_t>(s.index)] = true;
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (!outputs_[i] && plan_.outputs[i].NumElements() > 0) return Internal("output ", i, " is never written");
    }
    return {};
  }

  const Plan& plan_;
  std::span<const Limits> limits_;
  uint64_t memory_limit_;
  std::vector<Ownership> ownership_;  // per slot
  std::vector<bool> written_;         // per plan value
  std::vector<bool> outputs_;
  std::vector<std::vector<int>> parts_of_;
};

}  // namespace

Status VerifyPlan(const Plan& plan, std::span<const Limits> limits, uint64_t memory_limit) {
  return Verifier(plan, limits, memory_limit).Run();
}

}  // namespace moka
