#include "formats/npy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/platform.h"
#include "base/status.h"
#include "base/tensor_size.h"
#include "formats/onnx/reader.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and are used where they lie");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kDataAlignment = 64;

struct TypeRow {
  std::string_view descr;
  DataType type;
};
constexpr TypeRow kTypes[] = {
    {"<f4", DataType::kF32}, {"<f8", DataType::kF64}, {"<f2", DataType::kF16}, {"|i1", DataType::kI8},
    {"<i2", DataType::kI16}, {"<i4", DataType::kI32}, {"<i8", DataType::kI64}, {"|u1", DataType::kU8},
    {"<u2", DataType::kU16}, {"<u4", DataType::kU32}, {"<u8", DataType::kU64}, {"|b1", DataType::kBool},
};

// The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class Dictionary {
 public:
  explicit Dictionary(std::string_view text) : text_(text) {}

  Status Parse() {
    if (!Take('{')) return Malformed();
    while (!Take('}')) {
      std::string_view key;
      if (!TakeString(&key) || !Take(':') || !TakeValue(key)) return Malformed();
      if (!Take(',')) return Take('}') ? Done() : Malformed();
    }
    return Done();
  }

  std::string_view descr;
  bool fortran_order = false;
  Shape shape;

 private:
  static Status Malformed() { return InvalidArgument("damaged .npy header"); }

  Status Done() { return seen_ == 7 ? Status() : Malformed(); }

  bool TakeValue(std::string_view key) {
    if (key == "descr") {
      seen_ |= 1;
      return TakeString(&descr);
    }
    if (key == "fortran_order") {
      seen_ |= 2;
      fortran_order = TakeWord("True");
      return fortran_order || TakeWord("False");
    }
    seen_ |= 4;
    return key == "shape" && TakeShape();
  }

  bool TakeShape() {
    shape.clear();
    if (!Take('(')) return false;
    while (!Take(')')) {
      SkipSpaces();
      int64_t dim = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), dim);
      if (error != std::errc() || dim < 0) return false;
      shape.push_back(dim);
      text_.remove_prefix(static_cast<size_t>(end - text_.data()));
      if (!Take(',')) return Take(')');
    }
    return true;
  }

  void SkipSpaces() { text_.remove_prefix(std::min(text_.find_first_not_of(" \n"), text_.size())); }

  bool Take(char c) {
    SkipSpaces();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool TakeWord(std::string_view word) {
    SkipSpaces();
    if (text_.substr(0, word.size()) != word) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  bool TakeString(std::string_view* out) {
    SkipSpaces();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) return false;
    const size_t end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) return false;
    *out = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return true;
  }

  std::string_view text_;
  int seen_ = 0;
};

// The header's text and the data behind it.
Status SplitHeader(std::string_view bytes, std::string_view* header, std::string_view* data) {
  if (bytes.size() < kMagic.size() + 4) return InvalidArgument(".npy file cut off in its header");
  const int major = static_cast<unsigned char>(bytes[kMagic.size()]);
  if (major < 1 || major > 3) return Unsupported(".npy version ", major);
  const size_t width = major == 1 ? 2 : 4;
  size_t at = kMagic.size() + 2, length = 0;
  if (bytes.size() < at + width) return InvalidArgument(".npy file cut off in its header");
  for (size_t i = 0; i < width; ++i)
    length |= static_cast<size_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  at += width;
  if (length > bytes.size() - at) return InvalidArgument(".npy file cut off in its header");
  *header = bytes.substr(at, length);
  *data = bytes.substr(at + length);
  return Status();
}

}  // namespace

bool IsNpy(std::string_view bytes) { return bytes.substr(0, kMagic.size()) == kMagic; }

Result<HostTensor> ReadNpy(std::string_view bytes, std::shared_ptr<const void> owner) {
  if (!IsNpy(bytes)) return InvalidArgument("no .npy file");
  std::string_view header, data;
  MOKA_RETURN_IF_ERROR(SplitHeader(bytes, &header, &data));
  Dictionary dictionary(header);
  MOKA_RETURN_IF_ERROR(dictionary.Parse());
  const auto* row =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeRow& r) { return r.descr == dictionary.descr; });
  if (row == std::end(kTypes)) return Unsupported("elements of NumPy type '", dictionary.descr, "'");
  if (dictionary.shape.size() > kMaxRank) return Unsupported("tensors of rank ", dictionary.shape.size());
  if (dictionary.fortran_order && dictionary.shape.size() > 1) return Unsupported("Fortran order");
  MOKA_ASSIGN_OR_RETURN(const TensorSize size, SizeOfTensor(row->type, dictionary.shape));
  if (data.size() != static_cast<uint64_t>(size.bytes)) {
    return InvalidArgument("the file holds ", data.size(), " bytes of data, the shape ", NameOf(row->type),
                           ToString(dictionary.shape), " needs ", size.bytes);
  }
  return HostTensor{MakeDense(row->type, dictionary.shape), data.data(), std::move(owner)};
}

Result<std::string> NpyHeader(DataType type, const Shape& shape) {
  const auto* row =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeRow& r) { return r.type == type; });
  if (row == std::end(kTypes)) return Unsupported("NumPy has no type for ", NameOf(type));
  std::string text = StrCat("{'descr': '", row->descr, "', 'fortran_order': False, 'shape': (");
  for (const int64_t dim : shape) text += StrCat(dim, ", ");
  text += "), }";
  const size_t before = kMagic.size() + 4;
  text.append(kDataAlignment - (before + text.size() + 1) % kDataAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return header + text;
}

Result<Tensor> LoadTensor(const std::string& path) {
  MOKA_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  const std::string_view bytes(reinterpret_cast<const char*>(file->data()), file->size());
  Result<HostTensor> tensor = IsNpy(bytes) ? ReadNpy(bytes, file) : ReadTensorProto({bytes, path, file});
  if (!tensor.ok()) return IsNpy(bytes) ? tensor.status().WithContext(path) : tensor.status();
  MOKA_ASSIGN_OR_RETURN(Tensor copy, TensorOf(*tensor));
  if (copy.type() == DataType::kBool) {
    auto* bools = copy.as<uint8_t>();
    std::transform(bools, bools + copy.size(), bools, [](uint8_t x) -> uint8_t { return x != 0; });
  }
  return copy;
}

Result<Datum> LoadDatum(const std::string& path, ValueKind kind) {
  if (kind == ValueKind::kTensor) {
    MOKA_ASSIGN_OR_RETURN(Tensor tensor, LoadTensor(path));
    return Datum(std::move(tensor));
  }
  MOKA_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  return ReadDatumProto({{reinterpret_cast<const char*>(file->data()), file->size()}, path, file}, kind);
}

Status SaveNpy(const std::string& path, const ConstTensorView& tensor) {
  Result<std::string> header = NpyHeader(tensor.type, tensor.shape);
  if (!header.ok()) return header.status().WithContext(path);
  Result<TensorSize> size = SizeOfTensor(tensor.type, tensor.shape);
  if (!size.ok()) return size.status().WithContext(path);
  if (tensor.data == nullptr && size->bytes > 0) return InvalidArgument(path, ": a tensor without data");
  const std::string_view parts[] = {*header,
                                    {static_cast<const char*>(tensor.data), static_cast<size_t>(size->bytes)}};
  return WriteFileAtomically(path, parts);
}

}  // namespace moka
