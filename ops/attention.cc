#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

struct HeadCounts {
  int64_t q = 0, kv = 0;  // of rank 3, else 0
};

Status ReadHeads(const Attributes& attrs, int rank, HeadCounts* heads) {
  if (rank == 4) return Status();
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "q_num_heads", 0, &heads->q));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "kv_num_heads", 0, &heads->kv));
  if (heads->q < 1) return InvalidModel("attribute 'q_num_heads' is ", heads->q, ", expected at least 1");
  if (heads->kv < 1) return InvalidModel("attribute 'kv_num_heads' is ", heads->kv, ", expected at least 1");
  return Status();
}

Status ReadWindow(const Attributes& attrs, const char* name, int64_t* size) {
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, name, -1, size));
  if (*size < -1) return InvalidModel("attribute '", name, "' is ", *size, ", expected -1 or more");
  return Status();
}

// Everything but shapes; `scale` stays as it is where the attribute is absent.
Status ReadAttributes(const Attributes& attrs, AttentionParams* p) {
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "scale", p->scale, &p->scale));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "softcap", 0, &p->softcap));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "is_causal", false, &p->causal));
  MOKA_RETURN_IF_ERROR(ReadWindow(attrs, "left_window_size", &p->left_window));
  MOKA_RETURN_IF_ERROR(ReadWindow(attrs, "right_window_size", &p->right_window));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "qk_matmul_output_mode", 0, &p->output_mode));
  if (p->output_mode < 0 || p->output_mode > 3) {
    return InvalidModel("attribute 'qk_matmul_output_mode' is ", p->output_mode, ", expected 0 to 3");
  }
  return ReadFloatType(attrs, "softmax_precision", DataType::kNone, &p->softmax_type);
}

// ---- Inference ----------------------------------------------------------------------------------------------------

// [batch, heads, length, size] of an operand of rank 3 or 4.
Result<std::vector<Dim>> HeadsOf(InferContext& ctx, size_t src, int64_t heads) {
  const std::vector<Dim>& dims = ctx.src[src]->dims;
  if (dims.size() == 4) return dims;
  const Dim size = Dim::FloorDiv(dims[2], Dim(heads));
  MOKA_RETURN_IF_ERROR(
      RequireEqual(ctx, size * Dim(heads), dims[2], StrCat("dimension 2 of src ", src, " in ", heads, " heads")));
  return std::vector<Dim>{dims[0], Dim(heads), dims[1], size};
}

Status RequireDims(InferContext& ctx, size_t src, const std::vector<Dim>& dims) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, src, static_cast<int>(dims.size()), static_cast<int>(dims.size())));
  for (size_t i = 0; i < dims.size(); ++i) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[src]->dims[i], dims[i], StrCat("dimension ", i, " of src ", src)));
  }
  return Status();
}

struct AttentionDims {
  std::vector<Dim> q, k, v;
  Dim past = 0;

  Dim Total() const { return past + k[2]; }
};

Status CheckMask(InferContext& ctx, const AttentionDims& dims) {
  if (!ctx.has_src(kMask)) return Status();
  const DataType type = ctx.src[kMask]->type;
  if (type != DataType::kBool) MOKA_RETURN_IF_ERROR(CheckType(ctx, kMask, kNumberTypes));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, kMask, 1, 4));
  // The last dimension may be shorter than all keys.
  const Dim& last = ctx.src[kMask]->dims.back();
  const Dim total = dims.Total();
  if (last.is_constant() && total.is_constant() && last.constant() > total.constant()) {
    return InvalidModel("src 3 (attn_mask): ", last.constant(), " keys of ", total.constant());
  }
  return RequireBroadcastTo(ctx, kMask, std::vector<Dim>{dims.q[0], dims.q[1], dims.q[2], last});
}

Status CheckPast(InferContext& ctx, AttentionDims* dims) {
  if (ctx.has_src(kPastKey) != ctx.has_src(kPastValue)) {
    return InvalidModel("src 4 (past_key) and src 5 (past_value) exist together only");
  }
  if (ctx.has_src(kPastKey)) {
    if (ctx.has_src(kValidLength)) return InvalidModel("src 6 (nonpad_kv_seqlen) excludes src 4 (past_key)");
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kPastKey, kKey));
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kPastValue, kValue));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kPastKey, 4, 4));
    dims->past = ctx.src[kPastKey]->dims[2];
    MOKA_RETURN_IF_ERROR(RequireDims(ctx, kPastKey, {dims->k[0], dims->k[1], dims->past, dims->k[3]}));
    MOKA_RETURN_IF_ERROR(RequireDims(ctx, kPastValue, {dims->v[0], dims->v[1], dims->past, dims->v[3]}));
  }
  if (!ctx.has_src(kValidLength)) return Status();
  MOKA_RETURN_IF_ERROR(CheckType(ctx, kValidLength, {DataType::kI64}));
  return RequireDims(ctx, kValidLength, {dims->q[0]});
}

