#include "ops/scan.h"

#include "base/status.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/stack.h"

namespace moka {
namespace {

// Sources: initial values, then tensors whose slices the trips get. The body gives values and one slice of each scan
// output.
struct ScanParams {
  size_t scan_inputs = 0, states = 0, scan_outputs = 0;
  IntList input_axes, output_axes, input_directions, output_directions;

  static Result<ScanParams> From(const HostCall& call, const SubgraphRunner& body) {
    ScanParams params;
    int64_t scans = 0;
    MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "num_scan_inputs", 0, &scans));
    if (scans < 1 || scans > static_cast<int64_t>(call.src.size())) {
      return InvalidModel("attribute 'num_scan_inputs' is ", scans, ", with ", call.src.size(), " inputs");
    }
    params.scan_inputs = static_cast<size_t>(scans);
    params.states = call.src.size() - params.scan_inputs;
    if (body.num_inputs() != call.src.size() || body.num_outputs() < params.states) {
      return InvalidModel("attribute 'body' takes ", body.num_inputs(), " inputs and gives ", body.num_outputs(),
                          " outputs; it must take ", call.src.size(), " and give ", params.states, " or more");
    }
    params.scan_outputs = body.num_outputs() - params.states;
    if (call.dst.size() > body.num_outputs()) {
      return InvalidModel(call.dst.size(), " outputs, the body gives ", body.num_outputs());
    }
    MOKA_RETURN_IF_ERROR(ReadList(call, "scan_input_axes", params.scan_inputs, &params.input_axes));
    MOKA_RETURN_IF_ERROR(ReadList(call, "scan_output_axes", params.scan_outputs, &params.output_axes));
    MOKA_RETURN_IF_ERROR(ReadList(call, "scan_input_directions", params.scan_inputs, &params.input_directions));
    MOKA_RETURN_IF_ERROR(ReadList(call, "scan_output_directions", params.scan_outputs, &params.output_directions));
    return params;
  }

 private:
  static Status ReadList(const HostCall& call, const char* name, size_t count, IntList* list) {
    MOKA_RETURN_IF_ERROR(ReadInts(*call.attrs, name, list));
    if (!list->present || list->size == static_cast<int>(count)) return Status();
    return InvalidModel("attribute '", name, "' has ", list->size, " elements, expected ", count);
  }
};

int64_t At(const IntList& list, size_t i) { return list.present ? list[static_cast<int>(i)] : 0; }

// The axis of each scanned source; all must have one length there.
Status FindLength(const ScanParams& params, std::span<const Datum> src, std::vector<int>* axes, int64_t* length) {
  for (size_t k = 0; k < params.scan_inputs; ++k) {
    const size_t i = params.states + k;
    if (!src[i].is_tensor()) return InvalidArgument("src ", i, ": ", ToString(src[i]), ", expected a tensor");
    const Shape& shape = src[i].tensor().shape();
    MOKA_ASSIGN_OR_RETURN(const int axis,
                          NormalizeAxis(At(params.input_axes, k), static_cast<int>(shape.size()), "scan_input_axes"));
    const int64_t size = shape[static_cast<size_t>(axis)];
    if (k > 0 && size != *length) {
      return InvalidArgument("src ", i, ": ", size, " slices along axis ", axis, ", others have ", *length);
    }
    *length = size;
    axes->push_back(axis);
  }
  return Status();
}

// Scan output k: what the trips gave along its axis; nothing of the declared shape where there was no trip.
Result<Tensor> StackScanned(const HostCall& call, const ScanParams& params, size_t k, const std::vector<Datum>& parts,
                            const SubgraphRunner::Output& declared) {
  const size_t part_rank = parts.empty() ? declared.shape.size() : parts[0].tensor().shape().size();
  MOKA_ASSIGN_OR_RETURN(const int axis,
                        NormalizeAxis(At(params.output_axes, k), static_cast<int>(part_rank) + 1, "scan_output_axes"));
  if (!parts.empty()) return Stack(call, parts, axis, At(params.output_directions, k) != 0);
  Shape shape = declared.shape;
  shape.insert(shape.begin() + axis, 0);
  return Tensor::Create(declared.type == DataType::kNone ? DataType::kF32 : declared.type, shape);
}

