// Classifies the 10,000 test images of Fashion-MNIST with the shipped model on every device that answers; reports
// accuracy, speed and transfers, and draws a contact sheet.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "examples/fashion_mnist/contact_sheet.h"
#include "examples/fashion_mnist/dataset.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string model = "models/fashion_mnist.onnx", labels = "models/fashion_mnist.labels.txt";
  std::string data = "/usr/share/datasets/fashion-mnist", font = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
  std::string json, sheet;
  std::vector<std::string> devices;
  int batch = 100, images = 10000;
};

struct Row {
  moka::DeviceInfo device;
  std::vector<Prediction> predictions;
  int correct = 0;
  double load_ms = 0, images_per_s = 0;
  moka::TransferCounts transfers;  // of one run
};

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int Fail(const moka::Status& status) {
  fmt::print(stderr, "fashion_mnist: {}\n", status.message());
  return 1;
}

// One row of probabilities a picture.
void Collect(const moka::Tensor& probabilities, Row& row) {
  const int64_t classes = probabilities.shape()[1];
  const float* p = probabilities.as<float>();
  for (int64_t i = 0; i < probabilities.shape()[0]; i++, p += classes) {
    const float* best = std::max_element(p, p + classes);
    row.predictions.push_back({static_cast<int>(best - p), *best});
  }
}

// Loads and binds the model (load_ms), then classifies all pictures; the time of the batches alone gives images_per_s.
moka::Result<Row> Classify(const moka::DeviceInfo& device, const Options& options, const Dataset& dataset) {
  Row row{device, {}, 0, 0, 0, {}};
  const auto start = Clock::now();
  moka::Result<moka::Model> model = moka::Model::Load(options.model);
  if (!model.ok()) return model.status();
  moka::SessionOptions session_options;
  session_options.device = device.name;
  moka::Result<moka::Session> session = moka::Session::Create(*model, session_options);
  if (!session.ok()) return session.status();
  moka::Result<std::vector<moka::Shape>> shapes = session->Bind({{options.batch, 1, Dataset::kSide, Dataset::kSide}});
  if (!shapes.ok()) return shapes.status();
  row.load_ms = 1e3 * SecondsSince(start);

  double seconds = 0;
  for (int first = 0; first < dataset.count; first += options.batch) {
    moka::Result<moka::Tensor> batch = dataset.Batch(first, std::min(options.batch, dataset.count - first));
    if (!batch.ok()) return batch.status();
    const auto run = Clock::now();
    moka::Result<std::vector<moka::Tensor>> outputs = session->Run({batch->view()});
    seconds += SecondsSince(run);
    if (!outputs.ok()) return outputs.status();
    Collect(outputs->front(), row);
  }
  for (int i = 0; i < dataset.count; i++) row.correct += row.predictions[i].label == dataset.labels[i];
  row.images_per_s = dataset.count / seconds;
  row.transfers = session->transfers();
  return row;
}

std::vector<std::string> LoadLabels(const std::string& path) {
  std::vector<std::string> labels;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) labels.push_back(line);
  labels.resize(10, "?");
  return labels;
}

void Print(const Row& row, int images) {
  fmt::print("{:<10} {:>8.4f} {:>12.0f} {:>9.1f} {:>8} {:>10}   {}\n", row.device.name,
             static_cast<double>(row.correct) / images, row.images_per_s, row.load_ms, row.transfers.uploads,
             row.transfers.downloads, row.device.hardware);
  std::fflush(stdout);
}

bool WriteJson(const std::string& path, const std::vector<Row>& rows, int images) {
  nlohmann::json devices = nlohmann::json::array();
  for (const Row& row : rows)
    devices.push_back({{"device", row.device.name},
                       {"name", row.device.hardware},
                       {"accuracy", static_cast<double>(row.correct) / images},
                       {"images", images},
                       {"images_per_s", row.images_per_s},
                       {"load_ms", row.load_ms},
                       {"uploads", row.transfers.uploads},
                       {"downloads", row.transfers.downloads}});
  std::ofstream file(path);
  file << nlohmann::json{{"devices", devices}}.dump(2) << "\n";
  return static_cast<bool>(file.flush());
}

int Run(const Options& options) {
  moka::Result<Dataset> dataset = LoadTestImages(options.data);
  if (!dataset.ok()) return Fail(dataset.status());
  dataset->count = std::min(dataset->count, options.images);

  std::vector<std::string> notes;
  std::vector<Row> rows;
  fmt::print("{:<10} {:>8} {:>12} {:>9} {:>8} {:>10}\n", "device", "accuracy", "images/s", "load ms", "uploads",
             "downloads");
  for (const moka::DeviceInfo& device : moka::ListDevices(&notes)) {
    if (!options.devices.empty() && std::count(options.devices.begin(), options.devices.end(), device.name) == 0)
      continue;
    moka::Result<Row> row = Classify(device, options, *dataset);
    if (!row.ok()) return Fail(row.status());
    rows.push_back(std::move(*row));
    Print(rows.back(), dataset->count);
  }
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
  if (rows.empty()) return Fail({moka::StatusCode::kNotFound, "no such device"});
  if (!options.json.empty() && !WriteJson(options.json, rows, dataset->count))
    return Fail({moka::StatusCode::kNotFound, "cannot write " + options.json});
  if (options.sheet.empty()) return 0;
  const std::string subtitle =
      fmt::format("{:.2f} % of {} test images are right ({}); the bar is the network's own certainty",
                  100.0 * rows[0].correct / dataset->count, dataset->count, rows[0].device.hardware);
  const moka::Status drawn = DrawContactSheet(options.sheet, *dataset, rows[0].predictions, LoadLabels(options.labels),
                                              options.font, "What the little network sees", subtitle);
  if (!drawn.ok()) return Fail(drawn);
  fmt::print("contact sheet: {}\n", options.sheet);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Classifies Fashion-MNIST's test images on every device that answers");
  app.add_option("--model", options.model, "The shipped model")->capture_default_str();
  app.add_option("--labels", options.labels, "Class names, one a line")->capture_default_str();
  app.add_option("--data", options.data, "Folder of the data set")->capture_default_str();
  app.add_option("--font", options.font, "TrueType font of the contact sheet")->capture_default_str();
  app.add_option("--device", options.devices, "Only these devices; may be repeated");
  app.add_option("--json", options.json, "Write the figures here");
  app.add_option("--sheet", options.sheet, "Draw the contact sheet (PNG) here");
  app.add_option("--batch", options.batch, "Pictures a run")->check(CLI::Range(1, 10000))->capture_default_str();
  app.add_option("--images", options.images, "Only the first so many")->check(CLI::Range(1, 10000));
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}