Result<AttentionDims> InferDims(InferContext& ctx) {
  for (size_t i = 0; i < 3; ++i) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kFloatTypes));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, i == 0 ? 3 : ctx.src[0]->rank(), i == 0 ? 4 : ctx.src[0]->rank()));
  }
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, kKey, kQuery));
  HeadCounts heads;
  MOKA_RETURN_IF_ERROR(ReadHeads(*ctx.attrs, ctx.src[0]->rank(), &heads));
  AttentionDims dims;
  MOKA_ASSIGN_OR_RETURN(dims.q, HeadsOf(ctx, kQuery, heads.q));
  MOKA_ASSIGN_OR_RETURN(dims.k, HeadsOf(ctx, kKey, heads.kv));
  MOKA_ASSIGN_OR_RETURN(dims.v, HeadsOf(ctx, kValue, heads.kv));
  if (dims.k[1] == Dim(0)) return InvalidModel("src 1 has no heads");
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, Dim::FloorDiv(dims.q[1], dims.k[1]) * dims.k[1], dims.q[1],
                                    "heads of src 0 in groups by the heads of src 1"));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims.k[0], dims.q[0], "batch of src 1"));
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims.k[3], dims.q[3], "head size of src 1"));
  for (size_t i = 0; i < 3; ++i) {
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, dims.v[i], dims.k[i], StrCat("dimension ", i, " (of 4) of src 2")));
  }
  return dims;
}

Status InferAttention(InferContext& ctx) {
  AttentionParams params;
  MOKA_RETURN_IF_ERROR(ReadAttributes(*ctx.attrs, &params));
  MOKA_ASSIGN_OR_RETURN(AttentionDims dims, InferDims(ctx));
  MOKA_RETURN_IF_ERROR(CheckPast(ctx, &dims));
  MOKA_RETURN_IF_ERROR(CheckMask(ctx, dims));
  const auto set = [&](size_t i, DataType type, std::vector<Dim> result) {
    if (i >= ctx.dst.size()) return;
    ctx.dst[i].type = type;
    ctx.dst[i].dims = std::move(result);
  };
  const DataType type = ctx.src[0]->type;
  if (ctx.src[0]->rank() == 3) {
    set(0, type, {dims.q[0], dims.q[2], dims.q[1] * dims.v[3]});
  } else {
    set(0, type, {dims.q[0], dims.q[1], dims.q[2], dims.v[3]});
  }
  set(1, type, {dims.k[0], dims.k[1], dims.Total(), dims.k[3]});
  set(2, ctx.src[kValue]->type, {dims.v[0], dims.v[1], dims.Total(), dims.v[3]});
  set(3, type, {dims.q[0], dims.q[1], dims.q[2], dims.Total()});
  return Status();
}

// ---- Reference ----------------------------------------------------------------------------------------------------

template <class Acc>
Acc RoundTo(DataType type, Acc value) {
  if (type == DataType::kNone) return value;
  TensorDesc one;
  one.type = type;
  double storage = 0;
  Store<Acc>(one, &storage, 0, value);
  return Load<Acc>(one, &storage, 0);
}

template <class Acc>
class AttentionLoops {
 public:
  AttentionLoops(const ReferenceCall& reference, const AttentionParams& params)
      : reference_(reference),
        call_(reference.call),
        p_(params),
        scores_(static_cast<size_t>(p_.total_length())),
        bias_(scores_.size()),
        output_(static_cast<size_t>(p_.v_size)) {}

  Status Run() {
    MOKA_RETURN_IF_ERROR(StorePresent(1, kKey, kPastKey, p_.k));
    MOKA_RETURN_IF_ERROR(StorePresent(2, kValue, kPastValue, p_.v));
    for (int64_t b = 0; b < p_.batch; ++b) {
      for (int64_t h = 0; h < p_.q_heads; ++h) {
        for (int64_t i = 0; i < p_.q_length; ++i) Row(b, h, i);
      }
    }
    return Status();
  }

 private:
  Status StorePresent(size_t dst, int src, int past, const TensorDesc& now) {
    if (dst >= call_.dst.size() || !call_.dst[dst].present()) return Status();
    TensorDesc part = call_.dst[dst];
    auto* data = static_cast<std::byte*>(reference_.dst[dst]);
    if (p_.past_length > 0) {
      part.dims[2] = p_.past_length;
      const auto from = static_cast<size_t>(past);
      MOKA_RETURN_IF_ERROR(CopyElements(call_.src[from], reference_.src[from], part, data));
    }
    part.dims[2] = p_.kv_length;
    data += p_.past_length * part.strides[2] * static_cast<int64_t>(SizeOf(part.type));
    return CopyElements(now, reference_.src[static_cast<size_t>(src)], part, data);
  }

