#include "ops/microsoft/group_query_attention.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {

Result<GqaParams> GqaParams::From(const Attributes& attrs) {
  GqaParams p;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "num_heads", 0, &p.heads));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "kv_num_heads", 0, &p.kv_heads));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "local_window_size", -1, &p.window));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "scale", 0, &p.scale));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "softcap", 0, &p.softcap));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "do_rotary", false, &p.rotary));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "rotary_interleaved", false, &p.interleaved));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "smooth_softmax", false, &p.smooth));
  constexpr int64_t kMostHeads = 1 << 16;
  if (p.heads < 1 || p.kv_heads < 1 || p.heads > kMostHeads || p.heads % p.kv_heads != 0) {
    return InvalidModel("attributes 'num_heads', 'kv_num_heads': ", p.heads, ", ", p.kv_heads);
  }
  for (const char* quantized : {"k_quant_type", "v_quant_type"}) {
    std::string_view type;
    MOKA_RETURN_IF_ERROR(ReadString(attrs, quantized, "NONE", &type));
    if (type != "NONE") return Unsupported("attribute '", quantized, "': '", type, "'");
  }
  return p;
}

Result<GqaExtent> GqaExtentOf(const OpCall& call, const void* lengths, const void* total, int64_t row) {
  const TensorDesc& desc = call.src[kGqaLengths];
  const int64_t length = call.src[kGqaQuery].dims[1], batch = call.src[kGqaQuery].dims[0];
  const int64_t most = Load<int64_t>(call.src[kGqaTotal], total, 0);
  const int64_t step =
      desc.rank == 0 ? 0 : desc.strides[desc.dims[0] == batch ? 0 : static_cast<size_t>(desc.rank - 1)];
  const int64_t valid = Load<int64_t>(desc, lengths, row * step) + 1, past = length == most ? 0 : valid - length;
  const int64_t room = call.has_src(kGqaPastKey) ? call.src[kGqaPastKey].dims[2] : 0;
  if (valid < 1 || valid > most || past < 0 || past > room) {
    return InvalidArgument("src 5 (seqlens_k): element ", row, " is ", valid - 1, " with ", length, " new of ", most,
                           " keys and a past of ", room);
  }
  return GqaExtent{past, valid, length == most};
}

Result<int64_t> GqaPosition(const OpCall& call, const void* ids, const GqaExtent& extent, int64_t row, int64_t at) {
  const int64_t rows = call.src[kGqaCos].dims[0];
  int64_t position = extent.past + at;
  if (call.has_src(kGqaPositions)) {
    const TensorDesc& desc = call.src[kGqaPositions];
    position = Load<int64_t>(desc, ids, extent.prompt ? 0 : row * desc.strides[0] + at * desc.strides[1]);
    if (extent.prompt && position >= 0 && position < rows) position += at;
  }
  if (position < 0 || position >= rows) {
    return InvalidArgument("position ", position, " outside of the rotary tables ",
                           ToString(call.src[kGqaCos].shape()));
  }
  return position;
}

namespace {

// ---- Inference ----------------------------------------------------------------------------------------------------

Status RequireDims(InferContext& ctx, size_t src, const std::vector<Dim>& dims) {
  if (!ctx.has_src(src)) return Status();
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, src, static_cast<int>(dims.size()), static_cast<int>(dims.size())));
  for (size_t i = 0; i < dims.size(); ++i) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[src]->dims[i], dims[i], StrCat("dim ", i, " of src ", src)));
  }
  return Status();
}

Status CheckTypes(InferContext& ctx) {
  for (size_t i = 0; i < ctx.src.size(); ++i) {
    if (!ctx.has_src(i)) continue;
    const bool index = i == kGqaLengths || i == kGqaTotal || i == kGqaPositions;
    MOKA_RETURN_IF_ERROR(index ? CheckType(ctx, i, kIndexTypes) : CheckType(ctx, i, kFloatTypes));
    if (!index) MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 0));
  }
  for (const int i : {kGqaLengths, kGqaTotal}) {
    if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing");
  }
  return Status();
}

