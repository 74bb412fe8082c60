#include "formats/onnx/tensor_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "base/tensor_size.h"
#include "formats/onnx/fields.h"
#include "formats/onnx/string_entry.h"
#include "formats/onnx/types.h"
#include "formats/onnx/wire.h"
#include "ops/string_tensor.h"

namespace moka::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and are used where they lie");

using WireType = protozero::pbf_wire_type;

// The repeated fields that hold elements as numbers.
struct TypedField {
  uint32_t field;
  const char* name;
  WireType wire_type;
};
constexpr TypedField kTypedFields[] = {
    {TensorFields::kFloatData, "float_data", WireType::fixed32},
    {TensorFields::kInt32Data, "int32_data", WireType::varint},
    {TensorFields::kInt64Data, "int64_data", WireType::varint},
    {TensorFields::kDoubleData, "double_data", WireType::fixed64},
    {TensorFields::kUint64Data, "uint64_data", WireType::varint},
};
constexpr size_t kNumTypedFields = std::size(kTypedFields);

// The field that the standard gives to each type.
uint32_t FieldOf(DataType type) {
  switch (type) {
    case DataType::kF32:
      return TensorFields::kFloatData;
    case DataType::kF64:
      return TensorFields::kDoubleData;
    case DataType::kI64:
      return TensorFields::kInt64Data;
    case DataType::kU32:
    case DataType::kU64:
      return TensorFields::kUint64Data;
    default:
      return TensorFields::kInt32Data;
  }
}

int IndexOfTyped(uint32_t field) {
  for (size_t i = 0; i < kNumTypedFields; ++i) {
    if (kTypedFields[i].field == field) return static_cast<int>(i);
  }
  return -1;
}

// One typed field of the message: all its numbers, which may be spread over several packed and single occurrences.
struct TypedData {
  int64_t count = 0;
  int chunks = 0;
  std::string_view packed;  // the only chunk, if it is packed
};

struct TensorProto {
  Shape dims;
  int64_t data_type = 0;
  bool has_raw = false;
  std::string_view raw;
  std::array<TypedData, kNumTypedFields> typed;
  std::vector<std::string_view> strings;
  bool external = false;
  ExternalLocation where;
};

int64_t CountPacked(std::string_view bytes, WireType wire_type) {
  const size_t width = wire_type == WireType::fixed32 ? 4 : wire_type == WireType::fixed64 ? 8 : 1;
  if (bytes.size() % width != 0) throw WireError("a packed field ends inside an element");
  if (width > 1) return static_cast<int64_t>(bytes.size() / width);
  // The last byte of each varint has its top bit clear.
  return std::count_if(bytes.begin(), bytes.end(), [](char c) { return (c & 0x80) == 0; });
}

void CountTyped(Fields& fields, const TypedField& field, TypedData* data) {
  ++data->chunks;
  data->packed = {};
  if (fields.IsPacked()) {
    data->packed = fields.Bytes();
    data->count += CountPacked(data->packed, field.wire_type);
  } else {
    fields.Expect(field.wire_type);
    fields.Skip();
    ++data->count;
  }
}

Status ParseNumber(std::string_view key, std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  if (error == std::errc() && end == text.data() + text.size()) return Status();
  return InvalidModel("external data: ", key, " is '", text, "', not a number of bytes");
}

Status ReadExternalEntry(std::string_view bytes, ExternalLocation* where) {
  const auto [key, value] = ReadStringEntry(bytes);
  if (key == "location") where->location = value;
  if (key == "offset") return ParseNumber(key, value, &where->offset);
  if (key == "length") {
    where->has_length = true;
    return ParseNumber(key, value, &where->length);
  }
  return Status();
}

