// What the subcommands of `moka` share.
#ifndef MOKA_TOOLS_COMMAND_H_
#define MOKA_TOOLS_COMMAND_H_

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "moka/moka.h"

namespace moka::tools {

// Exit codes of the program.
enum ExitCode { kRight = 0, kWrongInput = 1, kWrongUsage = 2 };

// Prints "moka: <message>" to standard error and returns kWrongInput.
int Fail(const Status& status);
int Fail(const std::string& message);

// Options of every subcommand that runs a model.
struct RunOptions {
  std::string model;
  std::string device = "cpu";
  int threads = 0;
  Precision precision = Precision::kF32;
  uint64_t memory_limit = 0;
  std::string pack_cache;
  bool measure = false, strict = false, layer_by_layer = false;
  std::vector<std::string> inputs;   // NAME=file.npy
  std::vector<std::string> outputs;  // names of values; empty: the graph's own
};
void AddRunOptions(CLI::App& app, RunOptions& options);
SessionOptions ToSessionOptions(const RunOptions& options);

// The files of --input, by the names of the inputs.
Result<std::map<std::string, Tensor>> ReadInputFiles(const std::vector<std::string>& files);
// In the order of the model's inputs. Inputs that are not given are an error, unless `synthesize`: then they are filled
// with fixed pseudo-random numbers, symbolic sizes taken from `sizes` ("batch=8"), 1 for a first dimension and 224 for
// the others otherwise.
Result<std::vector<Tensor>> OrderInputs(const Model& model, std::map<std::string, Tensor> given, bool synthesize,
                                        const std::vector<std::string>& sizes);
// Both.
Result<std::vector<Tensor>> LoadInputs(const Model& model, const std::vector<std::string>& files, bool synthesize,
                                       const std::vector<std::string>& sizes);
std::vector<ConstTensorView> Views(const std::vector<Tensor>& tensors);

// The name with everything outside [A-Za-z0-9_.-] turned into '_'.
std::string FileNameFor(const std::string& value_name);

// Writes DIR/NAME.npy for each tensor, making the folder.
Status SaveAll(const std::vector<std::string>& names, const std::vector<Tensor>& tensors, const std::string& folder);

// Writes text to a file; false when it cannot.
bool WriteText(const std::string& path, const std::string& text);

// Runs from its construction.
class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Each adds its subcommand; its callback sets `exit_code`.
void AddRun(CLI::App& app, int& exit_code);
void AddInfo(CLI::App& app, int& exit_code);
void AddBench(CLI::App& app, int& exit_code);
void AddDevices(CLI::App& app, int& exit_code);
void AddConformance(CLI::App& app, int& exit_code);
void AddOperators(CLI::App& app, int& exit_code);

}  // namespace moka::tools

#endif  // MOKA_TOOLS_COMMAND_H_
