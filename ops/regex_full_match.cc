#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "ops/regex.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

Result<Regex> ReadPattern(const Attributes& attrs) {
  std::string_view pattern;
  if (!attrs.Has("pattern")) return InvalidModel("attribute 'pattern' is missing");
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "pattern", "", &pattern));
  Result<Regex> regex = Regex::Compile(pattern);
  if (!regex.ok()) return regex.status().WithContext("attribute 'pattern'");
  return regex;
}

Status InferRegexFullMatch(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, {DataType::kString}));
  MOKA_RETURN_IF_ERROR(ReadPattern(*ctx.attrs).status());
  ctx.dst[0].type = DataType::kBool;
  ctx.dst[0].dims = ctx.src[0]->dims;
  return Status();
}

template <class Float>
Status RegexFullMatchReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const Regex regex, ReadPattern(*reference.call.attrs));
  ForEachOffset<2>({reference.call.dst[0], reference.call.src[0]}, [&](const std::array<int64_t, 2>& at) {
    const std::string& text = StringAt(LoadRaw<StringPointer>(reference.src[0], at[1]));
    StoreRaw<uint8_t>(reference.dst[0], at[0], regex.FullMatch(text) ? 1 : 0);
  });
  return Status();
}

}  // namespace

const OpSchema* RegexFullMatchSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "RegexFullMatch",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferRegexFullMatch,
      MOKA_REFERENCES(RegexFullMatchReference)  //
  };
  return &kSchema;
}

}  // namespace moka
