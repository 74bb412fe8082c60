#include "bench/one_op.h"

#include <random>
#include <utility>

#include "base/status.h"

namespace moka::bench {

Result<std::unique_ptr<OneOp>> OneOp::Make(Device& device, Queue& queue, const OneOpSpec& spec) {
  std::unique_ptr<OneOp> op(new OneOp(device, queue));
  MOKA_RETURN_IF_ERROR(op->Prepare(spec));
  return op;
}

Result<Operand> OneOp::Allocate(const TensorDesc& desc) {
  MOKA_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, device_.Allocate(desc.ExtentBytes(), MemoryKind::kArena));
  if (desc.type == DataType::kF32) {
    std::mt19937 random(static_cast<uint32_t>(slots_.size()));
    std::uniform_real_distribution<float> uniform(-0.1f, 0.1f);
    std::vector<float> values(static_cast<size_t>(desc.Extent()));
    for (float& value : values) value = uniform(random);
    MOKA_RETURN_IF_ERROR(device_.Write(*buffer, 0, std::as_bytes(std::span(values))));
  }
  buffers_.push_back(std::move(buffer));
  slots_.push_back({SlotInfo::kBuffer, desc.ExtentBytes()});
  return Operand{static_cast<uint32_t>(slots_.size() - 1), 0, desc};
}

Status OneOp::Prepare(const OneOpSpec& spec) {
  Step step;
  const size_t dot = spec.op.find('.');
  step.call.op =
      dot == std::string::npos ? FindOp("", spec.op) : FindOp(spec.op.substr(0, dot), spec.op.substr(dot + 1));
  step.call.attrs = &spec.attrs;
  step.call.name = spec.op;
  step.call.program = spec.program_begin >= 0 ? &spec.program : nullptr;
  step.call.program_begin = spec.program_begin >= 0 ? spec.program_begin : 0;
  std::vector<TensorDesc> sources = spec.src;
  for (const auto& [source, values] : spec.constant_ints) {
    if (sources.size() <= source) sources.resize(source + 1);
    sources[source] = MakeDense(DataType::kI64, {static_cast<int64_t>(values.size())});
  }
  step.call.src = sources;
  step.call.dst = {&spec.dst, 1};
  std::vector<HostTensor> constants(sources.size());
  std::vector<const HostTensor*> pointers(sources.size());
  for (const auto& [source, values] : spec.constant_ints) {
    constants[source] = {sources[source], values.data(), nullptr};
    pointers[source] = &constants[source];
  }
  for (size_t i = 0; i < spec.src.size(); ++i) {
    MOKA_ASSIGN_OR_RETURN(Operand operand, Allocate(spec.src[i]));
    step.src.push_back(operand);
    constants[i] = {spec.src[i], buffers_.back()->host(), nullptr};
    pointers[i] = i < spec.constant.size() && spec.constant[i] ? &constants[i] : nullptr;
  }
  for (size_t i = spec.src.size(); i < sources.size(); ++i) {
    MOKA_ASSIGN_OR_RETURN(Operand operand, Allocate(sources[i]));
    step.src.push_back(operand);
  }
  step.call.constants = pointers;
  const Offer offer = device_.Choose(step.call, {});
  if (offer.choices.empty()) return Unsupported(spec.op, ": no kernel");
  const Choice& choice = offer.choices[0];
  kernel_ = choice.kernel;
  step.kernel = choice.kernel;
  step.units = choice.units;
  step.launch = choice.launch;
  MOKA_ASSIGN_OR_RETURN(Operand dst, Allocate(spec.dst));
  step.dst.push_back(dst);
  for (const PackSpec& pack : choice.packs) {
    std::vector<std::byte> bytes(pack.bytes);
    MOKA_RETURN_IF_ERROR(device_.Pack(pack, constants[static_cast<size_t>(pack.src)], bytes));
    MOKA_ASSIGN_OR_RETURN(Operand operand, Allocate(MakeDense(DataType::kU8, {static_cast<int64_t>(pack.bytes)})));
    MOKA_RETURN_IF_ERROR(device_.Write(*buffers_.back(), 0, bytes));
    step.packs.push_back(operand);
  }
  const uint64_t scratch = choice.scratch + choice.scratch_per_worker * static_cast<uint64_t>(queue_.workers());
  if (scratch > 0) {
    MOKA_ASSIGN_OR_RETURN(step.scratch, Allocate(MakeDense(DataType::kU8, {static_cast<int64_t>(scratch)})));
    step.scratch_per_worker = choice.scratch_per_worker;
  }
  MOKA_ASSIGN_OR_RETURN(const std::shared_ptr<const Program> program, device_.Link({{&step, 1}, slots_, {}, {}}));
  MOKA_ASSIGN_OR_RETURN(replay_, program->Instantiate(queue_));
  for (uint32_t i = 0; i < slots_.size(); ++i) MOKA_RETURN_IF_ERROR(replay_->Bind(i, buffers_[i].get(), 0));
  return Status();
}

}  // namespace moka::bench
