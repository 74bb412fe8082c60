#include "tools/command.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

namespace moka::tools {

int Fail(const std::string& message) {
  fmt::print(stderr, "moka: {}\n", message);
  return kWrongInput;
}
int Fail(const Status& status) { return Fail(status.message()); }

void AddRunOptions(CLI::App& app, RunOptions& options) {
  app.add_option("model", options.model, "An ONNX file")->required();
  app.add_option("--device", options.device, "cpu, vulkan, opencl, a name that `moka devices` prints, or auto")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Workers on the CPU, 1 to 1024 (default: one a core)")
      ->check([](const std::string& text) {
        int threads = 0;
        const bool number = CLI::detail::lexical_cast(text, threads);
        return number && threads >= 1 && threads <= 1024 ? std::string() : "--threads takes 1 to 1024, not " + text;
      });
  static const std::map<std::string, Precision> kPrecisions = {{"f32", Precision::kF32}, {"bf16", Precision::kBF16}};
  app.add_option("--precision", options.precision, "f32, or bf16: matrices times weights round to bf16 on the CPU")
      ->transform(CLI::CheckedTransformer(kPrecisions).description("{f32,bf16}"))
      ->default_str("f32");
  app.add_option("--memory-limit", options.memory_limit, "Bytes of weights, packs, arena and scratch (default: none)");
  app.add_option("--pack-cache", options.pack_cache, "A folder that keeps packed weights for the next start");
  app.add_flag("--measure", options.measure, "Time the CPU's kernels for each step and take the fastest");
  app.add_flag("--layer-by-layer", options.layer_by_layer, "Run no chains of convolutions strip by strip");
  app.add_flag("--strict", options.strict, "Fail, with the whole list, where a node would not run on the device");
  app.add_option("--input", options.inputs, "NAME=file.npy, once for each input of the model");
  app.add_option("--output", options.outputs, "A value to compute, any of the graph; may be repeated")
      ->default_str("the graph's outputs");
}

SessionOptions ToSessionOptions(const RunOptions& options) {
  SessionOptions session;
  session.device = options.device;
  session.threads = options.threads;
  session.precision = options.precision;
  session.memory_limit = options.memory_limit;
  session.pack_cache = options.pack_cache;
  session.measure = options.measure;
  session.strict = options.strict;
  session.depth_first = !options.layer_by_layer;
  session.outputs = options.outputs;
  return session;
}

namespace {

// Symbolic sizes given as NAME=NUMBER.
Result<int64_t> SizeOfSymbol(const std::string& symbol, size_t axis, const std::vector<std::string>& sizes) {
  for (const std::string& size : sizes) {
    const size_t equals = size.find('=');
    if (equals != symbol.size() || size.compare(0, equals, symbol) != 0) continue;
    int64_t value = 0;
    if (CLI::detail::lexical_cast(size.substr(equals + 1), value) && value >= 0) return value;
    return Status(StatusCode::kInvalidArgument, fmt::format("size '{}' is not NAME=NUMBER", size));
  }
  return axis == 0 ? 1 : 224;
}

Result<Tensor> Synthesize(const ValueInfo& info, const std::vector<std::string>& sizes) {
  Shape shape = info.dims;
  for (size_t axis = 0; axis < shape.size(); axis++) {
    if (shape[axis] >= 0) continue;
    Result<int64_t> size = SizeOfSymbol(info.symbols[axis], axis, sizes);
    if (!size.ok()) return size.status();
    shape[axis] = *size;
  }
  Result<Tensor> tensor = Tensor::Create(info.type, shape);
  if (!tensor.ok()) return tensor.status();
  if (info.type == DataType::kF32) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    float* data = tensor->as<float>();
    for (int64_t i = 0; i < tensor->size(); i++) data[i] = normal(random);
  }
  return tensor;
}

}  // namespace

Result<std::map<std::string, Tensor>> ReadInputFiles(const std::vector<std::string>& files) {
  std::map<std::string, Tensor> tensors;
  for (const std::string& file : files) {
    const size_t equals = file.rfind('=');
    if (equals == std::string::npos)
      return Status(StatusCode::kInvalidArgument, fmt::format("--input '{}' is not NAME=file.npy", file));
    Result<Tensor> tensor = LoadTensor(file.substr(equals + 1));
    if (!tensor.ok()) return tensor.status();
    tensors[file.substr(0, equals)] = std::move(*tensor);
  }
  return tensors;
}

Result<std::vector<Tensor>> OrderInputs(const Model& model, std::map<std::string, Tensor> given, bool synthesize,
                                        const std::vector<std::string>& sizes) {
  const std::vector<ValueInfo>& infos = model.inputs();
  for (const auto& [name, tensor] : given) {
    const auto is_named = [&name = name](const ValueInfo& info) { return info.name == name; };
    if (std::none_of(infos.begin(), infos.end(), is_named))
      return Status(StatusCode::kNotFound, fmt::format("{} has no input named '{}'", model.path(), name));
  }
  std::vector<Tensor> tensors;
  for (const ValueInfo& info : infos) {
    if (auto found = given.extract(info.name); !found.empty()) {
      tensors.push_back(std::move(found.mapped()));
      continue;
    }
    if (!synthesize)
      return Status(StatusCode::kInvalidArgument,
                    fmt::format("input '{}' is missing: give --input {}=file.npy", info.name, info.name));
    Result<Tensor> tensor = Synthesize(info, sizes);
    if (!tensor.ok()) return tensor.status().WithContext(fmt::format("input '{}'", info.name));
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

Result<std::vector<Tensor>> LoadInputs(const Model& model, const std::vector<std::string>& files, bool synthesize,
                                       const std::vector<std::string>& sizes) {
  Result<std::map<std::string, Tensor>> given = ReadInputFiles(files);
  if (!given.ok()) return given.status();
  return OrderInputs(model, std::move(*given), synthesize, sizes);
}

std::vector<ConstTensorView> Views(const std::vector<Tensor>& tensors) {
  std::vector<ConstTensorView> views;
  for (const Tensor& tensor : tensors) views.push_back(tensor.view());
  return views;
}

std::string FileNameFor(const std::string& value_name) {
  std::string name = value_name;
  for (char& c : name) {
    const bool plain =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    if (!plain) c = '_';
  }
  return name;
}

Status SaveAll(const std::vector<std::string>& names, const std::vector<Tensor>& tensors, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return Status(StatusCode::kNotFound, fmt::format("cannot make the folder {}: {}", folder, error.message()));
  for (size_t i = 0; i < tensors.size(); i++) {
    const std::string path = fmt::format("{}/{}.npy", folder, FileNameFor(names[i]));
    if (Status status = SaveNpy(path, tensors[i].view()); !status.ok()) return status;
  }
  return Status();
}

bool WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  return static_cast<bool>(file.flush());
}

}  // namespace moka::tools
