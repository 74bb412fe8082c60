// AttributeProto.
#ifndef MOKA_FORMATS_ONNX_ATTRIBUTE_READER_H_
#define MOKA_FORMATS_ONNX_ATTRIBUTE_READER_H_

#include <functional>
#include <memory>
#include <string_view>

#include "formats/onnx/context.h"
#include "graph/graph.h"

namespace moka::onnx {

using SubgraphReader = std::function<Result<std::shared_ptr<const SubgraphAttribute>>(std::string_view bytes)>;

// Adds the attribute to *attrs. Its name, a view of `bytes`, goes to *name as soon as it is known. A value of another
// kind than the stated type, two values, and a second attribute of that name are kInvalidModel; kinds that Attributes
// cannot hold (lists of tensors and graphs, lists of types) kUnsupported. Inside a function, an
// attribute may refer to one of the call, `of_call`; it is absent where the call does not have that. Null: not in a
// function.
Status ReadAttribute(std::string_view bytes, ReadContext& context, const SubgraphReader& read_subgraph,
                     const Attributes* of_call, Attributes* attrs, std::string_view* name);

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_ATTRIBUTE_READER_H_
