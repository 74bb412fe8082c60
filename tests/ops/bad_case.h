// Tables of what operators refuse.
#ifndef MOKA_TESTS_OPS_BAD_CASE_H_
#define MOKA_TESTS_OPS_BAD_CASE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/conformance/cases.h"

namespace moka {

struct BadCase {
  const char* op;
  Attributes attrs;
  std::vector<CaseOperand> src;
  const char* expected;  // in the message
  int num_dst = 1;
};

inline void ExpectRefused(const std::vector<BadCase>& cases) {
  for (const BadCase& bad : cases) {
    SCOPED_TRACE(std::string(bad.op) + ": " + bad.expected);
    OpCase op_case = MakeCase(std::string(bad.op) + "/bad", bad.attrs, bad.src);
    op_case.num_dst = bad.num_dst;
    const auto data = CaseData::Make(op_case, CaseLayout{});
    ASSERT_FALSE(data.ok());
    EXPECT_NE(data.status().message().find(bad.expected), std::string::npos) << data.status().message();
    EXPECT_TRUE(data.status().code() == StatusCode::kInvalidModel || data.status().code() == StatusCode::kUnsupported ||
                data.status().code() == StatusCode::kInvalidArgument)
        << static_cast<int>(data.status().code());
  }
}

}  // namespace moka

#endif  // MOKA_TESTS_OPS_BAD_CASE_H_
