#include "ops/conv.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/ops/run_op.h"

namespace moka {
namespace {

TEST(Conv, SumsWindowsByHand) {
  // 1 2 3     1 0     1+5 2+6     bias 10
  // 4 5 6  *  0 1  =  4+8 5+9
  // 7 8 9
  ExpectOp(RunOp("Conv", {}, {Counting({1, 1, 3, 3}), Given({1, 1, 2, 2}, {1, 0, 0, 1}), Given({1}, {10})}),
           {1, 1, 2, 2}, {16, 18, 22, 24});
  ExpectOp(RunOp("Conv", Attrs({{"pads", List({1, 0, 0, 1})}, {"strides", List({2, 2})}}),
                 {Counting({1, 1, 3, 3}), Given({1, 1, 2, 2}, {1, 2, 3, 4})}),
           {1, 1, 2, 2}, {3 + 8, 9, 4 + 10 + 21 + 32, 6 + 27});
}

TEST(Conv, GroupsSeeTheirOwnChannels) {
  ExpectOp(RunOp("Conv", Attrs({{"group", int64_t{2}}}),
                 {Given({1, 2, 1, 2}, {1, 2, 3, 4}), Given({2, 1, 1, 1}, {10, 100})}),
           {1, 2, 1, 2}, {10, 20, 300, 400});
}

TEST(Conv, AutoPadPutsTheOddPixelWhereItSays) {
  const std::vector<CaseOperand> src = {Counting({1, 1, 4}), Given({1, 1, 2}, {1, 10})};
  ExpectOp(RunOp("Conv", Attrs({{"auto_pad", std::string("SAME_UPPER")}}), src), {1, 1, 4}, {21, 32, 43, 4});
  ExpectOp(RunOp("Conv", Attrs({{"auto_pad", std::string("SAME_LOWER")}}), src), {1, 1, 4}, {10, 21, 32, 43});
  ExpectOp(RunOp("Conv", Attrs({{"auto_pad", std::string("VALID")}, {"strides", List({2})}}), src), {1, 1, 2},
           {21, 43});
}

struct Geometry {
  int64_t batch, group, in, out;  // channels of one group
  int64_t size[3], kernel[3], stride[3], dilation[3], begin[3], end[3];
};

Geometry RandomGeometry(std::mt19937& random, int rank) {
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  Geometry g{pick(1, 2), pick(1, 3), pick(1, 3), pick(1, 3), {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {}, {}};
  for (int i = 0; i < rank; ++i) {
    g.kernel[i] = pick(1, 3);
    g.stride[i] = pick(1, 3);
    g.dilation[i] = pick(1, 2);
    g.begin[i] = pick(0, 2);
    g.end[i] = pick(0, 2);
    g.size[i] = pick((g.kernel[i] - 1) * g.dilation[i] + 1, 7);
  }
  return g;
}

// Every input goes to the outputs that see it: the transpose of the reference's formula.
std::vector<double> Scatter(const Geometry& g, const int64_t* output, const std::vector<double>& x,
                            const std::vector<double>& w) {
  std::vector<double> y(static_cast<size_t>(g.batch * g.group * g.out * output[0] * output[1] * output[2]));
  const auto at = [](std::initializer_list<std::pair<int64_t, int64_t>> index) {
    int64_t offset = 0;
    for (const auto& [i, size] : index) offset = offset * size + i;
    return static_cast<size_t>(offset);
  };
  const int64_t channels = g.group * g.in, outputs = g.group * g.out;
  const int64_t inputs = g.size[0] * g.size[1] * g.size[2], taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  for (int64_t n = 0; n < g.batch * channels * inputs * g.out * taps; ++n) {
    int64_t rest = n;
    const auto next = [&rest](int64_t size) { return std::exchange(rest, rest / size) % size; };
    const int64_t k[3] = {next(g.kernel[0]), next(g.kernel[1]), next(g.kernel[2])};
    const int64_t m = next(g.out), i[3] = {next(g.size[0]), next(g.size[1]), next(g.size[2])};
    const int64_t c = next(channels), b = rest;
    int64_t o[3];
    bool seen = true;
    for (int d = 0; d < 3; ++d) {
      const int64_t start = i[d] + g.begin[d] - k[d] * g.dilation[d];
      o[d] = start / g.stride[d];
      seen = seen && start >= 0 && start % g.stride[d] == 0 && o[d] < output[d];
    }
    if (!seen) continue;
    const int64_t row = c / g.in * g.out + m;
    y[at({{b, 1}, {row, outputs}, {o[0], output[0]}, {o[1], output[1]}, {o[2], output[2]}})] +=
        x[at({{b, 1}, {c, channels}, {i[0], g.size[0]}, {i[1], g.size[1]}, {i[2], g.size[2]}})] *
        w[at({{row, 1}, {c % g.in, g.in}, {k[0], g.kernel[0]}, {k[1], g.kernel[1]}, {k[2], g.kernel[2]}})];
  }
  return y;
}

TEST(Conv, AgreesWithScatteringOnRandomGeometries) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 150; ++trial) {
    const int rank = 1 + trial % 3;
    const Geometry g = RandomGeometry(random, rank);
    Shape x{g.batch, g.group * g.in}, w{g.group * g.out, g.in};
    std::vector<int64_t> strides, dilations, pads;
    int64_t output[3] = {1, 1, 1};
    for (int i = 0; i < rank; ++i) {
      x.push_back(g.size[i]);
      w.push_back(g.kernel[i]);
      strides.push_back(g.stride[i]);
      dilations.push_back(g.dilation[i]);
      pads.push_back(g.begin[i]);
      output[i] = (g.size[i] + g.begin[i] + g.end[i] - (g.kernel[i] - 1) * g.dilation[i] - 1) / g.stride[i] + 1;
    }
    pads.insert(pads.end(), g.end, g.end + rank);
    const auto values = [&](const Shape& shape) {
      CaseOperand operand = Counting(shape);  // small integers: sums are exact
      for (double& value : operand.given) value = static_cast<double>(static_cast<int64_t>(random() % 9) - 4);
      return operand;
    };
    const CaseOperand a = values(x), b = values(w);
    const auto got = RunOp(
        "Conv", Attrs({{"group", g.group}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}}), {a, b});
    ASSERT_TRUE(got.ok()) << got.status().message();
    ASSERT_EQ(got->values, Scatter(g, output, a.given, b.given)) << "trial " << trial;
  }
}

TEST(Conv, ParamsResolvePadsAndExpandToMoreDimensions) {
  OpCase op_case = MakeCase("Conv/", Attrs({{"auto_pad", std::string("SAME_UPPER")}, {"strides", List({2})}}),
                            {Fed({1, 4, 8}), Fed({6, 2, 3})});
  op_case.attrs.Set("group", int64_t{2});
  const auto data = CaseData::Make(op_case, CaseLayout{});
  ASSERT_TRUE(data.ok()) << data.status().message();
  const auto params = ConvParams::From((*data)->call());
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(params->rank, 1);
  EXPECT_EQ(params->group, 2);
  EXPECT_EQ(params->pads_begin[0], 0);
  EXPECT_EQ(params->pads_end[0], 1);
  const Window expanded = params->Expanded(2);
  EXPECT_EQ(expanded.kernel, (std::array<int64_t, 3>{1, 3, 1}));
  EXPECT_EQ(expanded.strides, (std::array<int64_t, 3>{1, 2, 1}));
  EXPECT_EQ(expanded.pads_end, (std::array<int64_t, 3>{0, 1, 0}));
}

}  // namespace
}  // namespace moka
