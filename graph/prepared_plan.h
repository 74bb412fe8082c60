// A plan made ready to run: weights on their devices, programs linked. Shared by sessions that run alike.
#ifndef MOKA_GRAPH_PREPARED_PLAN_H_
#define MOKA_GRAPH_PREPARED_PLAN_H_

#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "graph/choices.h"
#include "graph/plan.h"
#include "graph/weights.h"

namespace moka {

struct Specialization;

struct PlanRequest {
  std::shared_ptr<const Specialization> specialization;
  std::vector<Shape> inputs;
  std::vector<Device*> devices;
  std::vector<int> workers;
  Executor* executor = nullptr;    // spreads the packing of weights; null: the caller alone. No part of what a plan is
  std::string pack_cache;          // SessionOptions::pack_cache; no part of what a plan is either
  ChoiceStore* choices = nullptr;  // BindRequest::choices
  std::vector<Queue*> queues;      // BindRequest::queues
  bool strict = false;
  bool verify = true;
  uint64_t memory_limit = 0;
  bool compact = false;  // ChoosePolicy::compact
  Precision precision = Precision::kF32;
  bool depth_first = true;
  int64_t max_tensor_bytes = std::numeric_limits<int64_t>::max();
};

struct PreparedPlan {
  std::shared_ptr<const Specialization> specialization;
  std::vector<Device*> devices;
  Plan plan;
  std::vector<WeightStore::Handle> weights;              // per slot; null unless kWeight
  std::vector<std::shared_ptr<const Program>> programs;  // per segment
  double bind_us = 0, prepare_us = 0;
};

// Bytes that a plan keeps alive: every constant slot, packed or not, and the arenas.
struct PlanMemory {
  uint64_t weights = 0, packs = 0, arenas = 0;
  uint64_t total() const { return weights + packs + arenas; }
};
PlanMemory MemoryOf(const Plan& plan);

Result<std::shared_ptr<const PreparedPlan>> PreparePlan(const PlanRequest& request, WeightStore& weights);

// Plans in use, so that sessions of one model that bind alike share them. Thread-safe.
class PlanCache {
 public:
  // A plan that does not keep the memory limit is made again, compact.
  Result<std::shared_ptr<const PreparedPlan>> Get(const PlanRequest& request, WeightStore& weights);

 private:
  Result<std::shared_ptr<const PreparedPlan>> Find(const PlanRequest& request, WeightStore& weights);

  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const PreparedPlan>> plans_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_PREPARED_PLAN_H_
