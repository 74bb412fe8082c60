// Converters of versions.cc for operators that resize, sample, pool or transform.
#ifndef MOKA_FORMATS_ONNX_VERSIONS_SPATIAL_H_
#define MOKA_FORMATS_ONNX_VERSIONS_SPATIAL_H_

#include "formats/onnx/versions.h"

namespace moka::onnx {

Status UpsampleResize(Upgrader& up, OnnxNode& node);       // became Resize in opset 10
Status ResizeScales(Upgrader& up, OnnxNode& node);         // Resize-10 has no roi
Status GridSampleNames(Upgrader& up, OnnxNode& node);      // "bilinear" became "linear"
Status RoiAlignHalfPixel(Upgrader& up, OnnxNode& node);    // had no shift of half a pixel
Status ScatterElementsName(Upgrader& up, OnnxNode& node);  // Scatter became ScatterElements
Status TileRepeats(Upgrader& up, OnnxNode& node);          // Tile-1 repeats one dimension
Status TransformAxis(Upgrader& up, OnnxNode& node);        // the axis of DFT became a source
Status PoolPower(Upgrader& up, OnnxNode& node);            // p of LpPool was a float

}  // namespace moka::onnx

#endif  // MOKA_FORMATS_ONNX_VERSIONS_SPATIAL_H_
