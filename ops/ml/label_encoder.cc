// LabelEncoder and CategoryMapper: a table from keys to values.
#include <cmath>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/ml/attribute_list.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

// Where keys or values are no attribute, they are the positions 0, 1, 2 ... in the other list.
struct Encoder {
  AttributeList keys, values, fallback_tensor;
  DataType key_type = DataType::kNone, value_type = DataType::kNone;
  int64_t size = 0;
  double fallback_float = 0;
  int64_t fallback_int = -1;
  StringPointer fallback_text = nullptr;
};

StringPointer TextAttribute(const Attributes& attrs, std::string_view name) {
  static const std::string kUnused = "_Unused";
  const AttributeValue* found = attrs.Find(name);
  const auto* text = found == nullptr ? nullptr : std::get_if<std::string>(found);
  return text == nullptr ? &kUnused : text;
}

Status ReadDefaults(const Attributes& attrs, Encoder* encoder) {
  float number = -0.0f;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "default_float", -0.0f, &number));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "default_int64", -1, &encoder->fallback_int));
  encoder->fallback_float = number;
  encoder->fallback_text = TextAttribute(attrs, "default_string");
  MOKA_ASSIGN_OR_RETURN(encoder->fallback_tensor, AttributeList::Find(attrs, {"default_tensor"}));
  const AttributeList& tensor = encoder->fallback_tensor;
  if (!tensor.present() || (tensor.size() == 1 && tensor.type() == encoder->value_type)) return Status();
  return InvalidModel("attribute 'default_tensor' is ", NameOf(tensor.type()), "[", tensor.size(), "], expected one ",
                      NameOf(encoder->value_type));
}

Result<Encoder> ReadEncoder(const Attributes& attrs, DataType src) {
  Encoder encoder;
  if (attrs.Has("classes_strings")) {  // LabelEncoder-1
    MOKA_ASSIGN_OR_RETURN(const AttributeList classes, AttributeList::Find(attrs, {"classes_strings"}));
    (src == DataType::kString ? encoder.keys : encoder.values) = classes;
  } else {
    MOKA_ASSIGN_OR_RETURN(encoder.keys,
                          AttributeList::Find(attrs, {"keys_strings", "keys_int64s", "keys_floats", "keys_tensor"}));
    MOKA_ASSIGN_OR_RETURN(encoder.values, AttributeList::Find(attrs, {"values_strings", "values_int64s",
                                                                      "values_floats", "values_tensor"}));
    if (!encoder.keys.present()) return InvalidModel("attribute 'keys_*' is missing");
    if (!encoder.values.present()) return InvalidModel("attribute 'values_*' is missing");
    if (encoder.keys.size() != encoder.values.size()) {
      return InvalidModel("attributes 'keys_*' and 'values_*' have ", encoder.keys.size(), " and ",
                          encoder.values.size(), " elements");
    }
  }
  encoder.key_type = encoder.keys.present() ? encoder.keys.type() : DataType::kI64;
  encoder.value_type = encoder.values.present() ? encoder.values.type() : DataType::kI64;
  encoder.size = encoder.keys.present() ? encoder.keys.size() : encoder.values.size();
  MOKA_RETURN_IF_ERROR(ReadDefaults(attrs, &encoder));
  return encoder;
}

Result<Encoder> ReadMapper(const Attributes& attrs, DataType src) {
  Encoder encoder;
  MOKA_ASSIGN_OR_RETURN(const AttributeList ints, AttributeList::Find(attrs, {"cats_int64s"}));
  MOKA_ASSIGN_OR_RETURN(const AttributeList strings, AttributeList::Find(attrs, {"cats_strings"}));
  if (!ints.present() || !strings.present() || ints.size() != strings.size()) {
    return InvalidModel("attributes 'cats_int64s' and 'cats_strings' have ", ints.size(), " and ", strings.size(),
                        " elements");
  }
  encoder.keys = src == DataType::kString ? strings : ints;
  encoder.values = src == DataType::kString ? ints : strings;
  encoder.key_type = encoder.keys.type();
  encoder.value_type = encoder.values.type();
  encoder.size = ints.size();
  MOKA_RETURN_IF_ERROR(ReadDefaults(attrs, &encoder));
  return encoder;
}

using ReadFn = Result<Encoder> (*)(const Attributes&, DataType);

template <ReadFn kRead>
Status InferEncoder(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(
      ctx, 0, {DataType::kString, DataType::kI64, DataType::kF32, DataType::kI32, DataType::kI16, DataType::kF64}));
  MOKA_ASSIGN_OR_RETURN(const Encoder encoder, kRead(*ctx.attrs, ctx.src[0]->type));
  if (encoder.key_type != ctx.src[0]->type) {
    return InvalidModel("src 0 is ", NameOf(ctx.src[0]->type), ", but the keys are ", NameOf(encoder.key_type));
  }
  ctx.dst[0].type = encoder.value_type;
  ctx.dst[0].dims = ctx.src[0]->dims;
  return Status();
}

void StoreDefault(const Encoder& encoder, const TensorDesc& y, void* dst, int64_t at) {
  if (encoder.fallback_tensor.present()) return encoder.fallback_tensor.StoreTo(dst, y, at, 0);
  if (y.type == DataType::kString) return StoreRaw<StringPointer>(dst, at, encoder.fallback_text);
  if (y.type == DataType::kF32 || y.type == DataType::kF64) return Store<double>(y, dst, at, encoder.fallback_float);
  Store<int64_t>(y, dst, at, encoder.fallback_int);
}

template <class Float, ReadFn kRead>
Status EncoderReference(const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[0], &y = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const Encoder encoder, kRead(*reference.call.attrs, x.type));
  std::unordered_map<std::string, int64_t> table;  // a repeated key: the last one counts
  for (int64_t i = 0; i < encoder.size; ++i) {
    table[encoder.keys.present() ? KeyOf(encoder.keys, i) : IntKey(i)] = i;
  }
  ForEachOffset<2>({y, x}, [&](const std::array<int64_t, 2>& at) {
    const auto found = table.find(KeyOf(x, reference.src[0], at[1]));
    if (found == table.end()) return StoreDefault(encoder, y, reference.dst[0], at[0]);
    if (encoder.values.present()) return encoder.values.StoreTo(reference.dst[0], y, at[0], found->second);
    Store<int64_t>(y, reference.dst[0], at[0], found->second);
  });
  return Status();
}

template <class Float>
Status LabelEncoderReference(const ReferenceCall& reference) {
  return EncoderReference<Float, ReadEncoder>(reference);
}
template <class Float>
Status CategoryMapperReference(const ReferenceCall& reference) {
  return EncoderReference<Float, ReadMapper>(reference);
}

// Results that are strings point into the attributes, so they must not outlive the node.
bool MayGiveStrings(const Attributes& attrs) {
  if (attrs.Has("values_strings") || attrs.Has("classes_strings") || attrs.Has("cats_strings")) return true;
  const Result<AttributeList> values = AttributeList::Find(attrs, {"values_tensor"});
  return values.ok() && values->present() && values->type() == DataType::kString;
}

}  // namespace

const OpSchema* MlCategoryMapperSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "CategoryMapper",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .infer = InferEncoder<ReadMapper>,
      MOKA_REFERENCES(CategoryMapperReference)  //
          .varies = MayGiveStrings,
  };
  return &kSchema;
}

const OpSchema* MlLabelEncoderSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.ml",
      .name = "LabelEncoder",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .infer = InferEncoder<ReadEncoder>,
      MOKA_REFERENCES(LabelEncoderReference)  //
          .varies = MayGiveStrings,
  };
  return &kSchema;
}

}  // namespace moka