Status ParseTensor(std::string_view bytes, TensorProto* tensor, std::string_view* name) {
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case TensorFields::kDims:
        fields.AppendInts(&tensor->dims);
        break;
      case TensorFields::kDataType:
        tensor->data_type = fields.Int();
        break;
      case TensorFields::kName:
        *name = fields.Bytes();
        break;
      case TensorFields::kRawData:
        tensor->raw = fields.Bytes();
        tensor->has_raw = true;
        break;
      case TensorFields::kStringData:
        tensor->strings.push_back(fields.Bytes());
        break;
      case TensorFields::kSegment:
        return Unsupported("tensors in segments");
      case TensorFields::kExternalData:
        MOKA_RETURN_IF_ERROR(ReadExternalEntry(fields.Bytes(), &tensor->where));
        break;
      case TensorFields::kDataLocation:
        tensor->external = fields.Int() == kLocationExternal;
        break;
      default:
        if (const int i = IndexOfTyped(fields.field()); i >= 0) {
          CountTyped(fields, kTypedFields[i], &tensor->typed[static_cast<size_t>(i)]);
        } else {
          fields.Skip();
        }
    }
  }
  return Status();
}

// ---- Elements written as numbers ----------------------------------------------------------------------------------

// int32_data and uint64_data hold narrower types too, signed or not; a number that fits neither reading of the type is
// an error.
template <class T, class Number>
bool StoreNumber(Number number, void* dst, int64_t i) {
  if constexpr (sizeof(T) < sizeof(Number)) {
    constexpr int64_t kEnd = int64_t{1} << (8 * sizeof(T));
    if (number < -(kEnd / 2) || number >= kEnd) return false;
  }
  static_cast<T*>(dst)[i] = static_cast<T>(number);
  return true;
}

bool StoreInt(DataType type, int64_t number, void* dst, int64_t i) {
  switch (type) {
    case DataType::kBool:
      static_cast<uint8_t*>(dst)[i] = number != 0;
      return true;
    case DataType::kI8:
    case DataType::kU8:
    case DataType::kF8E4M3FN:  // the code, as below
    case DataType::kF8E4M3FNUZ:
    case DataType::kF8E5M2:
    case DataType::kF8E5M2FNUZ:
    case DataType::kF8E8M0:
      return StoreNumber<uint8_t>(number, dst, i);
    case DataType::kI16:
    case DataType::kU16:
    case DataType::kF16:   // the bits of the half
    case DataType::kBF16:  // likewise
      return StoreNumber<uint16_t>(number, dst, i);
    case DataType::kI32:
    case DataType::kU32:
      return StoreNumber<uint32_t>(number, dst, i);
    default:
      return StoreNumber<uint64_t>(number, dst, i);
  }
}

Status DecodeOccurrence(Fields& fields, const TypedField& typed, DataType type, void* dst, int64_t* i) {
  if (typed.wire_type == WireType::varint) {
    std::vector<int64_t> numbers;
    fields.AppendInts(&numbers);
    for (const int64_t number : numbers) {
      if (!StoreInt(type, number, dst, *i)) {
        return InvalidModel(typed.name, " element ", *i, " is ", number, ", which does not fit ", NameOf(type));
      }
      ++*i;
    }
    return Status();
  }
  const size_t width = SizeOf(type);
  auto* out = static_cast<char*>(dst) + static_cast<size_t>(*i) * width;
  if (fields.IsPacked()) {
    const std::string_view bytes = fields.Bytes();
    std::memcpy(out, bytes.data(), bytes.size());
    *i += static_cast<int64_t>(bytes.size() / width);
  } else {
    ++*i;
    if (width == 4) {
      const float value = fields.Float();
      std::memcpy(out, &value, width);
    } else {
      const double value = fields.Double();
      std::memcpy(out, &value, width);
    }
  }
  return Status();
}

// All occurrences of the field hold exactly the elements of `shape`: the caller has counted them.
Result<HostTensor> DecodeTyped(std::string_view bytes, const TypedField& typed, DataType type, const Shape& shape) {
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(type, shape));
  int64_t i = 0;
  for (Fields fields(bytes); fields.Next();) {
    if (fields.field() == typed.field) {
      MOKA_RETURN_IF_ERROR(DecodeOccurrence(fields, typed, type, tensor.data(), &i));
    } else {
      fields.Skip();
    }
  }
  return HostTensorOf(std::make_shared<const Tensor>(std::move(tensor)));
}

