// Running an operator that works between plans on literal data.
#ifndef MOKA_TESTS_OPS_RUN_HOST_OP_H_
#define MOKA_TESTS_OPS_RUN_HOST_OP_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ops/element.h"
#include "ops/op.h"
#include "tests/conformance/cases.h"

namespace moka {

inline Datum NumbersOf(Shape shape, const std::vector<double>& values, DataType type = DataType::kF32) {
  Result<Tensor> tensor = Tensor::Create(type, shape);
  EXPECT_TRUE(tensor.ok());
  const TensorDesc desc = MakeDense(type, shape);
  for (size_t i = 0; i < values.size(); ++i) Store<double>(desc, tensor->data(), static_cast<int64_t>(i), values[i]);
  return Datum(std::move(tensor).value());
}

inline Datum TextsOf(Shape shape, const std::vector<std::string>& values) {
  Result<Tensor> tensor = Tensor::Create(DataType::kString, std::move(shape));
  EXPECT_TRUE(tensor.ok());
  for (size_t i = 0; i < values.size(); ++i) tensor->as<std::string>()[i] = values[i];
  return Datum(std::move(tensor).value());
}

inline std::vector<double> NumbersIn(const Tensor& tensor) {
  std::vector<double> values;
  for (int64_t i = 0; i < tensor.size(); ++i) values.push_back(tensor.NumberAt(i));
  return values;
}
inline std::vector<std::string> TextsIn(const Tensor& tensor) {
  return {tensor.as<std::string>(), tensor.as<std::string>() + tensor.size()};
}

// `name`: "NonZero", "ai.onnx.ml.ZipMap". A Datum that is nothing stands for an absent operand.
inline Result<std::vector<Datum>> RunHostOp(const std::string& name, const std::vector<Datum>& src,
                                            Attributes attrs = {}, size_t results = 1) {
  HostCall call;
  const size_t dot = name.rfind('.');
  call.op = dot == std::string::npos ? FindOp("", name) : FindOp(name.substr(0, dot), name.substr(dot + 1));
  if (call.op == nullptr || call.op->execute == nullptr) return NotFound("operator ", name);
  std::vector<const Datum*> pointers;
  for (const Datum& datum : src) pointers.push_back(datum.is_none() ? nullptr : &datum);
  std::vector<Datum> dst(results);
  call.attrs = &attrs;
  call.name = "test";
  call.src = pointers;
  call.dst = dst;
  if (Status status = call.op->execute(call); !status.ok()) return status;
  return dst;
}

inline void ExpectTensor(const Datum& got, const Shape& shape, const std::vector<double>& values) {
  ASSERT_TRUE(got.is_tensor()) << ToString(got);
  EXPECT_EQ(got.tensor().shape(), shape);
  EXPECT_EQ(NumbersIn(got.tensor()), values);
}

// The operator refuses, and the message contains `expected`.
inline void ExpectHostRefusal(const std::string& name, const std::vector<Datum>& src, const std::string& expected,
                              Attributes attrs = {}) {
  SCOPED_TRACE(name + ": " + expected);
  const auto results = RunHostOp(name, src, std::move(attrs));
  ASSERT_FALSE(results.ok());
  EXPECT_NE(results.status().message().find(expected), std::string::npos) << results.status().message();
}

}  // namespace moka

#endif  // MOKA_TESTS_OPS_RUN_HOST_OP_H_
