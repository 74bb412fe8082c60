#include "api/devices.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/status.h"

namespace moka {
namespace {

struct Opened {
  std::once_flag once;
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<std::string> notes;
};

// The devices of one backend. A driver costs tens of megabytes and a tenth of a second, so only who asks for it pays.
const Opened& OpenOnce(size_t backend) {
  static auto* const kOpened = new std::vector<Opened>(DeviceBackends().size());
  Opened& opened = (*kOpened)[backend];
  std::call_once(opened.once, [&] { opened.devices = DeviceBackends()[backend].open(&opened.notes); });
  return opened;
}

// Those of the backends that `wanted` holds for, in the order of the build's table.
template <typename Wanted>
std::vector<Device*> OpenWhere(std::vector<std::string>* notes, Wanted wanted) {
  std::vector<Device*> devices;
  if (notes != nullptr) notes->clear();
  for (size_t i = 0; i < DeviceBackends().size(); i++) {
    if (!wanted(std::string_view(DeviceBackends()[i].name))) continue;
    const Opened& opened = OpenOnce(i);
    for (const std::unique_ptr<Device>& device : opened.devices) devices.push_back(device.get());
    if (notes != nullptr) notes->insert(notes->end(), opened.notes.begin(), opened.notes.end());
  }
  return devices;
}

// Real GPUs, then the CPU, then GPU APIs that a CPU executes.
int Preference(const Device& device) {
  if (device.info().kind == DeviceKind::kCpu) return 1;
  return device.limits().emulated ? 2 : 0;
}

}  // namespace

std::vector<Device*> OpenDevices(std::vector<std::string>* notes) {
  return OpenWhere(notes, [](std::string_view) { return true; });
}

Result<std::vector<Device*>> DevicesFor(const std::string& name) {
  std::vector<std::string> notes;
  const std::string backend = name.substr(0, name.find(':'));
  std::vector<Device*> devices =
      OpenWhere(&notes, [&](std::string_view each) { return each == backend || each == "cpu"; });
  const auto is_asked = [&](const Device* device) { return device->info().name == name; };
  // Who asks for the best, or for what is not there, meets all.
  if (std::none_of(devices.begin(), devices.end(), is_asked)) devices = OpenDevices(&notes);
  const auto host =
      std::find_if(devices.begin(), devices.end(), [](const Device* device) { return device->limits().host_memory; });
  if (host == devices.end()) return NotFound("this build has no CPU device");
  auto asked = devices.end();
  if (name == "auto") {
    asked = std::min_element(devices.begin(), devices.end(),
                             [](const Device* a, const Device* b) { return Preference(*a) < Preference(*b); });
  } else {
    asked = std::find_if(devices.begin(), devices.end(), is_asked);
  }
  if (asked == devices.end()) {
    std::string message = StrCat("no device '", name, "'; there are: ");
    for (const Device* device : devices) message += StrCat(device == devices[0] ? "" : ", ", device->info().name);
    for (const std::string& note : notes) message += StrCat("; ", note);
    return NotFound(message);
  }
  std::vector<Device*> chosen = {*asked};
  if (*asked != *host) chosen.push_back(*host);
  return chosen;
}

std::vector<DeviceInfo> ListDevices(std::vector<std::string>* notes) {
  std::vector<DeviceInfo> infos;
  for (const Device* device : OpenDevices(notes)) infos.push_back(device->info());
  return infos;
}

}  // namespace moka
