// Operators on maps: ZipMap, DictVectorizer, CastMap.
#include <algorithm>
#include <charconv>
#include <numeric>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "ops/cast_text.h"
#include "ops/element.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/ml/attribute_list.h"
#include "ops/params.h"

namespace moka {
namespace {

Result<const Datum*> SrcMap(const HostCall& call, size_t i) {
  if (!call.has_src(i)) return InvalidArgument("src ", i, " is missing");
  if (!call.src[i]->is_map()) return InvalidArgument("src ", i, ": ", ToString(*call.src[i]), ", expected a map");
  const Datum& map = *call.src[i];
  const DataType type = map.keys().type();
  const bool sound = (type == DataType::kI64 || type == DataType::kString) && map.keys().size() == map.values().size();
  if (!sound) return InvalidArgument("src ", i, ": ", ToString(map), ", with ", map.values().size(), " values");
  return &map;
}

// Exactly one of two lists, as a tensor of i64 or strings.
Result<Tensor> ReadKeys(const Attributes& attrs, std::string_view ints, std::string_view strings) {
  if (attrs.Has(ints) == attrs.Has(strings)) {
    return InvalidModel("attributes '", ints, "' and '", strings, "': exactly one of them must be there");
  }
  MOKA_ASSIGN_OR_RETURN(const AttributeList list, AttributeList::Find(attrs, {ints, strings}));
  const DataType type = attrs.Has(ints) ? DataType::kI64 : DataType::kString;
  if (list.size() > 0 && list.type() != type) {
    return InvalidModel("attribute '", attrs.Has(ints) ? ints : strings, "' holds ", NameOf(list.type()));
  }
  MOKA_ASSIGN_OR_RETURN(Tensor keys, Tensor::Create(type, {list.size()}));
  for (int64_t i = 0; i < list.size(); ++i) {
    if (type == DataType::kI64) {
      keys.as<int64_t>()[i] = list.Int(i);
    } else {
      keys.as<std::string>()[i] = *list.Text(i);
    }
  }
  return keys;
}

std::string KeyAt(const Tensor& keys, int64_t i) {
  return keys.type() == DataType::kString ? keys.as<std::string>()[i] : IntKey(keys.as<int64_t>()[i]);
}

// Position of each key; a key that is there twice is refused.
Result<std::unordered_map<std::string, int64_t>> Positions(const Tensor& keys, std::string_view what) {
  std::unordered_map<std::string, int64_t> positions;
  for (int64_t i = 0; i < keys.size(); ++i) {
    if (!positions.emplace(KeyAt(keys, i), i).second) return InvalidModel(what, ": element ", i, " is there twice");
  }
  return positions;
}

// ---- ZipMap: each row of numbers becomes a map from the classes to them ---------------------------------------------

Status ExecuteZipMap(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor keys, ReadKeys(*call.attrs, "classlabels_int64s", "classlabels_strings"));
  MOKA_RETURN_IF_ERROR(Positions(keys, "attribute 'classlabels_*'").status());
  if (keys.size() == 0) return InvalidModel("attribute 'classlabels_*' is empty");
  MOKA_ASSIGN_OR_RETURN(const Tensor* const x, call.SrcTensor(0));
  if (x->type() != DataType::kF32) return InvalidArgument("src 0 is ", NameOf(x->type()), ", expected f32");
  const Shape& shape = x->shape();
  if (shape.empty() || shape.size() > 2) return InvalidArgument("src 0 has rank ", shape.size(), ", expected 1 or 2");
  if (shape.back() != keys.size()) {
    return InvalidArgument("src 0 has ", shape.back(), " columns, there are ", keys.size(), " classes");
  }
  std::vector<Datum> maps;
  for (int64_t row = 0; row < (shape.size() == 1 ? 1 : shape[0]); ++row) {
    MOKA_ASSIGN_OR_RETURN(Tensor values, Tensor::Create(DataType::kF32, {keys.size()}));
    CopyRange(*x, row * keys.size(), &values, 0, keys.size());
    maps.push_back(Datum::Map(keys, std::move(values)));
  }
  call.dst[0] = Datum::Sequence(DataType::kF32, std::move(maps));
  return Status();
}

// ---- DictVectorizer: [1, words], each value where the vocabulary has its key, zeros (empty texts) elsewhere
// ----------

Status ExecuteDictVectorizer(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor words, ReadKeys(*call.attrs, "int64_vocabulary", "string_vocabulary"));
  MOKA_ASSIGN_OR_RETURN(const auto positions, Positions(words, "attribute '*_vocabulary'"));
  MOKA_ASSIGN_OR_RETURN(const Datum* const map, SrcMap(call, 0));
  if (map->keys().type() != words.type()) {
    return InvalidArgument("src 0: ", ToString(*map), ", but the vocabulary is of ", NameOf(words.type()));
  }
  MOKA_ASSIGN_OR_RETURN(Tensor result, call.NewTensor(map->type(), {1, words.size()}));
  for (int64_t i = 0; i < map->keys().size(); ++i) {
    const auto found = positions.find(KeyAt(map->keys(), i));
    if (found != positions.end()) CopyRange(map->values(), i, &result, found->second, 1);
  }
  call.dst[0] = std::move(result);
  return Status();
}

