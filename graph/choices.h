// Which of a device's kernels is the fastest for a step, where a session measures it (SessionOptions::measure) instead
// of trusting the device's figures.
#ifndef MOKA_GRAPH_CHOICES_H_
#define MOKA_GRAPH_CHOICES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "graph/pack_cache.h"
#include "ops/device.h"

namespace moka {

// Thread-safe; of a model, so that its sessions measure each kind of step once, and plan alike from then on.
class ChoiceStore {
 public:
  // The index of the choice to take of those that `device` offers for `call`, 0 being the device's own. Remembered by
  // what the choices are; from the cache (may be null) where it is kept there; else measured with the queue's workers,
  // and kept. 0 where nothing can be measured: on devices that do not work in host memory, without memory, or where the
  // device's own choice fails.
  size_t Best(Device& device, Queue& queue, const OpCall& call, const Offer& offer, const PackCache* cache = nullptr);

  struct Counts {
    int64_t measured = 0;  // kinds of steps
    int64_t recalled = 0;  // from the cache
  };
  Counts counts() const;

 private:
  mutable std::mutex mutex_;  // held while measuring, too: two at once would measure each other
  std::map<std::string, std::string> kernels_;
  Counts counts_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_CHOICES_H_
