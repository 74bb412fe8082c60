// What operators of ai.onnx.ml share: lists in attributes that may be integers, floats, strings or a tensor; class
// labels; the transforms of scores.
#ifndef MOKA_OPS_ML_ATTRIBUTE_LIST_H_
#define MOKA_OPS_ML_ATTRIBUTE_LIST_H_

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ops/infer.h"
#include "ops/string_tensor.h"

namespace moka {

inline constexpr std::initializer_list<DataType> kMlNumbers = {DataType::kF32, DataType::kF64, DataType::kI64,
                                                               DataType::kI32};

// A view of one attribute; it lives as long as the attributes do.
class AttributeList {
 public:
  AttributeList() = default;
  // The first of the names that is there; absent: !present().
  static Result<AttributeList> Find(const Attributes& attrs, std::initializer_list<std::string_view> names);

  bool present() const { return value_ != nullptr; }
  DataType type() const { return type_; }  // of the elements
  int64_t size() const { return size_; }
  double Number(int64_t i) const;  // 0 for strings
  int64_t Int(int64_t i) const;
  StringPointer Text(int64_t i) const;  // strings only
  // Element i becomes the element of a result of type type().
  void StoreTo(void* dst, const TensorDesc& desc, int64_t offset, int64_t i) const;

 private:
  const AttributeValue* value_ = nullptr;
  DataType type_ = DataType::kNone;
  int64_t size_ = 0;
};

// A number or text as a key: equal elements of any type give equal keys (NaN is NaN, -0 is 0).
std::string NumberKey(double value);
std::string IntKey(int64_t value);
std::string KeyOf(const AttributeList& list, int64_t i);
std::string KeyOf(const TensorDesc& desc, const void* data, int64_t offset);

// Rows and columns of [N, F] or [F], which is one row.
struct MlRows {
  int64_t rows, columns, row_stride, column_stride;
  static MlRows Of(const TensorDesc& desc);
};
Status CheckMlRows(const InferContext& ctx, size_t src);

enum class PostTransform { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };
Status ReadPostTransform(const Attributes& attrs, PostTransform* transform);
void ApplyPostTransform(PostTransform transform, std::span<double> scores);
double Logistic(double x);
double Probit(double x);

}  // namespace moka

#endif  // MOKA_OPS_ML_ATTRIBUTE_LIST_H_
