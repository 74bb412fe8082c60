#include <algorithm>

#include "graph/layout_rules.h"
#include "graph/step_builder.h"
#include "ops/concat.h"

namespace moka {
namespace {

const OpSchema* CopyOp() {
  static const OpSchema* const kCopy = FindOp("moka", "Copy");
  return kCopy;
}

const Attributes& NoAttributes() {
  static const Attributes kNone;
  return kNone;
}

bool IsConcat(const Node& node) {
  static const OpSchema* const kConcat = FindOp("", "Concat");
  return node.op == kConcat && node.program_begin < 0;
}

int64_t ConcatAxis(const Node& node, int rank) {
  const auto params = ConcatParams::From(node.attrs, rank);
  return params.ok() ? params->axis : -1;
}

// A first layer whose pixels are at most two apart: further apart, the inputs of neighbours lie in other cache lines.
bool ReadsPlanes(const Node& node, ValueId v) {
  static const OpSchema* const kConv = FindOp("", "Conv");
  if (node.op != kConv || node.src[0] != v || std::count(node.src.begin(), node.src.end(), v) != 1) return false;
  const AttributeValue* value = node.attrs.Find("strides");
  const auto* strides = value == nullptr ? nullptr : std::get_if<std::vector<int64_t>>(value);
  return strides == nullptr || std::all_of(strides->begin(), strides->end(), [](int64_t s) { return s <= 2; });
}

}  // namespace

bool IsReshape(const OpCall& call) {
  if (call.op->view == nullptr || call.src.empty() || call.dst.size() != 1) return false;
  if (call.src[0].NumElements() != call.dst[0].NumElements()) return false;
  std::vector<TensorDesc> src(call.src.begin(), call.src.end());
  src[0] = MakeDense(src[0].type, src[0].shape());
  OpCall dense = call;
  dense.src = src;
  TensorDesc view;
  int64_t offset = 0;
  return call.op->view(dense, 0, &view, &offset) && offset == 0 && IsDense(view);
}

// Adds a copy from one plan value to another on the same device. False, with reasons, where the device has no kernel.
bool StepBuilder::EmitCopy(int n, std::string_view name, int src, int dst, std::vector<Refusal>* refusals) {
  const TensorDesc from = plan_value(src).desc, to = plan_value(dst).desc;
  const int d = plan_value(src).device;
  const HostTensor* const unknown = nullptr;
  OpCall call;
  call.op = CopyOp();
  call.attrs = &NoAttributes();
  call.name = name;
  call.src = {&from, 1};
  call.dst = {&to, 1};
  call.constants = {&unknown, 1};
  Offer offer;
  if (!Choose(call, d, false, &offer) && !Choose(call, d, true, &offer)) {
    if (refusals != nullptr) *refusals = std::move(offer.refusals);
    return false;
  }
  AddStep(n, d, call, offer.choices.front(), {src}, {dst});
  return true;
}

int StepBuilder::CopyToDense(ValueId v, int src, std::vector<Refusal>* refusals) {
  const int d = plan_value(src).device;
  const int dst = NewValue(v, d, Dense(v, d));
  return EmitCopy(-1, graph_.value(v).name, src, dst, refusals) ? dst : -1;
}

// Convolutions in host memory may read pictures of few channels as planes.
bool StepBuilder::ReadersMayCopy(ValueId v, int d) const {
  constexpr int64_t kFewChannels = 4;
  const TensorDesc& desc = shape(v);
  if (d != host_ || desc.rank != 4 || desc.dims[1] > kFewChannels) return false;
  return std::all_of(graph_.nodes.begin(), graph_.nodes.end(), [v](const Node& node) {
    return std::find(node.src.begin(), node.src.end(), v) == node.src.end() || ReadsPlanes(node, v);
  });
}

// Makes the results of a view operator without a kernel of its own: as views, or as strided copies of what the view
// would show. False where neither is possible; nothing was added then.
bool StepBuilder::MakeViews(int n) {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  const int d = node_device_[static_cast<size_t>(n)];
  const bool is_copy = node.op == CopyOp() && node.program_begin < 0;
  if (!is_copy && node.op->view == nullptr) return false;
  const int base = SourceOn(node.src[0], d);
  if (base < 0) return false;
  if (is_copy) {  // between formats that are the same for this shape, or left to those who read it
    const TensorDesc desc = plan_value(base).desc;
    if (!SameLayout(desc, Dense(node.dst[0], d)) && !ReadersMayCopy(node.dst[0], d)) return false;
    Current(node.dst[0], d) = NewAlias(node.dst[0], PlanValue::kView, base, desc, 0);
    return true;
  }
  std::vector<TensorDesc> src(node.src.size()), dst(node.dst.size());
  std::vector<const HostTensor*> constants(node.src.size(), nullptr);
  for (size_t i = 0; i < src.size(); ++i) {
    if (node.src[i] == kNoValue) continue;
    src[i] = i == 0 ? plan_value(base).desc : shape(node.src[i]);
    constants[i] = contents(node.src[i]);
  }
  for (size_t k = 0; k < dst.size(); ++k) {
    if (node.dst[k] != kNoValue) dst[k] = shape(node.dst[k]);
  }
  OpCall call;
  call.op = node.op;
  call.attrs = &node.attrs;
  call.name = node.name;
  call.src = src;
  call.dst = dst;
  call.constants = constants;

  struct View {
    bool possible = false;
    TensorDesc desc;
    int64_t offset = 0;
  };
  std::vector<View> views(dst.size());
  for (size_t k = 0; k < dst.size(); ++k) {
    if (NeedsNoStep(node.dst[k])) continue;
    View& view = views[k];
    view.possible = node.op->view(call, static_cast<int>(k), &view.desc, &view.offset);
    if (!view.possible && !(IsReshape(call) && CopyReshapes(src[0].shape(), node.dst[k], d))) return false;
  }
  std::vector<Refusal> refusals;
  for (size_t k = 0; k < dst.size(); ++k) {
    const ValueId v = node.dst[k];
    if (NeedsNoStep(v)) continue;
    const View& view = views[k];
    if (!view.possible) {
      if (!MakeReshapeCopy(n, base, v, &refusals)) Refuse(n, refusals);
      continue;
    }
    const int shown = NewAlias(v, PlanValue::kView, base, view.desc, view.offset);
    if (ViewAllowed(view.desc, view.offset, plan_value(base).desc, alignment(d))) {
      Current(v, d) = shown;
    } else if (!EmitCopy(n, node.name, shown, NewResult(v, d, true), &refusals)) {
      Refuse(n, refusals);
    }
  }
  return true;
}

// Whether a strided copy is the way from the source's shape to the result's. In host memory the kernels of Reshape take
// any layout at once where a dense result cannot be seen in the old shape.
bool StepBuilder::CopyReshapes(const Shape& old_shape, ValueId v, int d) const {
  TensorDesc seen;
  return d != host_ || ReshapeView(ResultDesc(v, d, true), old_shape, &seen);
}

// The source's strides cannot express the new shape, but those of a dense result express the old one: a strided copy
// between equal shapes does it. A copy reads elements, but writes the padding lanes of what looks padded, as one row of
// packed elements does: where the result has no such lanes, or other ones, packed rows in memory of their own come
// first.
bool StepBuilder::MakeReshapeCopy(int n, int src, ValueId v, std::vector<Refusal>* refusals) {
  const std::string& name = graph_.nodes[static_cast<size_t>(n)].name;
  const Shape old_shape = plan_value(src).desc.shape();
  const int d = plan_value(src).device, align = alignment(d);
  TensorDesc seen;
  const TensorDesc part = ResultDesc(v, d, true);
  if (!HasPadding(part, align) && ReshapeView(part, old_shape, &seen) && !HasPadding(seen, align)) {
    const int result = NewResult(v, d, true);
    return EmitCopy(n, name, src, NewAlias(v, PlanValue::kPart, result, seen, 0), refusals);
  }
  TensorDesc packed = MakeDense(part.type, part.shape(), graph_.value(v).format);
  if (!ReshapeView(packed, old_shape, &seen)) {
    packed = MakeDense(part.type, part.shape());
    if (!ReshapeView(packed, old_shape, &seen)) return false;
  }
  const int middle = NewValue(v, d, packed);
  plan_value(middle).bytes = PaddedBytes(seen, align);
  const int written = NewAlias(v, PlanValue::kPart, middle, seen, 0);
  const int read = NewAlias(v, PlanValue::kView, middle, packed, 0);
  plan_value(read).bytes = packed.ExtentBytes();
  return EmitCopy(n, name, src, written, refusals) && EmitCopy(n, name, read, NewResult(v, d, true), refusals);
}

// A graph output in host memory is written by its producer, straight into the caller's memory; through operators that
// only rename dimensions, by the producer before them.
void StepBuilder::ReserveOutputs() {
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    ValueId v = graph_.outputs[i];
    while (producer_[static_cast<size_t>(v)] >= 0 && output_of_[static_cast<size_t>(v)] < 0) {
      if (NeedsNoStep(v) || !IsDense(Dense(v, host_))) break;
      output_of_[static_cast<size_t>(v)] = static_cast<int>(i);
      const Node& node = graph_.nodes[static_cast<size_t>(producer_[static_cast<size_t>(v)])];
      if (node.op->view == nullptr || node.src.empty() || node.src[0] == kNoValue) break;
      std::vector<TensorDesc> src(node.src.size());
      std::vector<const HostTensor*> constants(node.src.size(), nullptr);
      for (size_t k = 0; k < src.size(); ++k) {
        if (node.src[k] == kNoValue) continue;
        src[k] = shape(node.src[k]);
        constants[k] = contents(node.src[k]);
      }
      OpCall call;
      call.op = node.op;
      call.attrs = &node.attrs;
      call.name = node.name;
      call.src = src;
      call.dst = {&shape(v), 1};
      call.constants = constants;
      if (node.dst.size() != 1 || !IsReshape(call)) break;
      const ValueId up = node.src[0];
      if (std::find(graph_.outputs.begin(), graph_.outputs.end(), up) != graph_.outputs.end()) break;
      v = up;
    }
  }
}

