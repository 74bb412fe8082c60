// A loaded model: the graph as read, and what was made of it so far: optimised graphs, weights on devices, plans.
#ifndef MOKA_GRAPH_MODEL_IMPL_H_
#define MOKA_GRAPH_MODEL_IMPL_H_

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "graph/prepared_plan.h"
#include "graph/weights.h"
#include "moka/model.h"

namespace moka {

// What one optimised graph is made for.
struct SpecializationKey {
  std::vector<ValueId> outputs;  // of the graph as read
  std::vector<int> ranks;        // per input: of inputs whose rank the file does not state; else -1
  bool for_cpu = true;           // the device that was asked for is the CPU: see Pass::cpu_only
  // Contents of inputs that determine shapes, by input, dense row-major.
  std::vector<std::pair<int, std::shared_ptr<const HostTensor>>> known;
};

// `graph` keeps the inputs and outputs of the key, in order. shape_inputs not empty: shapes depend on the contents of
// these inputs; the graph is not optimised then, and the key must say more.
struct Specialization {
  Graph graph;
  std::vector<int> shape_inputs;
  bool staged = false;        // no plan can hold the graph (graph/stages.h); it is not optimised then
  std::vector<ValueId> cuts;  // where it is staged; see InferResult
};

// Thread-safe; shared by sessions.
class ModelImpl {
 public:
  // `graph` as a reader returns it. Infers shapes, and optimises for the graph's own outputs where that takes no more
  // than the file says.
  // `weights`: of another model whose weights these are, too; null: an own store.
  static Result<std::shared_ptr<const ModelImpl>> Create(Graph graph, std::string path, const ModelOptions& options,
                                                         std::shared_ptr<WeightStore> weights = nullptr);

  const Graph& graph() const { return graph_; }
  const std::string& path() const { return path_; }
  const Metadata& metadata() const { return metadata_; }
  const ModelOptions& options() const { return options_; }
  const std::vector<ValueInfo>& inputs() const { return inputs_; }
  const std::vector<ValueInfo>& outputs() const { return outputs_; }
  int64_t parameters() const { return parameters_; }
  // Whether it is known already that no plan can hold the graph, for none of its outputs. See Specialization::staged.
  bool staged() const { return staged_; }

  // The key for outputs by name; empty: the graph's own. kNotFound names a value that is not there.
  Result<SpecializationKey> KeyFor(const std::vector<std::string>& outputs) const;
  // Kept for the last few keys.
  Result<std::shared_ptr<const Specialization>> Specialize(const SpecializationKey& key) const;

  WeightStore& weights() const { return *weights_; }
  const std::shared_ptr<WeightStore>& shared_weights() const { return weights_; }
  PlanCache& plans() const { return plans_; }
  ChoiceStore& choices() const { return choices_; }

 private:
  ModelImpl() = default;
  Result<std::shared_ptr<const Specialization>> MakeSpecialization(const SpecializationKey& key) const;

  Graph graph_;
  std::string path_;
  Metadata metadata_;
  ModelOptions options_;
  std::vector<ValueInfo> inputs_, outputs_;
  int64_t parameters_ = 0;
  bool staged_ = false;

  mutable std::mutex mutex_;
  mutable std::list<std::pair<std::string, std::shared_ptr<const Specialization>>> recent_;  // newest first
  std::shared_ptr<WeightStore> weights_;
  mutable PlanCache plans_;
  mutable ChoiceStore choices_;
};

}  // namespace moka

#endif  // MOKA_GRAPH_MODEL_IMPL_H_
