// What operators that resize, sample, pool, move and transform refuse.
#include "tests/ops/bad_case.h"

namespace moka {
namespace {

const DataType kI64 = DataType::kI64;
AttributeValue Int(int64_t value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }
CaseOperand Floats(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Constant(Given({count}, std::move(values)));
}
CaseOperand Number(double value, DataType type = kI64) { return Constant(Given({}, {value}, type)); }

TEST(BadInput, Resize) {
  const CaseOperand x = Fed({1, 2, 4, 4}), none = Absent(), scales = Floats({1, 1, 2, 2});
  ExpectRefused({
      {"Resize", {}, {x}, "exactly one of src 2 (scales) and src 3 (sizes)"},
      {"Resize", {}, {x, none, scales, Ints({1, 2, 8, 8})}, "exactly one of"},
      {"Resize", {}, {x, none, Floats({1, 2})}, "'scales' has shape [2], expected 4"},
      {"Resize", {}, {x, none, Floats({1, 1, 0, 2})}, "src 2 (scales) has an element of 0"},
      {"Resize", {}, {x, none, Floats({1, 1, -2, 2})}, "src 2 (scales) has an element of -2"},
      {"Resize", {}, {x, none, Floats({1, 1, 1e30, 2})}, "src 2 (scales) has an element"},
      {"Resize", {}, {x, none, Ints({1, 1, 2, 2})}, "src 2 is i64"},
      {"Resize", {}, {x, none, none, Ints({8, 8})}, "src 3 (sizes) has 2 elements, expected 4"},
      {"Resize", {}, {x, none, none, Ints({1, 2, -1, 8})}, "src 3 (sizes): dimension of -1"},
      {"Resize", {}, {Fed({1, 2, 0, 4}), none, none, Ints({1, 2, 3, 4})}, "dimension 2 of src 0 is empty"},
      {"Resize", Attrs({{"mode", Text("box")}}), {x, none, scales}, "attribute 'mode' is 'box'"},
      {"Resize", Attrs({{"nearest_mode", Text("up")}}), {x, none, scales}, "'nearest_mode' is 'up'"},
      {"Resize", Attrs({{"axes", List({1, 1, 2, 3})}}), {x, none, scales}, "attribute 'axes' name axis 1 twice"},
      {"Resize", Attrs({{"axes", List({4})}}), {x, none, Floats({2})}, "attribute 'axes' 4"},
      {"Resize",
       Attrs({{"coordinate_transformation_mode", Text("tf_crop_and_resize")}}),
       {x, none, scales},
       "src 1 (roi) is missing"},
      {"Resize",
       Attrs({{"coordinate_transformation_mode", Text("tf_crop_and_resize")}}),
       {x, Floats({0, 1}), scales},
       "'roi' has shape [2], expected 8"},
  });
}

TEST(BadInput, Sampling) {
  const CaseOperand x = Fed({1, 2, 4, 4}), grid = Fed({1, 3, 3, 2}), rois = Fed({3, 4}), batch = Fed({3}, kI64);
  ExpectRefused({
      {"GridSample", {}, {x, Fed({1, 3, 2})}, "src 1: rank 3"},
      {"GridSample", {}, {x, Fed({1, 3, 3, 3})}, "last dimension of src 1 (grid)"},
      {"GridSample", {}, {x, Fed({2, 3, 3, 2})}, "batch of src 1 (grid)"},
      {"GridSample", Attrs({{"mode", Text("bilinear")}}), {x, grid}, "attribute 'mode' is 'bilinear'"},
      {"GridSample", Attrs({{"padding_mode", Text("wrap")}}), {x, grid}, "'padding_mode' is 'wrap'"},
      {"GridSample", {}, {Fed({1, 2, 0, 4}), grid}, "dimension 2 of src 0 is empty"},
      {"AffineGrid", {}, {Fed({1, 2, 3}), Ints({1, 2, 3})}, "src 1 (size) has 3 elements"},
      {"AffineGrid", {}, {Fed({1, 3, 4}), Ints({1, 2, 3, 3})}, "rows of src 0"},
      {"AffineGrid", {}, {Fed({1, 2, 3}), Ints({1, 2, -3, 3})}, "dimension of -3"},
      {"RoiAlign", {}, {x, Fed({3, 5}), batch}, "columns of src 1 (rois)"},
      {"RoiAlign", {}, {x, rois, Fed({2}, kI64)}, "elements of src 2 (batch_indices)"},
      {"RoiAlign", Attrs({{"output_height", Int(0)}}), {x, rois, batch}, "'output_height'"},
      {"RoiAlign", Attrs({{"sampling_ratio", Int(-1)}}), {x, rois, batch}, "'sampling_ratio' is -1"},
      {"MaxRoiPool", {}, {x, Fed({3, 5})}, "'pooled_shape' has 0 elements"},
      {"MaxRoiPool", Attrs({{"pooled_shape", List({2, 0})}}), {x, Fed({3, 5})}, "'pooled_shape' has an element of 0"},
      {"DeformConv", {}, {x, Fed({3, 2, 3, 3}), Fed({1, 17, 2, 2})}, "channels of src 2 (offset)"},
      {"DeformConv", {}, {x, Fed({3, 2, 3, 3}), Fed({1, 18, 2, 3})}, "dimension 3 of src 2 and of dst"},
      {"DeformConv", Attrs({{"offset_group", Int(0)}}), {x, Fed({3, 2, 3, 3}), Fed({1, 18, 2, 2})}, "'offset_group'"},
  });
}

TEST(BadInput, ConvTranspose) {
  const CaseOperand x = Fed({1, 4, 5, 5}), w = Fed({4, 6, 3, 3});
  ExpectRefused({
      {"ConvTranspose", {}, {Fed({4, 5}), w}, "src 0: rank 2"},
      {"ConvTranspose", {}, {x, Fed({5, 6, 3, 3})}, "channels of src 0 and dimension 0 of src 1"},
      {"ConvTranspose", Attrs({{"group", Int(3)}}), {x, w}, "do not divide into group = 3"},
      {"ConvTranspose", Attrs({{"group", Int(-1)}}), {x, w}, "attribute 'group' is -1"},
      {"ConvTranspose", {}, {x, w, Fed({5})}, "elements of src 2 (bias)"},
      {"ConvTranspose", Attrs({{"output_padding", List({1})}}), {x, w}, "'output_padding' has 1 elements"},
      {"ConvTranspose", Attrs({{"output_shape", List({9, -1})}}), {x, w}, "'output_shape' has an element of -1"},
      {"ConvTranspose", Attrs({{"pads", List({9, 0, 9, 0})}}), {x, w}, "the result has a size of -11"},
      {"ConvTranspose", Attrs({{"strides", List({0, 1})}}), {x, w}, "'strides' has an element of 0"},
      {"MaxUnpool", Attrs({{"kernel_shape", List({2, 2})}}), {x, Fed({1, 4, 5, 4}, kI64)}, "dimension 3 of src 1"},
      {"MaxUnpool",
       Attrs({{"kernel_shape", List({2, 2})}}),
       {x, Fed({1, 4, 5, 5}, kI64), Ints({1, 4, 5, 9})},
       "src 2 (output_shape): dimension 2 is 5, at least 6"},
      {"Col2Im", {}, {Fed({1, 8, 4}), Ints({5, 5}), Ints({2})}, "src 1 (image_shape) has 2 elements"},
      {"Col2Im", {}, {Fed({1, 8, 9}), Ints({5, 5}), Ints({2, 2})}, "the number of blocks"},
      {"Col2Im", {}, {Fed({1, 7, 16}), Ints({5, 5}), Ints({2, 2})}, "multiple of the block's points"},
      {"Col2Im", {}, {Fed({1, 8, 4}), Ints({5, 5}), Ints({0, 2})}, "src 2 (block_shape) has an element of 0"},
      {"LpPool", Attrs({{"kernel_shape", List({2, 2})}, {"p", Int(0)}}), {x}, "attribute 'p' is 0"},
  });
}

TEST(BadInput, Moves) {
  const CaseOperand x = Fed({2, 3, 4}), i = Fed({2, 3, 2}, kI64);
  ExpectRefused({
      {"Tile", {}, {x, Ints({1, 2})}, "src 1 (repeats) has 2 elements"},
      {"Tile", {}, {x, Ints({1, -2, 1})}, "-2 times dimension 1"},
      {"Tile", {}, {x, Ints({INT64_MAX, INT64_MAX, INT64_MAX})}, "overflow"},
      {"DepthToSpace", Attrs({{"blocksize", Int(2)}}), {Fed({1, 6, 2, 2})}, "channels of src 0 as a multiple"},
      {"DepthToSpace", {}, {Fed({1, 4, 2, 2})}, "'blocksize' is 0"},
      {"DepthToSpace", Attrs({{"mode", Text("RGB")}}), {Fed({1, 4, 2, 2})}, "'mode' is 'RGB'"},
      {"SpaceToDepth", Attrs({{"blocksize", Int(2)}}), {Fed({1, 4, 3, 2})}, "dimension 2 of src 0 as a multiple"},
      {"Trilu", {}, {Fed({3})}, "src 0: rank 1"},
      {"Trilu", {}, {x, Fed({2}, kI64)}, "elements of src 1 (k)"},
      {"EyeLike", {}, {x}, "src 0: rank 3"},
      {"EyeLike", Attrs({{"dtype", Int(99)}}), {Fed({2, 2})}, "attribute 'dtype' is 99"},
      {"OneHot", {}, {Fed({2}, kI64), Number(-3), Fed({2})}, "src 1 (depth) is -3"},
      {"OneHot", {}, {Fed({2}, kI64), Number(3), Fed({3})}, "elements of src 2 (values)"},
      {"OneHot", Attrs({{"axis", Int(2)}}), {Fed({2}, kI64), Number(3), Fed({2})}, "attribute 'axis' 2"},
      {"GatherElements", {}, {x, Fed({2, 3}, kI64)}, "src 1: rank 2"},
      {"GatherElements", Attrs({{"axis", Int(-4)}}), {x, i}, "attribute 'axis' -4"},
      {"GatherElements", {}, {x, Fed({2, 3, 2})}, "src 1 is f32"},
      {"GatherND", {}, {x, Fed({2, 4}, kI64)}, "4 coordinates, src 0 has 3 dimensions"},
      {"GatherND", Attrs({{"batch_dims", Int(3)}}), {x, i}, "attribute 'batch_dims' is 3"},
      {"GatherND", Attrs({{"batch_dims", Int(1)}}), {x, Fed({3, 1}, kI64)}, "batch dimension 0"},
      {"ScatterElements", {}, {x, i, Fed({2, 3, 3})}, "dimension 2 of src 2 and of src 1"},
      {"ScatterElements", Attrs({{"reduction", Text("avg")}}), {x, i, Fed({2, 3, 2})}, "'reduction' is 'avg'"},
      {"ScatterND", {}, {x, Fed({5, 2}, kI64), Fed({5, 3})}, "dimension 1 of src 2"},
      {"ScatterND", {}, {x, Fed({5, 4}, kI64), Fed({5})}, "4 coordinates"},
      {"ReverseSequence", {}, {x, Fed({2}, kI64)}, "elements of src 1 (sequence_lens)"},
      {"ReverseSequence", Attrs({{"time_axis", Int(1)}}), {x, Fed({3}, kI64)}, "are both 1"},
      {"CenterCropPad", {}, {x, Ints({1, 2})}, "src 1 (shape) has 2 elements"},
      {"CenterCropPad", Attrs({{"axes", List({0})}}), {x, Ints({-1})}, "dimension of -1"},
      {"Det", {}, {x}, "rows and columns of src 0"},
  });
}

TEST(BadInput, Transforms) {
  const CaseOperand x = Fed({2, 8, 1});
  ExpectRefused({
      {"DFT", {}, {Fed({2, 8, 3})}, "the last dimension is 3, not 1 (real) or 2 (complex)"},
      {"DFT", {}, {x, Number(0)}, "src 1 (dft_length) is 0"},
      {"DFT", {}, {x, Number(1e15)}, "src 1 (dft_length) is"},
      {"DFT", {}, {x, Absent(), Number(2)}, "the last dimension, that of real and imaginary parts"},
      {"DFT", {}, {x, Absent(), Number(-4)}, "src 2 (axis) -4"},
      {"STFT", {}, {x, Number(0)}, "src 1 (frame_step)"},
      {"STFT", {}, {x, Number(2), Absent(), Number(9)}, "src 0 is shorter than one frame"},
      {"HannWindow", {}, {Number(-1)}, "src 0 (size) is -1"},
      {"HannWindow", Attrs({{"output_datatype", Int(8)}}), {Number(4)}, "'output_datatype' is string"},
      {"MelWeightMatrix",
       {},
       {Number(-2), Number(8), Number(8000), Number(0, DataType::kF32), Number(4000, DataType::kF32)},
       "src 0 is -2"},
  });
}

}  // namespace
}  // namespace moka
