// FlexAttention of ai.onnx.preview: attention whose scores and probabilities pass through graphs in attributes. It runs
// between plans, since those graphs do.
#include <cmath>
#include <utility>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/schemas.h"

namespace moka {
namespace {

bool IsFloat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF64 || type == DataType::kF16 || type == DataType::kBF16;
}

// A tensor with the desc to read it by.
struct View {
  const Tensor* tensor = nullptr;
  TensorDesc desc;

  double At(const Index& at) const { return Load<double>(desc, tensor->data(), OffsetOf(desc, at)); }
};

Result<View> Operand(const HostCall& call, size_t i) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* tensor, call.SrcTensor(i));
  if (!IsFloat(tensor->type())) return Unsupported("src ", i, " is ", NameOf(tensor->type()), ", expected floats");
  if (tensor->shape().size() != 4) return InvalidArgument("src ", i, ": rank ", tensor->shape().size(), ", expected 4");
  return View{tensor, MakeDense(tensor->type(), tensor->shape())};
}

Status CheckShapes(const View& q, const View& k, const View& v) {
  const auto require = [](int64_t a, int64_t b, const char* what) {
    return a == b ? Status() : InvalidArgument(what, ": ", a, ", expected ", b);
  };
  MOKA_RETURN_IF_ERROR(require(k.desc.dims[0], q.desc.dims[0], "batch of src 1"));
  MOKA_RETURN_IF_ERROR(require(k.desc.dims[3], q.desc.dims[3], "head size of src 1"));
  for (size_t i = 0; i < 3; ++i) MOKA_RETURN_IF_ERROR(require(v.desc.dims[i], k.desc.dims[i], "a dimension of src 2"));
  if (k.desc.dims[1] == 0 || q.desc.dims[1] % k.desc.dims[1] != 0) {
    return InvalidArgument("heads of src 0: ", q.desc.dims[1], ", no multiple of src 1's ", k.desc.dims[1]);
  }
  return k.desc.type == q.desc.type && v.desc.type == q.desc.type
             ? Status()
             : InvalidArgument("src 0, src 1 and src 2 differ in type");
}

// Passes a tensor through the graph of an attribute, if there is one.
Status Modify(const HostCall& call, const char* attribute, Tensor* tensor) {
  SubgraphRunner* graph = call.subgraph != nullptr ? call.subgraph(attribute) : nullptr;
  if (graph == nullptr) return Status();
  if (graph->num_inputs() != 1 || graph->num_outputs() != 1) {
    return InvalidModel("attribute '", attribute, "': a graph of ", graph->num_inputs(), " inputs and ",
                        graph->num_outputs(), " outputs, expected 1 and 1");
  }
  const Datum input(*tensor);
  MOKA_ASSIGN_OR_RETURN(const std::vector<Datum> results, graph->Run({&input, 1}));
  if (results.size() != 1 || !results[0].is_tensor() || results[0].tensor().type() != tensor->type() ||
      results[0].tensor().shape() != tensor->shape()) {
    return InvalidModel("attribute '", attribute, "': the graph gives another shape or type than it takes");
  }
  *tensor = results[0].tensor();
  return Status();
}

void SetScores(const View& q, const View& k, double scale, const TensorDesc& desc, Tensor* scores) {
  const int64_t group = q.desc.dims[1] / k.desc.dims[1];
  ForEachIndex(desc, [&](const Index& at) {
    double sum = 0;
    for (int64_t d = 0; d < q.desc.dims[3]; ++d) {
      sum += q.At({at[0], at[1], at[2], d}) * k.At({at[0], at[1] / group, at[3], d});
    }
    Store<double>(desc, scores->data(), OffsetOf(desc, at), sum * scale);
  });
}

void Softmax(const TensorDesc& desc, const Tensor& scores, Tensor* probabilities) {
  TensorDesc rows = desc;
  rows.dims[3] = desc.dims[3] == 0 ? 0 : 1;
  ForEachIndex(rows, [&](const Index& at) {
    const int64_t base = OffsetOf(desc, at);
    const auto score = [&](int64_t j) { return Load<double>(desc, scores.data(), base + j); };
    double largest = Lowest<double>(), sum = 0;
    for (int64_t j = 0; j < desc.dims[3]; ++j)
      largest = score(j) > largest || score(j) != score(j) ? score(j) : largest;
    for (int64_t j = 0; j < desc.dims[3]; ++j) sum += std::exp(score(j) - largest);
    for (int64_t j = 0; j < desc.dims[3]; ++j) {
      Store<double>(desc, probabilities->data(), base + j, std::exp(score(j) - largest) / sum);
    }
  });
}

Status ExecuteFlexAttention(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const View q, Operand(call, 0));
  MOKA_ASSIGN_OR_RETURN(const View k, Operand(call, 1));
  MOKA_ASSIGN_OR_RETURN(const View v, Operand(call, 2));
  MOKA_RETURN_IF_ERROR(CheckShapes(q, k, v));
  DataType type = q.desc.type == DataType::kF64 ? DataType::kF64 : DataType::kF32;  // of scores and probabilities
  MOKA_RETURN_IF_ERROR(ReadFloatType(*call.attrs, "softmax_precision", type, &type));
  float scale = q.desc.dims[3] == 0 ? 1.0f : static_cast<float>(1 / std::sqrt(static_cast<double>(q.desc.dims[3])));
  MOKA_RETURN_IF_ERROR(ReadFloat(*call.attrs, "scale", scale, &scale));
  const Shape shape = {q.desc.dims[0], q.desc.dims[1], q.desc.dims[2], k.desc.dims[2]};
  MOKA_ASSIGN_OR_RETURN(Tensor scores, call.NewTensor(type, shape));
  const TensorDesc desc = MakeDense(type, shape);
  SetScores(q, k, static_cast<double>(scale), desc, &scores);
  MOKA_RETURN_IF_ERROR(Modify(call, "score_mod", &scores));
  MOKA_ASSIGN_OR_RETURN(Tensor probabilities, call.NewTensor(type, shape));
  Softmax(desc, scores, &probabilities);
  MOKA_RETURN_IF_ERROR(Modify(call, "prob_mod", &probabilities));
  const Shape result = {shape[0], shape[1], shape[2], v.desc.dims[3]};
  MOKA_ASSIGN_OR_RETURN(Tensor y, call.NewTensor(q.desc.type, result));
  const TensorDesc y_desc = MakeDense(q.desc.type, result);
  const int64_t group = shape[1] / v.desc.dims[1];
  ForEachIndex(y_desc, [&](const Index& at) {
    double sum = 0;
    for (int64_t j = 0; j < shape[3]; ++j) {
      sum += Load<double>(desc, probabilities.data(), OffsetOf(desc, {at[0], at[1], at[2], j})) *
             v.At({at[0], at[1] / group, j, at[3]});
    }
    Store<double>(y_desc, y.data(), OffsetOf(y_desc, at), sum);
  });
  call.dst[0] = Datum(std::move(y));
  return Status();
}

}  // namespace

const OpSchema* FlexAttentionSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "ai.onnx.preview",
      .name = "FlexAttention",
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .execute = ExecuteFlexAttention,
  };
  return &kSchema;
}

}  // namespace moka