Status CheckTables(InferContext& ctx, const GqaParams& params, const std::vector<Dim>& query) {
  if (params.rotary && (!ctx.has_src(kGqaCos) || !ctx.has_src(kGqaSin))) {
    return InvalidModel("src 7 (cos_cache) and 8 (sin_cache) are missing, but attribute 'do_rotary' is set");
  }
  if (params.rotary) {
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kGqaCos, 2, 2));
    MOKA_RETURN_IF_ERROR(RequireDims(ctx, kGqaSin, ctx.src[kGqaCos]->dims));
  }
  MOKA_RETURN_IF_ERROR(RequireDims(ctx, kGqaPositions, {query[0], query[1]}));
  if (ctx.has_src(kGqaBias)) {
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kGqaBias, 4, 4));
    const std::vector<Dim>& bias = ctx.src[kGqaBias]->dims;
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, bias[2], query[1], "dim 2 of src 10 (attention_bias)"));
    MOKA_RETURN_IF_ERROR(
        RequireBroadcastTo(ctx, kGqaBias, std::vector<Dim>{query[0], Dim(params.heads), query[1], bias[3]}));
  }
  return RequireDims(ctx, kGqaSink, {Dim(params.heads)});
}

Status InferGqa(InferContext& ctx) {
  MOKA_ASSIGN_OR_RETURN(const GqaParams params, GqaParams::From(*ctx.attrs));
  MOKA_RETURN_IF_ERROR(CheckTypes(ctx));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kGqaQuery, 3, 3));
  const std::vector<Dim>& query = ctx.src[kGqaQuery]->dims;
  const bool packed = !ctx.has_src(kGqaKey);
  if (packed != !ctx.has_src(kGqaValue)) return InvalidModel("src 1 (key) without src 2 (value), or the reverse");
  const int64_t parts = params.heads + (packed ? 2 * params.kv_heads : 0);
  const Dim size = Dim::FloorDiv(query[2], Dim(parts)), heads = Dim(params.heads), kv_heads = Dim(params.kv_heads);
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, query[2], size * Dim(parts), "dim 2 of src 0 (query)"));
  for (const int i : {kGqaKey, kGqaValue})
    MOKA_RETURN_IF_ERROR(RequireDims(ctx, i, {query[0], query[1], kv_heads * size}));
  if (ctx.has_src(kGqaPastKey) != ctx.has_src(kGqaPastValue)) {
    return InvalidModel("src 3 (past_key) without src 4 (past_value), or the reverse");
  }
  Dim past = 0;
  if (ctx.has_src(kGqaPastKey)) {
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kGqaPastKey, 4, 4));
    past = ctx.src[kGqaPastKey]->dims[2];
    for (const int i : {kGqaPastKey, kGqaPastValue}) {
      MOKA_RETURN_IF_ERROR(RequireDims(ctx, i, {query[0], kv_heads, past, size}));
    }
  }
  MOKA_RETURN_IF_ERROR(
      RequireEqual(ctx, Product(ctx.src[kGqaLengths]->dims), query[0], "elements of src 5 (seqlens_k)"));
  MOKA_RETURN_IF_ERROR(CheckTables(ctx, params, query));
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> total, ctx.Elements(kGqaTotal));
  if (total.size() != 1) return InvalidModel("src 6 (total_sequence_length) is no scalar");
  for (size_t i = 0; i < ctx.dst.size(); ++i) {
    ctx.dst[i].type = ctx.src[0]->type;
    ctx.dst[i].dims = i == 0 ? std::vector<Dim>{query[0], query[1], heads * size}
                             : std::vector<Dim>{query[0], kv_heads, Dim::Max(past, total[0]), size};
  }
  return Status();
}

// ---- Reference ----------------------------------------------------------------------------------------------------

template <class A>
class GqaReference {
 public:
  GqaReference(const ReferenceCall& reference, const GqaParams& params)
      : reference_(reference), call_(reference.call), params_(params), packed_(!call_.has_src(kGqaKey)) {
    const TensorDesc& query = call_.src[kGqaQuery];
    batch_ = query.dims[0];
    length_ = query.dims[1];
    size_ = query.dims[2] / (params.heads + (packed_ ? 2 * params.kv_heads : 0));
  }

  Status Run() {
    for (int64_t row = 0; row < batch_; ++row) {
      MOKA_ASSIGN_OR_RETURN(const GqaExtent extent,
                            GqaExtentOf(call_, reference_.src[kGqaLengths], reference_.src[kGqaTotal], row));
      MOKA_RETURN_IF_ERROR(RunRow(row, extent));
    }
    return Status();
  }

 private:
  using Rows = std::vector<std::vector<A>>;

  bool has_src(size_t i) const { return call_.has_src(static_cast<int>(i)); }