// ---- Elements of less than a byte ---------------------------------------------------------------------------------

// Bits of an element in a file; 8 for types of a byte and more.
int BitsInFile(DataType type) {
  switch (type) {
    case DataType::kI4:
    case DataType::kU4:
    case DataType::kF4E2M1:
      return 4;
    case DataType::kI2:
    case DataType::kU2:
      return 2;
    default:
      return 8;
  }
}

// Files hold several elements in a byte, the first in its low bits.
Result<HostTensor> Unpack(std::string_view packed, DataType type, const Shape& shape, int64_t elements) {
  const int bits = BitsInFile(type), per_byte = 8 / bits;
  const int64_t bytes = (elements + per_byte - 1) / per_byte;
  if (static_cast<int64_t>(packed.size()) != bytes) {
    return InvalidModel("the elements take ", packed.size(), " bytes, the shape ", NameOf(type), ToString(shape),
                        " needs ", bytes);
  }
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(type, shape));
  const bool is_signed = type == DataType::kI4 || type == DataType::kI2;
  for (int64_t i = 0; i < elements; ++i) {
    const auto byte = static_cast<uint8_t>(packed[static_cast<size_t>(i / per_byte)]);
    const int shift = static_cast<int>(i % per_byte) * bits;
    const auto top = static_cast<uint8_t>(byte << (8 - bits - shift));
    tensor.as<uint8_t>()[i] = is_signed ? static_cast<uint8_t>(static_cast<int8_t>(top) >> (8 - bits))
                                        : static_cast<uint8_t>(top >> (8 - bits));
  }
  return HostTensorOf(std::make_shared<const Tensor>(std::move(tensor)));
}

Result<HostTensor> TakePacked(std::string_view bytes, const TensorProto& proto, DataType type, const TensorSize& size) {
  if (proto.external) return Unsupported("external data of type ", NameOf(type));
  const TypedData& data = proto.typed[static_cast<size_t>(IndexOfTyped(TensorFields::kInt32Data))];
  if (data.count == 0) return Unpack(proto.raw, type, proto.dims, size.elements);
  MOKA_ASSIGN_OR_RETURN(const HostTensor codes, DecodeTyped(bytes, kTypedFields[IndexOfTyped(TensorFields::kInt32Data)],
                                                            DataType::kU8, {data.count}));
  return Unpack({static_cast<const char*>(codes.data), static_cast<size_t>(data.count)}, type, proto.dims,
                size.elements);
}

Result<HostTensor> TakeStrings(const TensorProto& proto, const TensorSize& size) {
  if (static_cast<int64_t>(proto.strings.size()) != size.elements) {
    return InvalidModel("string_data has ", proto.strings.size(), " elements, the shape ", ToString(proto.dims),
                        " needs ", size.elements);
  }
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(DataType::kString, proto.dims));
  std::copy(proto.strings.begin(), proto.strings.end(), tensor.as<std::string>());
  return HostTensorOf(std::make_shared<const Tensor>(std::move(tensor)));
}

// ---- Elements as bytes --------------------------------------------------------------------------------------------

// Booleans are 0 or 1 everywhere in moka; a file may hold other bytes.
Result<HostTensor> Normalized(HostTensor tensor) {
  if (tensor.desc.type != DataType::kBool) return tensor;
  const auto* src = static_cast<const uint8_t*>(tensor.data);
  const int64_t n = tensor.desc.NumElements();
  if (std::all_of(src, src + n, [](uint8_t x) { return x <= 1; })) return tensor;
  MOKA_ASSIGN_OR_RETURN(Tensor copy, Tensor::Create(DataType::kBool, tensor.desc.shape()));
  std::transform(src, src + n, copy.as<uint8_t>(), [](uint8_t x) -> uint8_t { return x != 0; });
  return HostTensorOf(std::make_shared<const Tensor>(std::move(copy)));
}

