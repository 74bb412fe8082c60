// moka operators: what this build knows.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "moka/moka.h"
#include "tools/command.h"
#include "tools/json.h"

namespace moka::tools {
namespace {

int Operators(bool as_json) {
  nlohmann::json rows = nlohmann::json::array();
  for (const OperatorInfo& op : ListOperators()) {
    if (op.domain == "moka") continue;
    const std::string domain = op.domain.empty() ? "ai.onnx" : op.domain;
    rows.push_back({{"domain", domain}, {"name", op.name}, {"on_host", op.on_host}, {"reference", op.has_reference}});
    if (!as_json) fmt::print("{}.{}{}\n", domain, op.name, op.on_host ? " (between plans)" : "");
  }
  if (as_json) {
    fmt::print("{}\n", TextOf(rows, 1));
  } else {
    fmt::print("{} operators\n", rows.size());
  }
  return kRight;
}

}  // namespace

void AddOperators(CLI::App& app, int& exit_code) {
  CLI::App* app_operators = app.add_subcommand("operators", "List the operators that this build knows");
  auto as_json = std::make_shared<bool>(false);
  app_operators->add_flag("--json", *as_json, "As JSON");
  app_operators->callback([as_json, &exit_code] { exit_code = Operators(*as_json); });
}

}  // namespace moka::tools