  // Element (b, head, j, d) of keys or values, of which the first come from the past.
  Acc Cached(int src, int past, const TensorDesc& now, const Index& at) const {
    const bool old = at[2] < p_.past_length;
    const auto from = static_cast<size_t>(old ? past : src);
    const TensorDesc& desc = old ? call_.src[from] : now;
    Index index = at;
    if (!old) index[2] -= p_.past_length;
    return Load<Acc>(desc, reference_.src[from], OffsetOf(desc, index));
  }

  void StoreScores(int64_t mode, int64_t b, int64_t h, int64_t i) {
    if (p_.output_mode != mode || call_.dst.size() < 4 || !call_.dst[3].present()) return;
    const TensorDesc& y = call_.dst[3];
    for (size_t j = 0; j < scores_.size(); ++j) {
      Store<Acc>(y, reference_.dst[3], OffsetOf(y, Index{b, h, i, static_cast<int64_t>(j)}), scores_[j]);
    }
  }

  // What is added to the scores of a row; whether it leaves any key.
  bool SetBias(int64_t b, int64_t h, int64_t i) {
    const bool has_valid = call_.has_src(kValidLength);
    int64_t valid = p_.total_length();
    if (has_valid) {
      valid =
          Load<int64_t>(call_.src[kValidLength], reference_.src[kValidLength], b * call_.src[kValidLength].strides[0]);
      valid = std::clamp<int64_t>(valid, 0, p_.total_length());
    }
    int64_t begin = 0, end = 0;
    p_.Window(i, p_.Offset(has_valid, valid), valid, &begin, &end);
    bool any = false;
    for (int64_t j = 0; j < p_.total_length(); ++j) {
      Acc bias = j >= begin && j < end ? Acc{} : Lowest<Acc>();
      if (p_.mask.present()) bias += MaskAt(b, h, i, j);
      bias_[static_cast<size_t>(j)] = bias;
      any = any || bias != Lowest<Acc>();
    }
    return any;
  }

  Acc MaskAt(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (j >= p_.mask_length) return Lowest<Acc>();
    const int64_t at = OffsetOf(p_.mask, Index{b, h, i, j});
    if (p_.mask.type != DataType::kBool) return Load<Acc>(p_.mask, reference_.src[kMask], at);
    return LoadRaw<uint8_t>(reference_.src[kMask], at) != 0 ? Acc{} : Lowest<Acc>();
  }

  void Row(int64_t b, int64_t h, int64_t i) {
    const int64_t kv_head = h / p_.group();
    for (int64_t j = 0; j < p_.total_length(); ++j) {
      Acc sum{};
      for (int64_t d = 0; d < p_.size; ++d) {
        sum += Load<Acc>(p_.q, reference_.src[kQuery], OffsetOf(p_.q, Index{b, h, i, d})) *
               Cached(kKey, kPastKey, p_.k, Index{b, kv_head, j, d});
      }
      scores_[static_cast<size_t>(j)] = sum * static_cast<Acc>(p_.scale);
    }
    StoreScores(0, b, h, i);
    const auto cap = static_cast<Acc>(p_.softcap);
    for (Acc& score : scores_) score = cap > 0 ? cap * std::tanh(score / cap) : score;
    StoreScores(1, b, h, i);
    const bool any = SetBias(b, h, i);
    for (size_t j = 0; j < scores_.size(); ++j) scores_[j] += bias_[j];
    StoreScores(2, b, h, i);
    Softmax(any);
    StoreScores(3, b, h, i);
    std::fill(output_.begin(), output_.end(), Acc{});
    for (int64_t j = 0; j < p_.total_length(); ++j) {
      const Acc weight = scores_[static_cast<size_t>(j)];
      if (weight == Acc{}) continue;
      for (int64_t d = 0; d < p_.v_size; ++d) {
        output_[static_cast<size_t>(d)] += weight * Cached(kValue, kPastValue, p_.v, Index{b, kv_head, j, d});
      }
    }
    for (int64_t d = 0; d < p_.v_size; ++d) {
      Store<Acc>(p_.y, reference_.dst[0], OffsetOf(p_.y, Index{b, h, i, d}), output_[static_cast<size_t>(d)]);
    }
  }

