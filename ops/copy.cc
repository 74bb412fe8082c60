// moka.Copy: the same tensor in another memory order.
#include "ops/element.h"
#include "ops/op.h"
#include "ops/reference.h"
#include "ops/schemas.h"

namespace moka {
namespace {

Status InferCopy(InferContext& context) {
  context.dst[0] = *context.src[0];
  return Status();
}

template <class Float>
Status CopyReference(const ReferenceCall& reference) {
  return CopyElements(reference.call.src[0], reference.src[0], reference.call.dst[0], reference.dst[0]);
}

}  // namespace

const OpSchema* CopySchema() {
  static constexpr OpSchema kSchema = {
      .domain = "moka",
      .name = "Copy",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferCopy,
      MOKA_REFERENCES(CopyReference)  //
  };
  return &kSchema;
}

}  // namespace moka
