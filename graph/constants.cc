#include "graph/constants.h"

#include <cstring>
#include <new>

#include "ops/element.h"
#include "ops/reference.h"

namespace moka {

std::shared_ptr<HostTensor> AllocateConstant(DataType type, const Shape& shape, void** data) {
  uint64_t bytes = SizeOf(type);
  for (int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes)) return nullptr;
  }
  if (bytes > PTRDIFF_MAX) return nullptr;
  // In words, which align every element type.
  std::shared_ptr<uint64_t[]> memory(new (std::nothrow) uint64_t[bytes / sizeof(uint64_t) + 1]());
  if (memory == nullptr) return nullptr;
  auto tensor = std::make_shared<HostTensor>();
  tensor->desc = MakeDense(type, shape);
  tensor->data = memory.get();
  *data = memory.get();
  tensor->owner = std::move(memory);
  return tensor;
}

const HostTensor* ConstantF32(const Graph& graph, ValueId id) {
  const HostTensor* constant = id == kNoValue ? nullptr : graph.value(id).constant.get();
  return constant != nullptr && constant->desc.type == DataType::kF32 ? constant : nullptr;
}

namespace {

bool ConstantShape(const std::vector<Dim>& dims, Shape* shape) {
  shape->clear();
  for (const Dim& dim : dims) {
    if (!dim.is_constant()) return false;
    shape->push_back(dim.constant());
  }
  return true;
}

Result<TensorDesc> DescOf(const SymbolicTensor& tensor, uint64_t max_bytes) {
  Shape shape;
  if (!ConstantShape(tensor.dims, &shape) || SizeOf(tensor.type) == 0) return Unsupported("not a constant shape");
  uint64_t bytes = SizeOf(tensor.type);
  for (int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes)) bytes = UINT64_MAX;
    if (bytes > max_bytes) return Unsupported("too large to compute at load");
  }
  return MakeDense(tensor.type, shape);
}

}  // namespace

std::shared_ptr<const HostTensor> KnownContents(const Value& value) {
  if (value.constant != nullptr) return value.constant;
  Shape shape;
  if (!value.inferred || !value.tensor.elements || !ConstantShape(value.tensor.dims, &shape)) return nullptr;
  for (const Dim& element : *value.tensor.elements) {
    if (!element.is_constant()) return nullptr;
  }
  void* data = nullptr;
  std::shared_ptr<HostTensor> tensor = AllocateConstant(value.tensor.type, shape, &data);
  if (tensor == nullptr) return nullptr;
  int64_t i = 0;
  for (const Dim& element : *value.tensor.elements) Store<int64_t>(tensor->desc, data, i++, element.constant());
  return tensor;
}

Result<std::vector<std::shared_ptr<const HostTensor>>> EvaluateNode(
    const Graph& graph, const Node& node, std::span<const std::shared_ptr<const HostTensor>> src,
    EvaluationBudget* budget) {
  if (Varies(*node.op, node.attrs)) return Unsupported("results differ from run to run");
  std::vector<TensorDesc> src_descs, dst_descs;
  std::vector<const void*> src_data;
  std::vector<const HostTensor*> constants;
  for (const auto& tensor : src) {
    src_descs.push_back(tensor != nullptr ? tensor->desc : TensorDesc{});
    src_data.push_back(tensor != nullptr ? tensor->data : nullptr);
    constants.push_back(tensor.get());
  }
  uint64_t bytes = 0;
  for (const ValueId id : node.dst) {
    dst_descs.emplace_back();
    if (id == kNoValue) continue;
    MOKA_ASSIGN_OR_RETURN(dst_descs.back(), DescOf(graph.value(id).tensor, budget->result_bytes));
    bytes += dst_descs.back().ExtentBytes();
  }
  ReferenceCall call;
  call.call.op = node.op;
  call.call.attrs = &node.attrs;
  call.call.name = node.name;
  call.call.program = node.program_begin >= 0 ? &node.program : nullptr;
  call.call.program_begin = std::max(node.program_begin, 0);
  call.call.src = src_descs;
  call.call.dst = dst_descs;
  call.call.constants = constants;
  call.src = src_data;
  const double flops = node.op->cost != nullptr ? node.op->cost(call.call).flops : 0;
  if (bytes > budget->total_bytes || flops > budget->flops) return Unsupported("too expensive to compute at load");
  budget->total_bytes -= bytes;
  budget->flops -= flops;
  std::vector<std::shared_ptr<const HostTensor>> results;
  std::vector<void*> dst_data;
  for (const TensorDesc& desc : dst_descs) {
    void* data = nullptr;
    results.push_back(desc.present() ? AllocateConstant(desc.type, desc.shape(), &data) : nullptr);
    if (desc.present() && results.back() == nullptr) return OutOfMemory("no memory to compute at load");
    dst_data.push_back(data);
  }
  call.dst = dst_data;
  MOKA_RETURN_IF_ERROR(RunReference(call, /*oracle=*/false));
  return results;
}

}  // namespace moka
