#include "ops/custom_op.h"

#include <map>
#include <mutex>
#include <utility>

#include "base/platform.h"
#include "base/status.h"
#include "moka/custom_op.h"

namespace moka {
namespace {

struct CustomSchema : OpSchema {
  std::unique_ptr<const CustomOp> op;
  std::string domain_text, name_text;
};

// Lives as long as the program: graphs point to its schemas.
struct Registry {
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<const CustomSchema>, std::less<>> schemas;
  std::vector<SharedLibrary> libraries;
};

Registry& TheRegistry() {
  static Registry* const registry = new Registry;
  return *registry;
}

class NodeView final : public CustomNode {
 public:
  explicit NodeView(const HostCall& call) : call_(call) {}
  std::string name() const override { return std::string(call_.name); }
  Result<int64_t> Int(const std::string& attribute, int64_t fallback) const override {
    return call_.attrs->Int(attribute, fallback);
  }
  Result<float> Float(const std::string& attribute, float fallback) const override {
    return call_.attrs->Float(attribute, fallback);
  }
  Result<std::string> String(const std::string& attribute, const std::string& fallback) const override {
    return call_.attrs->String(attribute, fallback);
  }
  Result<std::vector<int64_t>> Ints(const std::string& attribute) const override {
    return call_.attrs->Ints(attribute, {});
  }
  Result<std::vector<float>> Floats(const std::string& attribute) const override {
    return call_.attrs->Floats(attribute, {});
  }

 private:
  const HostCall& call_;
};

Status ExecuteCustom(HostCall& call) {
  const CustomOp& op = *static_cast<const CustomSchema*>(call.op)->op;
  const NodeView node(call);
  std::vector<TensorInfo> inputs, outputs(call.dst.size());
  std::vector<ConstTensorView> sources;
  for (size_t i = 0; i < call.src.size(); ++i) {
    if (!call.has_src(i)) {
      inputs.emplace_back();
      sources.emplace_back();
      continue;
    }
    MOKA_ASSIGN_OR_RETURN(const Tensor* tensor, call.SrcTensor(i));
    inputs.push_back({tensor->type(), tensor->shape()});
    sources.push_back(tensor->view());
  }
  MOKA_RETURN_IF_ERROR(op.Infer(node, inputs, &outputs));
  if (outputs.size() != call.dst.size()) {
    return InvalidArgument("the operator infers ", outputs.size(), " outputs, the node has ", call.dst.size());
  }
  std::vector<Tensor> results;
  std::vector<TensorView> views;
  for (const TensorInfo& output : outputs) {
    MOKA_ASSIGN_OR_RETURN(Tensor tensor, call.NewTensor(output.type, output.shape));
    results.push_back(std::move(tensor));
    views.push_back(results.back().view());
  }
  MOKA_RETURN_IF_ERROR(op.Compute(node, sources, views));
  for (size_t i = 0; i < results.size(); ++i) call.dst[i] = Datum(std::move(results[i]));
  return Status();
}

class CountingRegistry final : public CustomOpRegistry {
 public:
  Status Register(std::unique_ptr<const CustomOp> op) override {
    Status registered = RegisterCustomOp(std::move(op));
    if (registered.ok()) ++count;
    if (status.ok()) status = registered;
    return registered;
  }
  int count = 0;
  Status status;
};

}  // namespace

const OpSchema* FindCustomOp(std::string_view domain, std::string_view name) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto found = registry.schemas.find(std::pair<std::string, std::string>(domain, name));
  return found == registry.schemas.end() ? nullptr : found->second.get();
}

Status RegisterCustomOp(std::unique_ptr<const CustomOp> op) {
  if (op == nullptr) return InvalidArgument("no operator is given");
  auto schema = std::make_unique<CustomSchema>();
  schema->domain_text = op->domain();
  schema->name_text = op->name();
  const std::string shown = StrCat(schema->domain_text, ".", schema->name_text);
  if (schema->domain_text.empty() || schema->name_text.empty() || schema->domain_text == "moka") {
    return InvalidArgument("operator '", shown, "': a domain of the product's own and a name are needed");
  }
  if (FindOp(schema->domain_text, schema->name_text) != nullptr) {
    return InvalidArgument("operator '", shown, "' is there already");
  }
  schema->domain = schema->domain_text.c_str();
  schema->name = schema->name_text.c_str();
  schema->min_src = op->min_inputs();
  schema->max_src = op->max_inputs();
  schema->min_dst = op->min_outputs();
  schema->max_dst = op->max_outputs();
  schema->execute = ExecuteCustom;
  schema->op = std::move(op);
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  auto key = std::pair(schema->domain_text, schema->name_text);
  if (registry.schemas.emplace(std::move(key), std::move(schema)).second) return Status();
  return InvalidArgument("operator '", shown, "' is there already");
}

Result<int> LoadCustomOps(const std::string& path) {
  const char* const names[] = {path.c_str()};
  MOKA_ASSIGN_OR_RETURN(SharedLibrary library, SharedLibrary::Open(names, 1));
  const auto entry = reinterpret_cast<CustomOpEntry>(library.Symbol(kCustomOpEntry));
  if (entry == nullptr) return InvalidArgument(path, ": exports no ", kCustomOpEntry);
  CountingRegistry counting;
  entry(&counting);
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.libraries.push_back(std::move(library));
  if (!counting.status.ok()) return counting.status.WithContext(path);
  return counting.count;
}

}  // namespace moka
