// What an operator is: its schema, inference over symbolic shapes, scalar reference, cost. One file per operator
// (ops/conv.cc), one table of them all (ops/ops.inc).
#ifndef MOKA_OPS_OP_H_
#define MOKA_OPS_OP_H_

#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "moka/datum.h"
#include "ops/attributes.h"
#include "ops/dim.h"
#include "ops/micro.h"
#include "ops/tensor_desc.h"

namespace moka {

struct OpSchema;

// ---- A node with its shapes evaluated: what references and devices see -------------------------------------------

struct OpCall {
  const OpSchema* op = nullptr;
  const Attributes* attrs = nullptr;
  std::string_view name;                  // of the node, for messages
  const MicroProgram* program = nullptr;  // of moka.Elementwise: what to compute; of others: the epilogue, or null
  int program_begin = 0;                  // source k of the program is src[program_begin + k]
  std::span<const TensorDesc> src, dst;   // an absent optional source has !present()
  // constants[i]: contents of src[i] where they are known when the plan is made (weights; shape-like integers, also
  // those computed from shapes), else null. Choosing a kernel may read small integer tensors, never weights.
  std::span<const HostTensor* const> constants;

  // Number of sources that belong to the operator itself, the epilogue's left out.
  int num_src() const { return program != nullptr ? program_begin : static_cast<int>(src.size()); }
  bool has_src(int i) const { return i < num_src() && src[static_cast<size_t>(i)].present(); }
};

// ---- Inference ----------------------------------------------------------------------------------------------------

struct SymbolicTensor {
  DataType type = DataType::kNone;
  std::vector<Dim> dims;
  // Row-major contents of a small integer (i32, i64) or bool tensor as expressions, where they are known without data.
  std::optional<std::vector<Dim>> elements;
  const HostTensor* constant = nullptr;  // the contents, where the value is a constant

  bool present() const { return type != DataType::kNone; }
  int rank() const { return static_cast<int>(dims.size()); }
};
inline constexpr int kMaxTrackedElements = 64;

// What must hold for an operator to be valid and could not be decided without the values of symbols: a == b, or, with
// `broadcast`, a == b or a == 1. Checked when a plan is made (CheckConstraints in graph/graph.h).
struct DimConstraint {
  Dim a, b;
  bool broadcast = false;
  std::string what;  // "channels of src 1"
};

struct InferContext {
  const Attributes* attrs = nullptr;
  std::span<const SymbolicTensor* const> src;  // null or !present(): an absent optional
  SymbolTable* symbols = nullptr;
  std::vector<SymbolicTensor> dst;  // sized by the caller to the node's outputs; infer fills it
  // Set by the functions below when the result depends on contents that are not known: the caller then makes the
  // graph inputs above that source constant (they are shape-determining) and infers again.
  int needed_source = -1;
  std::vector<DimConstraint> constraints;  // infer appends (RequireEqual, BroadcastDims in ops/infer.h)

  bool has_src(size_t i) const { return i < src.size() && src[i] != nullptr && src[i]->present(); }
  // Contents of integer source i as expressions, or as plain numbers. On failure sets needed_source.
  Result<std::vector<Dim>> Elements(size_t i);
  Result<std::vector<int64_t>> Ints(size_t i);
};

// ---- Reference ----------------------------------------------------------------------------------------------------

struct ReferenceCall {
  OpCall call;
  std::span<const void* const> src;  // one per call.src; null for an absent source
  std::span<void* const> dst;
};

// ---- Between plans ------------------------------------------------------------------------------------------------

// A graph in an attribute (the body of a Loop), bound to the values outside that it uses.
class SubgraphRunner {
 public:
  // As declared: kNone where no type is, 0 for dims that are not known; no dims where no rank is.
  struct Output {
    DataType type = DataType::kNone;
    Shape shape;
  };
  virtual ~SubgraphRunner() = default;
  virtual size_t num_inputs() const = 0;
  virtual size_t num_outputs() const = 0;
  virtual const Output& declared_output(size_t i) const = 0;
  virtual Result<std::vector<Datum>> Run(std::span<const Datum> inputs) = 0;
};

// A node that no plan can hold, since the sizes of its results depend on contents (NonZero), or it works on sequences,
// optionals or the characters of strings, or it runs graphs (If). It runs on the host, between plans. Its tensors are
// dense and row-major; those of strings hold std::string.
struct HostCall {
  const OpSchema* op = nullptr;
  const Attributes* attrs = nullptr;
  std::string_view name;              // of the node, for messages
  std::span<const Datum* const> src;  // null: an absent optional operand
  std::span<Datum> dst;               // execute fills all of them
  int64_t max_trips = 0;              // of a loop
  int64_t max_tensor_bytes = std::numeric_limits<int64_t>::max();
  // The graph in attribute `name`; null where the node has none.
  std::function<SubgraphRunner*(std::string_view name)> subgraph;

