#include "ops/recurrent.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ops/infer.h"
#include "ops/params.h"

namespace moka {
namespace {

struct FunctionRow {
  std::string_view name;  // in lower case: files differ
  GateFunction function;
  bool has_alpha, has_beta;
  float alpha, beta;
};
constexpr FunctionRow kFunctions[] = {
    {"relu", GateFunction::kRelu, false, false, 0, 0},
    {"tanh", GateFunction::kTanh, false, false, 0, 0},
    {"sigmoid", GateFunction::kSigmoid, false, false, 0, 0},
    {"affine", GateFunction::kAffine, true, true, 1, 0},
    {"leakyrelu", GateFunction::kLeakyRelu, true, false, 0.01f, 0},
    {"thresholdedrelu", GateFunction::kThresholdedRelu, true, false, 1, 0},
    {"scaledtanh", GateFunction::kScaledTanh, true, true, 1, 1},
    {"hardsigmoid", GateFunction::kHardSigmoid, true, true, 0.2f, 0.5f},
    {"elu", GateFunction::kElu, true, false, 1, 0},
    {"softsign", GateFunction::kSoftsign, false, false, 0, 0},
    {"softplus", GateFunction::kSoftplus, false, false, 0, 0},
};

bool SameName(std::string_view lower, std::string_view name) {
  return std::equal(lower.begin(), lower.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); });
}

template <class T>
Status FindList(const Attributes& attrs, std::string_view name, const std::vector<T>** list) {
  *list = nullptr;
  const AttributeValue* found = attrs.Find(name);
  if (found == nullptr) return Status();
  *list = std::get_if<std::vector<T>>(found);
  if (*list == nullptr) return InvalidModel("attribute '", name, "' has the wrong type");
  return Status();
}

// Takes the next value of a list, which are consumed in the order of the functions that have such a value.
float Next(const std::vector<float>* list, size_t* next, float fallback) {
  return list != nullptr && *next < list->size() ? (*list)[(*next)++] : fallback;
}

Status ReadActivations(const Attributes& attrs, RecurrentParams* params) {
  const std::vector<std::string>* names = nullptr;
  const std::vector<float>*alphas = nullptr, *betas = nullptr;
  MOKA_RETURN_IF_ERROR(FindList(attrs, "activations", &names));
  MOKA_RETURN_IF_ERROR(FindList(attrs, "activation_alpha", &alphas));
  MOKA_RETURN_IF_ERROR(FindList(attrs, "activation_beta", &betas));
  const size_t wanted = static_cast<size_t>(params->directions * params->functions());
  if (names != nullptr && names->size() < wanted) {
    return InvalidModel("attribute 'activations' has ", names->size(), " elements, expected ", wanted);
  }
  size_t alpha = 0, beta = 0;
  for (size_t i = 0; i < wanted; ++i) {
    const size_t function = i % static_cast<size_t>(params->functions());
    const bool gate = params->kind != RecurrentKind::kRnn && function == 0;
    const std::string_view name = names != nullptr ? std::string_view((*names)[i]) : gate ? "sigmoid" : "tanh";
    const auto row = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                  [&](const FunctionRow& known) { return SameName(known.name, name); });
    if (row == std::end(kFunctions)) return InvalidModel("attribute 'activations': no function is called '", name, "'");
    GateActivation& activation = params->activations[i / static_cast<size_t>(params->functions())][function];
    activation = {row->function, row->alpha, row->beta};
    if (row->has_alpha) activation.alpha = Next(alphas, &alpha, row->alpha);
    if (row->has_beta) activation.beta = Next(betas, &beta, row->beta);
  }
  return Status();
}

Status ReadDirection(const Attributes& attrs, RecurrentParams* params) {
  std::string_view direction;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "direction", "forward", &direction));
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return InvalidModel("attribute 'direction' is '", direction, "', expected forward, reverse or bidirectional");
  }
  params->directions = direction == "bidirectional" ? 2 : 1;
  params->first_reversed = direction == "reverse";
  return Status();
}

RecurrentKind KindOf(std::string_view op) {
  return op == "LSTM" ? RecurrentKind::kLstm : op == "GRU" ? RecurrentKind::kGru : RecurrentKind::kRnn;
}

// ---- Inference ----------------------------------------------------------------------------------------------------

