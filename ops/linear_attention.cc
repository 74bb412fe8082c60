#include "ops/linear_attention.h"

#include <cmath>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr size_t kQuery = kLinearQuery, kKey = kLinearKey, kValue = kLinearValue, kPast = kLinearPast;
constexpr size_t kDecay = kLinearDecay, kBeta = kLinearBeta;

struct LinearAttributes {
  int64_t q_heads = 0, kv_heads = 0;
  float scale = 0;                    // 0: 1 / sqrt(head size)
  bool gated = false, delta = false;  // the rule's parts

  static Result<LinearAttributes> From(const Attributes& attrs);
};

Result<LinearAttributes> LinearAttributes::From(const Attributes& attrs) {
  LinearAttributes result;
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "q_num_heads", 0, &result.q_heads));
  MOKA_RETURN_IF_ERROR(ReadInt(attrs, "kv_num_heads", 0, &result.kv_heads));
  if (result.kv_heads < 1) {
    return InvalidModel("attribute 'kv_num_heads' is ", result.kv_heads, ", expected at least 1");
  }
  if (result.q_heads < 1 || result.q_heads % result.kv_heads != 0) {
    return InvalidModel("attribute 'q_num_heads' is ", result.q_heads, ", expected a multiple of ", result.kv_heads);
  }
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "scale", 0, &result.scale));
  std::string_view rule;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "update_rule", "gated_delta", &rule));
  result.gated = rule == "gated" || rule == "gated_delta";
  result.delta = rule == "delta" || rule == "gated_delta";
  if (!result.gated && !result.delta && rule != "linear") {
    return InvalidModel("attribute 'update_rule' is '", rule, "', expected linear, gated, delta or gated_delta");
  }
  return result;
}

Status RequirePresence(const InferContext& ctx, size_t src, bool wanted, const char* name) {
  if (ctx.has_src(src) == wanted) return Status();
  return InvalidModel("src ", src, " (", name, ") ", wanted ? "is missing" : "has no meaning",
                      " with this attribute 'update_rule'");
}

// The size of a head, of `heads` packed into the last dimension.
Result<Dim> HeadSize(InferContext& ctx, size_t src, int64_t heads) {
  const Dim& all = ctx.src[src]->dims[2];
  const Dim size = Dim::FloorDiv(all, Dim(heads));
  MOKA_RETURN_IF_ERROR(
      RequireEqual(ctx, size * Dim(heads), all, StrCat("dimension 2 of src ", src, " in ", heads, " heads")));
  return size;
}

Status CheckTokens(InferContext& ctx, size_t src) {
  MOKA_RETURN_IF_ERROR(CheckSameType(ctx, src, kQuery));
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, src, 3, 3));
  for (size_t i = 0; i < 2; ++i) {
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, ctx.src[src]->dims[i], ctx.src[kQuery]->dims[i], StrCat("dimension ", i, " of src ", src)));
  }
  return Status();
}

Status InferLinearAttention(InferContext& ctx) {
  MOKA_ASSIGN_OR_RETURN(const LinearAttributes attrs, LinearAttributes::From(*ctx.attrs));
  MOKA_RETURN_IF_ERROR(CheckType(ctx, kQuery, kFloatTypes));
  MOKA_RETURN_IF_ERROR(RequirePresence(ctx, kDecay, attrs.gated, "decay"));
  MOKA_RETURN_IF_ERROR(RequirePresence(ctx, kBeta, attrs.delta, "beta"));
  for (const size_t i : {kQuery, kKey, kValue, kDecay, kBeta}) {
    if (ctx.has_src(i)) MOKA_RETURN_IF_ERROR(CheckTokens(ctx, i));
  }
  MOKA_ASSIGN_OR_RETURN(const Dim size, HeadSize(ctx, kQuery, attrs.q_heads));
  MOKA_ASSIGN_OR_RETURN(const Dim v_size, HeadSize(ctx, kValue, attrs.kv_heads));
  const Dim heads(attrs.kv_heads), &batch = ctx.src[kQuery]->dims[0];
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[kKey]->dims[2], heads * size, "dimension 2 of src 1"));
  if (attrs.gated) {
    const Dim& last = ctx.src[kDecay]->dims[2];
    if (last != heads) MOKA_RETURN_IF_ERROR(RequireEqual(ctx, last, heads * size, "dimension 2 of src 4 (decay)"));
  }
  if (attrs.delta) {
    const Dim& last = ctx.src[kBeta]->dims[2];
    if (last != Dim(1)) MOKA_RETURN_IF_ERROR(RequireEqual(ctx, last, heads, "dimension 2 of src 5 (beta)"));
  }
  const std::vector<Dim> state = {batch, heads, size, v_size};
  if (ctx.has_src(kPast)) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, kPast, kFloatTypes));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kPast, 4, 4));
    for (size_t i = 0; i < 4; ++i) {
      MOKA_RETURN_IF_ERROR(
          RequireEqual(ctx, ctx.src[kPast]->dims[i], state[i], StrCat("dimension ", i, " of src 3 (past_state)")));
    }
  }
  ctx.dst[0].type = ctx.src[kQuery]->type;
  ctx.dst[0].dims = {batch, ctx.src[kQuery]->dims[1], Dim(attrs.q_heads) * v_size};
  if (ctx.dst.size() > 1) {
    ctx.dst[1].type = ctx.has_src(kPast) ? ctx.src[kPast]->type : ctx.src[kQuery]->type;
    ctx.dst[1].dims = state;
  }
  return Status();
}

