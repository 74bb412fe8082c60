#include <algorithm>
#include <limits>

#include "base/status.h"
#include "ops/op.h"
#include "ops/schemas.h"
#include "ops/stack.h"

namespace moka {
namespace {

// Sources: trip count, condition, initial values. The body takes iteration, condition and values; it gives condition,
// values and what each trip adds to the scan outputs.
struct Trips {
  int64_t most = std::numeric_limits<int64_t>::max();
  bool go_on = true;
};

Result<Trips> ReadTrips(const HostCall& call) {
  Trips trips;
  if (call.has_src(0)) {
    MOKA_ASSIGN_OR_RETURN(const Tensor* most, call.SrcTensor(0));
    if (most->type() != DataType::kI64 || most->size() != 1) {
      return InvalidArgument("src 0: ", ToString(*call.src[0]), ", expected one i64");
    }
    trips.most = most->as<int64_t>()[0];
  }
  if (call.has_src(1)) {
    MOKA_ASSIGN_OR_RETURN(const Tensor* condition, call.SrcTensor(1));
    if (condition->type() != DataType::kBool || condition->size() != 1) {
      return InvalidArgument("src 1: ", ToString(*call.src[1]), ", expected one bool");
    }
    trips.go_on = condition->as<uint8_t>()[0] != 0;
  }
  return trips;
}

Result<Datum> Scalar(DataType type, int64_t value) {
  MOKA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(type, {}));
  if (type == DataType::kBool) {
    tensor.as<uint8_t>()[0] = value != 0;
  } else {
    tensor.as<int64_t>()[0] = value;
  }
  return Datum(std::move(tensor));
}

// Of a loop that made no trip: nothing of the shape that the body declares.
Result<Tensor> EmptyScan(const SubgraphRunner::Output& declared) {
  Shape shape = declared.shape;
  shape.insert(shape.begin(), 0);
  return Tensor::Create(declared.type == DataType::kNone ? DataType::kF32 : declared.type, std::move(shape));
}

Status ExecuteLoop(HostCall& call) {
  SubgraphRunner* body = call.subgraph("body");
  if (body == nullptr) return InvalidModel("attribute 'body' is no graph");
  const size_t states = call.src.size() < 2 ? 0 : call.src.size() - 2;
  if (body->num_inputs() != states + 2 || body->num_outputs() < states + 1) {
    return InvalidModel("attribute 'body' takes ", body->num_inputs(), " inputs and gives ", body->num_outputs(),
                        " outputs; with ", states, " values it must take ", states + 2, " and give ", states + 1,
                        " or more");
  }
  const size_t scans = body->num_outputs() - 1 - states;
  if (call.dst.size() > states + scans) {
    return InvalidModel(call.dst.size(), " outputs, the body gives ", states + scans);
  }
  MOKA_ASSIGN_OR_RETURN(Trips trips, ReadTrips(call));
  std::vector<Datum> inputs(states + 2);
  for (size_t i = 0; i < states; ++i) inputs[i + 2] = call.src[i + 2] == nullptr ? Datum() : *call.src[i + 2];
  std::vector<std::vector<Datum>> scanned(scans);
  for (int64_t trip = 0; trip < trips.most && trips.go_on; ++trip) {
    if (trip >= call.max_trips) return InvalidArgument("more trips than the limit of ", call.max_trips);
    MOKA_ASSIGN_OR_RETURN(inputs[0], Scalar(DataType::kI64, trip));
    MOKA_ASSIGN_OR_RETURN(inputs[1], Scalar(DataType::kBool, 1));
    MOKA_ASSIGN_OR_RETURN(std::vector<Datum> results, body->Run(inputs));
    const Datum& condition = results[0];
    if (!condition.is_tensor() || condition.type() != DataType::kBool || condition.tensor().size() != 1) {
      return InvalidArgument("the body's condition is ", ToString(condition), ", expected one bool");
    }
    trips.go_on = condition.tensor().as<uint8_t>()[0] != 0;
    std::move(results.begin() + 1, results.begin() + 1 + static_cast<ptrdiff_t>(states), inputs.begin() + 2);
    for (size_t k = 0; k < scans; ++k) {
      Datum& part = results[1 + states + k];
      if (!part.is_tensor()) return InvalidArgument("scan output ", k, " is ", ToString(part), ", expected a tensor");
      scanned[k].push_back(std::move(part));
    }
  }
  for (size_t i = 0; i < call.dst.size(); ++i) {
    if (i < states) {
      call.dst[i] = std::move(inputs[i + 2]);
      continue;
    }
    const size_t k = i - states;
    MOKA_ASSIGN_OR_RETURN(Tensor stacked, scanned[k].empty() ? EmptyScan(body->declared_output(1 + states + k))
                                                             : Stack(call, scanned[k]));
    call.dst[i] = Datum(std::move(stacked));
  }
  return Status();
}

}  // namespace

const OpSchema* LoopSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "", .name = "Loop", .min_src = 0, .max_src = -1, .min_dst = 0, .max_dst = -1, .execute = ExecuteLoop};
  return &kSchema;
}

}  // namespace moka
