// NonZero: src X; dst [rank, count] (i64): the coordinates of all elements that are not zero, in row-major order.
#include "base/status.h"
#include "ops/element.h"
#include "ops/op.h"
#include "ops/schemas.h"

namespace moka {
namespace {

// Calls f(position) for every element that is not zero.
template <class F>
Status ForEachNonZero(const Tensor& x, F&& f) {
  if (x.type() == DataType::kString) {
    for (int64_t i = 0; i < x.size(); ++i) {
      if (!x.as<std::string>()[i].empty()) f(i);
    }
    return Status();
  }
  if (IsNarrow(x.type())) {
    for (int64_t i = 0; i < x.size(); ++i) {
      if (x.NumberAt(i) != 0) f(i);
    }
    return Status();
  }
  return WithElementType(x.type(), [&](auto element) {
    using T = decltype(element);
    for (int64_t i = 0; i < x.size(); ++i) {
      if (ConvertElement<double>(x.as<T>()[i]) != 0) f(i);
    }
    return Status();
  });
}

Status ExecuteNonZero(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* const x, call.SrcTensor(0));
  int64_t count = 0;
  MOKA_RETURN_IF_ERROR(ForEachNonZero(*x, [&](int64_t) { ++count; }));
  const Shape& shape = x->shape();
  const auto rank = static_cast<int64_t>(shape.size());
  // A scalar counts as a list of one.
  MOKA_ASSIGN_OR_RETURN(Tensor y, call.NewTensor(DataType::kI64, {std::max<int64_t>(rank, 1), count}));
  auto* dst = y.as<int64_t>();
  int64_t column = 0;
  MOKA_RETURN_IF_ERROR(ForEachNonZero(*x, [&](int64_t at) {
    for (int64_t d = rank - 1; d >= 0; --d) {
      const int64_t size = shape[static_cast<size_t>(d)];
      dst[d * count + column] = at % size;
      at /= size;
    }
    ++column;
  }));
  call.dst[0] = std::move(y);
  return Status();
}

}  // namespace

const OpSchema* NonZeroSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "NonZero",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .execute = ExecuteNonZero,
  };
  return &kSchema;
}

}  // namespace moka