// One head of one batch: the state S [size, v_size] and its update for each token.
template <class Acc>
class LinearHead {
 public:
  LinearHead(const ReferenceCall& reference, const LinearAttentionParams& params, int64_t b, int64_t head)
      : reference_(reference),
        call_(reference.call),
        p_(params),
        b_(b),
        head_(head),
        size_(params.size),
        v_size_(params.v_size) {
    state_.resize(static_cast<size_t>(size_ * v_size_));
    value_.resize(static_cast<size_t>(v_size_));
    if (!call_.has_src(kPast)) return;
    ForEachState(call_.src[kPast],
                 [&](Acc& s, int64_t at) { s = Load<Acc>(call_.src[kPast], reference_.src[kPast], at); });
  }

  void Run() {
    for (int64_t t = 0; t < call_.src[kQuery].dims[1]; ++t) {
      Update(t);
      Read(t);
    }
    if (call_.dst.size() < 2 || !call_.dst[1].present()) return;
    ForEachState(call_.dst[1], [&](Acc& s, int64_t at) { Store<Acc>(call_.dst[1], reference_.dst[1], at, s); });
  }

 private:
  template <class F>
  void ForEachState(const TensorDesc& desc, F&& f) {
    for (int64_t d = 0; d < size_; ++d) {
      for (int64_t m = 0; m < v_size_; ++m) f(At(d, m), OffsetOf(desc, Index{b_, head_, d, m}));
    }
  }
  Acc& At(int64_t d, int64_t m) { return state_[static_cast<size_t>(d * v_size_ + m)]; }
  Acc Token(size_t src, int64_t t, int64_t i) const {
    const TensorDesc& desc = call_.src[src];
    return Load<Acc>(desc, reference_.src[src], OffsetOf(desc, Index{b_, t, i}));
  }
  Acc Key(int64_t t, int64_t d) const { return Token(kKey, t, head_ * size_ + d); }

  void Update(int64_t t) {
    if (p_.gated) {
      for (int64_t d = 0; d < size_; ++d) {
        const Acc factor = std::exp(Token(kDecay, t, p_.decay_per_head ? head_ : head_ * size_ + d));
        for (int64_t m = 0; m < v_size_; ++m) At(d, m) *= factor;
      }
    }
    for (int64_t m = 0; m < v_size_; ++m) {
      Acc value = Token(kValue, t, head_ * v_size_ + m);
      if (p_.delta) {
        for (int64_t d = 0; d < size_; ++d) value -= At(d, m) * Key(t, d);
        value *= Token(kBeta, t, p_.beta_shared ? 0 : head_);
      }
      value_[static_cast<size_t>(m)] = value;
    }
    for (int64_t d = 0; d < size_; ++d) {
      for (int64_t m = 0; m < v_size_; ++m) At(d, m) += Key(t, d) * value_[static_cast<size_t>(m)];
    }
  }

  void Read(int64_t t) {
    const int64_t group = p_.q_heads / p_.kv_heads;
    const auto scale = static_cast<Acc>(p_.scale);
    const TensorDesc& y = call_.dst[0];
    for (int64_t h = head_ * group; h < (head_ + 1) * group; ++h) {
      for (int64_t m = 0; m < v_size_; ++m) {
        Acc sum{};
        for (int64_t d = 0; d < size_; ++d) sum += Token(kQuery, t, h * size_ + d) * At(d, m);
        Store<Acc>(y, reference_.dst[0], OffsetOf(y, Index{b_, t, h * v_size_ + m}), sum * scale);
      }
    }
  }

  const ReferenceCall& reference_;
  const OpCall& call_;
  const LinearAttentionParams& p_;
  int64_t b_, head_, size_, v_size_;
  std::vector<Acc> state_, value_;
};

template <class Float>
Status LinearAttentionReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const LinearAttentionParams params, LinearAttentionParams::From(reference.call));
  const bool wide = reference.call.src[kQuery].type == DataType::kF64;
  for (int64_t b = 0; b < reference.call.src[kQuery].dims[0]; ++b) {
    for (int64_t head = 0; head < params.kv_heads; ++head) {
      wide ? LinearHead<double>(reference, params, b, head).Run() : LinearHead<Float>(reference, params, b, head).Run();
    }
  }
  return Status();
}

Cost LinearAttentionCost(const OpCall& call) {
  const double tokens = static_cast<double>(call.src[kValue].NumElements());
  return {8 * tokens * static_cast<double>(call.src[kKey].dims[2])};
}

}  // namespace

Result<LinearAttentionParams> LinearAttentionParams::From(const OpCall& call) {
  MOKA_ASSIGN_OR_RETURN(const LinearAttributes attrs, LinearAttributes::From(*call.attrs));
  LinearAttentionParams p;
  p.q_heads = attrs.q_heads;
  p.kv_heads = attrs.kv_heads;
  p.size = call.src[kQuery].dims[2] / attrs.q_heads;
  p.v_size = call.src[kValue].dims[2] / attrs.kv_heads;
  p.scale =
      attrs.scale != 0 || p.size == 0 ? attrs.scale : static_cast<float>(1 / std::sqrt(static_cast<double>(p.size)));
  p.gated = attrs.gated;
  p.delta = attrs.delta;
  p.decay_per_head = attrs.gated && call.src[kDecay].dims[2] == attrs.kv_heads;
  p.beta_shared = attrs.delta && call.src[kBeta].dims[2] == 1;
  return p;
}

const OpSchema* LinearAttentionSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "LinearAttention",
      .min_src = 3,
      .max_src = 6,
      .min_dst = 1,
      .max_dst = 2,
      .layout = LayoutRule::kRowMajor,
      .infer = InferLinearAttention,
      MOKA_REFERENCES(LinearAttentionReference)  //
          .cost = LinearAttentionCost,
      .tolerance = 1e-4f,
  };
  return &kSchema;
}

}  // namespace moka
