#include "tools/worker.h"

#include <fmt/core.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>

#include "tools/json.h"

namespace moka::tools {
namespace {

// A field of /proc/self/status in KiB, such as "VmRSS:" (proc(5)); 0 where there is none.
int64_t StatusKilobytes(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    int64_t value = 0;
    if (word == field && file >> value) return value;
  }
  return 0;
}

// One line, at once: the other side waits for it.
void Answer(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}
void AnswerError(const std::string& message) { Answer(TextOf({{"error", message}})); }

// Reads all of the results, as whoever wants them would.
uint64_t Touch(const std::vector<Tensor>& tensors) {
  uint64_t any = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.type() == DataType::kString) continue;
    const auto* bytes = static_cast<const uint8_t*>(tensor.data());
    const size_t count = tensor.bytes(), whole = count - count % sizeof(any);
    for (size_t i = 0; i < whole; i += sizeof(any)) {
      uint64_t word;
      std::memcpy(&word, bytes + i, sizeof(word));
      any |= word;
    }
    for (size_t i = whole; i < count; i++) any |= bytes[i];
  }
  return any;
}

class Worker {
 public:
  explicit Worker(const RunOptions& options) : options_(options) {}

  Status Load(const std::vector<std::string>& sizes) {
    // The caller's, as in other engines' workers: no part of what a model takes.
    Result<std::map<std::string, Tensor>> given = ReadInputFiles(options_.inputs);
    if (!given.ok()) return given.status();
    const int64_t import_kb = StatusKilobytes("VmRSS:");
    const Stopwatch watch;
    Result<Model> model = Model::Load(options_.model);
    if (!model.ok()) return model.status();
    Result<Session> session = Session::Create(*model, ToSessionOptions(options_));
    if (!session.ok()) return session.status();
    const double load_ms = watch.milliseconds();
    Result<std::vector<Tensor>> inputs = OrderInputs(*model, std::move(*given), /*synthesize=*/true, sizes);
    if (!inputs.ok()) return inputs.status();
    session_ = std::make_unique<Session>(std::move(*session));
    inputs_ = std::move(*inputs);
    const Result<double> first_ms = Run();
    if (!first_ms.ok()) return first_ms.status();
    Answer(TextOf({{"ready", 1}, {"import_rss_kb", import_kb}, {"load_ms", load_ms}, {"first_ms", *first_ms}}));
    return Status();
  }

  // Milliseconds. Outputs are made by the first run; later ones write into them.
  Result<double> Run() {
    const Stopwatch watch;
    if (outputs_.empty()) {
      Result<std::vector<Tensor>> outputs = session_->Run(Views(inputs_));
      if (!outputs.ok()) return outputs.status();
      outputs_ = std::move(*outputs);
    } else {
      const std::vector<ConstTensorView> from = Views(inputs_);
      std::vector<TensorView> into;
      for (Tensor& tensor : outputs_) into.push_back(tensor.view());
      if (Status status = session_->RunInto(from.data(), from.size(), into.data(), into.size()); !status.ok()) {
        return status;
      }
    }
    sink_ = Touch(outputs_);
    return watch.milliseconds();
  }

  void Obey(const std::string& line) {
    if (line == "run") {
      const Result<double> ms = Run();
      return ms.ok() ? Answer(fmt::format("{:.6f}", *ms)) : AnswerError(ms.status().message());
    }
    if (line == "mem") {
      return Answer(TextOf({{"peak_kb", StatusKilobytes("VmHWM:")}, {"rss_kb", StatusKilobytes("VmRSS:")}}));
    }
    if (line.rfind("save ", 0) == 0) {
      const Status status = SaveAll(session_->output_names(), outputs_, line.substr(5));
      return status.ok() ? Answer("saved") : AnswerError(status.message());
    }
    AnswerError(fmt::format("'{}' is none of run, mem, save DIR, quit", line));
  }

 private:
  const RunOptions& options_;
  std::unique_ptr<Session> session_;
  std::vector<Tensor> inputs_, outputs_;
  volatile uint64_t sink_ = 0;
};

}  // namespace

int Work(const RunOptions& options, const std::vector<std::string>& sizes) {
  Worker worker(options);
  if (const Status status = worker.Load(sizes); !status.ok()) return Fail(status);
  for (std::string line; std::getline(std::cin, line) && line != "quit";) worker.Obey(line);
  return kRight;
}

}  // namespace moka::tools
