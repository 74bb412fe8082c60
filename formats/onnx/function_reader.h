// FunctionProto: operators that a model defines by nodes. Calls of them are replaced by those nodes while a graph is
// read, so nothing behind the reader knows of functions.
#ifndef MOKA_FORMATS_ONNX_FUNCTION_READER_H_
#define MOKA_FORMATS_ONNX_FUNCTION_READER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "graph/graph.h"

namespace moka::onnx {

using Opsets = std::map<std::string, int64_t, std::less<>>;  // by domain; "" is the default one

// Views point into the file.
struct Function {
  std::string domain, name;
  std::vector<std::string_view> inputs, outputs, nodes, defaults;  // defaults: AttributeProtos
  Opsets opsets;
};

Status ReadFunction(std::string_view bytes, Function* function);
// OperatorSetIdProto.
Status ReadOpset(std::string_view bytes, Opsets* opsets);

// One call of a function while its nodes are read.
struct FunctionCall {
  const Function* function = nullptr;
  std::string prefix;                                    // of names inside: the name of the calling node and "/"
  Attributes attributes;                                 // of the call, and the defaults that it does not state
  std::unordered_map<std::string_view, ValueId> values;  // by the name that they have inside
};

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_FUNCTION_READER_H_
