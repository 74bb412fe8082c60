#include "api/devices.h"

#include <algorithm>
#include <memory>

#include "base/status.h"

namespace moka {
namespace {

struct Opened {
  std::vector<std::unique_ptr<Device>> owned;
  std::vector<Device*> devices;
  std::vector<std::string> notes;
};

const Opened& OpenOnce() {
  static const Opened* const kOpened = [] {
    auto* opened = new Opened;
    for (const DeviceBackend& backend : DeviceBackends()) {
      for (std::unique_ptr<Device>& device : backend.open(&opened->notes)) {
        opened->devices.push_back(device.get());
        opened->owned.push_back(std::move(device));
      }
    }
    return opened;
  }();
  return *kOpened;
}

// Real GPUs, then the CPU, then GPU APIs that a CPU executes.
int Preference(const Device& device) {
  if (device.info().kind == DeviceKind::kCpu) return 1;
  return device.limits().emulated ? 2 : 0;
}

}  // namespace

const std::vector<Device*>& OpenDevices(std::vector<std::string>* notes) {
  const Opened& opened = OpenOnce();
  if (notes != nullptr) *notes = opened.notes;
  return opened.devices;
}

Result<std::vector<Device*>> DevicesFor(const std::string& name) {
  std::vector<std::string> notes;
  const std::vector<Device*>& devices = OpenDevices(&notes);
  const auto host =
      std::find_if(devices.begin(), devices.end(), [](const Device* device) { return device->limits().host_memory; });
  if (host == devices.end()) return NotFound("this build has no CPU device");
  auto asked = devices.end();
  if (name == "auto") {
    asked = std::min_element(devices.begin(), devices.end(),
                             [](const Device* a, const Device* b) { return Preference(*a) < Preference(*b); });
  } else {
    asked =
        std::find_if(devices.begin(), devices.end(), [&](const Device* device) { return device->info().name == name; });
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
