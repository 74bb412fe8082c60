#include "graph/verify_chain.h"

#include <algorithm>
#include <string>

namespace moka {
namespace {

constexpr int64_t kEmpty = -1;

class ChainVerifier {
 public:
  ChainVerifier(const Plan& plan, int first) : plan_(plan), first_(first), chain_(step(0).step.chain) {}

  Status Run() {
    MOKA_RETURN_IF_ERROR(CheckSteps());
    MOKA_RETURN_IF_ERROR(CheckRings());
    MOKA_RETURN_IF_ERROR(CheckOrder());
    for (int64_t strip = 0; strip < chain_.strips; ++strip) {
      MOKA_RETURN_IF_ERROR(Replay(strip, true));
      if (strip > 0) MOKA_RETURN_IF_ERROR(Replay(strip, false));
    }
    return {};
  }

 private:
  struct Ring {
    uint64_t begin, end;
    std::vector<int64_t> rows;  // per place: which row lies there
  };

  const PlanStep& step(int i) const { return plan_.steps[static_cast<size_t>(first_ + i)]; }
  const PlanValue& value(int v) const { return plan_.values[static_cast<size_t>(v)]; }
  const TensorDesc& Result(int i) const { return value(step(i).writes[0]).desc; }
  int last() const { return chain_.steps - 1; }
  template <class... Args>
  Status Refuse(int i, const Args&... args) const {
    return Internal("step ", first_ + i, " '", step(i).step.call.name, "' of the chain from step ", first_, ": ",
                    args...);
  }
  // The member that writes `v`, or -1.
  int Writer(int v) const {
    for (int i = 0; i < chain_.steps; ++i) {
      if (step(i).writes[0] == v) return i;
    }
    return -1;
  }

  Status CheckSteps() const {
    for (int i = 0; i < chain_.steps; ++i) {
      const PlanStep& member = step(i);
      const auto known = [this](int v) { return v >= 0 && static_cast<size_t>(v) < plan_.values.size(); };
      if (member.writes.size() != 1 || !known(member.writes[0])) return Refuse(i, "not one result");
      if (!std::all_of(member.reads.begin(), member.reads.end(), [&](int v) { return v < 0 || known(v); })) {
        return Refuse(i, "reads no value");
      }
      if (member.rows.size() != member.reads.size()) return Refuse(i, "its kernel does not run rows alone");
      const TensorDesc& desc = Result(i);
      if (desc.rank != 4 || desc.dims[0] != chain_.images) return Refuse(i, "not ", chain_.images, " images");
      if (value(member.writes[0]).ring != (i < last())) return Refuse(i, "only the last result is whole");
      if (i > 0 && (member.step.chain.steps != 0 || member.step.scratch.desc.present())) {
        return Refuse(i, "has a chain or scratch of its own");
      }
      if (i == last() && value(member.writes[0]).relation == PlanValue::kInPlace) {
        for (size_t k = 0; k < member.reads.size(); ++k) {
          const bool overwritten = member.reads[k] == value(member.writes[0]).alias_of;
          const RowMap& map = member.rows[k];
          if (overwritten && (map.stride != 1 || map.pad != 0 || map.taps != 1)) {
            return Refuse(i, "overwrites rows that others need");
          }
        }
      }
    }
    return {};
  }

  Status CheckRings() {
    const TensorDesc& scratch = step(0).step.scratch.desc;
    const uint64_t per_worker = step(0).step.scratch_per_worker;
    if (!scratch.present() || per_worker < chain_.ring_bytes || scratch.ExtentBytes() < per_worker) {
      return Refuse(0, "rings without memory");
    }
    for (int i = 0; i < last(); ++i) {
      const PlanValue& v = value(step(i).writes[0]);
      const int64_t pitch = v.desc.strides[2], channels = v.desc.dims[1], width = v.desc.dims[3];
      const int64_t row = (channels - 1) * v.desc.strides[1] + (width - 1) * v.desc.strides[3] + 1;
      const auto row_bytes = static_cast<uint64_t>(pitch) * SizeOf(v.desc.type);
      if (pitch < row || v.desc.strides[1] < 0 || v.desc.strides[3] < 0) return Refuse(i, "rows overlap in its ring");
      if (v.offset % 64 != 0 || v.offset > chain_.ring_bytes || v.bytes > chain_.ring_bytes - v.offset) {
        return Refuse(i, "its ring lies beyond those of the worker");
      }
      for (const Ring& other : rings_) {
        if (v.offset < other.end && other.begin < v.offset + v.bytes) return Refuse(i, "rings overlap");
      }
      rings_.push_back({v.offset, v.offset + v.bytes, std::vector<int64_t>(v.bytes / row_bytes, kEmpty)});
    }
    return {};
  }

