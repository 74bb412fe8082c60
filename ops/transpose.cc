#include "ops/transpose.h"

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferTranspose(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_ASSIGN_OR_RETURN(const TransposeParams params, TransposeParams::From(*ctx.attrs, x.rank()));
  ctx.dst[0].type = x.type;
  for (int i = 0; i < params.rank; ++i) {
    ctx.dst[0].dims.push_back(x.dims[static_cast<size_t>(params.perm[static_cast<size_t>(i)])]);
  }
  if (x.rank() <= 1) ctx.dst[0].elements = KnownElements(x);
  return Status();
}

bool TransposeAsView(const OpCall& call, int, TensorDesc* dst, int64_t* offset) {
  const Result<TransposeParams> params = TransposeParams::From(call);
  if (!params.ok()) return false;
  TransposeView(call.src[0], params->perm.data(), dst);
  *offset = 0;
  return true;
}

template <class Float>
Status TransposeReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const TransposeParams params, TransposeParams::From(reference.call));
  TensorDesc view;
  TransposeView(reference.call.src[0], params.perm.data(), &view);
  return CopyElements(view, reference.src[0], reference.call.dst[0], reference.dst[0]);
}

}  // namespace

Result<TransposeParams> TransposeParams::From(const Attributes& attrs, int rank) {
  TransposeParams params;
  params.rank = rank;
  IntList perm;
  MOKA_RETURN_IF_ERROR(ReadInts(attrs, "perm", &perm));
  for (int i = 0; i < rank && !perm.present; ++i) params.perm[static_cast<size_t>(i)] = rank - 1 - i;
  if (!perm.present) return params;
  if (perm.size != rank) {
    return InvalidModel("attribute 'perm' has ", perm.size, " elements, src 0 has rank ", rank);
  }
  uint32_t seen = 0;
  for (int i = 0; i < rank; ++i) {
    if (perm[i] < 0 || perm[i] >= rank || (seen >> perm[i] & 1) != 0) {
      return InvalidModel("attribute 'perm' is no permutation: element ", i, " is ", perm[i]);
    }
    seen |= uint32_t{1} << perm[i];
    params.perm[static_cast<size_t>(i)] = static_cast<int>(perm[i]);
  }
  return params;
}

const OpSchema* TransposeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Transpose",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferTranspose,
      MOKA_REFERENCES(TransposeReference)  //
          .view = TransposeAsView,
  };
  return &kSchema;
}

}  // namespace moka
