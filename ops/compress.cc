// Compress: src X, condition (bool, rank 1); dst holds the slices of X along an axis (without one: the elements of X)
// at which the condition is true. A condition that is too short is false behind its end.
#include <optional>
#include <vector>

#include "base/status.h"
#include "ops/dense.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"

namespace moka {
namespace {

Status ExecuteCompress(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* const x, call.SrcTensor(0));
  MOKA_ASSIGN_OR_RETURN(const Tensor* const condition, call.SrcTensor(1));
  if (condition->type() != DataType::kBool || condition->shape().size() != 1) {
    return InvalidArgument("src 1 (condition) is ", NameOf(condition->type()), ToString(condition->shape()),
                           ", expected bools of rank 1");
  }
  Shape shape = {x->size()};
  size_t axis = 0;
  if (call.attrs->Has("axis")) {
    shape = x->shape();
    int64_t value = 0;
    MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "axis", 0, &value));
    MOKA_ASSIGN_OR_RETURN(const int resolved, NormalizeAxis(value, static_cast<int>(shape.size()), "attribute 'axis'"));
    axis = static_cast<size_t>(resolved);
  }
  const DenseAxis along(shape, axis);
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < condition->size(); ++i) {
    if (condition->as<uint8_t>()[i] == 0) continue;
    if (i >= along.size) return InvalidArgument("src 1 (condition): element ", i, " of a dimension of ", along.size);
    kept.push_back(i);
  }
  const auto count = static_cast<int64_t>(kept.size());
  shape[axis] = count;
  MOKA_ASSIGN_OR_RETURN(Tensor y, Tensor::Create(x->type(), shape));
  for (int64_t outer = 0; y.size() > 0 && outer < along.outer; ++outer) {
    for (int64_t k = 0; k < count; ++k) {
      CopyDense(*x, (outer * along.size + kept[static_cast<size_t>(k)]) * along.inner, &y,
                (outer * count + k) * along.inner, along.inner);
    }
  }
  call.dst[0] = std::move(y);
  return Status();
}

}  // namespace

const OpSchema* CompressSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Compress",
      .min_src = 2,
      .max_src = 2,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .execute = ExecuteCompress,
  };
  return &kSchema;
}

}  // namespace moka