  Status CheckOrder() const {
    if (chain_.strips < 1 || chain_.rows.size() != static_cast<size_t>(chain_.strips * chain_.steps)) {
      return Refuse(0, "strips without rows");
    }
    for (int64_t strip = 0; strip < chain_.strips; ++strip) {
      for (int i = 0; i < chain_.steps; ++i) {
        const RingRows& rows = chain_.At(strip, i);
        const bool sound = rows.begin >= 0 && rows.begin < rows.end && rows.end <= Result(i).dims[2];
        if (!sound) return Refuse(i, "strip ", strip, " has rows ", rows.begin, " to ", rows.end);
        if (strip == 0) continue;
        const RingRows& before = chain_.At(strip - 1, i);
        if (rows.begin < before.begin || rows.end < before.end) return Refuse(i, "strip ", strip, " goes back");
      }
      const int64_t written = strip == 0 ? 0 : chain_.At(strip - 1, last()).end;
      if (chain_.At(strip, last()).begin != written) return Refuse(last(), "strip ", strip, " leaves rows out");
    }
    if (chain_.At(chain_.strips - 1, last()).end != Result(last()).dims[2]) return Refuse(last(), "rows are missing");
    return {};
  }

  Status Replay(int64_t strip, bool fresh) {
    for (int i = 0; i < last(); ++i) {
      std::vector<int64_t>& places = rings_[static_cast<size_t>(i)].rows;
      std::fill(places.begin(), places.end(), kEmpty);
      if (fresh) continue;
      const RingRows &before = chain_.At(strip - 1, i), &now = chain_.At(strip, i);
      for (int64_t row = before.begin; row < before.end; ++row) {
        places[static_cast<size_t>(row - before.begin)] = row;  // proven by the replay of the strip before
      }
      if (before.begin == now.begin) continue;
      const std::vector<int64_t> old = places;
      for (int64_t row = now.begin; row < before.end; ++row) {
        const int64_t from = row - before.begin, to = row - now.begin;
        if (!Inside(i, from) || !Inside(i, to)) return Refuse(i, "row ", row, " moves beyond its ring");
        places[static_cast<size_t>(to)] = old[static_cast<size_t>(from)];
      }
    }
    for (int i = 0; i < chain_.steps; ++i) {
      const RingRows& rows = chain_.At(strip, i);
      const int64_t begin = fresh ? rows.begin : std::max(rows.begin, chain_.At(strip - 1, i).end);
      for (int64_t row = begin; row < rows.end; ++row) MOKA_RETURN_IF_ERROR(MakeRow(strip, i, row));
    }
    for (int i = 0; i < last(); ++i) {
      const RingRows& rows = chain_.At(strip, i);
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        if (!Holds(i, row - rows.begin, row)) return Refuse(i, "strip ", strip, " ends without row ", row);
      }
    }
    return {};
  }

  bool Inside(int i, int64_t place) const {
    return place >= 0 && place < static_cast<int64_t>(rings_[static_cast<size_t>(i)].rows.size());
  }
  bool Holds(int i, int64_t place, int64_t row) const {
    return Inside(i, place) && rings_[static_cast<size_t>(i)].rows[static_cast<size_t>(place)] == row;
  }

  Status MakeRow(int64_t strip, int i, int64_t row) {
    const PlanStep& member = step(i);
    for (size_t k = 0; k < member.reads.size(); ++k) {
      if (member.reads[k] < 0 || !value(member.reads[k]).ring) continue;
      const int from = Writer(member.reads[k]);
      if (from < 0 || from >= i) return Refuse(i, "reads a ring that no step before it writes");
      const RowMap& map = member.rows[k];
      if (map.taps < 1) return Refuse(i, "reads a ring as a whole");
      const int64_t height = Result(from).dims[2], first = map.stride * row - map.pad;
      for (int64_t y = std::max<int64_t>(first, 0); y < std::min(first + map.taps, height); ++y) {
        if (!Holds(from, y - chain_.At(strip, from).begin, y)) {
          return Refuse(i, "strip ", strip, " reads row ", y, ", which is not in the ring");
        }
      }
    }
    if (i == last()) return {};
    const int64_t place = row - chain_.At(strip, i).begin;
    if (!Inside(i, place)) return Refuse(i, "strip ", strip, " writes row ", row, " beyond its ring");
    rings_[static_cast<size_t>(i)].rows[static_cast<size_t>(place)] = row;
    return {};
  }

  const Plan& plan_;
  const int first_;
  const Chain& chain_;
  std::vector<Ring> rings_;  // of each member but the last
};

Status CheckAlone(const Plan& plan, int s) {
  const PlanStep& step = plan.steps[static_cast<size_t>(s)];
  for (const auto* list : {&step.reads, &step.writes}) {
    for (int v : *list) {
      const bool known = v >= 0 && static_cast<size_t>(v) < plan.values.size();
      if (known && plan.values[static_cast<size_t>(v)].ring) {
        return Internal("step ", s, " '", step.step.call.name, "' uses the ring of a chain");
      }
    }
  }
  return {};
}

}  // namespace

Status VerifyChain(const Plan& plan, int first, int end) {
  const Chain& chain = plan.steps[static_cast<size_t>(first)].step.chain;
  if (chain.steps == 0) return CheckAlone(plan, first);
  if (chain.steps < 2 || chain.steps > end - first) return Internal("step ", first, ": a chain of ", chain.steps);
  return ChainVerifier(plan, first).Run();
}

}  // namespace moka
