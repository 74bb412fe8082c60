#include "ops/op.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"
#include "base/tensor_size.h"
#include "ops/custom_op.h"
#include "ops/schemas.h"

namespace moka {

namespace {

using Key = std::pair<std::string_view, std::string_view>;

Key KeyOf(const OpSchema* op) { return {op->domain, op->name}; }

struct Table {
  const OpSchema* ops[
#define MOKA_OP(name) +1
#include "ops/ops.inc"
#undef MOKA_OP
  ];
};

const Table& SortedTable() {
  static const Table kTable = [] {
    Table table = {{
#define MOKA_OP(name) name##Schema(),
#include "ops/ops.inc"
#undef MOKA_OP
    }};
    std::sort(std::begin(table.ops), std::end(table.ops),
              [](const OpSchema* a, const OpSchema* b) { return KeyOf(a) < KeyOf(b); });
    return table;
  }();
  return kTable;
}

}  // namespace

const OpSchema* FindOp(std::string_view domain, std::string_view name) {
  const Key key{domain, name};
  const auto& ops = SortedTable().ops;
  const auto it = std::lower_bound(std::begin(ops), std::end(ops), key,
                                   [](const OpSchema* op, const Key& wanted) { return KeyOf(op) < wanted; });
  return it != std::end(ops) && KeyOf(*it) == key ? *it : FindCustomOp(domain, name);
}

Result<const Tensor*> HostCall::SrcTensor(size_t i) const {
  if (!has_src(i)) return InvalidArgument("src ", i, " is missing");
  if (!src[i]->is_tensor()) return InvalidArgument("src ", i, ": ", ToString(*src[i]), ", expected a tensor");
  return &src[i]->tensor();
}

Result<Tensor> HostCall::NewTensor(DataType type, Shape shape) const {
  MOKA_ASSIGN_OR_RETURN(const TensorSize size, SizeOfTensor(type, shape));
  const int64_t limit = max_tensor_bytes / static_cast<int64_t>(type == DataType::kString ? sizeof(std::string) : 1);
  if ((type == DataType::kString ? size.elements : size.bytes) > limit) {
    return OutOfMemory("a tensor ", NameOf(type), ToString(shape), " is larger than the limit of ", max_tensor_bytes,
                       " bytes");
  }
  return Tensor::Create(type, std::move(shape));
}

std::span<const OpSchema* const> AllOps() { return SortedTable().ops; }

}  // namespace moka
