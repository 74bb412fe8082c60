// Convolutions of random shapes as tests of one operator.
#ifndef MOKA_TESTS_CPU_CONV_SHAPE_H_
#define MOKA_TESTS_CPU_CONV_SHAPE_H_

#include <array>
#include <random>
#include <string>
#include <vector>

#include "tests/cpu/run_op.h"

namespace moka {

inline int64_t Pick(std::mt19937& random, std::initializer_list<int64_t> values) {
  return *(values.begin() + static_cast<ptrdiff_t>(random() % values.size()));
}

struct ConvShape {
  int rank = 2;
  int64_t batch = 1, groups = 1, in_per_group = 1, out_per_group = 1;
  std::array<int64_t, 3> in{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, begin{}, end{};
  bool row_major_src = false, constant_weight = true, bias = true;

  std::string Name() const {
    std::string name = "conv";
    for (int i = 0; i < rank; ++i) {
      const auto d = static_cast<size_t>(i);
      name += " [" + std::to_string(in[d]) + " k" + std::to_string(kernel[d]) + " s" + std::to_string(stride[d]) +
              " d" + std::to_string(dilation[d]) + " p" + std::to_string(begin[d]) + "," + std::to_string(end[d]) + "]";
    }
    return name + " g" + std::to_string(groups) + " " + std::to_string(in_per_group) + "->" +
           std::to_string(out_per_group);
  }
};

inline std::vector<int64_t> Ints(const std::array<int64_t, 3>& a, int rank) { return {a.begin(), a.begin() + rank}; }

// False where the result would be empty.
inline bool MakeConv(const ConvShape& shape, std::mt19937& random, OpTest* test) {
  test->op = "Conv";
  Shape x = {shape.batch, shape.groups * shape.in_per_group},
        w = {shape.groups * shape.out_per_group, shape.in_per_group};
  Shape y = {shape.batch, shape.groups * shape.out_per_group};
  std::vector<int64_t> pads = Ints(shape.begin, shape.rank);
  for (int i = 0; i < shape.rank; ++i) {
    const auto d = static_cast<size_t>(i);
    x.push_back(shape.in[d]);
    w.push_back(shape.kernel[d]);
    const int64_t room = shape.in[d] + shape.begin[d] + shape.end[d] - (shape.kernel[d] - 1) * shape.dilation[d] - 1;
    if (room < 0) return false;
    y.push_back(room / shape.stride[d] + 1);
    pads.push_back(shape.end[d]);
  }
  test->attrs.Set("strides", Ints(shape.stride, shape.rank));
  test->attrs.Set("dilations", Ints(shape.dilation, shape.rank));
  test->attrs.Set("pads", pads);
  test->attrs.Set("group", shape.groups);
  test->AddFloats(MakeDense(DataType::kF32, x, shape.row_major_src ? Format::kRowMajor : Format::kChannelsLast),
                  random);
  test->AddFloats(MakeDense(DataType::kF32, w), random, 0.5f);
  if (shape.bias) test->AddFloats(MakeDense(DataType::kF32, {y[1]}), random);
  test->constant = {false, shape.constant_weight};
  test->dst = {MakeDense(DataType::kF32, y, Format::kChannelsLast)};
  return true;
}

inline ConvShape Same3x3(int64_t in, int64_t out, int64_t height, int64_t width) {
  ConvShape shape;
  shape.in_per_group = in;
  shape.out_per_group = out;
  shape.in = {height, width, 1};
  shape.kernel = {3, 3, 1};
  shape.begin = shape.end = {1, 1, 0};
  return shape;
}

// Strides, dilations and pads of any kind, with sizes and kernels out of the lists.
inline void PickWindow(std::mt19937& random, std::initializer_list<int64_t> sizes,
                       std::initializer_list<int64_t> kernels, ConvShape* shape) {
  for (int d = 0; d < shape->rank; ++d) {
    const auto k = static_cast<size_t>(d);
    shape->in[k] = Pick(random, sizes);
    shape->kernel[k] = Pick(random, kernels);
    shape->stride[k] = Pick(random, {1, 1, 2, 2, 3});
    shape->dilation[k] = Pick(random, {1, 1, 1, 2});
    shape->begin[k] = Pick(random, {0, 1, 1, 2, 4});
    shape->end[k] = Pick(random, {0, 1, 1, 3});
  }
  shape->bias = random() % 2 == 0;
}

}  // namespace moka

#endif  // MOKA_TESTS_CPU_CONV_SHAPE_H_
