// What every operator refuses, and that the message names the attribute or the operand.
#include <gtest/gtest.h>

#include "tests/conformance/cases.h"
#include "tests/ops/bad_case.h"

namespace moka {
namespace {

const DataType kI64 = DataType::kI64;
const DataType kF64 = DataType::kF64;
AttributeValue Int(int64_t value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }

TEST(BadInput, Conv) {
  const CaseOperand x = Fed({1, 4, 5, 5}), w = Fed({6, 4, 3, 3});
  ExpectRefused({
      {"Conv", {}, {Fed({4, 5}), w}, "src 0: rank 2"},
      {"Conv", {}, {x, Fed({6, 4, 3})}, "src 1: rank 3"},
      {"Conv", {}, {Fed({1, 4, 5, 5}, kI64), w}, "src 0 is i64"},
      {"Conv", {}, {x, Fed({6, 4, 3, 3}, kF64)}, "src 1 is f64"},
      {"Conv", {}, {x, Fed({6, 3, 3, 3})}, "channels of src 0"},
      {"Conv", Attrs({{"group", Int(2)}}), {x, w}, "channels of src 0"},
      {"Conv", Attrs({{"group", Int(0)}}), {x, w}, "attribute 'group' is 0"},
      {"Conv", Attrs({{"group", Int(4)}}), {x, Fed({6, 1, 3, 3})}, "do not divide into group = 4"},
      {"Conv", {}, {x, w, Fed({5})}, "elements of src 2 (bias)"},
      {"Conv", {}, {x, w, Fed({6, 1})}, "src 2: rank 2"},
      {"Conv", Attrs({{"kernel_shape", List({3, 2})}}), {x, w}, "'kernel_shape' has 2 along spatial dimension 1"},
      {"Conv", Attrs({{"strides", List({1})}}), {x, w}, "'strides' has 1 elements, expected 2"},
      {"Conv", Attrs({{"strides", List({1, 0})}}), {x, w}, "'strides' has an element of 0"},
      {"Conv", Attrs({{"dilations", List({1, -1})}}), {x, w}, "'dilations' has an element of -1"},
      {"Conv", Attrs({{"dilations", List({1, INT64_MAX})}}), {x, w}, "'dilations'"},
      {"Conv", Attrs({{"pads", List({1, 1})}}), {x, w}, "'pads' has 2 elements, expected 4"},
      {"Conv", Attrs({{"pads", List({0, 0, 0, -1})}}), {x, w}, "'pads' has an element of -1"},
      {"Conv", Attrs({{"auto_pad", Text("SAME")}}), {x, w}, "'auto_pad' is 'SAME'"},
      {"Conv", Attrs({{"group", Text("1")}}), {x, w}, "attribute 'group' has the wrong type"},
      {"Conv", Attrs({{"pads", Int(1)}}), {x, w}, "attribute 'pads' is not a list"},
      {"Conv", {}, {Fed({1, 4, 2, 5}), w}, "the window spans 3"},
      {"Conv", {}, {Fed({1, 1, 2, 2, 2, 2}), Fed({1, 1, 1, 1, 1, 1})}, "4 spatial dimensions"},
      {"Conv", {}, {x, Fed({6, 4, 0, 3})}, "kernel of 0"},
  });
}

TEST(BadInput, Pool) {
  const CaseOperand x = Fed({1, 4, 5, 5});
  const Attributes two = Attrs({{"kernel_shape", List({2, 2})}});
  Attributes wide = two, order = two;
  wide.Set("pads", List({2, 0, 0, 0}));
  order.Set("storage_order", int64_t{2});
  ExpectRefused({
      {"MaxPool", {}, {x}, "'kernel_shape' is missing"},
      {"MaxPool", Attrs({{"kernel_shape", List({2})}}), {x}, "'kernel_shape' has 1 elements"},
      {"MaxPool", two, {Fed({4, 5})}, "src 0: rank 2"},
      {"MaxPool", two, {Fed({1, 4, 5, 5}, kI64)}, "src 0 is i64"},
      {"MaxPool", wide, {x}, "attribute 'pads'"},
      {"MaxPool", order, {x}, "'storage_order' is 2"},
      {"AveragePool", Attrs({{"kernel_shape", List({6, 6})}}), {x}, "the window spans 6"},
      {"AveragePool", two, {Fed({1, 4, 5, 5}, DataType::kI8)}, "src 0 is i8"},
      {"GlobalAveragePool", {}, {Fed({4, 5})}, "src 0: rank 2"},
      {"GlobalAveragePool", {}, {Fed({1, 1, 2, 2, 2, 2})}, "4 spatial dimensions"},
  });
}

TEST(BadInput, Products) {
  ExpectRefused({
      {"Gemm", {}, {Fed({2, 3}), Fed({2, 3})}, "columns of src 0 and rows of src 1"},
      {"Gemm", Attrs({{"transA", Int(1)}}), {Fed({2, 3}), Fed({3, 4})}, "columns of src 0"},
      {"Gemm", {}, {Fed({2, 3, 1}), Fed({3, 4})}, "src 0: rank 3"},
      {"Gemm", {}, {Fed({2, 3}), Fed({3, 4}), Fed({3})}, "broadcast"},
      {"Gemm", {}, {Fed({1, 3}), Fed({3, 4}), Fed({2, 4})}, "src 2: dimension 2 does not broadcast to 1"},
      {"Gemm", {}, {Fed({2, 3}), Fed({3, 4}), Fed({4}, kF64)}, "src 2 is f64"},
      {"Gemm", Attrs({{"alpha", Int(1)}}), {Fed({2, 3}), Fed({3, 4})}, "'alpha' has the wrong type"},
      {"MatMul", {}, {Fed({2, 3}), Fed({2, 3})}, "columns of src 0 and rows of src 1"},
      {"MatMul", {}, {Fed({}), Fed({2, 3})}, "src 0: rank 0"},
      {"MatMul", {}, {Fed({2, 2, 3}), Fed({3, 3, 4})}, "broadcast of dim 0"},
      {"MatMul", {}, {Fed({2, 3}, DataType::kBool), Fed({3, 2}, DataType::kBool)}, "src 0 is bool"},
  });
}

TEST(BadInput, Rows) {
  const CaseOperand x = Fed({2, 3, 4}), c = Fed({3});
  const std::vector<CaseOperand> norm = {x, c, c, c, c};
  ExpectRefused({
      {"BatchNormalization", {}, {x, c, c, c, Fed({4})}, "src 4 (input_var)"},
      {"BatchNormalization", {}, {x, Fed({3, 1}), c, c, c}, "src 1: rank 2"},
      {"BatchNormalization", {}, norm, "dst 1", 3},
      {"BatchNormalization", {}, {x, c, c, c}, "inputs: 4"},
      {"Softmax", Attrs({{"axis", Int(3)}}), {x}, "attribute 'axis' 3"},
      {"Softmax", {}, {Fed({3}, kI64)}, "src 0 is i64"},
      {"Softmax", {}, {Fed({})}, "src 0: rank 0"},
      {"ReduceMean", {}, {x, Ints({3})}, "src 1 (axes) 3"},
      {"ReduceMean", {}, {x, Ints({1, -2})}, "src 1 (axes) name axis 1 twice"},
      {"ReduceMean", {}, {x, Fed({1})}, "src 1 is f32"},
      {"ReduceMean", {}, {Fed({2}, DataType::kBool)}, "src 0 is bool"},
      {"ReduceMean", Attrs({{"keepdims", Text("no")}}), {x}, "'keepdims' has the wrong type"},
  });
}

TEST(BadInput, Shapes) {
  const CaseOperand x = Fed({2, 3, 4});
  ExpectRefused({
      {"Reshape", {}, {x, Ints({5, 5})}, "elements of src 0 and of src 1 (shape)"},
      {"Reshape", {}, {x, Ints({-1, -1})}, "more than one -1"},
      {"Reshape", {}, {x, Ints({-1, 5})}, "do not divide into rows of 5"},
      {"Reshape", {}, {x, Ints({-2, 12})}, "dimension of -2"},
      {"Reshape", {}, {x, Ints({2, 3, 4, 0})}, "0 at 3"},
      {"Reshape", Attrs({{"allowzero", Int(1)}}), {Fed({0, 3}), Ints({0, -1})}, "-1 beside a dimension of 0"},
      {"Reshape", {}, {x, Ints({1, 1, 1, 1, 1, 1, 1, 1, -1})}, "rank 9"},
      {"Reshape", {}, {x, Fed({2}, kI64)}, "src 1 determines a shape"},
      {"Flatten", Attrs({{"axis", Int(4)}}), {x}, "attribute 'axis' is 4"},
      {"Squeeze", {}, {x, Ints({0})}, "squeezed dimension 0"},
      {"Squeeze", {}, {x, Ints({3})}, "src 1 (axes) 3"},
      {"Unsqueeze", {}, {x, Ints({0, 0})}, "name axis 0 twice"},
      {"Unsqueeze", {}, {x, Ints({4})}, "src 1 (axes) 4"},
      {"Unsqueeze", {}, {x, Ints({0, 1, 2, 3, 4, 5})}, "rank 9"},
      {"Transpose", Attrs({{"perm", List({0, 1})}}), {x}, "'perm' has 2 elements"},
      {"Transpose", Attrs({{"perm", List({0, 1, 1})}}), {x}, "'perm' is no permutation: element 2 is 1"},
      {"Transpose", Attrs({{"perm", List({0, 1, 3})}}), {x}, "'perm' is no permutation"},
      {"Shape", Attrs({{"start", Text("0")}}), {x}, "'start' has the wrong type"},
  });
}

TEST(BadInput, PartsAndPads) {
  const CaseOperand x = Fed({2, 3, 4});
  ExpectRefused({
      {"Concat", {}, {x, x}, "'axis' is missing"},
      {"Concat", Attrs({{"axis", Int(3)}}), {x, x}, "attribute 'axis' 3"},
      {"Concat", Attrs({{"axis", Int(0)}}), {x, Fed({2, 3})}, "src 1: rank 2"},
      {"Concat", Attrs({{"axis", Int(0)}}), {x, Fed({2, 3, 5})}, "dimension 2 of src 1"},
      {"Concat", Attrs({{"axis", Int(0)}}), {x, Fed({2, 3, 4}, kI64)}, "src 1 is i64"},
      {"Concat", Attrs({{"axis", Int(0)}}), {x, Absent()}, "src 1 is missing"},
      {"Split", Attrs({{"axis", Int(1)}}), {x, Ints({1, 1})}, "sum of src 1 (split)", 2},
      {"Split", Attrs({{"axis", Int(1)}}), {x, Ints({4, -1})}, "size of -1", 2},
      {"Split", Attrs({{"axis", Int(1)}}), {x, Ints({3})}, "src 1 (split) has 1 elements", 2},
      {"Split", Attrs({{"num_outputs", Int(3)}}), {x}, "'num_outputs' is 3", 2},
      {"Split", Attrs({{"num_outputs", Int(2)}}), {x, Ints({1, 1})}, "exclude each other", 2},
      {"Split", Attrs({{"axis", Int(1)}}), {Fed({2, 5}), Absent()}, "parts of 2 exceed", 4},
      {"Slice", {}, {x, Ints({0, 0}), Ints({1})}, "src 1 (starts) has 2 elements"},
      {"Slice", {}, {x, Ints({0}), Ints({1}), Ints({3})}, "src 3 (axes) 3"},
      {"Slice", {}, {x, Ints({0, 0}), Ints({1, 1}), Ints({1, 1})}, "name axis 1 twice"},
      {"Slice", {}, {x, Ints({0}), Ints({1}), Ints({0}), Ints({0})}, "step of 0"},
      {"Slice", {}, {x, Ints({0}), Ints({1}), Ints({0}), Ints({1, 1})}, "src 4 (steps) has 2 elements"},
      {"Slice", {}, {x, Ints({0, 0, 0, 0}), Ints({1, 1, 1, 1})}, "src 0 has rank 3"},
      {"Slice", {}, {x, Fed({1}), Ints({1})}, "src 1 is f32"},
      {"Pad", {}, {x, Ints({1, 1})}, "src 1 (pads) has 2 elements"},
      {"Pad", {}, {x, Ints({0, 0, 0, 0, 0, -5})}, "leave -1 elements of dimension 2"},
      {"Pad", Attrs({{"mode", Text("mirror")}}), {x, Ints({0, 0, 0, 0, 0, 0})}, "'mode' is 'mirror'"},
      {"Pad", {}, {x, Ints({0, 0}), Absent(), Ints({5})}, "src 3 (axes) 5"},
      {"Pad", {}, {x, Ints({0, 0, 0, 0, 0, 0}), Fed({}, kI64)}, "src 2 is i64"},
      {"Pad", Attrs({{"mode", Text("edge")}}), {Fed({0}), Ints({1, 0})}, "is empty: nothing to repeat"},
      {"Gather", {}, {x, Fed({2})}, "src 1 is f32"},
      {"Gather", Attrs({{"axis", Int(-4)}}), {x, Ints({0})}, "attribute 'axis' -4"},
      {"Gather", {}, {x, Ints({0, 2})}, "src 1 (indices): element 1 is 2, expected -2 to 1"},
      {"Gather", {}, {Fed({}), Ints({0})}, "src 0: rank 0"},
  });
}

TEST(BadInput, NumberOfOperands) {
  ExpectRefused({
      {"Conv", {}, {Fed({1, 1, 1})}, "inputs: 1, expected 2 to 3"},
      {"Softmax", {}, {Fed({1}), Fed({1})}, "inputs: 2"},
      {"Reshape", {}, {Fed({1})}, "inputs: 1"},
  });
}

}  // namespace
}  // namespace moka
