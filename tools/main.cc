// The `moka` command line. Each subcommand lives in a file of its name.
#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "tools/command.h"

namespace {

constexpr const char kHelp[] = R"(moka runs trained neural networks (ONNX files) on the CPU, Vulkan and OpenCL.

Try, in this order:
  moka devices                                   what this machine offers
  moka info model.onnx                           what is in a file, and how it would run
  moka run model.onnx --image cat.png --top 5 --labels labels.txt
  moka run model.onnx --input x=x.npy --output-dir out
  moka bench model.onnx --device vulkan          where the time goes
  moka conformance --device opencl               what this driver can be trusted with
  moka operators                                 what files may ask for

Exit codes: 0 right, 1 wrong input (a file, a shape, a device that is not there), 2 wrong usage.)";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(kHelp);
  app.name("moka");
  app.set_version_flag("--version",
                       fmt::format("moka {}.{}.{}", MOKA_VERSION_MAJOR, MOKA_VERSION_MINOR, MOKA_VERSION_PATCH));
  app.require_subcommand(1);
  int exit_code = moka::tools::kRight;
  moka::tools::AddRun(app, exit_code);
  moka::tools::AddInfo(app, exit_code);
  moka::tools::AddBench(app, exit_code);
  moka::tools::AddDevices(app, exit_code);
  moka::tools::AddConformance(app, exit_code);
  moka::tools::AddOperators(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? moka::tools::kRight : moka::tools::kWrongUsage;
  }
  return exit_code;
}
