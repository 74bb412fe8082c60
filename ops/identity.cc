#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/reference.h"

namespace moka {
namespace {

Status InferIdentity(InferContext& context) {
  context.dst[0] = *context.src[0];
  return Status();
}

template <class Float>
Status IdentityReference(const ReferenceCall& reference) {
  return CopyElements(reference.call.src[0], reference.src[0], reference.call.dst[0], reference.dst[0]);
}

bool IdentityView(const OpCall& call, int, TensorDesc* dst, int64_t* offset) {
  *dst = call.src[0];
  *offset = 0;
  return true;
}

Status ExecuteIdentity(HostCall& call) {
  call.dst[0] = *call.src[0];
  return Status();
}

}  // namespace

const OpSchema* IdentitySchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Identity",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferIdentity,
      MOKA_REFERENCES(IdentityReference)  //
          .view = IdentityView,
      .execute = ExecuteIdentity,
  };
  return &kSchema;
}

}  // namespace moka
