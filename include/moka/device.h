// The devices that this machine offers.
#ifndef MOKA_DEVICE_H_
#define MOKA_DEVICE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace moka {

enum class DeviceKind { kCpu, kVulkan, kOpenCL };

struct DeviceInfo {
  std::string name;  // what a user types: "cpu", "vulkan", "vulkan:1", "opencl"
  DeviceKind kind = DeviceKind::kCpu;
  std::string hardware;       // what the driver calls it
  std::string driver;         // driver name and version; on the CPU the SIMD target in use ("AVX3")
  uint64_t memory_bytes = 0;  // 0 when unknown
};

// Every device that answers now, the CPU first. Never fails: a missing loader or driver means a shorter list, and the
// reason is in `*notes` ("vulkan: libvulkan.so.1 not found") when it is given.
std::vector<DeviceInfo> ListDevices(std::vector<std::string>* notes = nullptr);

// The caller's own threads, workers() of them, at least 1 and always as many. Run(n, task) calls task(i, worker) once
// for each i in [0, n), worker < workers(), no two concurrent calls with one worker number, and returns when all are
// done. Must not throw.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual int workers() const = 0;
  virtual void Run(int64_t n, void (*task)(void* context, int64_t i, int worker), void* context) = 0;
};

}  // namespace moka

#endif  // MOKA_DEVICE_H_
