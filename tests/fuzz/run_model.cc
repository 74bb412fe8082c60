#include "tests/fuzz/run_model.h"

#include <vector>

#include "base/hash.h"
#include "moka/moka.h"

namespace moka::fuzz {
namespace {

constexpr int64_t kMaxElements = 1 << 12;

// Dims that the model leaves open are 2 or 3; elements are small numbers of both signs.
Result<Datum> MakeInput(const ValueInfo& info, size_t seed) {
  if (info.kind == ValueKind::kSequence) return Datum::Sequence(info.type, {});
  if (info.kind == ValueKind::kOptional) return Datum();
  Shape shape = info.ranked ? info.dims : Shape{2, 3};
  int64_t elements = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] < 0) shape[d] = 2 + static_cast<int64_t>((seed + d) % 2);
    if (shape[d] > kMaxElements) return Status(StatusCode::kInvalidArgument, "too large");
    elements *= shape[d];
    if (elements > kMaxElements) return Status(StatusCode::kInvalidArgument, "too large");
  }
  Result<Tensor> tensor = Tensor::Create(info.type, shape);
  if (!tensor.ok()) return tensor.status();
  for (int64_t i = 0; i < tensor->size(); ++i) {
    const int64_t value = (i * 7 + static_cast<int64_t>(seed)) % 5 - 1;
    switch (info.type) {
      case DataType::kF32:
        tensor->as<float>()[i] = static_cast<float>(value) * 0.75f;
        break;
      case DataType::kF64:
        tensor->as<double>()[i] = static_cast<double>(value) * 0.75;
        break;
      case DataType::kI64:
        tensor->as<int64_t>()[i] = value;
        break;
      case DataType::kI32:
        tensor->as<int32_t>()[i] = static_cast<int32_t>(value);
        break;
      case DataType::kString:
        tensor->as<std::string>()[i] = std::string(static_cast<size_t>(value + 1), 'a');
        break;
      default:
        if (SizeOf(info.type) == 1) tensor->as<uint8_t>()[i] = value > 0 ? 1 : 0;
    }
  }
  return Datum(std::move(*tensor));
}

// The same for the same bytes, so that a find can be run again.
void ChooseOptions(std::string_view bytes, SessionOptions* options) {
  const uint64_t choice = HashBytes(bytes.data(), bytes.size()).low;
  options->precision = choice % 3 == 0 ? Precision::kBF16 : Precision::kF32;
  options->threads = choice / 3 % 4 == 0 ? 2 : 1;
  options->depth_first = choice / 12 % 4 != 0;
}

}  // namespace

Status RunModel(std::string_view bytes, const std::vector<Datum>* given) {
  ModelOptions model_options;
  model_options.max_nodes = 256;
  model_options.max_tensor_bytes = 1 << 20;
  model_options.max_nesting = 6;
  const Result<Model> model = Model::FromMemory(bytes, model_options);
  if (!model.ok()) return model.status();
  SessionOptions options;
  ChooseOptions(bytes, &options);
  options.memory_limit = 16 << 20;
  options.max_loop_trips = 16;
  options.max_tensor_bytes = 1 << 16;
  Result<Session> session = Session::Create(*model, options);
  if (!session.ok()) return session.status();
  std::vector<Datum> inputs;
  if (given != nullptr) {
    inputs = *given;
  } else {
    for (const ValueInfo& info : model->inputs()) {
      Result<Datum> input = MakeInput(info, inputs.size());
      if (!input.ok()) return input.status();
      inputs.push_back(std::move(*input));
    }
  }
  return session->RunData(inputs).status();
}

}  // namespace moka::fuzz
