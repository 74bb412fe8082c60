// Converters of versions.cc for normalizations and for operators that training changes.
#ifndef MOKA_FORMATS_ONNX_VERSIONS_NORMALIZATION_H_
#define MOKA_FORMATS_ONNX_VERSIONS_NORMALIZATION_H_

#include "formats/onnx/versions.h"

namespace moka::onnx {

Status GroupNormalizationScale(Upgrader& up, OnnxNode& node);      // scale and bias were those of groups
Status BatchNormalizationInference(Upgrader& up, OnnxNode& node);  // results of training, statistics per element
Status DropoutAttributes(Upgrader& up, OnnxNode& node);            // ratio and mask before opset 12
Status DropoutIdentity(Upgrader& up, OnnxNode& node);              // without training and mask nothing is left

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_VERSIONS_NORMALIZATION_H_
