#include "formats/onnx/reader.h"

#include <algorithm>
#include <string>
#include <vector>

#include "formats/onnx/fields.h"
#include "formats/onnx/graph_reader.h"
#include "formats/onnx/string_entry.h"
#include "formats/onnx/tensor_reader.h"
#include "formats/onnx/versions.h"
#include "formats/onnx/wire.h"

namespace moka {
namespace onnx {
namespace {

constexpr int64_t kOldestIrVersion = 3;

std::string ContextOf(const OnnxSource& source) { return source.path.empty() ? "model in memory" : source.path; }

Status AddFunction(std::string_view bytes, ModelContext* model) {
  Function function;
  MOKA_RETURN_IF_ERROR(ReadFunction(bytes, &function));
  std::pair key(function.domain, function.name);
  if (model->functions.emplace(key, std::move(function)).second) return Status();
  return InvalidModel("function '", key.second, "' of domain '", key.first, "' is there twice");
}

Status ReadHeader(std::string_view bytes, ModelContext* model, std::string_view* graph, Metadata* metadata) {
  int64_t ir_version = 0;
  int graphs = 0;
  for (Fields fields(bytes); fields.Next();) {
    switch (fields.field()) {
      case ModelFields::kIrVersion:
        ir_version = fields.Int();
        break;
      case ModelFields::kGraph:
        *graph = fields.Bytes();
        ++graphs;
        break;
      case ModelFields::kOpsetImport:
        MOKA_RETURN_IF_ERROR(ReadOpset(fields.Bytes(), &model->opsets));
        break;
      case ModelFields::kMetadata: {
        const StringEntry entry = ReadStringEntry(fields.Bytes());
        metadata->emplace_back(entry.key, entry.value);
        break;
      }
      case ModelFields::kFunctions:
        MOKA_RETURN_IF_ERROR(AddFunction(fields.Bytes(), model));
        break;
      default:
        fields.Skip();
    }
  }
  if (ir_version < 1) return InvalidModel("states no IR version: no ONNX model, or a damaged one");
  if (ir_version < kOldestIrVersion) {
    return Unsupported("IR version ", ir_version, "; the oldest that moka reads is ", kOldestIrVersion);
  }
  if (graphs != 1) return InvalidModel("has ", graphs, " graphs, not one");
  return Status();
}

// What makes a sound model one that moka cannot run, in one message.
Status Obstacles(const ModelContext& model) {
  if (model.unknown.empty()) return model.other;
  const auto& first = model.unknown.front();
  std::string message = StrCat(first.description, ": moka has no such operator");
  std::vector<std::string> others;
  for (const auto& node : model.unknown) {
    if (node.op != first.op && std::find(others.begin(), others.end(), node.op) == others.end()) {
      if (others.size() < 10) others.push_back(node.op);
    }
  }
  if (model.unknown.size() > 1)
    message += StrCat("; the same holds for ", model.unknown.size() - 1,
                      model.unknown.size() > 2 ? " other nodes" : " other node");
  for (size_t i = 0; i < others.size(); ++i) message += StrCat(i == 0 ? " (also " : ", ", others[i]);
  if (!others.empty()) message += ")";
  return Unsupported(message);
}

Status ReadModel(const OnnxSource& source, const ModelOptions& options, Graph* graph) {
  ModelContext model(source, options);
  std::string_view graph_bytes;
  MOKA_RETURN_IF_ERROR(Guard([&] { return ReadHeader(source.bytes, &model, &graph_bytes, &graph->metadata); }));
  MOKA_RETURN_IF_ERROR(ReadGraph(graph_bytes, 0, model, graph));
  return Obstacles(model);
}

}  // namespace
}  // namespace onnx

Result<Graph> ReadOnnx(const OnnxSource& source, const ModelOptions& options) {
  Graph graph;
  graph.source = onnx::ContextOf(source);
  MOKA_RETURN_IF_ERROR(onnx::ReadModel(source, options, &graph).WithContext(graph.source));
  MOKA_RETURN_IF_ERROR(SortAndCheck(graph));
  return graph;
}

Result<HostTensor> ReadTensorProto(const OnnxSource& source, const ModelOptions& options) {
  onnx::ReadContext context(source, options);
  std::string_view name;
  Result<HostTensor> tensor = onnx::ReadTensor(source.bytes, context, &name);
  if (tensor.ok()) return tensor;
  const std::string label = name.empty() ? "tensor" : StrCat("tensor '", name, "'");
  return tensor.status().WithContext(label).WithContext(source.path.empty() ? "tensor in memory" : source.path);
}

}  // namespace moka
