#include "formats/onnx/types.h"

#include <iterator>

#include "base/str_cat.h"

namespace moka::onnx {
namespace {

struct Row {
  const char* name;
  DataType type;
};
// In the order of TensorProto.DataType.
constexpr Row kRows[] = {
    {"UNDEFINED", DataType::kNone},
    {"FLOAT", DataType::kF32},
    {"UINT8", DataType::kU8},
    {"INT8", DataType::kI8},
    {"UINT16", DataType::kU16},
    {"INT16", DataType::kI16},
    {"INT32", DataType::kI32},
    {"INT64", DataType::kI64},
    {"STRING", DataType::kString},
    {"BOOL", DataType::kBool},
    {"FLOAT16", DataType::kF16},
    {"DOUBLE", DataType::kF64},
    {"UINT32", DataType::kU32},
    {"UINT64", DataType::kU64},
    {"COMPLEX64", DataType::kNone},
    {"COMPLEX128", DataType::kNone},
    {"BFLOAT16", DataType::kBF16},
    {"FLOAT8E4M3FN", DataType::kF8E4M3FN},
    {"FLOAT8E4M3FNUZ", DataType::kF8E4M3FNUZ},
    {"FLOAT8E5M2", DataType::kF8E5M2},
    {"FLOAT8E5M2FNUZ", DataType::kF8E5M2FNUZ},
    {"UINT4", DataType::kU4},
    {"INT4", DataType::kI4},
    {"FLOAT4E2M1", DataType::kF4E2M1},
    {"FLOAT8E8M0", DataType::kF8E8M0},
    {"UINT2", DataType::kU2},
    {"INT2", DataType::kI2},
};
constexpr int64_t kNumRows = std::size(kRows);

bool IsKnown(int64_t data_type) { return data_type >= 0 && data_type < kNumRows; }

}  // namespace

DataType FromOnnx(int64_t data_type) { return IsKnown(data_type) ? kRows[data_type].type : DataType::kNone; }

int32_t ToOnnx(DataType type) {
  if (type == DataType::kNone) return 0;
  int32_t i = 0;
  while (kRows[i].type != type) ++i;
  return i;
}

std::string OnnxTypeName(int64_t data_type) {
  return IsKnown(data_type) ? kRows[data_type].name : StrCat("number ", data_type);
}

int64_t OnnxTypeOfName(std::string_view name) {
  for (int64_t i = 1; i < kNumRows; ++i) {
    if (name == kRows[i].name) return i;
  }
  return 0;
}

}  // namespace moka::onnx
