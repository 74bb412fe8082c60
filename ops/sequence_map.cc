#include "base/status.h"
#include "ops/op.h"
#include "ops/schemas.h"

namespace moka {
namespace {

// Source 0 is a sequence; others are sequences of its length, or tensors that every call gets.
Status ExecuteSequenceMap(HostCall& call) {
  SubgraphRunner* body = call.subgraph("body");
  if (body == nullptr) return InvalidModel("attribute 'body' is no graph");
  if (body->num_inputs() != call.src.size() || body->num_outputs() != call.dst.size()) {
    return InvalidModel("attribute 'body' takes ", body->num_inputs(), " inputs and gives ", body->num_outputs(),
                        " outputs, expected ", call.src.size(), " and ", call.dst.size());
  }
  if (!call.has_src(0) || !call.src[0]->is_sequence()) return InvalidArgument("src 0: expected a sequence");
  const size_t length = call.src[0]->sequence().size();
  for (size_t i = 1; i < call.src.size(); ++i) {
    if (!call.has_src(i)) return InvalidArgument("src ", i, " is missing");
    if (call.src[i]->is_sequence() && call.src[i]->sequence().size() != length) {
      return InvalidArgument("src ", i, ": ", ToString(*call.src[i]), ", src 0 has ", length, " elements");
    }
  }
  std::vector<std::vector<Datum>> mapped(call.dst.size());
  for (size_t element = 0; element < length; ++element) {
    std::vector<Datum> inputs;
    for (const Datum* src : call.src) inputs.push_back(src->is_sequence() ? src->sequence()[element] : *src);
    MOKA_ASSIGN_OR_RETURN(std::vector<Datum> results, body->Run(inputs));
    for (size_t k = 0; k < results.size(); ++k) mapped[k].push_back(std::move(results[k]));
  }
  for (size_t k = 0; k < mapped.size(); ++k) {
    const DataType type = mapped[k].empty() ? body->declared_output(k).type : mapped[k][0].type();
    call.dst[k] = Datum::Sequence(type, std::move(mapped[k]));
  }
  return Status();
}

}  // namespace

const OpSchema* SequenceMapSchema() {
  static constexpr OpSchema kSchema = {.domain = "",
                                       .name = "SequenceMap",
                                       .min_src = 1,
                                       .max_src = -1,
                                       .min_dst = 1,
                                       .max_dst = -1,
                                       .execute = ExecuteSequenceMap};
  return &kSchema;
}

}  // namespace moka
