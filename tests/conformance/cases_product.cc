#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

Attributes GemmAttrs(bool trans_a, bool trans_b, float alpha = 1, float beta = 1) {
  return Attrs({{"transA", int64_t{trans_a}}, {"transB", int64_t{trans_b}}, {"alpha", alpha}, {"beta", beta}});
}

// B and C are weights, as in a network's last layer.
OpCase Linear(const std::string& name, int64_t m, int64_t n, int64_t k) {
  return MakeCase("Gemm/" + name, GemmAttrs(false, true), {Fed({m, k}), Weight({n, k}), Weight({n})});
}

void AddGemmSizes(std::vector<OpCase>& cases) {
  for (const int64_t n : kLengths) {
    if (n == 0) continue;
    cases.push_back(Linear(StrCat("m", n), n, 9, 7));
    cases.push_back(Linear(StrCat("n", n), 5, n, 12));
    cases.push_back(Linear(StrCat("k", n), 4, 10, n));
    cases.push_back(Linear(StrCat("row_n", n), 1, n, 33));
  }
  cases.push_back(Linear("square", 65, 67, 66));
  cases.push_back(Linear("wide", 3, 200, 40));
  cases.push_back(Linear("deep", 7, 18, 1100));
  cases.push_back(Linear("row_deep", 1, 40, 1030));
  cases.push_back(Linear("strassen", 97, 768, 192));
  cases.push_back(MayFallBack(Linear("no_k", 3, 5, 0)));
  cases.push_back(Linear("no_m", 0, 5, 4));
}

void AddGemmForms(std::vector<OpCase>& cases) {
  for (int form = 0; form < 8; ++form) {
    const bool trans_a = (form & 1) != 0, trans_b = (form & 2) != 0, constant = (form & 4) != 0;
    const Shape a = trans_a ? Shape{6, 7} : Shape{7, 6}, b = trans_b ? Shape{17, 6} : Shape{6, 17};
    const std::string name = StrCat("Gemm/trans_a", int{trans_a}, "_b", int{trans_b}, constant ? "_weights" : "_fed");
    cases.push_back(MakeCase(name, GemmAttrs(trans_a, trans_b), {Fed(a), constant ? Weight(b) : Fed(b)}));
  }
  const Shape biases[] = {{}, {1}, {17}, {1, 17}, {5, 1}, {5, 17}, {1, 1}};
  for (const Shape& bias : biases) {
    cases.push_back(MakeCase("Gemm/bias" + ToString(bias), GemmAttrs(false, false, 0.5f, -2.0f),
                             {Fed({5, 9}), Weight({9, 17}), Fed(bias)}));
  }
  cases.push_back(
      MakeCase("Gemm/beta0", GemmAttrs(false, true, 1.5f, 0.0f), {Fed({4, 8}), Weight({20, 8}), Weight({20})}));
  cases.push_back(WithEpilogue(Linear("epilogue", 6, 17, 20), "relu", ReluProgram()));
  cases.push_back(WithEpilogue(Linear("epilogue", 6, 17, 20), "silu", SiluProgram()));
  cases.push_back(WithEpilogue(Linear("epilogue", 6, 17, 20), "residual", AddReluProgram(), {Fed({6, 17})}));
  cases.push_back(WithEpilogue(Linear("epilogue", 6, 17, 20), "row", ScaleShiftProgram(), {Fed({6, 1}), Fed({17})}));
  for (const DataType type : {DataType::kI32, DataType::kI64, DataType::kF64}) {
    cases.push_back(MayFallBack(MakeCase(StrCat("Gemm/", NameOf(type)), GemmAttrs(false, true),
                                         {Fed({3, 4}, type), Fed({5, 4}, type), Fed({5}, type)})));
  }
}

void AddMatMul(std::vector<OpCase>& cases) {
  struct Operands {
    const char* name;
    Shape a, b;
  };
  const Operands operands[] = {
      {"2d", {5, 9}, {9, 17}},
      {"tokens", {2, 7, 16}, {16, 33}},
      {"batch", {3, 5, 8}, {3, 8, 6}},
      {"batch_broadcast_a", {1, 5, 8}, {4, 8, 7}},
      {"batch_broadcast_b", {4, 5, 8}, {1, 8, 7}},
      {"batch_two", {2, 3, 4, 6}, {2, 3, 6, 5}},
      {"batch_mixed", {2, 1, 4, 6}, {3, 6, 5}},
      {"rank5", {2, 1, 2, 3, 4}, {1, 3, 2, 4, 5}},
      {"vector_matrix", {9}, {9, 17}},
      {"matrix_vector", {17, 9}, {9}},
      {"dot", {33}, {33}},
      {"vector_batch", {4}, {2, 4, 3}},
      {"batch_vector", {2, 3, 4}, {4}},
      {"single_row", {1, 40}, {40, 31}},
      {"single_column", {31, 40}, {40, 1}},
      {"no_batch", {0, 3, 4}, {4, 5}},
  };
  for (const Operands& o : operands) {
    const std::string name = StrCat("MatMul/", o.name);
    cases.push_back(MakeCase(name + "_fed", {}, {Fed(o.a), Fed(o.b)}));
    cases.push_back(MakeCase(name + "_weights", {}, {Fed(o.a), Weight(o.b)}));
  }
  cases.push_back(WithEpilogue(MakeCase("MatMul/epilogue", {}, {Fed({2, 7, 16}), Weight({16, 33})}), "bias_relu",
                               AddReluProgram(), {Weight({33})}));
  cases.push_back(WithEpilogue(MakeCase("MatMul/epilogue_batch", {}, {Fed({3, 5, 8}), Fed({3, 8, 6})}), "residual",
                               AddReluProgram(), {Fed({3, 5, 6})}));
  cases.push_back(MakeCase("MatMul/strassen", {}, {Fed({2, 49, 194}), Weight({194, 384})}));
  cases.push_back(MayFallBack(MakeCase("MatMul/i32", {}, {Fed({3, 4}, DataType::kI32), Fed({4, 5}, DataType::kI32)})));
}

}  // namespace

std::vector<OpCase> ProductCases() {
  std::vector<OpCase> cases;
  AddGemmSizes(cases);
  AddGemmForms(cases);
  AddMatMul(cases);
  return cases;
}

}  // namespace moka
