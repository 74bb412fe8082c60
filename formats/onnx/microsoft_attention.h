// Rewrites of com.microsoft's attention operators, and what they share with the other rewrites.
#ifndef MOKA_FORMATS_ONNX_MICROSOFT_ATTENTION_H_
#define MOKA_FORMATS_ONNX_MICROSOFT_ATTENTION_H_

#include <vector>

#include "formats/onnx/versions.h"

namespace moka::onnx {

Status RewriteAttention(Upgrader& up, OnnxNode& node);
Status RewriteMultiHeadAttention(Upgrader& up, OnnxNode& node);
Status RewriteRotaryEmbedding(Upgrader& up, OnnxNode& node);

ValueId Source(const OnnxNode& node, size_t i);  // kNoValue where absent
// The node becomes that operator of ai.onnx.
Status Become(OnnxNode& node, const char* op, std::vector<ValueId> src, Attributes attrs = {});
// A number of the type of `like`.
Result<ValueId> AddScalarLike(Upgrader& up, const OnnxNode& node, const char* suffix, ValueId like, float value);
// Parts of the last dimension.
std::vector<ValueId> SplitEqually(Upgrader& up, const OnnxNode& node, ValueId src, int parts);
// Dimension `axis` >= 0 of `src` as i64[1].
ValueId DimOf(Upgrader& up, const OnnxNode& node, ValueId src, int64_t axis);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_MICROSOFT_ATTENTION_H_
