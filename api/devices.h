// The devices of this process, each backend's opened once, when first asked for.
#ifndef MOKA_API_DEVICES_H_
#define MOKA_API_DEVICES_H_

#include <string>
#include <vector>

#include "ops/device.h"

namespace moka {

// Those of all backends; notes (may be null) gets why some are missing. Never closed: drivers may be gone before static
// objects are destroyed.
std::vector<Device*> OpenDevices(std::vector<std::string>* notes);

// The devices of a session that asks for `name`: that one, and the CPU where it is another. Opens no other backend.
Result<std::vector<Device*>> DevicesFor(const std::string& name);

}  // namespace moka

#endif  // MOKA_API_DEVICES_H_