  // Vector `head` of position `at`; heads are counted through query, key and value where they are packed.
  std::vector<A> NewVector(size_t src, int64_t row, int64_t at, int64_t head) const {
    const TensorDesc& desc = call_.src[src];
    std::vector<A> v(static_cast<size_t>(size_));
    for (int64_t j = 0; j < size_; ++j) {
      const int64_t offset = row * desc.strides[0] + at * desc.strides[1] + (head * size_ + j) * desc.strides[2];
      v[static_cast<size_t>(j)] = Load<A>(desc, reference_.src[src], offset);
    }
    return v;
  }
  std::vector<A> QueryVector(int64_t row, int64_t at, int64_t head) const {
    return NewVector(kGqaQuery, row, at, head);
  }
  std::vector<A> KvVector(bool value, int64_t row, int64_t at, int64_t head) const {
    if (!packed_) return NewVector(value ? kGqaValue : kGqaKey, row, at, head);
    return NewVector(kGqaQuery, row, at, params_.heads + (value ? params_.kv_heads : 0) + head);
  }

  Status Rotate(int64_t row, int64_t at, const GqaExtent& extent, std::vector<A>* v) const {
    if (!params_.rotary) return Status();
    const TensorDesc &cos = call_.src[kGqaCos], &sin = call_.src[kGqaSin];
    MOKA_ASSIGN_OR_RETURN(const int64_t position, GqaPosition(call_, reference_.src[kGqaPositions], extent, row, at));
    const int64_t half = cos.dims[1];
    if (2 * half > size_) return InvalidArgument("rows of ", size_, ", rotary tables ", ToString(cos.shape()));
    for (int64_t j = 0; j < half; ++j) {
      A& a = (*v)[static_cast<size_t>(params_.interleaved ? 2 * j : j)];
      A& b = (*v)[static_cast<size_t>(params_.interleaved ? 2 * j + 1 : j + half)];
      const A c = Load<A>(cos, reference_.src[kGqaCos], position * cos.strides[0] + j * cos.strides[1]);
      const A s = Load<A>(sin, reference_.src[kGqaSin], position * sin.strides[0] + j * sin.strides[1]);
      const A turned = a * c - b * s;
      b = b * c + a * s;
      a = turned;
    }
    return Status();
  }

  Status RunRow(int64_t row, const GqaExtent& extent) {
    const int64_t past = extent.past;
    for (int64_t head = 0; head < params_.kv_heads; ++head) {
      Rows keys, values;
      for (int64_t at = 0; at < past; ++at) {
        keys.push_back(PastVector(kGqaPastKey, row, head, at));
        values.push_back(PastVector(kGqaPastValue, row, head, at));
      }
      for (int64_t at = 0; at < length_; ++at) {
        keys.push_back(KvVector(false, row, at, head));
        MOKA_RETURN_IF_ERROR(Rotate(row, at, extent, &keys.back()));
        values.push_back(KvVector(true, row, at, head));
      }
      StorePresent(1, row, head, keys);
      StorePresent(2, row, head, values);
      const int64_t group = params_.heads / params_.kv_heads;
      for (int64_t query = head * group; query < (head + 1) * group; ++query) {
        for (int64_t at = 0; at < length_; ++at) {
          MOKA_RETURN_IF_ERROR(Attend(row, query, at, extent, keys, values));
        }
      }
    }
    return Status();
  }

  std::vector<A> PastVector(size_t src, int64_t row, int64_t head, int64_t at) const {
    const TensorDesc& desc = call_.src[src];
    std::vector<A> v(static_cast<size_t>(size_));
    const int64_t first = row * desc.strides[0] + head * desc.strides[1] + at * desc.strides[2];
    for (int64_t j = 0; j < size_; ++j) {
      v[static_cast<size_t>(j)] = Load<A>(desc, reference_.src[src], first + j * desc.strides[3]);
    }
    return v;
  }

  // The rest of a longer cache is 0.
  void StorePresent(size_t dst, int64_t row, int64_t head, const Rows& rows) {
    if (dst >= call_.dst.size() || !call_.dst[dst].present()) return;
    const TensorDesc& desc = call_.dst[dst];
    for (int64_t at = 0; at < desc.dims[2]; ++at) {
      const int64_t first = row * desc.strides[0] + head * desc.strides[1] + at * desc.strides[2];
      const bool inside = at < static_cast<int64_t>(rows.size());
      for (int64_t j = 0; j < size_; ++j) {
        const A value = inside ? rows[static_cast<size_t>(at)][static_cast<size_t>(j)] : A{};
        Store<A>(desc, reference_.dst[dst], first + j * desc.strides[3], value);
      }
    }
  }

