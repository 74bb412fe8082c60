// Running one operator on literal data.
#ifndef MOKA_TESTS_OPS_RUN_OP_H_
#define MOKA_TESTS_OPS_RUN_OP_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ops/element.h"
#include "tests/conformance/cases.h"

namespace moka {

struct OpResult {
  Shape shape;
  std::vector<double> values;  // row-major
};

// Result `dst` of the operator by its oracle, or by the reference.
inline Result<OpResult> RunOp(const std::string& op, Attributes attrs, std::vector<CaseOperand> src, int dst = 0,
                              bool oracle = true) {
  OpCase op_case = MakeCase(op + "/", std::move(attrs), std::move(src));
  op_case.num_dst = dst + 1;
  auto data = CaseData::Make(op_case, CaseLayout{});
  if (!data.ok()) return data.status();
  auto results = (*data)->Reference(oracle);
  if (!results.ok()) return results.status();
  const CaseMemory& memory = (*results)[static_cast<size_t>(dst)];
  OpResult result{memory.desc.shape(), {}};
  ForEachIndex(memory.desc, [&](const Index& at) {
    result.values.push_back(Load<double>(memory.desc, memory.data(), OffsetOf(memory.desc, at)));
  });
  return result;
}

// 1, 2, 3 ...
inline CaseOperand Counting(const Shape& shape, DataType type = DataType::kF32) {
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  std::vector<double> values;
  for (int64_t i = 1; i <= count; ++i) values.push_back(static_cast<double>(i));
  return Given(shape, std::move(values), type);
}

using Values = std::vector<double>;

inline void ExpectOp(const Result<OpResult>& got, const Shape& shape, const Values& values) {
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ(got->shape, shape);
  EXPECT_EQ(got->values, values);
}

}  // namespace moka

#endif  // MOKA_TESTS_OPS_RUN_OP_H_