// One scan over `src`: values first, then tensors whose slices the trips get.
Result<std::vector<Datum>> RunScan(const HostCall& call, const ScanParams& params, SubgraphRunner& body,
                                   std::span<const Datum> src) {
  std::vector<int> axes;
  int64_t length = 0;
  MOKA_RETURN_IF_ERROR(FindLength(params, src, &axes, &length));
  if (length > call.max_trips) return InvalidArgument(length, " trips, the limit is ", call.max_trips);
  std::vector<Datum> inputs(src.begin(), src.end());
  std::vector<std::vector<Datum>> scanned(params.scan_outputs);
  for (int64_t trip = 0; trip < length; ++trip) {
    for (size_t k = 0; k < params.scan_inputs; ++k) {
      const int64_t index = At(params.input_directions, k) != 0 ? length - 1 - trip : trip;
      MOKA_ASSIGN_OR_RETURN(Tensor slice, Unstack(src[params.states + k].tensor(), axes[k], index));
      inputs[params.states + k] = Datum(std::move(slice));
    }
    MOKA_ASSIGN_OR_RETURN(std::vector<Datum> results, body.Run(inputs));
    std::move(results.begin(), results.begin() + static_cast<ptrdiff_t>(params.states), inputs.begin());
    for (size_t k = 0; k < params.scan_outputs; ++k) {
      Datum& part = results[params.states + k];
      if (!part.is_tensor()) return InvalidArgument("scan output ", k, " is ", ToString(part), ", expected a tensor");
      scanned[k].push_back(std::move(part));
    }
  }
  inputs.resize(params.states);
  for (size_t k = 0; k < params.scan_outputs; ++k) {
    MOKA_ASSIGN_OR_RETURN(Tensor stacked,
                          StackScanned(call, params, k, scanned[k], body.declared_output(params.states + k)));
    inputs.emplace_back(std::move(stacked));
  }
  return inputs;
}

// The first form of Scan has a batch before every other dimension of all its operands.
Result<std::vector<Datum>> RunBatchedScan(const HostCall& call, const ScanParams& params, SubgraphRunner& body,
                                          std::span<const Datum> src) {
  int64_t batch = -1;
  for (size_t i = 0; i < src.size(); ++i) {
    if (!src[i].is_tensor() || src[i].tensor().shape().empty()) {
      return InvalidArgument("src ", i, ": ", ToString(src[i]), ", expected a tensor with a batch");
    }
    const int64_t own = src[i].tensor().shape()[0];
    if (batch >= 0 && own != batch) return InvalidArgument("src ", i, ": a batch of ", own, ", others have ", batch);
    batch = own;
  }
  if (batch < 1) return InvalidArgument("an empty batch");
  if (batch > call.max_trips) return InvalidArgument("a batch of ", batch, ", the limit is ", call.max_trips);
  std::vector<std::vector<Datum>> results;
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<Datum> part;
    for (const Datum& datum : src) {
      MOKA_ASSIGN_OR_RETURN(Tensor slice, Unstack(datum.tensor(), 0, b));
      part.emplace_back(std::move(slice));
    }
    MOKA_ASSIGN_OR_RETURN(std::vector<Datum> outputs, RunScan(call, params, body, part));
    results.resize(outputs.size());
    for (size_t k = 0; k < outputs.size(); ++k) results[k].push_back(std::move(outputs[k]));
  }
  std::vector<Datum> stacked;
  for (const std::vector<Datum>& parts : results) {
    MOKA_ASSIGN_OR_RETURN(Tensor whole, Stack(call, parts));
    stacked.emplace_back(std::move(whole));
  }
  return stacked;
}

Status ExecuteScan(HostCall& call) {
  SubgraphRunner* body = call.subgraph("body");
  if (body == nullptr) return InvalidModel("attribute 'body' is no graph");
  MOKA_ASSIGN_OR_RETURN(const ScanParams params, ScanParams::From(call, *body));
  std::vector<Datum> src;
  for (const Datum* datum : call.src) src.push_back(datum == nullptr ? Datum() : *datum);
  bool batched = false;
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, kScanBatched, false, &batched));
  MOKA_ASSIGN_OR_RETURN(std::vector<Datum> results,
                        batched ? RunBatchedScan(call, params, *body, src) : RunScan(call, params, *body, src));
  std::move(results.begin(), results.begin() + static_cast<ptrdiff_t>(call.dst.size()), call.dst.begin());
  return Status();
}

}  // namespace

const OpSchema* ScanSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "", .name = "Scan", .min_src = 1, .max_src = -1, .min_dst = 1, .max_dst = -1, .execute = ExecuteScan};
  return &kSchema;
}

}  // namespace moka
