// Optimizers of domain ai.onnx.preview.training: one update of any number of tensors. src 0 R (learning rate), 1 T
// (updates so far), then all tensors X, all gradients G, all first moments, all second ones; dst the same without G.
#include <cmath>
#include <type_traits>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr size_t kFirst = 2;  // of the tensors among the sources
constexpr int kMaxOptimized = 1 << 16;

// What an optimizer keeps of one tensor; a, b are the moments.
template <class A>
struct Element {
  A x, g, a, b;
};

struct OptimizerParams {
  float alpha = 0, beta = 0, epsilon = 0, norm = 0, norm_post = 0, decay = 0;
  bool nesterov = false;
};

using ReadParams = Status (*)(const Attributes&, OptimizerParams*);

Status ReadMomentum(const Attributes& attrs, OptimizerParams* params) {
  for (const char* name : {"alpha", "beta", "norm_coefficient", "mode"}) {
    if (!attrs.Has(name)) return InvalidModel("attribute '", name, "' is missing");
  }
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "alpha", 0, &params->alpha));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "beta", 0, &params->beta));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "norm_coefficient", 0, &params->norm));
  std::string_view mode;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "mode", "", &mode));
  params->nesterov = mode == "nesterov";
  if (params->nesterov || mode == "standard") return Status();
  return InvalidModel("attribute 'mode' is '", mode, "', expected standard or nesterov");
}

Status ReadAdagrad(const Attributes& attrs, OptimizerParams* params) {
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "decay_factor", 0, &params->decay));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "epsilon", 1e-6f, &params->epsilon));
  return ReadFloat(attrs, "norm_coefficient", 0, &params->norm);
}

Status ReadAdam(const Attributes& attrs, OptimizerParams* params) {
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "alpha", 0.9f, &params->alpha));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "beta", 0.999f, &params->beta));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "epsilon", 1e-6f, &params->epsilon));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "norm_coefficient", 0, &params->norm));
  return ReadFloat(attrs, "norm_coefficient_post", 0, &params->norm_post);
}

// ---- One element --------------------------------------------------------------------------------------------------

struct MomentumRule {
  static constexpr size_t kMoments = 1;
  static constexpr ReadParams kRead = ReadMomentum;
  template <class A>
  static void Update(const OptimizerParams& p, A rate, A count, Element<A>* e) {
    const A g = static_cast<A>(p.norm) * e->x + e->g, beta = count > 0 ? static_cast<A>(p.beta) : A{1};
    e->a = static_cast<A>(p.alpha) * e->a + beta * g;
    e->x -= rate * (p.nesterov ? g + static_cast<A>(p.alpha) * e->a : e->a);
  }
};

struct AdagradRule {
  static constexpr size_t kMoments = 1;
  static constexpr ReadParams kRead = ReadAdagrad;
  template <class A>
  static void Update(const OptimizerParams& p, A rate, A count, Element<A>* e) {
    const A g = static_cast<A>(p.norm) * e->x + e->g;
    e->a += g * g;
    e->x -= rate / (1 + count * static_cast<A>(p.decay)) * g / (std::sqrt(e->a) + static_cast<A>(p.epsilon));
  }
};

struct AdamRule {
  static constexpr size_t kMoments = 2;
  static constexpr ReadParams kRead = ReadAdam;
  template <class A>
  static void Update(const OptimizerParams& p, A rate, A count, Element<A>* e) {
    const A alpha = p.alpha, beta = p.beta, g = static_cast<A>(p.norm) * e->x + e->g;
    e->a = alpha * e->a + (1 - alpha) * g;
    e->b = beta * e->b + (1 - beta) * g * g;
    if (count > 0) rate *= std::sqrt(1 - std::pow(beta, count)) / (1 - std::pow(alpha, count));
    e->x -= rate * e->a / (std::sqrt(e->b) + static_cast<A>(p.epsilon));
    e->x *= 1 - static_cast<A>(p.norm_post);
  }
};

// ---- Operators ----------------------------------------------------------------------------------------------------

Status CheckScalar(const InferContext& ctx, size_t src, const char* operand) {
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, src, 0, 1));
  for (const Dim& dim : ctx.src[src]->dims) {
    if (dim != Dim(1)) return InvalidModel("src ", src, " (", operand, ") is no scalar");
  }
  return Status();
}

