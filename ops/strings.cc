// Operators that make strings: StringConcat, StringNormalizer, StringSplit.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "base/status.h"
#include "ops/element.h"
#include "ops/host.h"
#include "ops/params.h"
#include "ops/utf8.h"

namespace moka {
namespace {

// ---- StringConcat -------------------------------------------------------------------------------------------------

Result<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  if (rank > kMaxRank) return Unsupported("rank ", rank, ", at most ", kMaxRank);
  Shape result(rank, 1);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t p = i < a.size() ? a[a.size() - 1 - i] : 1, q = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (p != q && p != 1 && q != 1)
      return InvalidArgument("shapes ", ToString(a), " and ", ToString(b), " do not broadcast");
    result[rank - 1 - i] = p == 1 ? q : p;
  }
  return result;
}

Status ExecuteConcat(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* a, SrcStrings(call, 0));
  MOKA_ASSIGN_OR_RETURN(const Tensor* b, SrcStrings(call, 1));
  MOKA_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(a->shape(), b->shape()));
  MOKA_ASSIGN_OR_RETURN(Tensor result, call.NewTensor(DataType::kString, shape));
  std::array<TensorDesc, 3> descs;
  descs[0] = MakeDense(DataType::kString, shape);
  (void)BroadcastView(MakeDense(DataType::kString, a->shape()), shape, &descs[1]);
  (void)BroadcastView(MakeDense(DataType::kString, b->shape()), shape, &descs[2]);
  int64_t characters = 0;
  ForEachOffset(descs, [&](const std::array<int64_t, 3>& at) {
    const std::string &left = a->as<std::string>()[at[1]], &right = b->as<std::string>()[at[2]];
    characters += static_cast<int64_t>(left.size() + right.size());
    if (characters <= call.max_tensor_bytes) result.as<std::string>()[at[0]] = left + right;
  });
  if (characters > call.max_tensor_bytes) {
    return OutOfMemory("strings of ", characters, " bytes, the limit is ", call.max_tensor_bytes);
  }
  call.dst[0] = Datum(std::move(result));
  return Status();
}

// ---- StringNormalizer ---------------------------------------------------------------------------------------------

enum class CaseChange { kNone, kLower, kUpper };

struct NormalizerParams {
  CaseChange change = CaseChange::kNone;
  bool case_sensitive = false;
  std::unordered_set<std::string> stopwords;  // in lower case unless case_sensitive

  bool IsStopword(const std::string& word) const {
    return !stopwords.empty() && stopwords.count(case_sensitive ? word : ToLower(word)) > 0;
  }
};

Status ReadNormalizer(const Attributes& attrs, NormalizerParams* params) {
  std::string_view action;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "case_change_action", "NONE", &action));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "is_case_sensitive", false, &params->case_sensitive));
  if (action != "NONE" && action != "LOWER" && action != "UPPER") {
    return InvalidModel("attribute 'case_change_action' is '", action, "', expected NONE, LOWER or UPPER");
  }
  params->change = action == "LOWER" ? CaseChange::kLower : action == "UPPER" ? CaseChange::kUpper : CaseChange::kNone;
  const AttributeValue* found = attrs.Find("stopwords");
  if (found == nullptr) return Status();
  const auto* words = std::get_if<std::vector<std::string>>(found);
  if (words == nullptr) return InvalidModel("attribute 'stopwords' has the wrong type");
  for (const std::string& word : *words) params->stopwords.insert(params->case_sensitive ? word : ToLower(word));
  return Status();
}