// On a device with whole-vector kernels, parts along the innermost dimension must be whole vectors, except the last;
// and what looks padded must end in padding of the result, not in the next part.
bool StepBuilder::PartsFit(int n) const {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  const int d = node_device_[static_cast<size_t>(n)];
  const int align = alignment(d);
  const TensorDesc desc = ResultDesc(node.dst[0], d, true);
  const int64_t axis = ConcatAxis(node, desc.rank);
  if (axis < 0) return false;
  if (align == 1) return true;
  const bool innermost = desc.strides[static_cast<size_t>(axis)] == 1, padded = HasPadding(desc, align);
  for (size_t i = 0; i < node.src.size(); ++i) {
    TensorDesc part = shape(node.src[i]);
    part.strides = desc.strides;
    const bool last = i + 1 == node.src.size();
    if (innermost && !last && part.dims[static_cast<size_t>(axis)] % align != 0) return false;
    if (!padded && HasPadding(part, align)) return false;
  }
  return true;
}

// Last concatenation first, so that one inside another finds its place.
void StepBuilder::ReserveParts() {
  for (size_t n = graph_.nodes.size(); n-- > 0;) {
    const Node& node = graph_.nodes[n];
    if (!IsConcat(node) || NeedsNoStep(node.dst[0]) || !PartsFit(static_cast<int>(n))) continue;
    const int d = node_device_[n];
    const TensorDesc desc = ResultDesc(node.dst[0], d, true);
    const int64_t axis = ConcatAxis(node, desc.rank);
    int64_t start = 0;
    for (ValueId v : node.src) {
      const int64_t first = start * desc.strides[static_cast<size_t>(axis)];
      const int64_t begin = start;
      start += shape(v).dims[static_cast<size_t>(axis)];
      const int producer = producer_[static_cast<size_t>(v)];
      if (producer < 0 || node_device_[static_cast<size_t>(producer)] != d || NeedsNoStep(v)) continue;
      if (homes_[static_cast<size_t>(v)].parent >= 0 || output_of_[static_cast<size_t>(v)] >= 0) continue;
      if (std::count(node.src.begin(), node.src.end(), v) != 1 || first % alignment(d) != 0) continue;
      homes_[static_cast<size_t>(v)] = {node.dst[0], axis, begin};
    }
  }
}

