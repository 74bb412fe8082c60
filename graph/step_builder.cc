#include "graph/step_builder.h"

#include <algorithm>
#include <utility>

#include "graph/layout_rules.h"

namespace moka {

StepBuilder::StepBuilder(const BindRequest& request, const BoundShapes& shapes, const std::vector<int>& node_device,
                         const std::vector<std::vector<Refusal>>& why_not)
    : request_(request), graph_(*request.graph), shapes_(shapes), node_device_(node_device), why_not_(why_not) {
  const size_t values = graph_.values.size(), devices = request.devices.size();
  for (size_t d = 0; d < devices; ++d) {
    if (request.devices[d]->limits().host_memory) host_ = static_cast<int>(d);
    AddSlot(PlanSlot::kArena, static_cast<int>(d), kNoValue, -1, 0);
  }
  current_.assign(devices, std::vector<int>(values, -1));
  constants_ = current_;
  producer_.assign(values, -1);
  input_of_ = output_of_ = producer_;
  homes_.resize(values);
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    for (ValueId v : graph_.nodes[n].dst) {
      if (v != kNoValue) producer_[static_cast<size_t>(v)] = static_cast<int>(n);
    }
  }
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    input_of_[static_cast<size_t>(graph_.inputs[i])] = static_cast<int>(i);
    draft_.plan.inputs.push_back(shape(graph_.inputs[i]));
  }
  for (ValueId v : graph_.outputs) {
    draft_.plan.outputs.push_back(MakeDense(shape(v).type, shape(v).shape()));
  }
}

void StepBuilder::Build() {
  ReserveOutputs();
  ReserveParts();
  for (size_t n = 0; n < graph_.nodes.size(); ++n) Process(static_cast<int>(n));
  if (!refused_.empty()) return;
  for (size_t i = 0; i < graph_.outputs.size() && status_.ok(); ++i) status_ = FinishOutput(static_cast<int>(i));
}

bool StepBuilder::NeedsNoStep(ValueId v) const {
  return v == kNoValue || contents(v) != nullptr || shape(v).NumElements() == 0;
}

void StepBuilder::Process(int n) {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  if (std::all_of(node.dst.begin(), node.dst.end(), [this](ValueId v) { return NeedsNoStep(v); })) return;
  if (AssembleConcat(n)) return;
  if (MakeViews(n)) return;
  RunKernel(n);
}

void StepBuilder::Refuse(int n, std::vector<Refusal> refusals) {
  if (refused_.empty() || refused_.back().node != n) refused_.push_back({n, std::move(refusals)});
  const int d = node_device_[static_cast<size_t>(n)];
  for (ValueId v : graph_.nodes[static_cast<size_t>(n)].dst) {
    if (v != kNoValue && Current(v, d) < 0) Current(v, d) = NewValue(v, d, Dense(v, d));
  }
}

bool StepBuilder::Measures(int d) const {
  return request_.choices != nullptr && request_.queues[static_cast<size_t>(d)] != nullptr;
}

const Choice& StepBuilder::Best(const OpCall& call, int d, const Offer& offer) const {
  if (!Measures(d)) return offer.choices.front();
  const auto i = static_cast<size_t>(d);
  return offer
      .choices[request_.choices->Best(*request_.devices[i], *request_.queues[i], call, offer, request_.pack_cache)];
}

bool StepBuilder::Choose(const OpCall& call, int d, bool allow_reference, Offer* offer) const {
  ChoosePolicy policy;
  policy.allow_reference = allow_reference;
  policy.compact = request_.compact;
  policy.precision = request_.precision;
  policy.all = Measures(d);
  policy.workers = request_.workers[static_cast<size_t>(d)];
  *offer = device(d).Choose(call, policy);
  return !offer->choices.empty();
}

// Finds operand layouts for which the device has a kernel: results as parts of a concatenation or dense, sources as
// they lie or copied to dense values (`densify`), and the reference only when nothing else runs.
bool StepBuilder::PickKernel(int n, OpCall call, std::vector<TensorDesc>& src, std::vector<TensorDesc>& dst,
                             const std::vector<TensorDesc>& dense_dst, std::vector<int>* densify, Offer* offer) {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  const int d = node_device_[static_cast<size_t>(n)];
  const auto accepts = [&](const std::vector<TensorDesc>& s, const std::vector<TensorDesc>& t, bool reference) {
    call.src = s;
    call.dst = t;
    Offer attempt;
    const bool found = Choose(call, d, reference, &attempt);
    if (found) attempt.refusals.insert(attempt.refusals.begin(), offer->refusals.begin(), offer->refusals.end());
    if (found || offer->refusals.empty()) *offer = std::move(attempt);
    return found;
  };
  if (accepts(src, dst, false)) return true;
  const bool has_parts = !std::equal(dst.begin(), dst.end(), dense_dst.begin(), SameLayout);
  if (has_parts && accepts(src, dense_dst, false)) {
    dst = dense_dst;
    return true;
  }
  std::vector<TensorDesc> dense = src;
  for (size_t i = 0; i < src.size(); ++i) {
    if (!src[i].present() || contents(node.src[i]) != nullptr) continue;
    dense[i] = Dense(node.src[i], d);
    if (!SameLayout(dense[i], src[i])) densify->push_back(static_cast<int>(i));
  }
  if (!densify->empty() && accepts(dense, dense_dst, false)) {
    std::vector<int> needed;
    for (int i : *densify) {
      const auto k = static_cast<size_t>(i);
      std::swap(dense[k], src[k]);
      if (!accepts(dense, dense_dst, false)) {
        std::swap(dense[k], src[k]);
        needed.push_back(i);
      }
    }
    src = dense;
    dst = dense_dst;
    *densify = needed;
    return accepts(src, dst, false);
  }
  densify->clear();
  return accepts(src, dst, true);
}

