#include "formats/onnx/value_info.h"

#include "base/tensor_size.h"
#include "formats/onnx/fields.h"
#include "formats/onnx/types.h"
#include "formats/onnx/wire.h"
#include "ops/tensor_desc.h"

namespace moka::onnx {
namespace {

void ReadDim(std::string_view bytes, DeclaredDim* dim) {
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case DimensionFields::kValue:
        dim->value = fields.Int();
        dim->known = dim->value != -1;  // so some exporters write a dimension that is not known
        break;
      case DimensionFields::kParam:
        dim->param = fields.Bytes();
        if (dim->param == "?") dim->param = {};  // an exporter's word for no name: not the same for every dimension
        break;
      default:
        fields.Skip();
    }
  }
}

void ReadShape(std::string_view bytes, DeclaredValue* value) {
  value->ranked = true;
  for (Fields fields(bytes); fields.Next();) {
    if (fields.field() == ShapeFields::kDim) {
      ReadDim(fields.Bytes(), &value->dims.emplace_back());
    } else {
      fields.Skip();
    }
  }
}

void ReadTensorType(std::string_view bytes, DeclaredValue* value) {
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case TensorTypeFields::kElementType: {
        const int64_t number = fields.Int();
        value->type = FromOnnx(number);
        if (number != 0 && SizeOf(value->type) == 0) value->refusal = "of type " + OnnxTypeName(number);
        break;
      }
      case TensorTypeFields::kShape:
        ReadShape(fields.Bytes(), value);
        break;
      default:
        fields.Skip();
    }
  }
}

constexpr int kMaxTypeDepth = 8;

void ReadType(std::string_view bytes, int depth, DeclaredValue* value);

// A sequence or an optional: of dims inside nothing is declared. The outermost kind counts.
void ReadContainer(std::string_view bytes, ValueKind kind, int depth, DeclaredValue* value) {
  for (Fields fields(bytes); fields.Next();) {
    if (fields.field() == ContainerFields::kElementType) {
      ReadType(fields.Bytes(), depth + 1, value);
    } else {
      fields.Skip();
    }
  }
  value->kind = kind;
  value->ranked = false;
  value->dims.clear();
}

// Of the values, only the element type is kept.
void ReadMap(std::string_view bytes, int depth, DeclaredValue* value) {
  DeclaredValue values;
  for (Fields fields(bytes); fields.Next();) {
    if (fields.field() == MapTypeFields::kKeyType) {
      const int64_t key = fields.Int();
      const DataType type = FromOnnx(key);
      if (type != DataType::kI64 && type != DataType::kString) value->refusal = "a map from " + OnnxTypeName(key);
    } else if (fields.field() == MapTypeFields::kValueType) {
      ReadType(fields.Bytes(), depth + 1, &values);
    } else {
      fields.Skip();
    }
  }
  if (values.kind != ValueKind::kTensor) value->refusal = "a map to other things than tensors";
  if (!values.refusal.empty()) value->refusal = "a map to values that are " + values.refusal;
  value->kind = ValueKind::kMap;
  value->type = values.type;
}

void ReadType(std::string_view bytes, int depth, DeclaredValue* value) {
  if (depth > kMaxTypeDepth) {
    value->refusal = StrCat("a type nested more than ", kMaxTypeDepth, " deep");
    return;
  }
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case TypeFields::kTensor:
        ReadTensorType(fields.Bytes(), value);
        break;
      case TypeFields::kSequence:
        ReadContainer(fields.Bytes(), ValueKind::kSequence, depth, value);
        break;
      case TypeFields::kMap:
        ReadMap(fields.Bytes(), depth, value);
        break;
      case TypeFields::kOpaque:
        value->refusal = "an opaque type";
        fields.Skip();
        break;
      case TypeFields::kSparseTensor:
        value->refusal = "a sparse tensor";
        fields.Skip();
        break;
      case TypeFields::kOptional:
        ReadContainer(fields.Bytes(), ValueKind::kOptional, depth, value);
        break;
      default:
        fields.Skip();
    }
  }
}

// Symbolic dimensions count as 1.
Status CheckDims(const ModelOptions& options, DeclaredValue* value) {
  if (value->dims.size() > kMaxRank) {
    value->refusal = StrCat("of rank ", value->dims.size());
    value->ranked = false;
    value->dims.clear();
    return Status();
  }
  Shape shape;
  for (const DeclaredDim& dim : value->dims) shape.push_back(dim.known ? dim.value : 1);
  Result<TensorSize> size = SizeOfTensor(value->type, shape);
  if (!size.ok()) return InvalidModel(size.status().message());
  if (size->bytes > options.max_tensor_bytes) {
    return InvalidModel("shape ", ToString(shape), " has ", size->bytes, " bytes, the limit is ",
                        options.max_tensor_bytes);
  }
  return Status();
}

}  // namespace

Status ReadValueInfo(std::string_view bytes, const ModelOptions& options, DeclaredValue* value) {
  return Guard([&]() -> Status {
    for (Fields fields(bytes); fields.Next();) {
      switch (fields.field()) {
        case ValueInfoFields::kName:
          value->name = fields.Bytes();
          break;
        case ValueInfoFields::kType:
          ReadType(fields.Bytes(), 0, value);
          break;
        default:
          fields.Skip();
      }
    }
    return CheckDims(options, value);
  });
}

}  // namespace moka::onnx
