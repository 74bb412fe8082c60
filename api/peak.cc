#include "api/devices.h"
#include "moka/inspect.h"

namespace moka {

double MeasurePeakGflops(int threads) {
  const Result<std::vector<Device*>> devices = DevicesFor("cpu");
  if (!devices.ok()) return 0;
  Device& cpu = *devices->front();
  QueueOptions options;
  options.threads = threads;
  auto queue = cpu.MakeQueue(options);
  return queue.ok() ? cpu.PeakGflops(**queue) : 0;
}

}  // namespace moka
