#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "tools/command.h"
#include "tools/image.h"

namespace moka::tools {
namespace {

struct RunCommand {
  RunOptions run;
  ImageOptions image;
  std::vector<std::string> images;
  std::string labels_path, output_dir, size;
  int top = 0, repeat = 1;
};

Status ParseSize(const std::string& text, ImageOptions& image) {
  if (text.empty()) return Status();
  char extra = 0;
  int fields = std::sscanf(text.c_str(), "%dx%d%c", &image.height, &image.width, &extra);
  if (fields == 1 && text.find('x') == std::string::npos) image.width = image.height, fields = 2;
  if (fields == 2 && image.height > 0 && image.width > 0 && image.height <= 1 << 15 && image.width <= 1 << 15)
    return Status();
  return Status(StatusCode::kInvalidArgument, fmt::format("--size takes HxW, such as 224x224, not '{}'", text));
}

Result<std::vector<std::string>> LoadLabels(const std::string& path) {
  std::vector<std::string> labels;
  if (path.empty()) return labels;
  std::ifstream file(path);
  if (!file) return Status(StatusCode::kNotFound, fmt::format("cannot read the labels of {}", path));
  for (std::string line; std::getline(file, line);) labels.push_back(line);
  return labels;
}

void PrintTop(const std::string& name, const Tensor& tensor, int top, const std::vector<std::string>& labels) {
  const float* scores = tensor.as<float>();
  std::vector<int64_t> order(tensor.size());
  std::iota(order.begin(), order.end(), 0);
  const int64_t count = std::min<int64_t>(top, tensor.size());
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [scores](int64_t a, int64_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  });
  fmt::print("{}:\n", name);
  for (int64_t i = 0; i < count; i++) {
    const size_t label = static_cast<size_t>(order[i]);
    fmt::print("  {:>10.6f}  {}\n", scores[order[i]],
               label < labels.size() ? labels[label] : fmt::format("#{}", label));
  }
}

void PrintSummary(const std::string& name, const Tensor& tensor) {
  fmt::print("{}: {} {}", name, NameOf(tensor.type()), ToString(tensor.shape()));
  if (tensor.type() == DataType::kF32 && tensor.size() > 0) {
    const auto [low, high] = std::minmax_element(tensor.as<float>(), tensor.as<float>() + tensor.size());
    fmt::print(", from {:g} to {:g}", *low, *high);
  }
  fmt::print("\n");
}

// One picture as the inputs of a model.
Result<std::vector<Tensor>> ImageInputs(const Model& model, const std::string& path, const ImageOptions& options) {
  if (model.inputs().size() != 1)
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("--image feeds a model with one input; {} has {}", model.path(), model.inputs().size()));
  Result<Tensor> image = LoadImage(path, model.inputs()[0], options);
  if (!image.ok()) return image.status();
  return std::vector<Tensor>{std::move(*image)};
}

Result<std::vector<Tensor>> RunRepeatedly(Session& session, const std::vector<Tensor>& inputs, int repeat) {
  Result<std::vector<Tensor>> outputs = session.Run(Views(inputs));
  if (repeat == 1 || !outputs.ok()) return outputs;
  const Stopwatch watch;
  for (int i = 1; i < repeat && outputs.ok(); i++) outputs = session.Run(Views(inputs));
  fmt::print("{:.3f} ms a run, mean of {} after the first\n", watch.milliseconds() / (repeat - 1), repeat - 1);
  return outputs;
}

void Print(const Session& session, const std::vector<Tensor>& outputs, int top,
           const std::vector<std::string>& labels) {
  for (size_t i = 0; i < outputs.size(); i++) {
    const std::string& name = session.output_names()[i];
    if (top > 0 && outputs[i].type() == DataType::kF32)
      PrintTop(name, outputs[i], top, labels);
    else
      PrintSummary(name, outputs[i]);
  }
}

// Runs once for the tensors of --input, or once for each picture; with several pictures each has a folder of its own.
Status RunAll(const Model& model, Session& session, const RunCommand& command, const std::vector<std::string>& labels) {
  const size_t runs = std::max<size_t>(1, command.images.size());
  for (size_t i = 0; i < runs; i++) {
    const bool picture = !command.images.empty();
    Result<std::vector<Tensor>> inputs = picture ? ImageInputs(model, command.images[i], command.image)
                                                 : LoadInputs(model, command.run.inputs, /*synthesize=*/false, {});
    if (!inputs.ok()) return inputs.status();
    Result<std::vector<Tensor>> outputs = RunRepeatedly(session, *inputs, command.repeat);
    if (!outputs.ok()) return outputs.status();
    if (runs > 1) fmt::print("{}\n", command.images[i]);
    Print(session, *outputs, command.top, labels);
    if (command.output_dir.empty()) continue;
    const std::string folder = runs == 1 ? command.output_dir : fmt::format("{}/{}", command.output_dir, i);
    if (Status status = SaveAll(session.output_names(), *outputs, folder); !status.ok()) return status;
  }
  return Status();
}

int Run(RunCommand& command) {
  if (Status status = ParseSize(command.size, command.image); !status.ok()) return Fail(status);
  Result<std::vector<std::string>> labels = LoadLabels(command.labels_path);
  if (!labels.ok()) return Fail(labels.status());
  Result<Model> model = Model::Load(command.run.model);
  if (!model.ok()) return Fail(model.status());
  Result<Session> session = Session::Create(*model, ToSessionOptions(command.run));
  if (!session.ok()) return Fail(session.status());
  const Status status = RunAll(*model, *session, command, *labels);
  return status.ok() ? kRight : Fail(status);
}

}  // namespace

void AddRun(CLI::App& app, int& exit_code) {
  CLI::App* app_run = app.add_subcommand("run", "Run a model on tensors (.npy) or on a picture");
  auto command = std::make_shared<RunCommand>();
  AddRunOptions(*app_run, command->run);
  CLI::Option* input = app_run->get_option("--input");
  CLI::Option* image =
      app_run->add_option("--image", command->images, "Pictures for the model's only input, one run each");
  image->excludes(input);
  app_run->add_option("--size", command->size, "HxW that the picture is scaled to")->needs(image);
  app_run->add_option("--mean", command->image.mean, "Subtracted from the 0..255 pixel; one number, or one a channel")
      ->needs(image)
      ->delimiter(',');
  app_run->add_option("--scale", command->image.scale, "Multiplied after that (default 1/255)")
      ->needs(image)
      ->delimiter(',');
  app_run->add_option("--top", command->top, "Print the largest N elements of each output")
      ->check(CLI::NonNegativeNumber);
  app_run->add_option("--labels", command->labels_path, "Names for --top, one a line");
  app_run->add_option("--output-dir", command->output_dir,
                      "Write each output to DIR/NAME.npy (several pictures: DIR/0, DIR/1 ...)");
  app_run->add_option("--repeat", command->repeat, "Run so often; the mean time is printed")
      ->check(CLI::PositiveNumber);
  app_run->callback([command, &exit_code] { exit_code = Run(*command); });
}

}  // namespace moka::tools
