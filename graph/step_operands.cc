#include <algorithm>

#include "graph/layout_rules.h"
#include "graph/step_builder.h"

namespace moka {

TensorDesc StepBuilder::Dense(ValueId v, int d) const {
  const TensorDesc& known = shape(v);
  return MakeDense(known.type, known.shape(), graph_.value(v).format, alignment(d));
}

int StepBuilder::NewValue(ValueId v, int d, const TensorDesc& desc) {
  PlanValue value;
  value.value = v;
  value.device = d;
  value.desc = desc;
  value.slot = static_cast<uint32_t>(d);
  value.bytes = PaddedBytes(desc, alignment(d));
  draft_.plan.values.push_back(value);
  return static_cast<int>(draft_.plan.values.size()) - 1;
}

int StepBuilder::NewAlias(ValueId v, PlanValue::Relation relation, int base, const TensorDesc& desc,
                          int64_t offset_elements) {
  const int id = NewValue(v, plan_value(base).device, desc);
  PlanValue& value = plan_value(id);
  value.relation = relation;
  value.alias_of = base;
  value.slot = plan_value(base).slot;
  value.offset = static_cast<uint64_t>(offset_elements) * SizeOf(desc.type);
  // A view that only moka.Copy reads may end within the last vector of its base.
  value.bytes = std::min(value.bytes, plan_value(base).bytes - value.offset);
  return id;
}

uint32_t StepBuilder::AddSlot(PlanSlot::Kind kind, int d, ValueId v, int index, uint64_t bytes) {
  PlanSlot slot;
  slot.kind = kind;
  slot.device = d;
  slot.value = v;
  slot.index = index;
  slot.bytes = bytes;
  draft_.plan.slots.push_back(slot);
  return static_cast<uint32_t>(draft_.plan.slots.size()) - 1;
}

// Contents that the graph does not hold go into the plan.
void StepBuilder::NameContents(PlanSlot& slot) {
  if (graph_.value(slot.value).constant != nullptr) return;
  slot.constant = static_cast<int>(draft_.plan.constants.size());
  draft_.plan.constants.push_back(shapes_.contents[static_cast<size_t>(slot.value)]);
}

int StepBuilder::ConstantOn(ValueId v, int d) {
  int& id = constants_[static_cast<size_t>(d)][static_cast<size_t>(v)];
  if (id >= 0) return id;
  id = NewValue(v, d, Dense(v, d));
  PlanValue& value = plan_value(id);
  value.slot = AddSlot(PlanSlot::kWeight, d, v, -1, value.bytes);
  draft_.plan.slots.back().desc = value.desc;
  NameContents(draft_.plan.slots.back());
  return id;
}

int StepBuilder::SourceOn(ValueId v, int d) {
  if (contents(v) != nullptr) return ConstantOn(v, d);
  if (Current(v, d) >= 0) return Current(v, d);
  const int input = input_of_[static_cast<size_t>(v)];
  if (shape(v).NumElements() == 0) return Current(v, d) = NewValue(v, d, Dense(v, d));
  if (input < 0) return CrossTo(v, d);
  const TensorDesc& desc = shape(v);
  if (d != host_) return Arrive(v, d, desc, {-1, -1, input, -1, desc.ExtentBytes()});
  const int id = NewValue(v, d, desc);
  plan_value(id).slot = AddSlot(PlanSlot::kInput, d, v, input, desc.ExtentBytes());
  return Current(v, d) = id;
}

// Whether a step on the value's device makes it, so that it can be downloaded after that step.
bool StepBuilder::MadeByStep(int id) const {
  const Plan& plan = draft_.plan;
  const auto root = [&] {
    int r = id;
    while (plan.values[static_cast<size_t>(r)].relation != PlanValue::kOwn) {
      r = plan.values[static_cast<size_t>(r)].alias_of;
    }
    return r;
  }();
  if (plan.slots[plan.values[static_cast<size_t>(root)].slot].kind != PlanSlot::kArena) return false;
  return std::none_of(draft_.transfers.begin(), draft_.transfers.end(),
                      [root](const DraftTransfer& transfer) { return transfer.to == root; });
}

// A value comes from host memory as `desc`, without padding; where it should have some, a copy follows.
int StepBuilder::Arrive(ValueId v, int d, const TensorDesc& desc, DraftTransfer transfer) {
  const int id = NewValue(v, d, desc);
  transfer.to = id;
  draft_.transfers.push_back(transfer);
  if (!HasPadding(desc, alignment(d)) && !HasPadding(Dense(v, d), alignment(d))) return Current(v, d) = id;
  return Current(v, d) = CopyToDense(v, id, nullptr);
}

int StepBuilder::CrossTo(ValueId v, int d) {
  const int home = 1 - d;
  int src = Current(v, home);
  if (src < 0) return -1;  // its node was refused
  const TensorDesc desc = plan_value(src).desc;
  const Format format = graph_.value(v).format;
  if (home == host_) {
    const TensorDesc dense = MakeDense(desc.type, desc.shape(), format);
    if (!IsDense(desc, format) && (src = CopyToDense(v, src, nullptr)) < 0) return -1;
    ++draft_.plan.crossings;
    return Arrive(v, d, dense, {src, -1, -1, -1, dense.ExtentBytes()});
  }
  // Gaps between elements travel too, so a sparse view is made dense first.
  if (!MadeByStep(src) || desc.Extent() > 2 * desc.NumElements()) {
    if ((src = CopyToDense(v, src, nullptr)) < 0) return -1;
  }
  const int id = NewValue(v, d, plan_value(src).desc);
  draft_.transfers.push_back({src, id, -1, -1, plan_value(src).desc.ExtentBytes()});
  ++draft_.plan.crossings;
  return Current(v, d) = id;
}

TensorDesc StepBuilder::ResultDesc(ValueId v, int d, bool part) const {
  if (v == kNoValue || shape(v).NumElements() == 0) return {};
  const Home& home = homes_[static_cast<size_t>(v)];
  if (part && home.parent >= 0) {
    TensorDesc desc = shape(v);
    desc.strides = ResultDesc(home.parent, d, true).strides;
    return desc;
  }
  if (d == host_ && output_of_[static_cast<size_t>(v)] >= 0) return shape(v);
  return Dense(v, d);
}

int StepBuilder::NewResult(ValueId v, int d, bool part) {
  const TensorDesc desc = ResultDesc(v, d, part);
  if (!desc.present()) return -1;
  Home& home = homes_[static_cast<size_t>(v)];
  int id = -1;
  if (part && home.parent >= 0) {
    home.filled = true;
    const int root = ConcatRoot(home.parent, d);
    id = NewAlias(v, PlanValue::kPart, root, desc, home.start * desc.strides[static_cast<size_t>(home.axis)]);
  } else if (const int output = output_of_[static_cast<size_t>(v)]; d == host_ && output >= 0) {
    id = OutputValue(v, output);
  } else {
    id = NewValue(v, d, desc);
  }
  return Current(v, d) = id;
}

int StepBuilder::OutputValue(ValueId v, int output) {
  const int id = NewValue(v, host_, shape(v));
  plan_value(id).slot = AddSlot(PlanSlot::kOutput, host_, v, output, shape(v).ExtentBytes());
  return id;
}

}  // namespace moka
