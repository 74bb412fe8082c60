// GatherElements, GatherND, ScatterElements, ScatterND: what their references and kernels share.
#ifndef MOKA_OPS_INDEXING_H_
#define MOKA_OPS_INDEXING_H_

#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/op.h"

namespace moka {

// Of an index that is not in [-size, size).
Status IndexOutOfRange(int src, int64_t element, int64_t value, int64_t size);

// The dimension along which indices count; all others of indices (and updates) lie inside those of data.
struct AlongAxisParams {
  int axis = 0;

  static Result<AlongAxisParams> From(const Attributes& attrs, int rank);
  // With the shapes checked.
  static Result<AlongAxisParams> From(const OpCall& call);
};

// The last dimension of indices holds `depth` coordinates, of the dimensions of data behind `batch_dims`.
struct TupleParams {
  int batch_dims = 0, depth = 0;

  static Result<TupleParams> From(const OpCall& call);
  // The element offset in data (or the destination) of the tuple that starts at `offset` of the indices, without its
  // batch dimensions. `element` counts tuples, for the message.
  Status Offset(const TensorDesc& indices, const void* data, int64_t offset, const TensorDesc& target, int64_t element,
                int64_t* result) const;
};

enum class ScatterReduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };
Result<ScatterReduction> ReadScatterReduction(const Attributes& attrs);

// NaN in any operand of the largest and the smallest is the result.
template <class A>
A ScatterReduce(ScatterReduction reduction, A old, A update) {
  switch (reduction) {
    case ScatterReduction::kNone:
      return update;
    case ScatterReduction::kAdd:
      return WrappingAdd(old, update);
    case ScatterReduction::kMul:
      return WrappingMul(old, update);
    case ScatterReduction::kMax:
      return old > update || old != old ? old : update;
    case ScatterReduction::kMin:
      return old < update || old != old ? old : update;
  }
  return update;
}

// A copy of source 0 with the updates of source 2 put in. for_each_update calls its argument with the offsets of an
// element of the result and of the update that goes there, and returns a Status.
template <class Float, class ForEachUpdate>
Status ScatterReference(const ReferenceCall& reference, ForEachUpdate&& for_each_update) {
  const TensorDesc &updates = reference.call.src[2], &y = reference.call.dst[0];
  MOKA_ASSIGN_OR_RETURN(const ScatterReduction reduction, ReadScatterReduction(*reference.call.attrs));
  MOKA_RETURN_IF_ERROR(CopyElements(reference.call.src[0], reference.src[0], y, reference.dst[0]));
  if (reduction == ScatterReduction::kNone) {
    return WithStorageType(y.type, [&](auto bits) {
      return for_each_update([&](int64_t to, int64_t from) {
        StoreRaw(reference.dst[0], to, LoadRaw<decltype(bits)>(reference.src[2], from));
      });
    });
  }
  return WithAccumulator<Float>(y.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    return for_each_update([&](int64_t to, int64_t from) {
      Store<Acc>(
          y, reference.dst[0], to,
          ScatterReduce(reduction, Load<Acc>(y, reference.dst[0], to), Load<Acc>(updates, reference.src[2], from)));
    });
  });
}

}  // namespace moka

#endif  // MOKA_OPS_INDEXING_H_