Status ExecuteNormalizer(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* src, SrcStrings(call, 0));
  NormalizerParams params;
  MOKA_RETURN_IF_ERROR(ReadNormalizer(*call.attrs, &params));
  Shape shape = src->shape();
  if (shape.empty() || shape.size() > 2 || (shape.size() == 2 && shape[0] != 1)) {
    return InvalidArgument("src 0: shape ", ToString(shape), ", expected [C] or [1, C]");
  }
  std::vector<std::string> kept;
  for (int64_t i = 0; i < src->size(); ++i) {
    const std::string& word = src->as<std::string>()[i];
    if (params.IsStopword(word)) continue;
    kept.push_back(params.change == CaseChange::kLower   ? ToLower(word)
                   : params.change == CaseChange::kUpper ? ToUpper(word)
                                                         : word);
  }
  if (kept.empty()) kept.emplace_back();
  shape.back() = static_cast<int64_t>(kept.size());
  MOKA_ASSIGN_OR_RETURN(Tensor result, call.NewTensor(DataType::kString, shape));
  std::move(kept.begin(), kept.end(), result.as<std::string>());
  call.dst[0] = Datum(std::move(result));
  return Status();
}

// ---- StringSplit --------------------------------------------------------------------------------------------------

using Parts = std::vector<std::string_view>;

bool IsSpace(uint32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

// Where the first character from `at` on is that IsSpace(character) == space, or the end.
size_t FindSpace(std::string_view text, size_t at, bool space) {
  for (size_t next = at; at < text.size(); at = next) {
    if (IsSpace(NextCharacter(text, &next)) == space) return at;
  }
  return text.size();
}

Parts SplitAtSpaces(std::string_view text, int64_t max_splits) {
  Parts parts;
  for (size_t at = FindSpace(text, 0, false); at < text.size();) {
    const bool last = max_splits >= 0 && static_cast<int64_t>(parts.size()) == max_splits;
    const size_t end = last ? text.size() : FindSpace(text, at, true);
    parts.push_back(text.substr(at, end - at));
    at = FindSpace(text, end, false);
  }
  return parts;
}

Parts SplitAt(std::string_view text, std::string_view delimiter, int64_t max_splits) {
  Parts parts;
  for (size_t at = 0;;) {
    const bool last = max_splits >= 0 && static_cast<int64_t>(parts.size()) == max_splits;
    const size_t end = last ? std::string_view::npos : text.find(delimiter, at);
    parts.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return parts;
    at = end + delimiter.size();
  }
}

Status ExecuteSplit(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* src, SrcStrings(call, 0));
  std::string_view delimiter;
  int64_t max_splits = -1;
  MOKA_RETURN_IF_ERROR(ReadString(*call.attrs, "delimiter", "", &delimiter));
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "maxsplit", -1, &max_splits));
  std::vector<Parts> all;
  size_t most = 0;
  MOKA_ASSIGN_OR_RETURN(Tensor counts, call.NewTensor(DataType::kI64, src->shape()));
  for (int64_t i = 0; i < src->size(); ++i) {
    const std::string& text = src->as<std::string>()[i];
    all.push_back(delimiter.empty() ? SplitAtSpaces(text, max_splits) : SplitAt(text, delimiter, max_splits));
    most = std::max(most, all.back().size());
    counts.as<int64_t>()[i] = static_cast<int64_t>(all.back().size());
  }
  Shape shape = src->shape();
  shape.push_back(static_cast<int64_t>(most));
  MOKA_ASSIGN_OR_RETURN(Tensor parts, call.NewTensor(DataType::kString, shape));
  for (size_t i = 0; i < all.size(); ++i) std::copy(all[i].begin(), all[i].end(), parts.as<std::string>() + i * most);
  call.dst[0] = Datum(std::move(parts));
  if (call.dst.size() > 1) call.dst[1] = Datum(std::move(counts));
  return Status();
}

}  // namespace

#define MOKA_STRING_OP(op, sources, results, function)         \
  const OpSchema* op##Schema() {                               \
    static constexpr OpSchema kSchema = {.domain = "",         \
                                         .name = #op,          \
                                         .min_src = sources,   \
                                         .max_src = sources,   \
                                         .min_dst = 1,         \
                                         .max_dst = results,   \
                                         .execute = function}; \
    return &kSchema;                                           \
  }

MOKA_STRING_OP(StringConcat, 2, 1, ExecuteConcat)
MOKA_STRING_OP(StringNormalizer, 1, 1, ExecuteNormalizer)
MOKA_STRING_OP(StringSplit, 1, 2, ExecuteSplit)
#undef MOKA_STRING_OP

}  // namespace moka