template <class Rule>
Status InferOptimizer(InferContext& ctx) {
  OptimizerParams params;
  MOKA_RETURN_IF_ERROR(Rule::kRead(*ctx.attrs, &params));
  constexpr size_t kSources = Rule::kMoments + 2, kResults = Rule::kMoments + 1;
  const size_t tensors = ctx.dst.size() / kResults;
  if (ctx.src.size() != kFirst + kSources * tensors || ctx.dst.size() != kResults * tensors) {
    return InvalidModel(ctx.src.size(), " sources and ", ctx.dst.size(), " results, expected 2 + ", kSources, " and ",
                        kResults, " per tensor");
  }
  for (size_t i = 0; i < ctx.src.size(); ++i) {
    if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing");
    MOKA_RETURN_IF_ERROR(i == 1 ? CheckType(ctx, i, {DataType::kI64})
                                : CheckType(ctx, i, {DataType::kF32, DataType::kF64}));
  }
  MOKA_RETURN_IF_ERROR(CheckScalar(ctx, 0, "R"));
  MOKA_RETURN_IF_ERROR(CheckScalar(ctx, 1, "T"));
  for (size_t i = 0; i < kSources * tensors; ++i) {
    const size_t src = kFirst + i, x = kFirst + i % tensors;
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, src, x));
    const int rank = ctx.src[x]->rank();
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, src, rank, rank));
    for (size_t d = 0; d < ctx.src[x]->dims.size(); ++d) {
      const std::string what = StrCat("dim ", d, " of src ", src);
      MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[src]->dims[d], ctx.src[x]->dims[d], what));
    }
  }
  for (size_t i = 0; i < ctx.dst.size(); ++i) {
    const SymbolicTensor& x = *ctx.src[kFirst + i % tensors];
    ctx.dst[i].type = x.type;
    ctx.dst[i].dims = x.dims;
  }
  return Status();
}

template <class Rule, class A>
void UpdateTensor(const ReferenceCall& reference, const OptimizerParams& params, size_t tensor, size_t tensors) {
  const OpCall& call = reference.call;
  const A rate = Load<A>(call.src[0], reference.src[0], 0), count = Load<A>(call.src[1], reference.src[1], 0);
  const auto src = [&](size_t k) { return kFirst + k * tensors + tensor; };
  ForEachIndex(call.src[src(0)], [&](const Index& at) {
    const auto load = [&](size_t k) {
      const TensorDesc& desc = call.src[src(k)];
      return Load<A>(desc, reference.src[src(k)], OffsetOf(desc, at));
    };
    Element<A> e = {load(0), load(1), load(2), Rule::kMoments > 1 ? load(3) : A{}};
    Rule::template Update<A>(params, rate, count, &e);
    const A results[] = {e.x, e.a, e.b};
    for (size_t k = 0; k <= Rule::kMoments; ++k) {
      const size_t dst = k * tensors + tensor;
      if (!call.dst[dst].present()) continue;
      Store<A>(call.dst[dst], reference.dst[dst], OffsetOf(call.dst[dst], at), results[k]);
    }
  });
}

template <class Float, class Rule>
Status OptimizerReference(const ReferenceCall& reference) {
  OptimizerParams params;
  MOKA_RETURN_IF_ERROR(Rule::kRead(*reference.call.attrs, &params));
  const size_t tensors = reference.call.dst.size() / (Rule::kMoments + 1);
  for (size_t tensor = 0; tensor < tensors; ++tensor) {
    if (reference.call.src[kFirst + tensor].type == DataType::kF64) {
      UpdateTensor<Rule, double>(reference, params, tensor, tensors);
    } else {
      UpdateTensor<Rule, Float>(reference, params, tensor, tensors);
    }
  }
  return Status();
}

template <class Float>
Status MomentumReference(const ReferenceCall& reference) {
  return OptimizerReference<Float, MomentumRule>(reference);
}
template <class Float>
Status AdagradReference(const ReferenceCall& reference) {
  return OptimizerReference<Float, AdagradRule>(reference);
}
template <class Float>
Status AdamReference(const ReferenceCall& reference) {
  return OptimizerReference<Float, AdamRule>(reference);
}

}  // namespace

#define MOKA_OPTIMIZER(op)                                                     \
  const OpSchema* op##Schema() {                                               \
    static constexpr OpSchema kSchema = {.domain = "ai.onnx.preview.training", \
                                         .name = #op,                          \
                                         .min_src = 3,                         \
                                         .max_src = kMaxOptimized,             \
                                         .min_dst = 1,                         \
                                         .max_dst = kMaxOptimized,             \
                                         .layout = LayoutRule::kStrided,       \
                                         .infer = InferOptimizer<op##Rule>,    \
                                         MOKA_REFERENCES(op##Reference)};      \
    return &kSchema;                                                           \
  }

MOKA_OPTIMIZER(Adagrad)
MOKA_OPTIMIZER(Adam)
MOKA_OPTIMIZER(Momentum)
#undef MOKA_OPTIMIZER

}  // namespace moka
