// What the readers of the parts of one file share.
#ifndef MOKA_FORMATS_ONNX_CONTEXT_H_
#define MOKA_FORMATS_ONNX_CONTEXT_H_

#include "formats/onnx/external_data.h"
#include "formats/onnx/reader.h"

namespace moka::onnx {

struct ReadContext {
  ReadContext(const OnnxSource& file, const ModelOptions& model_options)
      : source(file), options(model_options), external(file.path) {}

  const OnnxSource& source;
  const ModelOptions& options;
  ExternalFiles external;
};

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_CONTEXT_H_
