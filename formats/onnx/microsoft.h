// The one place that turns operators of com.microsoft into operators of ai.onnx, where they are only another spelling
// of them: FusedConv is a Conv and an activation. Kernels and passes then see one form of everything.
#ifndef MOKA_FORMATS_ONNX_MICROSOFT_H_
#define MOKA_FORMATS_ONNX_MICROSOFT_H_

#include <string_view>

#include "formats/onnx/versions.h"

namespace moka::onnx {

// Rewrites `node`, whose last operator it becomes; what comes before and after is emitted through `up`. Null: no
// operator of that name is rewritten. ONNX Runtime writes some of them into the default domain.
using RewriteFn = Status (*)(Upgrader& up, OnnxNode& node);
RewriteFn FindRewrite(std::string_view domain, std::string_view op);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_MICROSOFT_H_
