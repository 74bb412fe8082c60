#include "base/status.h"
#include "ops/op.h"
#include "ops/schemas.h"

namespace moka {
namespace {

Status ExecuteIf(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* condition, call.SrcTensor(0));
  if (condition->type() != DataType::kBool || condition->size() != 1) {
    return InvalidArgument("src 0: ", ToString(*call.src[0]), ", expected one bool");
  }
  const char* name = condition->as<uint8_t>()[0] != 0 ? "then_branch" : "else_branch";
  SubgraphRunner* branch = call.subgraph(name);
  if (branch == nullptr) return InvalidModel("attribute '", name, "' is no graph");
  if (branch->num_outputs() != call.dst.size()) {
    return InvalidModel("attribute '", name, "' gives ", branch->num_outputs(), " outputs, expected ", call.dst.size());
  }
  MOKA_ASSIGN_OR_RETURN(std::vector<Datum> results, branch->Run({}));
  std::move(results.begin(), results.end(), call.dst.begin());
  return Status();
}

}  // namespace

const OpSchema* IfSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "", .name = "If", .min_src = 1, .max_src = 1, .min_dst = 1, .max_dst = -1, .execute = ExecuteIf};
  return &kSchema;
}

}  // namespace moka