// ---- CastMap: [1, values] in the order of the keys, or [1, max_map] with each value at its key
// -----------------------

enum class CastMapType : uint8_t { kFloat, kString, kInt64 };
enum class CastMapForm : uint8_t { kDense, kSparse };

Status ParseInto(const std::string& text, Tensor* to, int64_t at) {
  if (to->type() == DataType::kF32) {
    MOKA_ASSIGN_OR_RETURN(const double value, FloatOfText(text));
    to->as<float>()[at] = static_cast<float>(value);
    return Status();
  }
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, to->as<int64_t>()[at]);
  return error == std::errc() && stop == end ? Status() : InvalidArgument("'", text, "' is no i64");
}

Status CastInto(const Tensor& values, int64_t from, Tensor* to, int64_t at) {
  if (values.type() == to->type()) {
    CopyRange(values, from, to, at, 1);
    return Status();
  }
  if (values.type() == DataType::kString) {
    return ParseInto(values.as<std::string>()[from], to, at).WithContext(StrCat("src 0: value ", from));
  }
  const float value = values.as<float>()[from];
  if (to->type() == DataType::kString) {
    to->as<std::string>()[at] = TextOfFloat(value, DataType::kF32);
  } else {
    to->as<int64_t>()[at] = ConvertElement<int64_t>(value);
  }
  return Status();
}

Status ExecuteCastMap(HostCall& call) {
  static constexpr std::string_view kTypes[] = {"TO_FLOAT", "TO_STRING", "TO_INT64"};
  static constexpr std::string_view kForms[] = {"DENSE", "SPARSE"};
  CastMapType cast_to = CastMapType::kFloat;
  CastMapForm form = CastMapForm::kDense;
  int64_t length = 1;
  MOKA_RETURN_IF_ERROR(ReadEnum(*call.attrs, "cast_to", kTypes, &cast_to));
  MOKA_RETURN_IF_ERROR(ReadEnum(*call.attrs, "map_form", kForms, &form));
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "max_map", 1, &length));
  MOKA_ASSIGN_OR_RETURN(const Datum* const map, SrcMap(call, 0));
  const bool known = map->type() == DataType::kF32 || map->type() == DataType::kString;
  if (map->keys().type() != DataType::kI64 || !known) {
    return InvalidArgument("src 0: ", ToString(*map), ", expected a map from i64 to f32 or strings");
  }
  const DataType type = cast_to == CastMapType::kFloat    ? DataType::kF32
                        : cast_to == CastMapType::kString ? DataType::kString
                                                          : DataType::kI64;
  const auto* keys = map->keys().as<int64_t>();
  std::vector<int64_t> order(static_cast<size_t>(map->keys().size()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [keys](int64_t a, int64_t b) { return keys[a] < keys[b]; });
  const bool sparse = form == CastMapForm::kSparse;
  if (!sparse) length = map->keys().size();
  if (length < 1) return InvalidModel("attribute 'max_map' is ", length, ", or src 0 is empty: expected at least 1");
  if (sparse && !order.empty() && (keys[order.front()] < 0 || keys[order.back()] >= length)) {
    return InvalidArgument("src 0: a key is not one of 0 to ", length - 1, " (attribute 'max_map')");
  }
  MOKA_ASSIGN_OR_RETURN(Tensor result, call.NewTensor(type, {1, length}));
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t at = sparse ? keys[order[i]] : static_cast<int64_t>(i);
    MOKA_RETURN_IF_ERROR(CastInto(map->values(), order[i], &result, at));
  }
  call.dst[0] = std::move(result);
  return Status();
}

constexpr OpSchema Schema(const char* name, Status (*execute)(HostCall&)) {
  return {
      .domain = "ai.onnx.ml", .name = name, .min_src = 1, .max_src = 1, .min_dst = 1, .max_dst = 1, .execute = execute};
}

}  // namespace

const OpSchema* MlZipMapSchema() {
  static constexpr OpSchema kSchema = Schema("ZipMap", ExecuteZipMap);
  return &kSchema;
}

const OpSchema* MlDictVectorizerSchema() {
  static constexpr OpSchema kSchema = Schema("DictVectorizer", ExecuteDictVectorizer);
  return &kSchema;
}

const OpSchema* MlCastMapSchema() {
  static constexpr OpSchema kSchema = Schema("CastMap", ExecuteCastMap);
  return &kSchema;
}

}  // namespace moka
