#include "formats/onnx/attribute_reader.h"

#include <string>
#include <utility>
#include <vector>

#include "formats/onnx/fields.h"
#include "formats/onnx/sparse_reader.h"
#include "formats/onnx/tensor_reader.h"
#include "formats/onnx/wire.h"

namespace moka::onnx {
namespace {

std::string NameOf(AttributeKind kind) {
  constexpr const char* kNames[] = {"UNDEFINED",      "FLOAT",      "INT",        "STRING",  "TENSOR", "GRAPH",
                                    "FLOATS",         "INTS",       "STRINGS",    "TENSORS", "GRAPHS", "SPARSE_TENSOR",
                                    "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
  const auto i = static_cast<size_t>(kind);
  return i < std::size(kNames) ? kNames[i] : StrCat("number ", static_cast<int64_t>(kind));
}

struct AttributeProto {
  int64_t type = 0;
  AttributeKind held = AttributeKind::kUndefined;  // the kind of the value that is there
  std::string_view reference;                      // the attribute of the call that it stands for
  float f = 0;
  int64_t i = 0;
  std::string_view bytes;  // of a string, tensor or graph
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
};

Status Hold(AttributeKind kind, AttributeProto* proto) {
  if (proto->held != AttributeKind::kUndefined && proto->held != kind) {
    return InvalidModel("holds a ", NameOf(proto->held), " and a ", NameOf(kind));
  }
  proto->held = kind;
  return Status();
}

// The field of the kind's value; UNDEFINED for fields that hold no value.
AttributeKind KindOfField(uint32_t field) {
  using F = AttributeFields;
  constexpr std::pair<uint32_t, AttributeKind> kKinds[] = {
      {F::kFloat, AttributeKind::kFloat},
      {F::kInt, AttributeKind::kInt},
      {F::kString, AttributeKind::kString},
      {F::kTensor, AttributeKind::kTensor},
      {F::kGraph, AttributeKind::kGraph},
      {F::kFloats, AttributeKind::kFloats},
      {F::kInts, AttributeKind::kInts},
      {F::kStrings, AttributeKind::kStrings},
      {F::kTensors, AttributeKind::kTensors},
      {F::kGraphs, AttributeKind::kGraphs},
      {F::kTypeProto, AttributeKind::kTypeProto},
      {F::kTypeProtos, AttributeKind::kTypeProtos},
      {F::kSparseTensor, AttributeKind::kSparseTensor},
      {F::kSparseTensors, AttributeKind::kSparseTensors},
  };
  for (const auto& [number, kind] : kKinds) {
    if (number == field) return kind;
  }
  return AttributeKind::kUndefined;
}

void TakeValue(Fields& fields, AttributeKind kind, AttributeProto* proto) {
  switch (kind) {
    case AttributeKind::kFloat:
      proto->f = fields.Float();
      break;
    case AttributeKind::kInt:
      proto->i = fields.Int();
      break;
    case AttributeKind::kFloats:
      fields.AppendFloats(&proto->floats);
      break;
    case AttributeKind::kInts:
      fields.AppendInts(&proto->ints);
      break;
    case AttributeKind::kStrings:
      proto->strings.push_back(fields.String());
      break;
    default:
      proto->bytes = fields.Bytes();
  }
}

Status ParseAttribute(std::string_view bytes, AttributeProto* proto, std::string_view* name) {
  for (Fields fields(bytes); fields.Next();) {
    const AttributeKind kind = KindOfField(fields.field());
    if (kind != AttributeKind::kUndefined) {
      MOKA_RETURN_IF_ERROR(Hold(kind, proto));
      TakeValue(fields, kind, proto);
    } else if (fields.field() == AttributeFields::kName) {
      *name = fields.Bytes();
    } else if (fields.field() == AttributeFields::kType) {
      proto->type = fields.Int();
    } else if (fields.field() == AttributeFields::kRefName) {
      proto->reference = fields.Bytes();
    } else {
      fields.Skip();
    }
  }
  return Status();
}

// Files before IR version 2 state no type; files whose writer leaves out zeros, and empty lists, hold no value.
Result<AttributeKind> ResolveKind(const AttributeProto& proto) {
  const auto stated = static_cast<AttributeKind>(proto.type);
  if (stated == AttributeKind::kUndefined) {
    if (proto.held == AttributeKind::kUndefined) return InvalidModel("has neither a type nor a value");
    return proto.held;
  }
  if (proto.held != AttributeKind::kUndefined && proto.held != stated) {
    return InvalidModel("states the type ", NameOf(stated), " and holds a ", NameOf(proto.held));
  }
  return stated;
}

Result<AttributeValue> MakeValue(AttributeKind kind, AttributeProto& proto, ReadContext& context,
                                 const SubgraphReader& read_subgraph) {
  switch (kind) {
    case AttributeKind::kFloat:
      return AttributeValue(proto.f);
    case AttributeKind::kInt:
      return AttributeValue(proto.i);
    case AttributeKind::kString:
      return AttributeValue(std::string(proto.bytes));
    case AttributeKind::kTypeProto:  // the type of an empty optional, which nothing depends on
      return AttributeValue(std::string(proto.bytes));
    case AttributeKind::kFloats:
      return AttributeValue(std::move(proto.floats));
    case AttributeKind::kInts:
      return AttributeValue(std::move(proto.ints));
    case AttributeKind::kStrings:
      return AttributeValue(std::move(proto.strings));
    case AttributeKind::kTensor: {
      std::string_view tensor_name;
      MOKA_ASSIGN_OR_RETURN(HostTensor tensor, ReadTensor(proto.bytes, context, &tensor_name));
      return AttributeValue(std::move(tensor));
    }
    case AttributeKind::kSparseTensor: {
      std::string_view tensor_name;
      MOKA_ASSIGN_OR_RETURN(HostTensor tensor, ReadSparseTensor(proto.bytes, context, &tensor_name));
      return AttributeValue(std::move(tensor));
    }
    case AttributeKind::kGraph: {
      MOKA_ASSIGN_OR_RETURN(auto subgraph, read_subgraph(proto.bytes));
      return AttributeValue(std::move(subgraph));
    }
    case AttributeKind::kUndefined:
    case AttributeKind::kTensors:
    case AttributeKind::kGraphs:
    case AttributeKind::kSparseTensors:
    case AttributeKind::kTypeProtos:
      return Unsupported("values of kind ", NameOf(kind));
  }
  return InvalidModel("states the type ", NameOf(kind), ", which the standard does not know");
}

}  // namespace

Status ReadAttribute(std::string_view bytes, ReadContext& context, const SubgraphReader& read_subgraph,
                     const Attributes* of_call, Attributes* attrs, std::string_view* name) {
  return Guard([&]() -> Status {
    AttributeProto proto;
    MOKA_RETURN_IF_ERROR(ParseAttribute(bytes, &proto, name));
    if (name->empty()) return InvalidModel("has no name");
    if (attrs->Has(*name)) return InvalidModel("is there twice");
    if (!proto.reference.empty()) {
      if (of_call == nullptr) return InvalidModel("refers to an attribute of a function, outside of one");
      if (const AttributeValue* value = of_call->Find(proto.reference)) attrs->Set(*name, *value);
      return Status();
    }
    MOKA_ASSIGN_OR_RETURN(const AttributeKind kind, ResolveKind(proto));
    MOKA_ASSIGN_OR_RETURN(AttributeValue value, MakeValue(kind, proto, context, read_subgraph));
    attrs->Set(*name, std::move(value));
    return Status();
  });
}

}  // namespace moka::onnx
