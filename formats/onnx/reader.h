// Reads ONNX models (IR version 3 and later) and tensors. Weights are not copied: they point into the bytes given.
#ifndef MOKA_FORMATS_ONNX_READER_H_
#define MOKA_FORMATS_ONNX_READER_H_

#include <memory>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "moka/model.h"

namespace moka {

struct OnnxSource {
  std::string_view bytes;             // a serialized ModelProto or TensorProto
  std::string path;                   // the file, for messages and external data; empty: external data is refused
  std::shared_ptr<const void> owner;  // keeps `bytes` alive; every constant of the graph holds it
};

// The model as a sorted and checked graph (SortAndCheck) in the newest forms of its operators
// (formats/onnx/versions.h), not yet inferred. Damaged files are kInvalidModel; sound ones that moka cannot run,
// kUnsupported.
Result<Graph> ReadOnnx(const OnnxSource& source, const ModelOptions& options);

// One tensor. Its data points into source.bytes where the file stores it raw, else into memory of its own.
Result<HostTensor> ReadTensorProto(const OnnxSource& source, const ModelOptions& options = {});

// A TensorProto, a SequenceProto or an OptionalProto.
Result<Datum> ReadDatumProto(const OnnxSource& source, ValueKind kind, const ModelOptions& options = {});

}  // namespace moka

#endif  // MOKA_FORMATS_ONNX_READER_H_