  void Softmax(bool any) {
    if (!any) {
      std::fill(scores_.begin(), scores_.end(), Acc{});
      return;
    }
    Acc largest = Lowest<Acc>(), sum{};
    for (Acc& score : scores_) {
      score = RoundTo(p_.softmax_type, score);
      if (score > largest || score != score) largest = score;
    }
    if (largest == Lowest<Acc>()) largest = Acc{};
    for (Acc& score : scores_) sum += score = std::exp(score - largest);
    for (Acc& score : scores_) score = RoundTo(p_.softmax_type, sum == Acc{} ? Acc{} : score / sum);
  }

  const ReferenceCall& reference_;
  const OpCall& call_;
  const AttentionParams& p_;
  std::vector<Acc> scores_, bias_, output_;
};

template <class Float>
Status AttentionReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const AttentionParams params, AttentionParams::From(reference.call));
  const bool wide = params.softmax_type == DataType::kF64 || reference.call.src[0].type == DataType::kF64;
  return wide ? AttentionLoops<double>(reference, params).Run() : AttentionLoops<Float>(reference, params).Run();
}

Cost AttentionCost(const OpCall& call) {
  const Result<AttentionParams> p = AttentionParams::From(call);
  if (!p.ok()) return {};
  const double pairs = static_cast<double>(p->batch * p->q_heads) * static_cast<double>(p->q_length) *
                       static_cast<double>(p->total_length());
  return {pairs * (2 * static_cast<double>(p->size + p->v_size) + 10)};
}

// As [batch, heads, length, size].
TensorDesc FourDimensions(const TensorDesc& desc, int64_t heads) {
  if (desc.rank == 4) return desc;
  TensorDesc result = desc;
  result.rank = 4;
  const int64_t size = desc.dims[2] / heads;
  result.dims = {desc.dims[0], heads, desc.dims[1], size};
  result.strides = {desc.strides[0], size * desc.strides[2], desc.strides[1], desc.strides[2]};
  return result;
}

Status SetMask(const OpCall& call, AttentionParams* p) {
  if (!call.has_src(kMask)) return Status();
  const TensorDesc& mask = call.src[kMask];
  p->mask_length = mask.dims[static_cast<size_t>(mask.rank - 1)];
  if (p->mask_length > p->total_length()) {
    return InvalidArgument("src 3 (attn_mask): ", p->mask_length, " keys of ", p->total_length());
  }
  if (!BroadcastView(mask, {p->batch, p->q_heads, p->q_length, p->mask_length}, &p->mask)) {
    return InvalidArgument("src 3 (attn_mask): ", ToString(mask.shape()), " does not broadcast");
  }
  return Status();
}

}  // namespace

void AttentionParams::Window(int64_t i, int64_t offset, int64_t limit, int64_t* begin, int64_t* end) const {
  const int64_t position = i + offset, most = total_length();
  *begin = left_window < 0 ? 0 : std::clamp<int64_t>(position - std::min(left_window, position + 1), 0, most);
  *end = limit;
  if (causal) *end = std::min(*end, position + 1);
  if (right_window >= 0) *end = std::min(*end, position + 1 + std::min(right_window, most));
}

Result<AttentionParams> AttentionParams::From(const OpCall& call) {
  AttentionParams p;
  HeadCounts heads;
  MOKA_RETURN_IF_ERROR(ReadHeads(*call.attrs, call.src[0].rank, &heads));
  p.q = FourDimensions(call.src[kQuery], heads.q);
  p.k = FourDimensions(call.src[kKey], heads.kv);
  p.v = FourDimensions(call.src[kValue], heads.kv);
  p.y = FourDimensions(call.dst[0], heads.q);
  p.batch = p.q.dims[0];
  p.q_heads = p.q.dims[1];
  p.kv_heads = p.k.dims[1];
  p.q_length = p.q.dims[2];
  p.kv_length = p.k.dims[2];
  p.size = p.q.dims[3];
  p.v_size = p.v.dims[3];
  if (p.kv_heads == 0 || p.q_heads % p.kv_heads != 0) {
    return InvalidArgument("heads of src 0: ", p.q_heads, ", no multiple of src 1's ", p.kv_heads);
  }
  if (call.has_src(kPastKey)) p.past_length = call.src[kPastKey].dims[2];
  p.scale = p.size == 0 ? 1.0f : static_cast<float>(1 / std::sqrt(static_cast<double>(p.size)));
  MOKA_RETURN_IF_ERROR(ReadAttributes(*call.attrs, &p));
  MOKA_RETURN_IF_ERROR(SetMask(call, &p));
  return p;
}

const OpSchema* AttentionSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Attention",
      .min_src = 3,
      .max_src = 7,
      .min_dst = 1,
      .max_dst = 4,
      .layout = LayoutRule::kRowMajor,
      .infer = InferAttention,
      MOKA_REFERENCES(AttentionReference)  //
          .cost = AttentionCost,
      .tolerance = 2e-5f,
  };
  return &kSchema;
}

}  // namespace moka
