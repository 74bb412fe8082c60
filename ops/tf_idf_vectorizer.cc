#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "ops/string_tensor.h"

namespace moka {
namespace {

struct TfIdfParams {
  bool tf = true, weighted = false;  // counts, or 1 for any count; times weights
  int64_t shortest = 1, longest = 1, max_skip = 0, width = 0;
  const std::vector<int64_t>* counts = nullptr;   // where the n-grams of each length begin in the pool
  const std::vector<int64_t>* columns = nullptr;  // of each n-gram in the result
  const std::vector<int64_t>* pool_ints = nullptr;
  const std::vector<std::string>* pool_strings = nullptr;
  const std::vector<float>* weights = nullptr;

  int64_t PoolSize() const {
    return static_cast<int64_t>(pool_ints != nullptr ? pool_ints->size() : pool_strings->size());
  }
  static Result<TfIdfParams> From(const Attributes& attrs);
};

template <class T>
Status ReadList(const Attributes& attrs, std::string_view name, bool required, const std::vector<T>** list) {
  const AttributeValue* found = attrs.Find(name);
  if (found == nullptr) return required ? InvalidModel("attribute '", name, "' is missing") : Status();
  *list = std::get_if<std::vector<T>>(found);
  return *list == nullptr ? InvalidModel("attribute '", name, "' has the wrong type") : Status();
}

Status CheckPool(const TfIdfParams& p) {
  const int64_t size = p.PoolSize(), lengths = static_cast<int64_t>(p.counts->size());
  if (p.longest > lengths)
    return InvalidModel("attribute 'ngram_counts' has ", lengths, " elements, expected ", p.longest);
  int64_t grams = 0;
  for (int64_t i = 0; i < lengths; ++i) {
    const int64_t begin = (*p.counts)[static_cast<size_t>(i)],
                  end = i + 1 < lengths ? (*p.counts)[static_cast<size_t>(i + 1)] : size;
    if (begin < 0 || end < begin || end > size || (end - begin) % (i + 1) != 0) {
      return InvalidModel("attribute 'ngram_counts': the ", i + 1, "-grams go from ", begin, " to ", end, " of ", size);
    }
    grams += (end - begin) / (i + 1);
  }
  if (static_cast<int64_t>(p.columns->size()) < grams || p.columns->empty()) {
    return InvalidModel("attribute 'ngram_indexes' has ", p.columns->size(), " elements for ", grams, " n-grams");
  }
  if (p.weights != nullptr && p.weights->size() != p.columns->size()) {
    return InvalidModel("attribute 'weights' has ", p.weights->size(), " elements, expected ", p.columns->size());
  }
  return Status();
}

Result<TfIdfParams> TfIdfParams::From(const Attributes& attrs) {
  TfIdfParams p;
  std::string_view mode;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "mode", "", &mode));
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") {
    return InvalidModel("attribute 'mode' is '", mode, "', expected TF, IDF or TFIDF");
  }
  p.tf = mode != "IDF";
  p.weighted = mode != "TF";
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "min_gram_length", 1, &p.shortest));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "max_gram_length", 1, &p.longest));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "max_skip_count", 0, &p.max_skip));
  if (p.shortest < 1 || p.longest < p.shortest || p.max_skip < 0) {
    return InvalidModel("attributes 'min_gram_length', 'max_gram_length', 'max_skip_count': ", p.shortest, ", ",
                        p.longest, ", ", p.max_skip);
  }
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "ngram_counts", true, &p.counts));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "ngram_indexes", true, &p.columns));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "weights", false, &p.weights));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "pool_int64s", false, &p.pool_ints));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "pool_strings", false, &p.pool_strings));
  if ((p.pool_ints == nullptr) == (p.pool_strings == nullptr)) {
    return InvalidModel("one of the attributes 'pool_int64s' and 'pool_strings' must be there");
  }
  MOKA_RETURN_IF_ERROR(CheckPool(p));
  constexpr int64_t kWidest = int64_t{1} << 26;
  for (const int64_t column : *p.columns) {
    if (column < 0 || column >= kWidest) return InvalidModel("attribute 'ngram_indexes' has an element of ", column);
    p.width = std::max(p.width, column + 1);
  }
  return p;
}

Status InferTfIdf(InferContext& ctx) {
  MOKA_RETURN_IF_ERROR(CheckType(ctx, 0, {DataType::kI32, DataType::kI64, DataType::kString}));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 1, 2));
  MOKA_ASSIGN_OR_RETURN(const TfIdfParams params, TfIdfParams::From(*ctx.attrs));
  if ((ctx.src[0]->type == DataType::kString) != (params.pool_strings != nullptr)) {
    return InvalidModel("src 0 is ", NameOf(ctx.src[0]->type), ", but the pool holds ",
                        params.pool_strings != nullptr ? "strings" : "integers");
  }
  ctx.dst[0].type = DataType::kF32;
  ctx.dst[0].dims = ctx.src[0]->dims;
  ctx.dst[0].dims.back() = Dim(params.width);
  return Status();
}

