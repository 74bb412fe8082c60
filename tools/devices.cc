#include <fmt/core.h>

#include "tools/command.h"
#include "tools/json.h"

namespace moka::tools {
namespace {

int Devices(bool json) {
  std::vector<std::string> notes;
  const std::vector<DeviceInfo> devices = ListDevices(&notes);
  if (json) {
    nlohmann::json rows = nlohmann::json::array();
    for (const DeviceInfo& d : devices)
      rows.push_back({{"name", d.name}, {"hardware", d.hardware}, {"driver", d.driver}, {"memory", d.memory_bytes}});
    fmt::print("{}\n", TextOf({{"devices", rows}, {"notes", notes}}, 2));
    return kRight;
  }
  for (const DeviceInfo& d : devices) {
    fmt::print("{:<10} {} ({})", d.name, d.hardware, d.driver);
    if (d.memory_bytes > 0) fmt::print(", {:.1f} GiB", static_cast<double>(d.memory_bytes) / (1 << 30));
    fmt::print("\n");
  }
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
  return kRight;
}

}  // namespace

void AddDevices(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("devices", "List the devices that answer on this machine, and why others do not");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback([json, &exit_code] { exit_code = Devices(*json); });
}

}  // namespace moka::tools
