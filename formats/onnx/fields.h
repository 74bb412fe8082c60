// Field numbers and enumerations of the ONNX protobuf schema (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto),
// those that moka reads or its tests write.
#ifndef MOKA_FORMATS_ONNX_FIELDS_H_
#define MOKA_FORMATS_ONNX_FIELDS_H_

#include <cstdint>

namespace moka::onnx {

struct ModelFields {
  enum : uint32_t { kIrVersion = 1, kGraph = 7, kOpsetImport = 8, kMetadata = 14, kFunctions = 25 };
};
struct OperatorSetFields {
  enum : uint32_t { kDomain = 1, kVersion = 2 };
};
struct FunctionFields {
  enum : uint32_t {
    kName = 1,
    kInput = 4,
    kOutput = 5,
    kNode = 7,
    kOpsetImport = 9,
    kDomain = 10,
    kAttributeProto = 11
  };
};
struct GraphFields {
  enum : uint32_t {
    kNode = 1,
    kName = 2,
    kInitializer = 5,
    kInput = 11,
    kOutput = 12,
    kValueInfo = 13,
    kSparseInitializer = 15
  };
};
struct NodeFields {
  enum : uint32_t { kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7 };
};
struct AttributeFields {
  enum : uint32_t {
    kName = 1,
    kFloat = 2,
    kInt = 3,
    kString = 4,
    kTensor = 5,
    kGraph = 6,
    kFloats = 7,
    kInts = 8,
    kStrings = 9,
    kTensors = 10,
    kGraphs = 11,
    kTypeProto = 14,
    kTypeProtos = 15,
    kType = 20,
    kRefName = 21,
    kSparseTensor = 22,
    kSparseTensors = 23
  };
};
struct TensorFields {
  enum : uint32_t {
    kDims = 1,
    kDataType = 2,
    kSegment = 3,
    kFloatData = 4,
    kInt32Data = 5,
    kStringData = 6,
    kInt64Data = 7,
    kName = 8,
    kRawData = 9,
    kDoubleData = 10,
    kUint64Data = 11,
    kExternalData = 13,
    kDataLocation = 14
  };
};
struct SparseTensorFields {
  enum : uint32_t { kValues = 1, kIndices = 2, kDims = 3 };
};
struct StringEntryFields {
  enum : uint32_t { kKey = 1, kValue = 2 };
};
struct ValueInfoFields {
  enum : uint32_t { kName = 1, kType = 2 };
};
struct TypeFields {
  enum : uint32_t { kTensor = 1, kSequence = 4, kMap = 5, kOpaque = 7, kSparseTensor = 8, kOptional = 9 };
};
// Map of TypeProto.
struct MapTypeFields {
  enum : uint32_t { kKeyType = 1, kValueType = 2 };
};
// Sequence and Optional of TypeProto.
struct ContainerFields {
  enum : uint32_t { kElementType = 1 };
};
// SequenceProto and OptionalProto, whose values are their elements or their one value.
struct DatumFields {
  enum : uint32_t { kName = 1, kTensor = 3, kSparseTensor = 4, kSequence = 5, kMap = 6, kOptional = 7 };
};
struct MapFields {
  enum : uint32_t { kName = 1, kKeyType = 2, kKeys = 3, kStringKeys = 4, kValues = 5 };
};
struct TensorTypeFields {
  enum : uint32_t { kElementType = 1, kShape = 2 };
};
struct ShapeFields {
  enum : uint32_t { kDim = 1 };
};
struct DimensionFields {
  enum : uint32_t { kValue = 1, kParam = 2 };
};

// AttributeProto.AttributeType.
enum class AttributeKind : int64_t {
  kUndefined,
  kFloat,
  kInt,
  kString,
  kTensor,
  kGraph,
  kFloats,
  kInts,
  kStrings,
  kTensors,
  kGraphs,
  kSparseTensor,
  kSparseTensors,
  kTypeProto,
  kTypeProtos,
};

// TensorProto.DataLocation.
inline constexpr int64_t kLocationDefault = 0;
inline constexpr int64_t kLocationExternal = 1;

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_FIELDS_H_