constexpr const char* kNames[] = {"X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"};

struct SymbolicSizes {
  Dim steps, batch, input, hidden, directions;
};

Status RequireDims(InferContext& ctx, size_t src, std::initializer_list<Dim> dims) {
  if (!ctx.has_src(src)) return Status();
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, src, static_cast<int>(dims.size()), static_cast<int>(dims.size())));
  size_t i = 0;
  for (const Dim& dim : dims) {
    const std::string what = StrCat("dim ", i, " of src ", src, " (", kNames[src], ")");
    MOKA_RETURN_IF_ERROR(RequireEqual(ctx, ctx.src[src]->dims[i++], dim, what));
  }
  return Status();
}

Status CheckOperands(InferContext& ctx, const RecurrentParams& params, const SymbolicSizes& sizes) {
  const Dim &d = sizes.directions, rows = Dim(params.gates()) * sizes.hidden;
  MOKA_RETURN_IF_ERROR(RequireDims(ctx, RecurrentParams::kW, {d, rows, sizes.input}));
  MOKA_RETURN_IF_ERROR(RequireDims(ctx, RecurrentParams::kR, {d, rows, sizes.hidden}));
  MOKA_RETURN_IF_ERROR(RequireDims(ctx, RecurrentParams::kB, {d, Dim(2) * rows}));
  MOKA_RETURN_IF_ERROR(RequireDims(ctx, RecurrentParams::kLens, {sizes.batch}));
  for (const size_t state : {RecurrentParams::kInitialH, RecurrentParams::kInitialC}) {
    MOKA_RETURN_IF_ERROR(params.batch_first ? RequireDims(ctx, state, {sizes.batch, d, sizes.hidden})
                                            : RequireDims(ctx, state, {d, sizes.batch, sizes.hidden}));
  }
  return RequireDims(ctx, RecurrentParams::kP, {d, Dim(3) * sizes.hidden});
}

Status InferRecurrent(InferContext& ctx, RecurrentKind kind) {
  MOKA_ASSIGN_OR_RETURN(const RecurrentParams params, RecurrentParams::From(kind, *ctx.attrs));
  for (size_t i = 0; i < ctx.src.size(); ++i) {
    if (i < 3 && !ctx.has_src(i)) return InvalidModel("src ", i, " (", kNames[i], ") is missing");
    if (!ctx.has_src(i)) continue;
    MOKA_RETURN_IF_ERROR(i == RecurrentParams::kLens ? CheckType(ctx, i, {DataType::kI32})
                                                     : CheckType(ctx, i, kFloatTypes));
    if (i != RecurrentParams::kLens) MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 0));
  }
  for (const size_t i : {RecurrentParams::kX, RecurrentParams::kR}) MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 3, 3));
  const std::vector<Dim>&x = ctx.src[0]->dims, &r = ctx.src[RecurrentParams::kR]->dims;
  const SymbolicSizes sizes = {params.batch_first ? x[1] : x[0], params.batch_first ? x[0] : x[1], x[2], r[2],
                               Dim(params.directions)};
  int64_t hidden = 0;
  MOKA_RETURN_IF_ERROR(ReadInt(*ctx.attrs, "hidden_size", 0, &hidden));
  if (ctx.attrs->Has("hidden_size")) {
    MOKA_RETURN_IF_ERROR(
        RequireEqual(ctx, sizes.hidden, Dim(hidden), "dim 2 of src 2 (R) for attribute 'hidden_size'"));
  }
  MOKA_RETURN_IF_ERROR(CheckOperands(ctx, params, sizes));
  const Dim& d = sizes.directions;
  for (size_t i = 0; i < ctx.dst.size(); ++i) {
    ctx.dst[i].type = ctx.src[0]->type;
    if (i == 0 && params.batch_first) ctx.dst[i].dims = {sizes.batch, sizes.steps, d, sizes.hidden};
    if (i == 0 && !params.batch_first) ctx.dst[i].dims = {sizes.steps, d, sizes.batch, sizes.hidden};
    if (i > 0 && params.batch_first) ctx.dst[i].dims = {sizes.batch, d, sizes.hidden};
    if (i > 0 && !params.batch_first) ctx.dst[i].dims = {d, sizes.batch, sizes.hidden};
  }
  return Status();
}