// N-grams as one string: each token with its length in front.
void AppendToken(std::string_view token, std::string* gram) {
  *gram += StrCat(token.size(), ":");
  *gram += token;
}

using Pool = std::unordered_map<std::string, std::vector<size_t>>;  // of the n-grams of one length: their numbers

class TfIdfRows {
 public:
  TfIdfRows(const ReferenceCall& reference, const TfIdfParams& params)
      : reference_(reference), params_(params), pools_(static_cast<size_t>(params.longest)) {
    size_t gram = 0;
    for (int64_t length = 1; length <= static_cast<int64_t>(params.counts->size()); ++length) {
      const auto index = static_cast<size_t>(length);
      const int64_t begin = (*params.counts)[index - 1];
      const int64_t end = index < params.counts->size() ? (*params.counts)[index] : params.PoolSize();
      for (int64_t at = begin; at < end; at += length, ++gram) {
        if (length > params.longest) continue;
        std::string key;
        for (int64_t i = at; i < at + length; ++i) AppendToken(PoolToken(static_cast<size_t>(i)), &key);
        pools_[index - 1][key].push_back(gram);
      }
    }
  }

  void Run(int64_t row, int64_t row_at, int64_t step, int64_t n) {
    std::vector<std::string> tokens;
    for (int64_t i = 0; i < n; ++i) tokens.push_back(Token(row_at + i * step));
    std::vector<float> found(static_cast<size_t>(params_.width));
    for (int64_t length = params_.shortest; length <= params_.longest; ++length) {
      // A single token has no skips.
      for (int64_t skip = 0; skip <= (length == 1 ? 0 : params_.max_skip); ++skip) {
        if ((skip + 1) > n || (length - 1) * (skip + 1) >= n) break;
        Count(tokens, length, skip + 1, &found);
      }
    }
    const TensorDesc& y = reference_.call.dst[0];
    const int64_t last = y.strides[static_cast<size_t>(y.rank - 1)], first = y.rank > 1 ? row * y.strides[0] : 0;
    for (size_t j = 0; j < found.size(); ++j) {
      Store<float>(y, reference_.dst[0], first + static_cast<int64_t>(j) * last, found[j]);
    }
  }

 private:
  std::string PoolToken(size_t i) const {
    return params_.pool_strings != nullptr ? (*params_.pool_strings)[i] : StrCat((*params_.pool_ints)[i]);
  }
  std::string Token(int64_t at) const {
    const TensorDesc& x = reference_.call.src[0];
    if (x.type == DataType::kString) return StringAt(LoadRaw<StringPointer>(reference_.src[0], at));
    return StrCat(Load<int64_t>(x, reference_.src[0], at));
  }

  void Count(const std::vector<std::string>& tokens, int64_t length, int64_t step, std::vector<float>* found) const {
    const Pool& pool = pools_[static_cast<size_t>(length - 1)];
    const int64_t span = (length - 1) * step, n = static_cast<int64_t>(tokens.size());
    for (int64_t start = 0; start + span < n; ++start) {
      std::string key;
      for (int64_t i = 0; i < length; ++i) AppendToken(tokens[static_cast<size_t>(start + i * step)], &key);
      const auto it = pool.find(key);
      if (it == pool.end()) continue;
      for (const size_t gram : it->second) {
        float& y = (*found)[static_cast<size_t>((*params_.columns)[gram])];
        const float weight = params_.weighted && params_.weights != nullptr ? (*params_.weights)[gram] : 1;
        y = params_.tf ? y + weight : weight;
      }
    }
  }

  const ReferenceCall& reference_;
  const TfIdfParams& params_;
  std::vector<Pool> pools_;  // by length - 1
};

template <class Float>
Status TfIdfReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const TfIdfParams params, TfIdfParams::From(*reference.call.attrs));
  const TensorDesc& x = reference.call.src[0];
  TfIdfRows rows(reference, params);
  const size_t last = static_cast<size_t>(x.rank - 1);
  for (int64_t row = 0; row < (x.rank > 1 ? x.dims[0] : 1); ++row) {
    rows.Run(row, x.rank > 1 ? row * x.strides[0] : 0, x.strides[last], x.dims[last]);
  }
  return Status();
}

}  // namespace

const OpSchema* TfIdfVectorizerSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "TfIdfVectorizer",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferTfIdf,
      MOKA_REFERENCES(TfIdfReference)  //
  };
  return &kSchema;
}

}  // namespace moka
