// Test doubles of devices: they run every operator by its reference and check what the engine promises in ops/device.h.
// FakeHost works in host memory, step after step. FakeGpu has memory of its own, whole-vector kernels and concurrent
// steps: it runs the steps between two barriers backwards, demands zeros in padding lanes of sources, writes them for
// destinations, and can fill its arenas with NaN between runs.
#ifndef MOKA_TESTS_GRAPH_FAKE_DEVICE_H_
#define MOKA_TESTS_GRAPH_FAKE_DEVICE_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ops/device.h"

namespace moka {

struct FakeKernel {
  std::string_view name;
  int sleep_us = 0;
  bool fails = false;
};

struct FakeBehaviour {
  bool gpu = false;
  std::set<std::string> refused;     // operators without a kernel of the device's own
  std::set<std::string> dense_only;  // operators whose kernel wants dense sources and results
  uint64_t scratch = 0;              // of every step; filled with garbage when it runs
  bool pack_weights = true;          // constant source 1 of Conv, Gemm, MatMul
  bool in_place = true;              // of elementwise operators
  int workers = 1;
  std::vector<FakeKernel> kernels;  // of products, the own choice first; empty: one
  uint64_t chain_cache = 0;  // of its limits; Conv and elementwise operators then declare rows (plans are not run)
};

class FakeBuffer;

class FakeDevice : public Device {
 public:
  FakeDevice(std::string name, FakeBehaviour behaviour);

  const DeviceInfo& info() const override { return info_; }
  const Limits& limits() const override { return limits_; }
  Offer Choose(const OpCall& call, const ChoosePolicy& policy) const override;
  Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const override;
  Result<std::unique_ptr<Buffer>> Allocate(uint64_t bytes, MemoryKind kind) override;
  Result<std::unique_ptr<Buffer>> Import(const void* data, uint64_t bytes) override;
  Status Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) override;
  Result<std::unique_ptr<Queue>> MakeQueue(const QueueOptions& options) override;
  Result<std::shared_ptr<const Program>> Link(const LinkRequest& request) override;

  FakeBehaviour& behaviour() { return behaviour_; }
  void PoisonArenas();
  int64_t arena_bytes() const { return arena_bytes_; }  // allocated now
  int64_t allocations() const { return allocations_; }  // so far
  int64_t packs() const { return packs_; }              // calls of Pack so far
  int64_t choices() const { return choices_; }          // calls of Choose so far
  int64_t runs() const { return runs_; }                // steps that were run so far

 private:
  friend class FakeBuffer;
  Status Execute(const Step& step) const;  // what the kernel does beside its reference
  DeviceInfo info_;
  Limits limits_;
  FakeBehaviour behaviour_;
  std::mutex mutex_;
  std::set<FakeBuffer*> arenas_;
  std::atomic<int64_t> arena_bytes_{0}, allocations_{0};
  mutable std::atomic<int64_t> packs_{0}, choices_{0}, runs_{0};
};

}  // namespace moka

#endif  // MOKA_TESTS_GRAPH_FAKE_DEVICE_H_