void StepBuilder::RunKernel(int n) {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  const int d = node_device_[static_cast<size_t>(n)];
  std::vector<int> reads(node.src.size(), -1), writes(node.dst.size(), -1);
  std::vector<TensorDesc> src(node.src.size()), dst(node.dst.size()), dense_dst(node.dst.size());
  std::vector<const HostTensor*> constants(node.src.size(), nullptr);
  for (size_t i = 0; i < node.src.size(); ++i) {
    const ValueId v = node.src[i];
    if (v == kNoValue) continue;
    if ((constants[i] = contents(v)) != nullptr) {
      src[i] = Dense(v, d);
      continue;
    }
    if ((reads[i] = SourceOn(v, d)) < 0) return Refuse(n, {{"moka.Copy", StrCat("src ", i, " cannot be padded")}});
    src[i] = plan_value(reads[i]).desc;
  }
  for (size_t k = 0; k < node.dst.size(); ++k) {
    dst[k] = ResultDesc(node.dst[k], d, true);
    dense_dst[k] = ResultDesc(node.dst[k], d, false);
  }
  OpCall call;
  call.op = node.op;
  call.attrs = &node.attrs;
  call.name = node.name;
  if (node.program_begin >= 0) {
    call.program = &node.program;
    call.program_begin = node.program_begin;
  }
  call.constants = constants;
  std::vector<int> densify;
  Offer offer;
  if (!PickKernel(n, call, src, dst, dense_dst, &densify, &offer)) return Refuse(n, std::move(offer.refusals));
  for (int i : densify) {
    const auto k = static_cast<size_t>(i);
    std::vector<Refusal> refusals;
    if ((reads[k] = CopyToDense(node.src[k], reads[k], &refusals)) < 0) return Refuse(n, std::move(refusals));
    Current(node.src[k], d) = reads[k];
  }
  for (size_t k = 0; k < node.dst.size(); ++k) {
    writes[k] = NewResult(node.dst[k], d, SameLayout(dst[k], ResultDesc(node.dst[k], d, true)));
  }
  call.src = src;
  call.dst = dst;
  const Choice& choice = Best(call, d, offer);
  for (size_t i = 0; i < src.size(); ++i) {
    const bool packed = std::any_of(choice.packs.begin(), choice.packs.end(),
                                    [i](const PackSpec& pack) { return pack.src == static_cast<int>(i); });
    if (constants[i] != nullptr && !packed) reads[i] = ConstantOn(node.src[i], d);
  }
  PlanStep& step = AddStep(n, d, call, choice, std::move(reads), std::move(writes));
  AttachPacks(step, node, choice);
  if (!step.own_kernel && step.refusals.empty()) step.refusals = std::move(offer.refusals);
}

PlanStep& StepBuilder::AddStep(int n, int d, const OpCall& call, const Choice& choice, std::vector<int> reads,
                               std::vector<int> writes) {
  PlanStep& out = draft_.plan.steps.emplace_back();
  out.node = n;
  out.device = d;
  out.reads = std::move(reads);
  out.writes = std::move(writes);
  out.in_place = choice.in_place;
  if (choice.scratch == 0) out.rows = choice.rows;
  out.own_kernel = d == 0 && !choice.reference;
  if (n >= 0 && d != 0) out.refusals = why_not_[static_cast<size_t>(n)];
  out.src_descs.assign(call.src.begin(), call.src.end());
  out.dst_descs.assign(call.dst.begin(), call.dst.end());
  out.constants.assign(call.constants.begin(), call.constants.end());
  Step& step = out.step;
  step.call = call;
  step.call.src = out.src_descs;
  step.call.dst = out.dst_descs;
  step.call.constants = out.constants;
  step.kernel = choice.kernel;
  for (const TensorDesc& desc : out.src_descs) step.src.push_back({0, 0, desc});
  for (const TensorDesc& desc : out.dst_descs) step.dst.push_back({0, 0, desc});
  step.scratch_per_worker = choice.scratch_per_worker;
  const uint64_t scratch =
      choice.scratch + static_cast<uint64_t>(request_.workers[static_cast<size_t>(d)]) * choice.scratch_per_worker;
  if (scratch > 0) step.scratch = {0, 0, MakeDense(DataType::kU8, {static_cast<int64_t>(scratch)})};
  step.units = choice.units;
  step.launch = choice.launch;
  if (call.op->cost != nullptr) out.flops = static_cast<int64_t>(call.op->cost(step.call).flops);
  return out;
}

void StepBuilder::AttachPacks(PlanStep& step, const Node& node, const Choice& choice) {
  Plan& plan = draft_.plan;
  for (const PackSpec& spec : choice.packs) {
    const ValueId v = node.src[static_cast<size_t>(spec.src)];
    uint32_t slot = 0;
    for (uint32_t s = 0; s < plan.slots.size() && slot == 0; ++s) {
      if (plan.slots[s].pack < 0 || plan.slots[s].value != v || plan.slots[s].device != step.device) continue;
      const PackSpec& other = plan.packs[static_cast<size_t>(plan.slots[s].pack)].spec;
      if (other.format == spec.format && other.params == spec.params && other.bytes == spec.bytes) slot = s;
    }
    if (slot == 0) {
      slot = AddSlot(PlanSlot::kWeight, step.device, v, -1, spec.bytes);
      plan.slots.back().pack = static_cast<int>(plan.packs.size());
      NameContents(plan.slots.back());
      plan.packs.push_back({v, step.device, spec});
    }
    step.step.src[static_cast<size_t>(spec.src)].desc = {};
    step.step.packs.push_back({slot, 0, MakeDense(DataType::kU8, {static_cast<int64_t>(spec.bytes)})});
  }
}

}  // namespace moka
