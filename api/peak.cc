#include "api/devices.h"
#include "moka/inspect.h"

namespace moka {

double MeasurePeakGflops(int threads) {
  for (Device* device : OpenDevices(nullptr)) {
    if (!device->limits().host_memory) continue;
    QueueOptions options;
    options.threads = threads;
    auto queue = device->MakeQueue(options);
    return queue.ok() ? device->PeakGflops(**queue) : 0;
  }
  return 0;
}

}  // namespace moka