int StepBuilder::ConcatRoot(ValueId v, int d) { return Current(v, d) >= 0 ? Current(v, d) : NewResult(v, d, true); }

// A concatenation is nothing but its parts: those that their producers did not write in place are copied.
bool StepBuilder::AssembleConcat(int n) {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  if (!IsConcat(node) || !PartsFit(n)) return false;
  const int d = node_device_[static_cast<size_t>(n)];
  const int root = ConcatRoot(node.dst[0], d);
  const TensorDesc desc = plan_value(root).desc;
  const auto axis = static_cast<size_t>(ConcatAxis(node, desc.rank));
  int64_t start = 0;
  for (ValueId v : node.src) {
    const int64_t offset = start * desc.strides[axis];
    start += shape(v).dims[axis];
    const Home& home = homes_[static_cast<size_t>(v)];
    if (shape(v).NumElements() == 0 || (home.parent == node.dst[0] && home.filled)) continue;
    const int src = SourceOn(v, d);
    std::vector<Refusal> refusals;
    TensorDesc part = shape(v);
    part.strides = desc.strides;
    if (src < 0 || !EmitCopy(n, node.name, src, NewAlias(v, PlanValue::kPart, root, part, offset), &refusals)) {
      Refuse(n, std::move(refusals));
      return true;
    }
  }
  return true;
}