Status CheckBytes(const char* field, uint64_t got, const TensorSize& size, DataType type, const Shape& shape) {
  if (got == static_cast<uint64_t>(size.bytes)) return Status();
  return InvalidModel(field, " has ", got, " bytes, the shape ", NameOf(type), ToString(shape), " needs ", size.bytes);
}

Result<HostTensor> TakeTyped(std::string_view bytes, const TensorProto& proto, DataType type, const TensorSize& size,
                             const std::shared_ptr<const void>& owner) {
  const int index = IndexOfTyped(FieldOf(type));
  const TypedField& typed = kTypedFields[index];
  for (size_t i = 0; i < kNumTypedFields; ++i) {
    if (static_cast<int>(i) != index && proto.typed[i].count > 0) {
      return InvalidModel("a tensor of type ", NameOf(type), " with elements in ", kTypedFields[i].name);
    }
  }
  const TypedData& data = proto.typed[static_cast<size_t>(index)];
  if (data.count != size.elements) {
    return InvalidModel(typed.name, " has ", data.count, " elements, the shape ", ToString(proto.dims), " needs ",
                        size.elements);
  }
  if (data.chunks == 1 && !data.packed.empty() && typed.wire_type != WireType::varint) {
    return HostTensor{MakeDense(type, proto.dims), data.packed.data(), owner};
  }
  return DecodeTyped(bytes, typed, type, proto.dims);
}

Result<HostTensor> TakeData(std::string_view bytes, const TensorProto& proto, DataType type, const TensorSize& size,
                            ReadContext& context) {
  if (proto.external) {
    MOKA_ASSIGN_OR_RETURN(ExternalBytes data, context.external.Map(proto.where, static_cast<uint64_t>(size.bytes)));
    return Normalized({MakeDense(type, proto.dims), data.data, std::move(data.owner)});
  }
  const bool has_typed = std::any_of(proto.typed.begin(), proto.typed.end(), [](auto& t) { return t.count > 0; });
  if (proto.has_raw && !has_typed) {
    MOKA_RETURN_IF_ERROR(CheckBytes("raw_data", proto.raw.size(), size, type, proto.dims));
    return Normalized({MakeDense(type, proto.dims), proto.raw.data(), context.source.owner});
  }
  if (!proto.raw.empty()) return InvalidModel("elements in raw_data and in a typed field at once");
  return TakeTyped(bytes, proto, type, size, context.source.owner);
}

}  // namespace

Result<HostTensor> ReadTensor(std::string_view bytes, ReadContext& context, std::string_view* name) {
  return Guard([&]() -> Result<HostTensor> {
    TensorProto proto;
    MOKA_RETURN_IF_ERROR(ParseTensor(bytes, &proto, name));
    const DataType type = FromOnnx(proto.data_type);
    if (SizeOf(type) == 0) return Unsupported("tensors of type ", OnnxTypeName(proto.data_type));
    if (proto.dims.size() > kMaxRank) return Unsupported("tensors of rank ", proto.dims.size());
    Result<TensorSize> size = SizeOfTensor(type, proto.dims);
    if (!size.ok()) return InvalidModel(size.status().message());
    if (size->bytes > context.options.max_tensor_bytes) {
      return InvalidModel("shape ", ToString(proto.dims), " has ", size->bytes, " bytes, the limit is ",
                          context.options.max_tensor_bytes);
    }
    if (type == DataType::kString) return TakeStrings(proto, *size);
    if (BitsInFile(type) < 8) return TakePacked(bytes, proto, type, *size);
    return TakeData(bytes, proto, type, *size, context);
  });
}

Result<HostTensor> MakeTensor(DataType type, const Shape& shape, const void* data) {
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::CopyOf({type, shape, data}));
  return HostTensorOf(std::make_shared<const Tensor>(std::move(tensor)));
}

}  // namespace moka::onnx