  A Bias(int64_t row, int64_t head, int64_t at, int64_t key) const {
    if (!has_src(kGqaBias)) return A{};
    const TensorDesc& bias = call_.src[kGqaBias];
    if (key >= bias.dims[3]) return A{};
    return Load<A>(bias, reference_.src[kGqaBias],
                   (bias.dims[0] == 1 ? 0 : row * bias.strides[0]) + (bias.dims[1] == 1 ? 0 : head * bias.strides[1]) +
                       at * bias.strides[2] + key * bias.strides[3]);
  }

  // One row of scores. The keys behind `valid` are padding of a shorter row.
  Status Attend(int64_t row, int64_t head, int64_t at, const GqaExtent& extent, const Rows& keys, const Rows& values) {
    std::vector<A> query = QueryVector(row, at, head);
    const int64_t past = extent.past, valid = extent.valid;
    MOKA_RETURN_IF_ERROR(Rotate(row, at, extent, &query));
    const A scale = params_.scale != 0 ? static_cast<A>(params_.scale) : 1 / std::sqrt(static_cast<A>(size_));
    const int64_t end = std::min(past + at + 1, valid);
    const int64_t begin = params_.window >= 0 ? std::clamp<int64_t>(past + at + 1 - params_.window, 0, end) : 0;
    const bool sink = params_.smooth || has_src(kGqaSink);
    const A sink_score = has_src(kGqaSink) ? Load<A>(call_.src[kGqaSink], reference_.src[kGqaSink],
                                                     head * call_.src[kGqaSink].strides[0])
                                           : A{};
    std::vector<A> scores;
    A largest = sink ? sink_score : -std::numeric_limits<A>::infinity();
    for (int64_t key = begin; key < end; ++key) {
      A score{};
      for (size_t j = 0; j < query.size(); ++j) score += query[j] * keys[static_cast<size_t>(key)][j];
      score *= scale;
      if (params_.softcap > 0)
        score = static_cast<A>(params_.softcap) * std::tanh(score / static_cast<A>(params_.softcap));
      scores.push_back(score + Bias(row, head, at, key));
      largest = std::max(largest, scores.back());
    }
    A sum = sink ? std::exp(sink_score - largest) : A{};
    for (A& score : scores) sum += score = std::exp(score - largest);
    std::vector<A> result(query.size());
    for (int64_t key = begin; key < end; ++key) {
      const A weight = scores[static_cast<size_t>(key - begin)] / sum;
      for (size_t j = 0; j < result.size(); ++j) result[j] += weight * values[static_cast<size_t>(key)][j];
    }
    if (!call_.dst[0].present()) return Status();
    const TensorDesc& y = call_.dst[0];
    for (int64_t j = 0; j < size_; ++j) {
      Store<A>(y, reference_.dst[0], row * y.strides[0] + at * y.strides[1] + (head * size_ + j) * y.strides[2],
               result[static_cast<size_t>(j)]);
    }
    return Status();
  }

  const ReferenceCall& reference_;
  const OpCall& call_;
  const GqaParams& params_;
  const bool packed_;
  int64_t batch_, length_, size_;
};

template <class Float>
Status GroupQueryAttentionReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const GqaParams params, GqaParams::From(*reference.call.attrs));
  if (reference.call.src[0].type == DataType::kF64) return GqaReference<double>(reference, params).Run();
  return GqaReference<Float>(reference, params).Run();
}

Cost GqaCost(const OpCall& call) {
  const TensorDesc &y = call.dst[0], &keys = call.dst[call.dst.size() > 1 ? 1 : 0];
  return {4 * static_cast<double>(y.NumElements()) * static_cast<double>(keys.rank == 4 ? keys.dims[2] : 1)};
}

}  // namespace

const OpSchema* MicrosoftGroupQueryAttentionSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "com.microsoft",
      .name = "GroupQueryAttention",
      .min_src = 1,
      .max_src = 12,
      .min_dst = 1,
      .max_dst = 3,
      .layout = LayoutRule::kRowMajor,
      .infer = InferGqa,
      MOKA_REFERENCES(GroupQueryAttentionReference)  //
          .cost = GqaCost,
  };
  return &kSchema;
}

}  // namespace moka