// Brings output `index` to the caller's memory, or to a dense value on the device that is then downloaded.
Status StepBuilder::FinishOutput(int index) {
  const ValueId v = graph_.outputs[static_cast<size_t>(index)];
  const std::string& name = graph_.value(v).name;
  if (shape(v).NumElements() == 0) return {};
  const int other = 1 - host_;
  const bool on_device = request_.devices.size() > 1 && contents(v) == nullptr &&
                         input_of_[static_cast<size_t>(v)] < 0 && Current(v, other) >= 0 &&
                         node_device_[static_cast<size_t>(producer_[static_cast<size_t>(v)])] == other;
  if (on_device) {
    int src = Current(v, other);
    bool ready = MadeByStep(src) && IsDense(plan_value(src).desc);
    if (!ready) {
      const int dense = NewValue(v, other, shape(v));
      if (EmitCopy(-1, name, src, dense, nullptr)) {
        src = dense;
        ready = true;
      }
    }
    if (ready) {
      draft_.transfers.push_back({src, -1, -1, index, shape(v).ExtentBytes()});
      return {};
    }
  }
  const int src = SourceOn(v, host_);
  if (src < 0) {
    const int producer = producer_[static_cast<size_t>(v)];
    if (producer < 0) return Unsupported("output '", name, "' cannot be brought to the caller's memory");
    Refuse(producer, {{"moka.Copy", StrCat("output '", name, "' cannot be copied out of it")}});
    return {};
  }
  int root = src;
  uint64_t offset = 0;
  for (; plan_value(root).relation != PlanValue::kOwn; root = plan_value(root).alias_of) {
    offset += plan_value(root).offset;
  }
  const PlanSlot& slot = draft_.plan.slots[plan_value(root).slot];
  const bool there = slot.kind == PlanSlot::kOutput && slot.index == index && offset == 0;
  if (there && IsDense(plan_value(src).desc)) return {};
  std::vector<Refusal> refusals;
  if (EmitCopy(-1, name, src, OutputValue(v, index), &refusals)) return {};
  return Unsupported("output '", name, "' cannot be copied to the caller's memory",
                     refusals.empty() ? "" : ": " + refusals[0].reason);
}

}  // namespace moka