  bool has_src(size_t i) const { return i < src.size() && src[i] != nullptr && !src[i]->is_none(); }
  // Source i, which must be a tensor; the Status names it otherwise.
  Result<const Tensor*> SrcTensor(size_t i) const;
  // A tensor of at most max_tensor_bytes.
  Result<Tensor> NewTensor(DataType type, Shape shape) const;
};

// ---- The schema ---------------------------------------------------------------------------------------------------

// Which formats (ops/tensor_desc.h) the operator's image-like operands may have.
enum class LayoutRule : uint8_t {
  kSame,          // elementwise and along-an-axis operators: any format, all full operands and results in the same one
  kChannelsLast,  // wants source 0 and result 0 channels-last (Conv, pooling)
  kStrided,       // copies: each operand in any format (Transpose, Slice, Concat ...)
  kRowMajor,      // needs row-major operands beyond rank 2 (MatMul)
};

struct Cost {
  double flops = 0;  // a multiply-add is two
};

class MicroBuilder;  // ops/micro_builder.h

struct OpSchema {
  const char* domain;  // "" is ai.onnx; "moka" for operators that only passes make
  const char* name;
  int min_src, max_src;  // max -1: any number
  int min_dst, max_dst;
  LayoutRule layout = LayoutRule::kSame;
  uint32_t image_src = 1;  // kChannelsLast: bit i: source i is an image, too
  Status (*infer)(InferContext&) = nullptr;
  // Plain loops over any strides, any types that the standard allows among f32, f64, i32, i64, bool (others are
  // refused), accumulating in float / in double. Null where the library was built without references.
  Status (*reference)(const ReferenceCall&) = nullptr;
  Status (*oracle)(const ReferenceCall&) = nullptr;
  Cost (*cost)(const OpCall&) = nullptr;
  // Where result `dst_index` can be a view of source 0 (Reshape, Transpose, Slice, Split ...): its desc and element
  // offset into the source. Null or false: it must be computed.
  bool (*view)(const OpCall&, int dst_index, TensorDesc* dst, int64_t* offset) = nullptr;
  // Elementwise operators on f32: appends the operator's instructions. Null: not elementwise. See ops/micro_builder.h.
  bool (*lower)(const OpCall&, MicroBuilder&) = nullptr;
  // Whether results differ from run to run (random numbers without a seed): then nothing is computed when the model is
  // loaded, and equal nodes stay apart. Null: never.
  bool (*varies)(const Attributes&) = nullptr;
  // Operators that no plan can hold (HostCall) have this instead of infer, reference and the rest.
  Status (*execute)(HostCall&) = nullptr;
  float tolerance = 1e-5f;  // of an f32 kernel: |got - oracle| <= tolerance * (1 + |oracle|), before growth with K
};

inline bool Varies(const OpSchema& op, const Attributes& attrs) { return op.varies != nullptr && op.varies(attrs); }

const OpSchema* FindOp(std::string_view domain, std::string_view name);  // null when unknown
std::span<const OpSchema* const> AllOps();

}  // namespace moka

#endif  // MOKA_OPS_OP_H_