Cost RecurrentCost(const OpCall& call) {
  const Result<RecurrentParams> params = RecurrentParams::From(call);
  if (!params.ok()) return {};
  const RecurrentSizes sizes = RecurrentSizes::Of(*params, call);
  const auto rows = static_cast<double>(sizes.steps * sizes.batch * params->directions);
  const auto columns = static_cast<double>(params->gates()) * static_cast<double>(sizes.hidden);
  return {rows * columns * (2 * static_cast<double>(sizes.input + sizes.hidden) + 10)};
}

}  // namespace

Result<RecurrentParams> RecurrentParams::From(RecurrentKind kind, const Attributes& attrs) {
  RecurrentParams params;
  params.kind = kind;
  MOKA_RETURN_IF_ERROR(ReadDirection(attrs, &params));
  MOKA_RETURN_IF_ERROR(ReadActivations(attrs, &params));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "layout", false, &params.batch_first));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "input_forget", false, &params.input_forget));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "linear_before_reset", false, &params.linear_before_reset));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "clip", 0, &params.clip));
  if (!(params.clip >= 0)) return InvalidModel("attribute 'clip' is ", params.clip, ", expected a positive number");
  return params;
}

Result<RecurrentParams> RecurrentParams::From(const OpCall& call) { return From(KindOf(call.op->name), *call.attrs); }

RecurrentStrides RecurrentParams::StridesOfX(const TensorDesc& x) const {
  return batch_first ? RecurrentStrides{x.strides[1], 0, x.strides[0]}
                     : RecurrentStrides{x.strides[0], 0, x.strides[1]};
}
RecurrentStrides RecurrentParams::StridesOfY(const TensorDesc& y) const {
  return batch_first ? RecurrentStrides{y.strides[1], y.strides[2], y.strides[0]}
                     : RecurrentStrides{y.strides[0], y.strides[1], y.strides[2]};
}
RecurrentStrides RecurrentParams::StridesOfState(const TensorDesc& state) const {
  return batch_first ? RecurrentStrides{0, state.strides[1], state.strides[0]}
                     : RecurrentStrides{0, state.strides[0], state.strides[1]};
}

RecurrentSizes RecurrentSizes::Of(const RecurrentParams& params, const OpCall& call) {
  const TensorDesc& x = call.src[RecurrentParams::kX];
  return {x.dims[params.batch_first ? 1 : 0], x.dims[params.batch_first ? 0 : 1], x.dims[2],
          call.src[RecurrentParams::kR].dims[2]};
}

Status CheckSequenceLength(int64_t row, int64_t length, int64_t steps) {
  if (length >= 0 && length <= steps) return Status();
  return InvalidArgument("src 4 (sequence_lens): element ", row, " is ", length, ", expected 0 to ", steps);
}

#ifdef MOKA_REFERENCE
template <class Float>
Status RecurrentReference(const ReferenceCall& reference);  // in ops/recurrent_reference.cc
#define MOKA_RECURRENT_REFERENCES .reference = RecurrentReference<float>, .oracle = RecurrentReference<double>,
#else
#define MOKA_RECURRENT_REFERENCES
#endif

#define MOKA_RECURRENT(op, recurrent_kind, sources, results)                            \
  const OpSchema* op##Schema() {                                                        \
    static constexpr OpSchema kSchema = {                                               \
        .domain = "",                                                                   \
        .name = #op,                                                                    \
        .min_src = 3,                                                                   \
        .max_src = sources,                                                             \
        .min_dst = 0,                                                                   \
        .max_dst = results,                                                             \
        .layout = LayoutRule::kRowMajor,                                                \
        .infer = [](InferContext& ctx) { return InferRecurrent(ctx, recurrent_kind); }, \
        MOKA_RECURRENT_REFERENCES.cost = RecurrentCost,                                 \
        .tolerance = 1e-4f,                                                             \
    };                                                                                  \
    return &kSchema;                                                                    \
  }

MOKA_RECURRENT(LSTM, RecurrentKind::kLstm, 8, 3)
MOKA_RECURRENT(GRU, RecurrentKind::kGru, 6, 2)
MOKA_RECURRENT(RNN, RecurrentKind::kRnn, 6, 2)
#undef MOKA_RECURRENT

}  // namespace moka
