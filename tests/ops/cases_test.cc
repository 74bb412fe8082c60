// The case tables and the references, held to each other before any device is.
#include "tests/conformance/cases.h"

#include <gtest/gtest.h>

#include <set>

#include "ops/element.h"
#include "tests/conformance/runner.h"

namespace moka {
namespace {

std::vector<OpCase> AllCases() {
  std::vector<OpCase> all;
  for (const CaseFamily& family : CaseFamilies()) {
    for (OpCase& op_case : family.cases()) all.push_back(std::move(op_case));
  }
  return all;
}

TEST(Cases, NamesAreUnique) {
  std::set<std::string> names;
  for (const OpCase& op_case : AllCases()) EXPECT_TRUE(names.insert(op_case.name).second) << op_case.name;
  EXPECT_GT(names.size(), 500u);
}

TEST(Cases, ReferenceAgreesWithOracleAndTouchesNothingElse) {
  for (const OpCase& op_case : AllCases()) {
    for (const CaseVariant& variant : VariantsOf(op_case, 1)) {
      SCOPED_TRACE(op_case.name + " " + variant.layout.name);
      const auto data = CaseData::Make(op_case, variant.layout);
      ASSERT_TRUE(data.ok()) << data.status().message();
      const auto reference = (*data)->Reference(false), oracle = (*data)->Reference(true);
      ASSERT_TRUE(reference.ok()) << reference.status().message();
      ASSERT_TRUE(oracle.ok()) << oracle.status().message();
      for (size_t i = 0; i < oracle->size(); ++i) {
        EXPECT_EQ(Compare((*reference)[i], (*oracle)[i], ToleranceOf((*data)->call()), 1), "");
      }
    }
  }
}

TEST(Cases, ResultsDoNotDependOnMemoryOrder) {
  for (const OpCase& op_case : AllCases()) {
    const auto plain = CaseData::Make(op_case, CaseLayout{});
    ASSERT_TRUE(plain.ok()) << op_case.name << ": " << plain.status().message();
    const auto want = (*plain)->Reference(true);
    for (const int alignment : {1, 4}) {
      for (const CaseVariant& variant : VariantsOf(op_case, alignment)) {
        SCOPED_TRACE(op_case.name + " " + variant.layout.name);
        const auto data = CaseData::Make(op_case, variant.layout);
        const auto got = (*data)->Reference(true);
        ASSERT_TRUE(got.ok()) << got.status().message();
        for (size_t k = 0; k < got->size(); ++k) {
          const CaseMemory &a = (*got)[k], &b = (*want)[k];
          int64_t different = 0;
          ForEachIndex(a.desc, [&](const Index& at) {
            const double x = Load<double>(a.desc, a.data(), OffsetOf(a.desc, at));
            const double y = Load<double>(b.desc, b.data(), OffsetOf(b.desc, at));
            different += x != y && !(x != x && y != y);
          });
          EXPECT_EQ(different, 0);
        }
      }
    }
  }
}

TEST(Cases, CompareSeesWrongElementsAndStrayWrites) {
  CaseMemory want;
  want.desc = MakeDense(DataType::kF32, {2, 3}, Format::kRowMajor, 4);
  want.bytes.assign(8 * sizeof(float), std::byte{0});
  EXPECT_EQ(Compare(want, want, 1e-6, 4), "");
  CaseMemory wrong = want;
  Store<float>(wrong.desc, wrong.data(), 5, 1e-3f);
  EXPECT_NE(Compare(wrong, want, 1e-6, 4).find("element [1, 1]"), std::string::npos);
  wrong = want;
  Store<float>(wrong.desc, wrong.data(), 7, 1);
  EXPECT_NE(Compare(wrong, want, 1e-6, 4).find("padding lane"), std::string::npos);
  EXPECT_NE(Compare(want, want, 1e-6, 1).find("outside the result"), std::string::npos);
}

}  // namespace
}  // namespace moka
